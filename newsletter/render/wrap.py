"""Wrapping for people who read plain text: by display width, never inside a URL. No I/O.

Width follows Unicode's East Asian Width (UAX #11): wide characters take two
columns, combining and format characters none. Lines break at spaces and tabs
only, so a no-break space holds; scripts written without spaces break between
characters, minding which may not start or end a line.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator

WIDTH = 72
"""Columns of a line, as RFC 3676 4.2 recommends for text that may be quoted."""

Measure = Callable[[str], int]
"""How many columns a text takes."""

_SPACES = re.compile(r"[ \t\n]+")
_URL = re.compile(r"(?:https?://|mailto:)\S+")
_MAYBE_WIDE = re.compile(r"[\u1100-\U0010ffff]")
_GLUE = "\u00a0\u202f\u2007\u2011\u2060\ufeff"
_NO_LINE_START = frozenset(
    _GLUE + ",.!?:;)]}%\"'”’»›…‰℃"
    "、。，．：；！？）］｝」』】〕〉》〗〙〟’”ー〜～・゛゜ヽヾゝゞ々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％"
)
_NO_LINE_END = frozenset(_GLUE + "([{“‘«‹（［｛「『【〔〈《〖〘〝¥￥$＄€£#＃")


def display_width(text: str) -> int:
    """How many columns ``text`` takes in a fixed-width window."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


@functools.lru_cache(maxsize=8192)
def _char_width(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(
    text: str,
    *,
    width: int = WIDTH,
    first: str = "",
    rest: str = "",
    measure: Measure = display_width,
) -> str:
    """Wrap one paragraph; line breaks in it count as spaces.

    Args:
        text: the paragraph.
        width: most columns of a line, its indent counted. What cannot be
            broken, such as a URL, may be wider and then stands alone.
        first: what the first line begins with, e.g. ``- ``.
        rest: what each further line begins with.
        measure: the width of a text; tokens of slots count as their fallback.
    """
    lines: list[str] = []
    line, used = "", 0
    indent = measure(first)
    for space, atom in _atoms(text):
        size = measure(atom)
        if line and indent + used + len(space) + size > width:
            lines.append(line)
            line, used = "", 0
            indent = measure(rest)
        used += (len(space) if line else 0) + size
        line += (space if line else "") + atom
    lines.append(line)
    return "\n".join((rest if number else first) + line for number, line in enumerate(lines))


def _atoms(text: str) -> Iterator[tuple[str, str]]:
    """What may not be broken, each with what parts it from the one before."""
    for word in _SPACES.split(text):
        space = " "
        for atom in _parts(word) if _MAYBE_WIDE.search(word) else (word,):
            if atom:
                yield space, atom
                space = ""


def _parts(word: str) -> Iterator[str]:
    """A word taken apart where scripts without spaces allow a line to break."""
    start = 0
    urls = [found.span() for found in _URL.finditer(word)]
    for place in range(1, len(word)):
        inside = any(begin < place < end for begin, end in urls)
        if not inside and _may_break(word[place - 1], word[place]):
            yield word[start:place]
            start = place
    yield word[start:]


def _may_break(before: str, after: str) -> bool:
    if not (_breaks_anywhere(before) or _breaks_anywhere(after)):
        return False
    if after in _NO_LINE_START or before in _NO_LINE_END:
        return False
    return _char_width(after) > 0 and unicodedata.category(before) != "Cf"


def _breaks_anywhere(char: str) -> bool:
    """Whether a character belongs to a script without spaces; Hangul has them."""
    if char < "\u2e80" or "\uac00" <= char <= "\ud7af":
        return False
    return unicodedata.category(char)[0] in "LP" and unicodedata.east_asian_width(char) in "WF"
