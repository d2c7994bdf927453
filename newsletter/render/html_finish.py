"""The last pass over the HTML: mends, minifies and then checks that nothing was lost. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.render.html_minify import minify
from newsletter.render.markup import pieces
from newsletter.render.slots import TOKEN

PAGE_TEXT_COLOUR = "#222222"
"""For the hidden preheader. White on white, as MJML has it, looks like a spammer's trick."""

_C1 = re.compile(r"[\x80-\x9f]")
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_IMG_WITHOUT_ALT = re.compile(r"""<img(?!(?:[^"'<>]|"[^"]*")*?\salt[\s=>/])""")
_QUOTED = re.compile(r"""(?P<style> style=)?(?P<value>"[^"]*"|'[^']*')""")
_VERTICAL_ALIGN = re.compile(r' vertical-align="[^"]*"')
_PREHEADER = re.compile(r"<div (style=\"display:none;\s*font-size:1px;\s*color:)#fff(?:fff)?\b")
_LANGUAGE = re.compile(r"""<html\b[^>]*?( lang=["'][\w-]*["'] dir=["'][a-z]*["'])""")


def finish(html: str) -> str:
    """Mend and minify HTML that premailer inlined: what is sent."""
    return minify(mended(html))


def mended(html: str) -> str:
    """HTML without the faults that the engines put into it.

    Adds ``alt=""`` where MJML left it out, drops an attribute that is none,
    gives the preheader the text's colour, and the language and direction that
    the rest of the body says, puts attributes in double quotes, and strips C1
    controls, over which Gmail clips a mail.
    """
    said = _LANGUAGE.search(html)
    preheader = rf"<div{said[1] if said else ''} \g<1>{PAGE_TEXT_COLOUR}"
    return "".join(_mended(_PREHEADER.sub(preheader, _C1.sub("", html))))


def losses(before: str, after: str) -> tuple[str, ...]:
    """What the HTML lost between MJML and the end: a sentence for each."""
    found = []
    if after.count("<!--[if") != after.count("<![endif]"):
        found.append("Conditional comments are not closed as often as they are opened.")
    css_before, css_after = (_CSS_COMMENT.sub("", html) for html in (before, after))
    if css_after.count("@media") != css_before.count("@media"):
        found.append("Media queries were lost.")
    if css_after.count("!important") < css_before.count("!important"):
        found.append("“!important” was lost from the style sheets.")
    if set(TOKEN.findall(before)) != set(TOKEN.findall(after)):
        found.append("Slots were lost.")
    return tuple(found)


def _mended(html: str) -> Iterator[str]:
    for piece in pieces(html):
        if piece.kind == "open":
            yield _mended_tag(piece.text)
        elif piece.kind == "text":
            # lxml leaves a quotation mark in text alone, binding a value escapes it;
            # spelling it one way keeps both the same.
            yield piece.text.replace('"', "&quot;")
        else:
            yield piece.text


def _requoted(found: re.Match[str]) -> str:
    """One attribute's value in double quotes."""
    style, value = found["style"] or "", found["value"]
    inner = value[1:-1].replace("<", "&lt;").replace(">", "&gt;")
    if value[0] == "'":
        inner = inner.replace('"', "'" if style else "&quot;")
    return f'{style}"{inner}"'


def _mended_tag(tag: str) -> str:
    # lxml takes single quotes for a value with double ones in it, in which a
    # slot's value would be loose, and leaves “<!-- … -->” in a value as it is.
    if " style=" in tag or "'" in tag or "<" in tag[1:]:
        tag = _QUOTED.sub(_requoted, tag)
    tag = _IMG_WITHOUT_ALT.sub('<img alt=""', tag)
    return _VERTICAL_ALIGN.sub("", tag)
