"""The last pass over the HTML: mends, shrinks and then checks that nothing was lost. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from newsletter.render.markup import Piece, pieces
from newsletter.render.slots import TOKEN

PAGE_TEXT_COLOUR = "#222222"
"""For the hidden preheader. White on white, as MJML has it, looks like a spammer's trick."""

_C1 = re.compile(r"[\x80-\x9f]")
_MSO = "<!--[if mso | IE]>"
_END = "<![endif]-->"
_SPACES = re.compile(r"[ \t\r\n]*\n[ \t\r\n]*")
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS_SPACE = re.compile(r"\s*\n\s*")
_CSS_AROUND = re.compile(r"\s*([{};])\s*")
_STYLE_SPACE = re.compile(r"; +")
_IMG_WITHOUT_ALT = re.compile(r"""<img(?!(?:[^"'>]|"[^"]*")*?\salt[\s=>/])""")
_QUOTED = re.compile(r"""(?P<style> style=)?(?P<value>"[^"]*"|'[^']*')""")
_VERTICAL_ALIGN = re.compile(r' vertical-align="[^"]*"')
_PREHEADER = re.compile(r"(<div style=\"display:none;\s*font-size:1px;\s*color:)#fff(?:fff)?\b")
_BLOCKS = frozenset(
    [
        "html",
        "head",
        "body",
        "meta",
        "title",
        "style",
        "link",
        "table",
        "tbody",
        "thead",
        "tfoot",
        "tr",
        "td",
        "th",
        "div",
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "blockquote",
        "hr",
        "pre",
    ]
)


def finish(html: str) -> str:
    """Mend and shrink HTML that premailer inlined.

    Adds ``alt=""`` where MJML left it out, drops an attribute that is none,
    gives the preheader the text's colour, merges neighbouring Outlook comments,
    takes out white space that shows nowhere, and strips C1 controls, over which
    Gmail clips a mail.
    """
    merged = _merge_comments(_without_idle_space(list(pieces(_C1.sub("", html)))))
    return "".join(_finished(merged))


def losses(before: str, after: str) -> tuple[str, ...]:
    """What the HTML lost between MJML and the end: a sentence for each."""
    found = []
    if after.count("<!--[if") != after.count("<![endif]"):
        found.append("Conditional comments are not closed as often as they are opened.")
    if after.count("@media") != before.count("@media"):
        found.append("Media queries were lost.")
    if after.count("!important") < before.count("!important"):
        found.append("“!important” was lost from the style sheets.")
    if set(TOKEN.findall(before)) != set(TOKEN.findall(after)):
        found.append("Slots were lost.")
    return tuple(found)


def _is_space(piece: Piece) -> bool:
    return piece.kind == "text" and not piece.text.strip(" \t\r\n")


def _is_block(piece: Piece) -> bool:
    return piece.kind in ("comment", "declaration") or piece.name in _BLOCKS


def _without_idle_space(all_pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Without white space between blocks, which no mail program shows."""
    for number, piece in enumerate(all_pieces):
        around = all_pieces[max(0, number - 1) : number + 2]
        if _is_space(piece) and all(_is_block(other) for other in around if other is not piece):
            continue
        yield piece


def _merge_comments(all_pieces: Iterator[Piece]) -> Iterator[Piece]:
    """``<!--[if mso | IE]>a<![endif]--><!--[if mso | IE]>b<![endif]-->`` become one."""
    waiting: Piece | None = None
    for piece in all_pieces:
        if _is_mso(piece):
            if waiting:
                text = waiting.text.removesuffix(_END) + piece.text.removeprefix(_MSO)
                waiting = Piece("comment", text, waiting.start)
            else:
                waiting = piece
            continue
        if waiting:
            yield waiting
            waiting = None
        yield piece
    if waiting:
        yield waiting


def _is_mso(piece: Piece) -> bool:
    return piece.kind == "comment" and piece.text.startswith(_MSO) and piece.text.endswith(_END)


def _finished(all_pieces: Iterator[Piece]) -> Iterator[str]:
    preformatted = 0
    for piece in all_pieces:
        if piece.name == "pre":
            preformatted += 1 if piece.kind == "open" else -1
        if piece.kind == "open":
            yield _mended_tag(piece.text)
        elif piece.kind == "raw":
            yield _squeezed_css(piece.text)
        elif piece.kind == "text":
            # lxml leaves a quotation mark in text alone, binding a value escapes it;
            # spelling it one way keeps both the same.
            text = piece.text.replace('"', "&quot;")
            yield text if preformatted else _SPACES.sub("\n", text)
        else:
            yield piece.text


def _requoted(found: re.Match[str]) -> str:
    """One attribute's value in double quotes, and a style without spaces after its semicolons."""
    style, value = found["style"] or "", found["value"]
    inner = value[1:-1].replace("<", "&lt;").replace(">", "&gt;")
    if value[0] == "'":
        inner = inner.replace('"', "'" if style else "&quot;")
    return f'{style}"{_STYLE_SPACE.sub(";", inner) if style else inner}"'


def _mended_tag(tag: str) -> str:
    # lxml takes single quotes for a value with double ones in it, in which a
    # slot's value would be loose, and leaves “<!-- … -->” in a value as it is.
    if " style=" in tag or "'" in tag or "<" in tag[1:]:
        tag = _QUOTED.sub(_requoted, tag)
    tag = _IMG_WITHOUT_ALT.sub('<img alt=""', tag)
    return _PREHEADER.sub(rf"\g<1>{PAGE_TEXT_COLOUR}", _VERTICAL_ALIGN.sub("", tag))


def _squeezed_css(css: str) -> str:
    return _CSS_AROUND.sub(r"\1", _CSS_SPACE.sub(" ", _CSS_COMMENT.sub("", css))).strip()
