"""Slimming: takes out of finished HTML what no mail program shows or uses. No I/O.

Gmail cuts a mail off at 102 KB, and each attribute is paid for in every story.
What Outlook for Windows may need, though browsers do not, stays: comments for
it, ``width``, ``align``, ``bgcolor``, ``cellpadding`` and ``cellspacing``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from newsletter.render.css_minify import minified_sheet, minified_style
from newsletter.render.markup import VOID, Piece, pieces

_MSO = "<!--[if mso | IE]>"
_END = "<![endif]-->"
# From the first white space on, or each of a long run would be tried as a beginning.
_LINE_BREAKS = re.compile(r"(?<![ \t\r\n])[ \t\r]*+\n[ \t\r\n]*+")
_ATTRIBUTE = re.compile(r"""(?<!\s)\s++(?P<name>[^\s=/"'<>]+)(?:="(?P<value>[^"]*)"|='[^']*')?""")
_BLOCKS = frozenset(
    {"html", "head", "meta", "title", "style", "link", "body", "div", "p", "blockquote", "pre"}
    | {"table", "thead", "tbody", "tfoot", "tr", "th", "td", "ul", "ol", "li", "hr"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
)
_STYLE = re.compile(r'\sstyle="([^"]*)"')
_IN_A_LINE = re.compile(r"display\s*:\s*inline")
_DIRECTION = re.compile(r"\bdirection\s*:\s*(\w+)")
_DIR = re.compile(r'\sdir="(\w+)"')
_LEFT_TO_RIGHT = "direction:ltr"
_CLASS = re.compile(r"\.(-?[a-z_][\w-]*)")
_KNOWN_CLASS = re.compile(r"mso|moz-|gmail|apple|notranslate|externalclass|readmsgbody")
"""Class names that mean something to a mail program, whatever the style sheets say."""


@dataclass(frozen=True, slots=True)
class _Sheets:
    """What the mail's style sheets, those in comments for Outlook too, may do."""

    classes: frozenset[str] | None
    """Every class that they name, in lower case; None if rules may select others, too."""
    spaces: bool
    """They may let white space show, or put blocks into a line with white space between."""
    direction: bool
    """They may turn the direction of text."""
    pictures: bool
    """They may give an element a background picture."""


@dataclass(frozen=True, slots=True)
class _Outline:
    """A mail's pieces and which tag each stands in."""

    pieces: Sequence[Piece]
    parents: Sequence[int]
    """The place of the innermost start tag around each piece; -1 for none."""
    starts: dict[int, int]
    """The place of an end tag → the place of its start tag."""
    sheets: _Sheets

    def around(self, place: int) -> Iterator[Piece]:
        """The start tags around a piece, innermost first."""
        while (place := self.parents[place]) >= 0:
            yield self.pieces[place]


def minify(html: str) -> str:
    """``html`` in fewer bytes that show the same.

    Leaves out white space between blocks, a ``<tbody>`` that is there without
    being written, ``border="0"`` of tables, classes that no style sheet in the
    mail selects, declarations that say what holds anyway, and the spaces in
    styles; makes one of neighbouring comments for Outlook.
    """
    outline = _outline(list(pieces(html)))
    idle = _idle_space(outline)
    left_out = idle | _implied_bodies(outline, idle)
    kept = (
        _minified(outline, place) for place in range(len(outline.pieces)) if place not in left_out
    )
    return "".join(_with_merged_comments(kept))


def _outline(all_pieces: Sequence[Piece]) -> _Outline:
    parents: list[int] = []
    starts: dict[int, int] = {}
    open_now: list[int] = []
    for place, piece in enumerate(all_pieces):
        if piece.kind == "close":
            names = [all_pieces[each].name for each in open_now]
            if piece.name in names:
                # What is still open inside ends with it.
                del open_now[len(names) - names[::-1].index(piece.name) :]
                starts[place] = open_now.pop()
        parents.append(open_now[-1] if open_now else -1)
        if piece.kind == "open" and piece.name not in VOID and not piece.self_closing:
            open_now.append(place)
    css = "\n".join(piece.text for piece in all_pieces if piece.kind in ("raw", "comment"))
    return _Outline(all_pieces, parents, starts, _sheets(css.lower()))


def _sheets(css: str) -> _Sheets:
    by_part_of_a_name = "[class" in css or "\\" in css
    return _Sheets(
        classes=None if by_part_of_a_name else frozenset(_CLASS.findall(css)),
        spaces="white-space" in css or _IN_A_LINE.search(css) is not None,
        direction="direction" in css,
        pictures="background-image" in css or "url(" in css or "gradient(" in css,
    )


def _idle_space(outline: _Outline) -> set[int]:
    """The places of white space between blocks, which nothing shows."""
    every = range(len(outline.pieces))
    return {
        place
        for place in every
        if _is_space(outline.pieces[place])
        and _is_edge(outline, every[place + 1 :])
        and _is_edge(outline, every[:place][::-1])
        and not _shows_space(outline, place)
    }


def _is_space(piece: Piece) -> bool:
    return piece.kind == "text" and not piece.text.strip(" \t\r\n")


def _is_edge(outline: _Outline, places: Iterable[int]) -> bool:
    """Whether the first of these places that shows anything begins or ends a block."""
    for place in places:
        piece = outline.pieces[place]
        if piece.kind == "comment" or _is_space(piece):
            continue  # white space on both sides of a comment meets
        start = outline.pieces[outline.starts.get(place, place)]
        return piece.kind == "declaration" or (
            piece.name in _BLOCKS and not _IN_A_LINE.search(_style(start))
        )
    return True


def _style(tag: Piece) -> str:
    found = _STYLE.search(tag.rest)
    return found[1].lower() if found else ""


def _shows_space(outline: _Outline, place: int) -> bool:
    """Whether line breaks and runs of spaces may show there."""
    return outline.sheets.spaces or any(
        tag.name in ("pre", "textarea") or "white-space" in _style(tag)
        for tag in outline.around(place)
    )


def _implied_bodies(outline: _Outline, idle: set[int]) -> set[int]:
    """The places of ``<tbody>`` and ``</tbody>`` where HTML implies them (HTML 13.1.2.4)."""
    order = [place for place in range(len(outline.pieces)) if place not in idle]
    after = dict(pairwise(order))
    before = {later: earlier for earlier, later in after.items()}
    found = set()
    for end, start in outline.starts.items():
        if outline.pieces[start].text != "<tbody>" or end not in after:
            continue
        around = [outline.pieces[each] for each in (before[start], after[start], after[end])]
        if [(each.kind, each.name) for each in around] == [
            ("open", "table"),
            ("open", "tr"),
            ("close", "table"),
        ]:
            found |= {start, end}
    return found


def _minified(outline: _Outline, place: int) -> str:
    piece = outline.pieces[place]
    if piece.kind == "open":
        return (
            f"<{piece.name}{_ATTRIBUTE.sub(lambda f: _attribute(outline, place, f), piece.rest)}>"
        )
    if piece.kind == "raw" and outline.pieces[outline.parents[place]].name == "style":
        return minified_sheet(piece.text)
    if piece.kind == "text" and "\n" in piece.text and not _shows_space(outline, place):
        return _LINE_BREAKS.sub("\n", piece.text)
    return piece.text


def _attribute(outline: _Outline, place: int, found: re.Match[str]) -> str:
    """An attribute of the start tag at ``place``, shortened; nothing if it says nothing."""
    tag, name, value = outline.pieces[place], found["name"], found["value"]
    if value is None:
        return found.group()
    if name == "border" and tag.name == "table" and value == "0":
        return ""
    if name == "class":
        value = " ".join(each for each in value.split() if _is_used(outline, each.lower()))
        return f' class="{value}"' if value else ""
    if name == "style":
        implied = _LEFT_TO_RIGHT in value and _is_left_to_right(outline, place)
        value = minified_style(
            value,
            implied=_LEFT_TO_RIGHT if implied else "",
            pictures=outline.sheets.pictures or " background=" in tag.rest,
        )
        return f' style="{value}"' if value else ""
    return found.group()


def _is_used(outline: _Outline, class_name: str) -> bool:
    classes = outline.sheets.classes
    return classes is None or class_name in classes or _KNOWN_CLASS.match(class_name) is not None


def _is_left_to_right(outline: _Outline, place: int) -> bool:
    """Whether text in an element runs so without its own style saying it."""
    tag = outline.pieces[place]
    if outline.sheets.direction or tag.name in ("bdi", "bdo") or " dir=" in tag.rest:
        return False
    for each in outline.around(place):
        if said := _DIRECTION.search(_style(each)) or _DIR.search(each.rest):
            return said[1] == "ltr"
        if each.name in ("bdi", "bdo"):
            return False
    return False


def _with_merged_comments(texts: Iterable[str]) -> Iterator[str]:
    """``<!--[if mso | IE]>a<![endif]--><!--[if mso | IE]>b<![endif]-->`` become one."""
    waiting = ""
    for text in texts:
        if text.startswith(_MSO) and text.endswith(_END):
            waiting = waiting.removesuffix(_END) + text.removeprefix(_MSO) if waiting else text
            continue
        yield waiting
        waiting = ""
        yield text
    yield waiting
