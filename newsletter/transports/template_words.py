"""Keeps a provider from reading an author's text as its own template language. No I/O.

Many providers look for their words in each mail, asked or not: “{{name}}” in an
article about templates would reach its readers as a gap. A word is broken up so
that a reader sees what the author wrote.
"""

from __future__ import annotations

import re

_JOINER = "\N{WORD JOINER}"
_STYLES = re.compile(r"(<style\b.*?</style\s*>)", re.IGNORECASE | re.DOTALL)


def in_text(text: str, words: re.Pattern[str]) -> str:
    """``text`` with an invisible character behind the first character of each word."""
    return words.sub(lambda word: f"{word[0][0]}{_JOINER}{word[0][1:]}", text)


def in_html(html: str, words: re.Pattern[str]) -> str:
    """``html`` with the first character of each word as a character reference.

    In style sheets, which know no references, it is set apart by a space.
    """
    if words.search(html) is None:
        return html
    outside_and_styles = _STYLES.split(html)
    outside_and_styles[::2] = [words.sub(_referred, each) for each in outside_and_styles[::2]]
    outside_and_styles[1::2] = [words.sub(_set_apart, each) for each in outside_and_styles[1::2]]
    return "".join(outside_and_styles)


def _referred(word: re.Match[str]) -> str:
    return f"&#{ord(word[0][0])};{word[0][1:]}"


def _set_apart(word: re.Match[str]) -> str:
    return f"{word[0][0]} {word[0][1:]}"
