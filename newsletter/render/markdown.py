"""Markdown as an issue may hold it: CommonMark, tables, strikethrough and footnotes. No I/O.

A text is parsed once; the HTML and the plain text are made from the same
tokens, so neither can say what the other does not. HTML comes out as
well-formed XHTML, which MJML insists on; raw HTML is shown as text.

Emphasis follows the flanking rules of CommonMark 0.31.2 (6.2), except that wide letters, of
Chinese and Japanese, which know no spaces between words, count as a space beside punctuation.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLink
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore, smartquotes
from markdown_it.rules_inline import StateInline, emphasis
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

_NOTE = re.compile(r"\[\^([^\[\]\s^]{1,40})\]:[ \t]*")
_REFERENCE = re.compile(r"\[\^([^\[\]\s^]{1,40})\]")
_TAGS = (
    "a|abbr|b|blockquote|br|center|code|dd|del|details|div|dl|dt|em|figure|font|h[1-6]|hr|i|iframe"
    "|img|ins|kbd|li|mark|ol|p|pre|s|script|section|small|span|strong|style|sub|summary|sup|table"
    "|tbody|td|th|thead|tr|u|ul|video"
)
_RAW = re.compile(
    rf"</?(?:{_TAGS})(?:\s[^<>]{{0,200}})?/?>|<!--"
    r"|!?\[[^\[\]]{1,100}\](?:\[[^\[\]]{0,100}\]|\(https?:[^\s()]{1,200}\))"
    r"|\[\^[^\[\]\s]{1,40}\]:?|!\[(?=[^\s\[\]])"
    r"|\*\*[^\s*][^*]{0,100}\*\*|\*\*(?=\w)|(?<=\w)\*\*|==[^\s=][^=]{0,100}==|(?<=\w)~\w{1,20}~"
    r"|\^\w{1,20}\^|(?<!\S):[a-z_]{2,30}:(?!\S)|&(?:nbsp|amp|lt|gt|quot|#\d{1,6});",
    re.IGNORECASE,
)
"""What other kinds of Markdown, and HTML, would make something of."""
_FEW_COLUMNS = 3
"""A table of so many, or fewer, hardly ever scrolls."""
_TASK = re.compile(r"\[[ xX]\](?=\s)")
_TERM = re.compile(r":[ \t]+\S")
_ROW = re.compile(r"\|.*\|\Z")

Parsed = tuple[Token, ...]
"""A text taken apart, from which HTML and plain text are made."""


def parse(text: str, *, language: str) -> Parsed:
    """The tokens of a text, with the quotation marks of its language."""
    return tuple(_parser(language.split("-", maxsplit=1)[0]).parse(text, {_NOTES: _Notes()}))


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


def raw_in(tokens: Parsed) -> tuple[str, ...]:
    """What readers will see as it was typed: HTML, and marks of other kinds of Markdown.

    What stands behind a backslash is meant to be seen.
    """
    return tuple(raw for token in tokens for raw in token.meta.get(_RAW_META, ()))


def raw_in_line(text: str) -> tuple[str, ...]:
    """The same for a line, in which Markdown means nothing."""
    return tuple(found.group() for found in _RAW.finditer(text))


def faults_of_notes(tokens: Parsed) -> Iterator[tuple[str, str]]:
    """Footnotes without a text, or that nothing refers to, and what to do."""
    for token in tokens:
        if token.type == "footnote_open":
            name = token.meta["name"]
            if not token.meta["text"]:
                yield f"The footnote [^{name}] has no text.", "Write it behind the colon."
            elif "number" not in token.meta:
                yield (
                    f"Nothing refers to the footnote [^{name}].",
                    f"Put [^{name}] where it belongs, or delete the footnote.",
                )


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
    parser.core.ruler.before("text_join", "raw", _find_raw)
    parser.core.ruler.push("footnotes", _footnotes_last)
    parser.block.ruler.before("reference", "footnote", _footnote, {"alt": ["paragraph"]})
    parser.inline.ruler.before("link", "footnote_reference", _footnote_reference)
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.add_render_rule("footnote_reference", _render_reference)
    parser.add_render_rule("footnote_open", _render_note)
    parser.add_render_rule("table_open", _render_table)
    parser.add_render_rule("table_close", _render_table_end)
    return parser


_NOTES, _RAW_META = "notes", "raw"


@dataclass
class _Notes:
    """The footnotes of one text: those that have a definition, and the numbers of those used."""

    defined: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)


def _notes(env: object) -> _Notes:
    notes = env.get(_NOTES) if isinstance(env, dict) else None
    return notes if isinstance(notes, _Notes) else _Notes()


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """``[^name]: text``, up to an empty line or the next footnote."""
    if state.level or state.is_code_block(start):
        return False
    first = _NOTE.match(state.getLines(start, start + 1, state.blkIndent, False).lstrip())
    if first is None or silent:
        return first is not None
    line = start + 1
    while line < end and not state.isEmpty(line):
        if _NOTE.match(state.getLines(line, line + 1, state.blkIndent, False).lstrip()):
            break
        line += 1
    written = state.getLines(start, line, state.blkIndent, False).lstrip()[first.end() :]
    text = "\n".join(each.strip() for each in written.strip().split("\n"))
    _notes(state.env).defined.add(first[1])
    opening = state.push("footnote_open", "p", 1)
    opening.meta = {"name": first[1], "text": text}
    inline = state.push("inline", "", 0)
    inline.content, inline.children, inline.map = text, [], [start, line]
    state.push("footnote_close", "p", -1)
    state.line = line
    return True


def _footnote_reference(state: StateInline, silent: bool) -> bool:
    """``[^name]``, where there is such a footnote."""
    found = _REFERENCE.match(state.src, state.pos, state.posMax)
    notes = _notes(state.env)
    if found is None or found[1] not in notes.defined:
        return False
    if not silent:
        number = notes.numbers.setdefault(found[1], len(notes.numbers) + 1)
        state.push("footnote_reference", "sup", 0).content = str(number)
    state.pos = found.end()
    return True


def _footnotes_last(state: StateCore) -> None:
    """The footnotes below the text, in the order of their numbers."""
    numbers = _notes(state.env).numbers
    kept: list[Token] = []
    notes: list[tuple[int, list[Token]]] = []
    tokens = iter(state.tokens)
    for token in tokens:
        if token.type != "footnote_open":
            kept.append(token)
            continue
        if number := numbers.get(token.meta["name"]):
            token.meta["number"] = number
        notes.append((number or len(state.tokens), [token, next(tokens), next(tokens)]))
    state.tokens = kept + [each for _, note in sorted(notes, key=lambda n: n[0]) for each in note]


def _render_reference(_: object, tokens: list[Token], place: int, *__: object) -> str:
    return f"<sup>{tokens[place].content}</sup>"


def _render_note(_: object, tokens: list[Token], place: int, *__: object) -> str:
    return f'<p class="note language"><sup>{tokens[place].meta.get("number", "")}</sup> '


def _render_table(_: object, tokens: list[Token], place: int, *__: object) -> str:
    """A frame in which a table that is wider than the page scrolls; with a keyboard, too."""
    head = itertools.takewhile(lambda token: token.type != "tr_close", tokens[place:])
    columns = sum(token.type == "th_open" for token in head)
    focus = ' tabindex="0"' if columns > _FEW_COLUMNS else ""
    return f'<div class="wide"{focus}>\n<table>\n'


def _render_table_end(*_: object) -> str:
    return "</table>\n</div>\n"


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Emphasis, with wide letters as a space beside punctuation."""
    start, before = state.pos, len(state.delimiters)
    if not emphasis.tokenize(state, silent):
        return False
    last = state.src[start - 1] if start else " "
    following = state.src[state.pos] if state.pos < state.posMax else " "
    if state.src[start] == "*" and not (last.isspace() or following.isspace()):
        for delimiter in state.delimiters[before:]:
            delimiter.open = delimiter.open or _is_wide(last)
            delimiter.close = delimiter.close or _is_wide(following)
    return True


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in {"W", "F"}


def _find_raw(state: StateCore) -> None:
    """Remember what will be shown as it was typed, while escaped characters are still apart."""
    in_item = False
    for token in state.tokens:
        if token.type == "inline":
            token.meta[_RAW_META] = list(_raw_of(token.children or [], in_item=in_item))
        in_item = token.type == "list_item_open" or (in_item and token.type == "paragraph_open")


def _raw_of(children: list[Token], *, in_item: bool) -> Iterator[str]:
    before = ""
    for place, child in enumerate(children):
        if child.type == "text":
            yield from (found.group() for found in _RAW.finditer(child.content))
            if not place and in_item and (task := _TASK.match(child.content)):
                yield task.group()
            if before == "softbreak" and _TERM.match(child.content):
                yield child.content
            if before in {"", "softbreak"} and (row := _ROW.match(child.content)):
                yield row.group()
        before = child.type


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
