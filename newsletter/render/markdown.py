"""Markdown as an issue may hold it: CommonMark, tables and strikethrough, no raw HTML. No I/O.

A text is parsed once; the HTML and the plain text are made from the same
tokens, so neither can say what the other does not. HTML comes out as
well-formed XHTML, which MJML insists on; raw HTML is shown as text.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore, smartquotes
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from newsletter.render.plaintext import TextLayout, TextRenderer

FIRST_HEADING = 4
"""The highest heading of a text by default: title, sections and headlines stand above it."""

_QUOTES = {
    "de": "„“‚‘",
    "en": "“”‘’",
    "es": "«»“”",
    "fr": ("«\u00a0", "\u00a0»", "‹\u00a0", "\u00a0›"),
    "it": "«»“”",
    "nl": "“”‘’",
    "pl": "„”‚’",
    "pt": "“”‘’",
    "ru": "«»„“",
    "uk": "«»„“",
}
"""Opening and closing quotation marks, outer then inner. Languages not named keep theirs."""


_MOST_QUOTES = 500
"""Quotation marks of one paragraph that are set; beyond, it keeps them as they are written."""

Parsed = tuple[Token, ...]
"""A text taken apart, from which HTML and plain text are made."""


def parse(text: str, *, language: str) -> Parsed:
    """The tokens of a text, with the quotation marks of its language."""
    return tuple(_parser(language.split("-", maxsplit=1)[0]).parse(text))


def to_html(tokens: Parsed, *, heading: int = FIRST_HEADING) -> str:
    """Well-formed XHTML, without a trailing line break.

    Args:
        tokens: what :func:`parse` made.
        heading: the level of the text's highest heading, so that it stays
            below the headline it stands under.
    """
    parser = _parser("")
    rendered: str = parser.renderer.render(_shifted(tokens, heading), parser.options, {})
    return rendered.strip()


def to_page(tokens: Parsed, *, heading: int) -> str:
    """HTML for a web page whose policy forbids inline styles; else as :func:`to_html`.

    A column's alignment is a class: ``left``, ``center`` or ``right``.
    """
    parser = _parser("")
    styled = [_with_class(token) for token in _shifted(tokens, heading)]
    options = OptionsDict({**parser.options, "xhtmlOut": False})  # type: ignore[typeddict-item] # the same keys
    rendered: str = parser.renderer.render(styled, options, {})
    return rendered.strip()


def to_text(tokens: Parsed, layout: TextLayout) -> str:
    """Plain text, without a trailing line break."""
    return TextRenderer(layout).render(tokens)


def pictures_in(tokens: Parsed) -> tuple[str, ...]:
    """The addresses of pictures that a text would load."""
    return tuple(str(child.attrs["src"]) for child in _inline(tokens) if child.type == "image")


def link_targets(tokens: Parsed) -> tuple[str, ...]:
    """Where a text's links lead, in order."""
    return tuple(str(child.attrs["href"]) for child in _inline(tokens) if child.type == "link_open")


def words_in(tokens: Parsed) -> tuple[str, ...]:
    """What a text says, one run of words after the other; code is left out."""
    return tuple(child.content for child in _inline(tokens) if child.type == "text")


def _inline(tokens: Parsed) -> Iterator[Token]:
    for token in tokens:
        yield from token.children or ()


@functools.lru_cache(maxsize=16)
def _parser(base_language: str) -> MarkdownIt:
    quotes = _QUOTES.get(base_language)
    options = {"html": False, "xhtmlOut": True, "typographer": True, "quotes": quotes or "“”‘’"}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough", "replacements"])
    if quotes:
        parser.enable("smartquotes")
        parser.core.ruler.at("smartquotes", _smart_quotes)
    parser.validateLink = _is_allowed  # type: ignore[method-assign] # how the library is told
    parser.core.ruler.push("table_headers", _name_header_cells)
    return parser


def _is_allowed(url: str) -> bool:
    """Whether a link may lead there; markdown-it shows a refused one as it was written."""
    return url.lower().startswith(("https://", "http://", "mailto:"))


def _shifted(tokens: Parsed, first: int) -> list[Token]:
    """``tokens`` with the highest heading at level ``first`` and the others below it."""
    levels = [int(token.tag[1]) for token in tokens if token.type == "heading_open"]
    if not levels:
        return list(tokens)
    shift = first - min(levels)
    return [
        token.copy(tag=f"h{min(6, int(token.tag[1]) + shift)}")
        if token.type in ("heading_open", "heading_close")
        else token
        for token in tokens
    ]


def _with_class(token: Token) -> Token:
    """A cell that says by a class how it is aligned, not by a style."""
    if "style" not in token.attrs:
        return token
    alignment = str(token.attrs["style"]).removeprefix("text-align:")
    rest = {name: value for name, value in token.attrs.items() if name != "style"}
    return token.copy(attrs={**rest, "class": alignment})


def _smart_quotes(state: StateCore) -> None:
    """Quotation marks of the language, in every paragraph that has no more than prose has.

    The library's time grows with the square of the marks in a paragraph.
    """
    tokens = state.tokens
    state.tokens = [
        token
        for token in tokens
        if token.content.count('"') + token.content.count("'") <= _MOST_QUOTES
    ]
    smartquotes(state)
    state.tokens = tokens


def _name_header_cells(state: StateCore) -> None:
    """Tell screen readers that a header cell heads its column (WCAG 1.3.1)."""
    for token in state.tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
