"""Finds what is wrong with MJML before the engine meets it, with line and column. No I/O.

The engine validates nothing: a misspelt element or attribute passes silently,
a bare ``<`` is a hard error without a place. What MJML allows is data
(mjml_schema.py); what this engine cannot do, or does wrongly, is listed here.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from newsletter.render.css_lint import lint_css
from newsletter.render.markup import VOID, Piece, line_and_column, pieces
from newsletter.render.mjml_schema import ATTRIBUTES, CHILDREN, HTML_INSIDE

_EVERYWHERE = frozenset({"mj-class", "css-class"})
_ROOT_ATTRIBUTES = frozenset({"lang", "dir", "owa"})
_BODY_ATTRIBUTES = frozenset({"lang", "dir"})
_DEFAULTS = frozenset({"mj-all", "mj-class"})
"""Elements of mj-attributes that take any attribute."""

_CANNOT = {
    "mj-include": "Use Jinja's {% include %}: included sections would lose their width.",
    "mj-html-attributes": "Write the attribute in the element itself.",
    "mj-selector": "Write the attribute in the element itself.",
    "mj-html-attribute": "Write the attribute in the element itself.",
    "mj-carousel": "The engine hides its arrows in all programs; show the pictures one by one.",
    "mj-font": "Fonts from a server tell it who reads; name fonts that readers have.",
    "script": "Mail programs run no scripts.",
    "link": "Write the rules in the theme's css folder.",
}
_IGNORED = {
    "mj-wrapper": {"gap"},
    "mj-image": {"sizes"},
    "mj-social-element": {"sizes", "srcset"},
    "mj-section": {"gutter"},
}
_ONCE = frozenset({"mj-navbar", "mj-accordion"})
_MOST_PROBLEMS = 100
_DEEPEST = 50
"""Elements within one another; the engines recurse into them."""
_BAD_STYLE = re.compile(r"[{}]")
_PADDING = re.compile(r"(?:inner-)?padding(?:-(?:top|right|bottom|left))?")
_LENGTHS = re.compile(r"\s*(?:0|[0-9]+px)(?:\s+(?:0|[0-9]+px)){0,3}\s*")
_WIDTH = re.compile(r"\s*(?:[0-9]+(?:\.[0-9]+)?(?:px|%)|auto)\s*")


@dataclass(frozen=True, slots=True)
class MjmlProblem:
    """One thing wrong: a sentence, what to do, and where in the MJML.

    ``snippet`` is a piece of the MJML that may stand in the theme just so.
    """

    what: str
    next: str
    offset: int
    line: int
    column: int
    snippet: str


def lint_mjml(mjml: str) -> tuple[MjmlProblem, ...]:
    """What is wrong with ``mjml``, the first hundred things, in their order."""
    found = itertools.islice(_Linter(mjml).problems(), _MOST_PROBLEMS)
    return tuple(sorted(found, key=lambda problem: problem.offset))


@dataclass(frozen=True, slots=True)
class _Open:
    name: str
    piece: Piece


class _Linter:
    def __init__(self, mjml: str) -> None:
        self._mjml = mjml
        self._stack: list[_Open] = []
        self._seen: set[str] = set()
        self._classes: dict[str, set[str]] = {}

    def problems(self) -> Iterator[MjmlProblem]:
        for piece in pieces(self._mjml):
            if piece.kind == "open":
                yield from self._opened(piece)
                if len(self._stack) > _DEEPEST:
                    yield self._problem(
                        piece.start,
                        f"More than {_DEEPEST} elements stand within one another.",
                        "Close what is not closed, or nest less.",
                        piece.text[:30],
                    )
                    return
            elif piece.kind == "close":
                yield from self._closed(piece)
            elif piece.kind == "text":
                yield from self._text(piece)
            elif piece.kind == "comment":
                yield from self._comment(piece)
            elif piece.kind == "raw":
                yield from self._style(piece)
            else:
                yield self._problem(
                    piece.start, "MJML takes no <!…> or <?…>.", "Delete it.", piece.text
                )
        for left in self._stack:
            yield self._problem(
                left.piece.start,
                f"<{left.name}> is never closed.",
                f"Write </{left.name}> where it ends.",
                left.piece.text,
            )
        for needed in ("mjml", "mj-body"):
            if needed not in self._seen:
                yield self._problem(0, f"There is no <{needed}>.", "MJML cannot do without.", "")

    def _problem(self, offset: int, what: str, advice: str, snippet: str) -> MjmlProblem:
        line, column = line_and_column(self._mjml, offset)
        return MjmlProblem(what, advice, offset, line, column, snippet)

    def _opened(self, piece: Piece) -> Iterator[MjmlProblem]:
        parent = self._stack[-1].name if self._stack else None
        is_mjml = piece.name == "mjml" or piece.name.startswith("mj-")
        yield from self._mjml_element(piece, parent) if is_mjml else self._html(piece, parent)
        yield from self._attributes(piece)
        if piece.name in _ONCE and piece.name in self._seen and parent != "mj-attributes":
            yield self._problem(
                piece.start,
                f"There are two <{piece.name}>, and the engine gives both the same ids.",
                "Keep one.",
                f"<{piece.name}",
            )
        if parent != "mj-attributes":
            self._seen.add(piece.name)
        if not piece.self_closing and piece.name.lower() not in VOID:
            self._stack.append(_Open(piece.name, piece))

    def _mjml_element(self, piece: Piece, parent: str | None) -> Iterator[MjmlProblem]:
        name, snippet = piece.name, f"<{piece.name}"
        if name in _CANNOT:
            yield self._problem(
                piece.start, f"<{name}> cannot be used here.", _CANNOT[name], snippet
            )
        elif parent == "mj-attributes":
            if name not in ATTRIBUTES and name not in _DEFAULTS:
                yield self._unknown(piece)
        elif name not in CHILDREN and name not in ATTRIBUTES:
            yield self._unknown(piece)
        elif parent is None and name == "mjml":
            yield from self._root(piece)
        elif name not in CHILDREN.get(parent or "", ()) or (parent, name) == ("mjml", "mj-raw"):
            inside = f"inside <{parent}>" if parent else "outside <mjml>"
            yield self._problem(
                piece.start,
                f"<{name}> cannot stand {inside}.",
                _belongs(name),
                snippet,
            )

    def _unknown(self, piece: Piece) -> MjmlProblem:
        return self._problem(
            piece.start,
            f"<{piece.name}> is no element of MJML.",
            _did_you_mean(piece.name, [*CHILDREN, *_DEFAULTS]),
            f"<{piece.name}",
        )

    def _root(self, piece: Piece) -> Iterator[MjmlProblem]:
        names = {attribute.name for attribute in piece.attributes}
        for needed, value in (("lang", "{{ lang }}"), ("dir", "{{ dir }}")):
            if needed not in names:
                yield self._problem(
                    piece.start,
                    f"<mjml> has no {needed}, and readers' programs would have to guess.",
                    f'Write {needed}="{value}" in it.',
                    "<mjml",
                )

    def _html(self, piece: Piece, parent: str | None) -> Iterator[MjmlProblem]:
        lower = piece.name.lower()
        if lower in _CANNOT:
            yield self._problem(
                piece.start, f"<{lower}> cannot be used here.", _CANNOT[lower], f"<{piece.name}"
            )
        elif piece.name != lower and lower in VOID:
            yield self._problem(
                piece.start,
                f"<{piece.name}> stands in capitals.",
                f"Write <{lower} />.",
                piece.text,
            )
        elif not any(left.name in HTML_INSIDE for left in self._stack):
            where = f"directly inside <{parent}>" if parent else "outside <mjml>"
            yield self._problem(
                piece.start,
                f"<{piece.name}> cannot stand {where}.",
                "Put HTML into <mj-text>, <mj-table> or <mj-raw>.",
                f"<{piece.name}",
            )

    def _attributes(self, piece: Piece) -> Iterator[MjmlProblem]:
        seen: set[str] = set()
        allowed = _allowed(piece.name)
        if piece.name == "mj-class":
            said = {attribute.name: attribute.value or "" for attribute in piece.attributes}
            self._classes[said.get("name", "")] = said.keys() - {"name"}
        for attribute in piece.attributes:
            name = attribute.name
            what = advice = ""
            if name in seen:
                what, advice = f"The attribute {name} stands twice in <{piece.name}>.", "Keep one."
            elif attribute.value is not None and not attribute.quoted:
                what = f"The value of {name} in <{piece.name}> has no quotation marks."
                advice = f'Write {name}="…".'
            elif name in _IGNORED.get(piece.name, ()):
                what, advice = f"The engine ignores {name} in <{piece.name}>.", "Do without it."
            elif allowed is not None and name not in allowed:
                what = f"<{piece.name}> has no attribute {name}."
                advice = _did_you_mean(name, allowed)
            elif value := _forbidden_value(piece.name, name, attribute.value or ""):
                what, advice = value
            elif name == "mj-class" and (both := self._said_twice(attribute.value or "")):
                what = f"Two classes of <{piece.name}> set {both}, and the engine takes the first."
                advice = "MJML takes the last; let one of them set it."
            seen.add(name)
            if what:
                yield self._problem(attribute.start, what, advice, name + "=")

    def _said_twice(self, classes: str) -> str | None:
        """An attribute that two of an element's classes set."""
        sets = itertools.chain.from_iterable(
            self._classes.get(name, ()) for name in dict.fromkeys(classes.split())
        )
        return next((name for name, times in Counter(sets).items() if times > 1), None)

    def _closed(self, piece: Piece) -> Iterator[MjmlProblem]:
        if self._stack and self._stack[-1].name == piece.name:
            self._stack.pop()
            return
        if piece.name in VOID:
            what, advice = f"</{piece.name}> has nothing to close.", "Delete it."
            yield self._problem(piece.start, what, advice, piece.text)
            return
        names = [left.name for left in self._stack]
        if piece.name not in names:
            what, advice = f"</{piece.name}> closes what is not open.", "Delete it."
            yield self._problem(piece.start, what, advice, piece.text)
            return
        while (left := self._stack.pop()).name != piece.name:
            yield self._problem(
                left.piece.start,
                f"<{left.name}> is not closed before </{piece.name}>.",
                f"Write </{left.name}> in front of </{piece.name}>.",
                left.piece.text,
            )

    def _text(self, piece: Piece) -> Iterator[MjmlProblem]:
        for found in re.finditer(r"[<\x00\ufffe\uffff]", piece.text):
            bare = found.group() == "<"
            yield self._problem(
                piece.start + found.start(),
                "A “<” stands alone, or its tag is not written to the end."
                if bare
                else f"There is the invisible character U+{ord(found.group()):04X}.",
                "Write &lt; for the character itself." if bare else "Delete it.",
                piece.text[found.start() : found.start() + 30],
            )
        parent = self._stack[-1].name if self._stack else None
        inside = f"directly inside <{parent}>" if parent else "outside <mjml>"
        if piece.text.strip() and (parent is None or _takes_no_text(parent)):
            yield self._problem(
                piece.start + len(piece.text) - len(piece.text.lstrip()),
                f"Text cannot stand {inside}.",
                "Put it into <mj-text>.",
                piece.text.strip()[:30],
            )

    def _comment(self, piece: Piece) -> Iterator[MjmlProblem]:
        what = advice = ""
        if piece.text.startswith(("<!--[if", "<!--<![endif]")):
            if not _is_balanced(piece.text[4:-3]):
                what = "A comment for Outlook opens a tag that it does not close, or the reverse."
                advice = "Let each such comment hold whole elements; MJML makes the tables."
        elif "--" in piece.text[4:-3]:
            what, advice = "A comment holds “--”.", "Write a single hyphen."
        if what:
            yield self._problem(piece.start, what, advice, piece.text[:30])

    def _style(self, piece: Piece) -> Iterator[MjmlProblem]:
        if self._stack[-1].name != "script":  # which is refused as such
            for bad in lint_css(piece.text):
                yield self._problem(piece.start + bad.offset, bad.what, bad.next, "")


def _is_balanced(markup: str) -> bool:
    """Whether every tag in ``markup`` is closed in it; the engine reads Outlook's comments too."""
    stack = []
    for piece in pieces(markup):
        if piece.kind == "open" and not piece.self_closing and piece.name not in VOID:
            stack.append(piece.name)
        elif piece.kind == "close" and (not stack or stack.pop() != piece.name):
            return False
    return not stack


def _allowed(element: str) -> Iterable[str] | None:
    """The attributes of an MJML element; None for HTML and where all go."""
    if element == "mjml":
        return _ROOT_ATTRIBUTES
    if element not in ATTRIBUTES:
        return None
    own = ATTRIBUTES[element] | _EVERYWHERE
    return own | _BODY_ATTRIBUTES if element == "mj-body" else own


def _forbidden_value(element: str, name: str, value: str) -> tuple[str, str] | None:
    if element == "mj-style" and name == "inline":
        return (
            "The engine does not inline <mj-style>.",
            "Put the rules into css/inline.css, which is inlined.",
        )
    if element == "mj-raw" and name == "position" and value == "file-start":
        return ("<mj-raw> cannot stand before the document.", "Put it inside <mj-body>.")
    if element.startswith("mj-") and _PADDING.fullmatch(name) and not _LENGTHS.fullmatch(value):
        return (
            f"The engine cannot reckon with {name}=“{value}”.",
            "Write one to four lengths in whole pixels, such as 0 40px.",
        )
    if element.startswith("mj-") and name == "width" and not _WIDTH.fullmatch(value):
        return (f"The engine ignores the width “{value}”.", "Write it in px or %.")
    if element == "mj-hero" and name == "mode" and value != "fixed-height":
        return (
            f"The engine gives an <mj-hero> in the mode “{value}” a height below nothing.",
            "Take fixed-height.",
        )
    if element == "mj-hero" and _is_at_sides(name, value):
        return (
            "The engine makes an <mj-hero> with padding at its sides too wide for Outlook.",
            "Give the padding to what stands in it.",
        )
    if name == "style" and _BAD_STYLE.search(value):
        return ("A style attribute holds { or }.", "Write plain declarations in it.")
    return None


def _is_at_sides(name: str, value: str) -> bool:
    """Whether a padding leaves room at the left or the right."""
    lengths = [each.removesuffix("px").strip("0") for each in value.split()]
    if name == "padding":
        return any(lengths[1::2]) or (len(lengths) == 1 and any(lengths))
    return name in {"padding-left", "padding-right"} and any(lengths)


def _takes_no_text(element: str) -> bool:
    return (element in CHILDREN and element not in HTML_INSIDE) or element == "mj-attributes"


def _belongs(name: str) -> str:
    parents = [f"<{parent}>" for parent, children in CHILDREN.items() if name in children]
    return f"It belongs into {' or '.join(parents)}." if parents else ""


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else "Mind the spelling."
