"""Finds what is wrong with a style sheet, with its place. No I/O.

A mail program drops a rule, or all rules after it, without a word. This looks at how a style
sheet is put together, not at which properties a mail program knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/)|(?P<open_comment>/\*)"
    r"""|(?P<string>"(?:[^"\\\n]++|\\.)*+"|'(?:[^'\\\n]++|\\.)*+'|url\([^()"'\n]*+\))|(?P<open_string>["'])"""
    r"|(?P<end>[{};])",
    re.DOTALL,
)
_NAME = re.compile(r"\s*(?:--|\*|_)?-?[A-Za-z][\w-]*\s*\Z")
_SECOND = re.compile(r"(?<=[\s)])(?!progid)[a-z-]+\s*:(?!/)")
_HOLDS_RULES = ("@media", "@supports", "@layer", "@container", "@document")


@dataclass(frozen=True, slots=True)
class CssProblem:
    """One thing wrong: a sentence, what to do, and where in the style sheet."""

    what: str
    next: str
    offset: int


def lint_css(css: str) -> Iterator[CssProblem]:
    """What is wrong with a style sheet, in order."""
    blocks: list[tuple[str, int]] = []
    start, plain = 0, ""
    for token in _TOKEN.finditer(css):
        kind = token.lastgroup
        before = css[start : token.start()]
        start = token.end()
        if kind in ("comment", "string"):
            # In its place stands what is as long and means nothing, so that places stay right.
            plain += before + (" " if kind == "comment" else "s") * len(token.group())
            continue
        plain += before
        if kind in ("open_comment", "open_string"):
            what = "A comment" if kind == "open_comment" else "A text in quotation marks"
            yield CssProblem(f"{what} is never closed.", "Close it.", token.start())
            return
        place = token.start() - len(plain.lstrip())
        declares = bool(blocks) and not blocks[-1][0].startswith(_HOLDS_RULES)
        if token.group() == "{":
            if not plain.strip():
                yield CssProblem("A rule has no selector.", "Write one before “{”.", token.start())
            elif declares:
                yield CssProblem(
                    f"A rule begins before “{blocks[-1][0][:60]}” has ended.",
                    "Write “}” where that rule ends.",
                    place,
                )
            blocks.append((plain.strip(), place))
        else:
            if declares and plain.strip():
                yield from _declaration(plain, place)
            elif plain.strip() and not plain.strip().startswith("@"):
                yield CssProblem(
                    "Something stands outside a rule.", "Write selector { property: value }.", place
                )
            if token.group() == "}" and not (blocks and blocks.pop()):
                yield CssProblem("“}” closes what is not open.", "Delete it.", token.start())
        plain = ""
    rest = css[start:]
    if (plain + rest).strip() and not blocks:
        place = len(css) - len((plain + rest).lstrip())
        yield CssProblem("A rule has no “{”.", "Write selector { property: value }.", place)
    for selector, place in blocks:
        yield CssProblem(f"“{selector[:60]}” is never closed.", "Write “}” where it ends.", place)


def _declaration(text: str, place: int) -> Iterator[CssProblem]:
    name, colon, value = text.partition(":")
    said = " ".join(text.split())[:60]
    if not colon or not _NAME.match(name) or not value.strip():
        yield CssProblem(
            f"“{said}” is no declaration.", "Write property: value; and nothing else.", place
        )
    elif second := _SECOND.search(re.sub(r"\([^()]*\)", lambda m: "s" * len(m[0]), value)):
        at = place + len(text.lstrip()) - len(value) + second.start()
        yield CssProblem(f"“{said}” holds two declarations.", "Write a semicolon between them.", at)
