"""Markdown as an issue may hold it: CommonMark, tables and strikethrough, no raw HTML. No I/O.

A text is parsed once; the HTML and the plain text are made from the same
tokens, so neither can say what the other does not. HTML comes out as
well-formed XHTML, which MJML insists on; raw HTML is shown as text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLink
from markdown_it.rules_core import StateCore, smartquotes
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from newsletter.render.plaintext import TextLayout, TextRenderer
from newsletter.web_addresses import find_addresses, web_address_at, with_ascii_host

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

_TYPOGRAPHY = (
    (re.compile(r"(?<!\.)\.{3}(?!\.)"), "…"),
    (re.compile(r"(?<!-)---(?!-)"), "—"),
    # An A-label, such as xn--mnchen-3ya, is a name.
    (re.compile(r"(?<!\S)--(?!\S)|(?<=[^\s-])(?<!\b[Xx][Nn])--(?=[^\s-])"), "–"),
)
"""All that is replaced besides quotation marks; docs/issue-file.md names it."""
_SCHEME = re.compile(r"(?<![A-Za-z0-9.+-])https?\Z", re.IGNORECASE)
_WORD = re.compile(r"[^\s<]{1,2000}")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])|&amp;")

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
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.inline.ruler.before("linkify", "bare_url", _bare_url)
    parser.core.ruler.after("inline", "bare_addresses", _bare_addresses)
    parser.core.ruler.after("bare_addresses", "dashes", _set_dashes)
    if quotes:
        parser.enable("smartquotes")
        parser.core.ruler.at("smartquotes", _smart_quotes)
    # How the library is told.
    parser.validateLink = _is_allowed  # type: ignore[method-assign]
    parser.normalizeLink = _normalized  # type: ignore[method-assign]
    parser.normalizeLinkText = lambda link: link  # type: ignore[method-assign]
    parser.core.ruler.push("table_headers", _name_header_cells)
    return parser


def _is_allowed(url: str) -> bool:
    """Whether a link may lead there; markdown-it shows a refused one as it was written."""
    return url.lower().startswith(("https://", "http://", "mailto:"))


def _normalized(url: str) -> str:
    """An address as ``href`` has it: the host in A-labels, the rest percent-encoded."""
    return normalizeLink(with_ascii_host(url))


def _bare_url(state: StateInline, silent: bool) -> bool:
    """A web address that stands in the text as it is; here, before ``_`` in it means emphasis."""
    if state.linkLevel or not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    if scheme is None or not (silent or state.pending.endswith(scheme.group())):
        return False
    start = state.pos - len(scheme.group())
    source = _WORD.match(state.src, start, state.posMax)
    # As for any text, a backslash takes the meaning of the next character away.
    text, lengths = _unescaped(source.group() if source else "")
    found = web_address_at(text)
    if found is None:
        return False
    if not silent:
        state.pending = state.pending.removesuffix(scheme.group())
        for token in _link(text[: found.end], found.url):
            pushed = state.push(token.type, token.tag, token.nesting)
            pushed.attrs, pushed.content = token.attrs, token.content
            pushed.markup, pushed.info = token.markup, token.info
    state.pos = start + sum(lengths[: found.end])
    return True


def _unescaped(source: str) -> tuple[str, list[int]]:
    """Markdown without its escapes, and how many characters of it made each one of the text."""
    text, lengths, place = "", [], 0
    for found in _ESCAPE.finditer(source):
        plain = source[place : found.start()]
        text += plain + (found[1] or "&")
        lengths += [1] * len(plain) + [len(found.group())]
        place = found.end()
    return text + source[place:], lengths + [1] * (len(source) - place)


def _bare_addresses(state: StateCore) -> None:
    """Addresses that need no ``://``: ``www.example.org`` and ``name@example.org``."""
    for token in state.tokens:
        if token.children and ("@" in token.content or "www." in token.content.lower()):
            token.children = list(_linked(token.children))


def _linked(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for place, token in enumerate(tokens):
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        if depth or token.type != "text":
            yield token
            continue
        # An address goes on in a character that was written with a backslash.
        goes_on = place + 1 < len(tokens) and tokens[place + 1].type == "text_special"
        begun = place > 0 and tokens[place - 1].type == "text_special"
        end = 0
        for found in find_addresses(token.content):
            cut = (goes_on and found.end == len(token.content)) or (begun and found.start == 0)
            if not cut:
                yield token.copy(content=token.content[end : found.start])
                yield from _link(token.content[found.start : found.end], found.url)
                end = found.end
        yield token.copy(content=token.content[end:])


def _link(text: str, url: str) -> tuple[Token, Token, Token]:
    return (
        Token("link_open", "a", 1, attrs={"href": _normalized(url)}, markup="linkify", info="auto"),
        Token("text", "", 0, content=text, level=1),
        Token("link_close", "a", -1, markup="linkify", info="auto"),
    )


def _set_dashes(state: StateCore) -> None:
    """Dashes and ellipses; an address that is its own label stays as it was typed."""
    for block in state.tokens:
        for token in _without_addresses(block.children or []):
            for written, printed in _TYPOGRAPHY:
                token.content = written.sub(printed, token.content)


def _without_addresses(tokens: list[Token]) -> Iterator[Token]:
    """The words among tokens, without those of addresses that are their own label."""
    inside = 0
    for token in tokens:
        inside += token.nesting if token.info == "auto" else 0
        if token.type == "text" and not inside:
            yield token


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
    for token in state.tokens:
        children = token.children or []
        words = {id(child) for child in _without_addresses(children)}
        for child in children:
            if child.type == "text" and id(child) not in words:
                child.type = "text_special"  # is text again when the rules have run
    smartquotes(state)
    state.tokens = tokens


def _name_header_cells(state: StateCore) -> None:
    """Tell screen readers that a header cell heads its column (WCAG 1.3.1)."""
    for token in state.tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
