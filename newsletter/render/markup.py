"""Takes MJML or HTML apart into tags, comments and text, each with its place. No I/O.

No parser: it judges nothing and keeps every character, so that what is not
touched comes out as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

PieceKind = Literal["open", "close", "comment", "declaration", "text", "raw"]
"""``raw`` is the content of a style sheet or script, in which ``<`` and ``>`` mean nothing."""

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
"""HTML elements without an end tag."""

_RAW = frozenset({"style", "mj-style", "script"})
_PIECE = re.compile(
    r"(?P<comment><!--.*?-->)"
    r"|(?P<declaration><(?:!(?!--)|\?)[^>]*+>)"
    r"""|<(?P<slash>/?)(?P<name>[A-Za-z][\w:.-]*+)(?P<rest>(?:[^"'<>]++|"[^"]*+"|'[^']*+')*+)>"""
    r"""|(?P<unclosed><(?:!--.*|[!?][^>]*+|/?[A-Za-z](?:[^"'<>]++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+)\Z)""",
    re.DOTALL,
)
"""``unclosed`` runs to the end, as in a browser; else each ``<`` before the end reads it anew."""
_ATTRIBUTE = re.compile(
    r"""(?P<name>[^\s=/"'<>]+)(?:\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s"'<>]+))?"""
)


class Attribute(NamedTuple):
    """One attribute: its name, its value as written or None, and where it starts in the text."""

    name: str
    value: str | None
    quoted: bool
    start: int


class Piece(NamedTuple):
    """A run of the text: a tag, a comment, or what stands between them."""

    kind: PieceKind
    text: str
    start: int
    name: str = ""
    rest: str = ""
    """What stands in a tag after its name."""

    @property
    def self_closing(self) -> bool:
        """Whether the tag ends in ``/>``."""
        return self.rest.endswith("/")

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The tag's attributes in order, values without their quotes."""
        offset = self.start + 1 + len(self.name)
        return tuple(_attribute(found, offset) for found in _ATTRIBUTE.finditer(self.rest))


def _attribute(found: re.Match[str], offset: int) -> Attribute:
    value = found["value"]
    quoted = value is not None and value[0] in "\"'"
    return Attribute(
        found["name"],
        value[1:-1] if value is not None and quoted else value,
        quoted,
        offset + found.start(),
    )


def pieces(text: str) -> Iterator[Piece]:
    """Every piece of ``text`` in order; put together again they are ``text``."""
    end = 0
    while found := _PIECE.search(text, end):
        if found.start() > end:
            yield Piece("text", text[end : found.start()], end)
        end = found.end()
        piece = _piece(found)
        yield piece
        if piece.kind == "open" and piece.name in _RAW and not piece.self_closing:
            close = re.compile(rf"</{piece.name}\s*>").search(text, end)
            stop = close.start() if close else len(text)
            if stop > end:
                yield Piece("raw", text[end:stop], end)
            end = stop
    if end < len(text):
        yield Piece("text", text[end:], end)


def _piece(found: re.Match[str]) -> Piece:
    if found["unclosed"]:
        return Piece("text", found.group(), found.start())
    if found["comment"]:
        return Piece("comment", found.group(), found.start())
    if found["declaration"]:
        return Piece("declaration", found.group(), found.start())
    kind: PieceKind = "close" if found["slash"] else "open"
    return Piece(kind, found.group(), found.start(), found["name"], found["rest"])


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of a place in ``text``."""
    before = text.count("\n", 0, offset)
    return before + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1
