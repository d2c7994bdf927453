"""The mail as Outlook for Windows takes it: its conditional comments resolved, widths added up.

Word draws the mail there. It honours tables and cells, their widths and the padding of cells;
``max-width`` and the padding of anything else it passes over. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from newsletter.checks.styles import declarations

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_NOT_FOR_IT = re.compile(
    r"<!--\[if !mso[^\]]*\]><!-->.*?<!--<!\[endif\]-->"
    r"|<!--\[if (?:lte mso 11|!mso[^\]]*)\]>.*?<!\[endif\]-->",
    re.DOTALL,
)
_FOR_IT = re.compile(r"<!--\[if [^\]]*mso[^\]]*\]>(.*?)<!\[endif\]-->", re.DOTALL)
_PX = re.compile(r"(-?[0-9.]+)(?:px)?")


def outlook_page(html: str) -> HtmlElement:
    """The mail as Outlook for Windows reads it."""
    from lxml import html as lxml_html

    return lxml_html.document_fromstring(_FOR_IT.sub(r"\1", _NOT_FOR_IT.sub("", html)))


def misfits(page: HtmlElement, width: float = 640) -> list[str]:
    """Where a table, a picture or a row of cells does not fit what it stands in."""
    return list(_misfits(page.find("body"), width))


def _misfits(element: HtmlElement, room: float) -> Iterator[str]:
    for child in element:
        if not isinstance(child.tag, str) or child.tag == "style":
            continue
        own = _own_width(child, room)
        if own is not None and own > room:
            yield f"<{child.tag} class={child.get('class')}> has {own:g} px in {room:g} px"
        if child.tag == "table":
            yield from _rows(child, room if own is None else own, exact=child.get("align") is None)
        else:
            yield from _misfits(child, room)


def _rows(table: HtmlElement, room: float, *, exact: bool) -> Iterator[str]:
    for row in table.iter("tr"):
        if next(row.iterancestors("table")) is not table:
            continue
        cells = [cell for cell in row if cell.tag in {"td", "th"}]
        widths = [_own_width(cell, room) for cell in cells]
        told = [width for width in widths if width is not None]
        total = sum(told)
        if told and (total > room or (exact and len(told) == len(cells) and total < room)):
            yield f"cells of {' + '.join(f'{each:g}' for each in told)} px in {room:g} px"
        for cell, width in zip(cells, widths, strict=True):
            inside = width if width is not None else room if len(cells) == 1 else None
            if inside is not None:
                yield from _misfits(cell, inside - _sides(cell))


def _own_width(element: HtmlElement, room: float) -> float | None:
    said = declarations(element.get("style") or "").get("width") if element.tag != "img" else None
    said = said or element.get("width")
    if element.tag not in {"table", "td", "th", "img"} or said in {None, "auto"}:
        return None
    assert said is not None
    if said.endswith("%"):
        return room * float(said[:-1]) / 100
    found = _PX.fullmatch(said)
    return float(found[1]) if found else None


def _sides(cell: HtmlElement) -> float:
    """What the padding of a cell takes from its width."""
    total = 0.0
    declared = declarations(cell.get("style") or "")
    lengths = [_length(each) for each in declared.get("padding", "0").split()]
    right, left = lengths[1 % len(lengths)], lengths[{4: 3, 1: 0}.get(len(lengths), 1)]
    for side, short in (("left", left), ("right", right)):
        total += _length(declared[f"padding-{side}"]) if f"padding-{side}" in declared else short
    return total


def _length(said: str) -> float:
    found = _PX.match(said)
    return float(found[1]) if found else 0


def hanging(page: HtmlElement) -> list[str]:
    """What gets its place from something that Word passes over, without a substitute.

    Word pads cells only and knows no inline blocks. A button's cell says ``mso-padding-alt``;
    a paragraph's space for a thumb comes from rules for Outlook alone.
    """
    spaced = set(_SPACED.findall(" ".join(style.text or "" for style in page.iter("style"))))
    return [
        f"<{element.tag} class={element.get('class')}> {what}"
        for element in page.find("body").iter()
        if isinstance(element.tag, str)
        for what in _hanging(element, spaced)
    ]


_SPACED = re.compile(r"p\.([a-z]+)(?=[^{}]*\{ mso-margin-top-alt)")
_BLOCKS = frozenset({"div", "p", "h1", "h2", "h3", "h4", "blockquote", "li", "pre"})
_INLINE = frozenset({"a", "span", "b", "strong", "i", "em", "code", "small", "cite", "q", "s"})


def _hanging(element: HtmlElement, spaced: set[str]) -> Iterator[str]:
    declared = declarations(element.get("style") or "")
    padded = any(_length(part) for name in declared if name.startswith("padding")
                 for part in declared[name].split())  # fmt: skip
    if element.tag in _BLOCKS and padded:
        yield "is padded"
    if element.tag in _INLINE:
        parent = element.getparent()
        around = declarations(parent.get("style") or "")
        stands_in = "mso-padding-alt" in around or parent.get("class") in spaced
        if padded and not stands_in:
            yield "is padded"
        if declared.get("display") in {"block", "inline-block"} and not stands_in:
            yield f"is shown as {declared['display']}"
    if element.tag == "table" and element.get("role") and _below(declared.get("margin", "0")):
        yield "keeps its distance by a margin"


def _below(margin: str) -> float:
    lengths = [_length(each) for each in margin.split()]
    return lengths[2] if len(lengths) > 2 else lengths[0]
