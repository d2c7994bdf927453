"""What a mail program contacts on opening, and where links lead, as the HTML says. No I/O.

Nothing here knows a list of bad elements: an address counts wherever it stands,
in an attribute or a style, in a comment for Outlook too. Only where it is a
link, or words that somebody reads, it loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from newsletter.web_addresses import ascii_host

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LINKS = frozenset({"a", "area"})
_VML = "v:"
"""Outlook's shapes: href makes them links, src and the like load pictures."""
_WORDS = frozenset(
    {"alt", "cite", "class", "content", "id", "label", "name", "placeholder", "summary", "title"}
    | {"value"}
)
"""Attributes whose value is shown or compared and never loaded."""
_SEVERAL = frozenset({"attributionsrc", "imagesrcset", "ping", "srcset"})
"""Attributes that take several addresses."""
_PICTURES = frozenset({"image", "img", "v:background", "v:fill", "v:image", "v:imagedata"})
_FOR_OUTLOOK = re.compile(r"\[if[^\[\]]*+\]>")
# What a browser takes for an address of a host (WHATWG URL, 4.4): slashes may lean
# either way or be missing after the scheme. “\\host” and “file:” open Windows shares.
_ADDRESS = r"(?:(?:https?|ftp|wss?|file):[\\/]*+|(?<![\\/])[\\/]{2,}+)(?P<rest>[^\s\\/<>\"']"
_WHOLE = re.compile(_ADDRESS + r".*)", re.IGNORECASE | re.DOTALL)
_IN_CSS = re.compile(r"(?<![\w-])" + _ADDRESS + r"[^\s<>\"'();,]*)", re.IGNORECASE)
_CSS_ESCAPE = re.compile(r"\\(?:(?P<code>[0-9a-fA-F]{1,6})\s?|\r?\n|(?P<char>.))")
_STRIPPED = re.compile(r"[\t\n\r]")


@dataclass(frozen=True, slots=True)
class Load:
    """Something a mail program fetches when the mail is opened.

    Attributes:
        address: as it is written.
        host: whom it contacts, with the port if one is named.
        how: what loads it, in words.
        is_picture: whether it is shown as a picture, not as a style, a font or the like.
    """

    address: str
    host: str
    how: str
    is_picture: bool


@dataclass(frozen=True)
class Contacts:
    """The addresses of a page, its comments for Outlook included."""

    page: HtmlElement

    @cached_property
    def elements(self) -> tuple[HtmlElement, ...]:
        """Every element, in order; those that only Outlook sees come last."""
        trees = [self.page, *_for_outlook(self.page)]
        return tuple(e for tree in trees for e in tree.iter() if isinstance(e.tag, str))

    @cached_property
    def loads(self) -> tuple[Load, ...]:
        """All that is fetched, each address once for each way it is loaded."""
        found = (load for element in self.elements for load in _loads(element))
        return tuple(dict.fromkeys(found))

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Where links lead, in order, as often as they do; slots are open."""
        return tuple(
            address
            for element in self.elements
            for name, address in element.items()
            if _is_link(element, name)
        )

    @cached_property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """Every attribute and style that may hold an address: what it is, and its value."""
        values = [
            (f"{name} of <{element.tag}>", value)
            for element in self.elements
            for name, value in element.items()
            if not _is_words(name)
        ]
        styles = [("a style sheet", e.text or "") for e in self.elements if e.tag == "style"]
        return (*values, *styles)


def host_of(address: str) -> str:
    """Whom an address contacts, with the port if one is named; empty if nobody.

    Pictures inside the mail (``cid:``, ``data:``) contact nobody, nor does an
    address that is none for a mail, such as ``picture.png``.
    """
    found = _WHOLE.match(_STRIPPED.sub("", address).strip())
    if found is None:
        return ""
    authority = re.split(r"[\\/?#]", found["rest"], maxsplit=1)[0]
    return ascii_host(authority.rpartition("@")[2])


def link_host(address: str) -> str:
    """The site that a web link leads to; empty for other links."""
    return host_of(address) if address.lower().startswith(("https:", "http:")) else ""


def addresses_in_css(css: str) -> Iterator[str]:
    """Every address of a host in a style, be it in url(), @import, image-set() or a string."""
    # Comments stay: where they end depends on strings and url(), and none reaches the mail.
    for found in _IN_CSS.finditer(_CSS_ESCAPE.sub(_unescaped, css)):
        yield found.group()


def _unescaped(found: re.Match[str]) -> str:
    if found["code"] is None:
        return found["char"] or ""
    code = int(found["code"], 16)
    return chr(code) if 0 < code < 0x110000 else "\ufffd"


def _for_outlook(page: HtmlElement) -> Iterator[HtmlElement]:
    from lxml import html

    for comment in page.iter():
        if not isinstance(comment.tag, str):
            inside, end, _ = (comment.text or "").rpartition("<![endif]")
            found = _FOR_OUTLOOK.search(inside)
            if end and found:
                shown = inside[found.end() :]
                yield html.document_fromstring(f"<html><body>{shown}</body></html>")


def _is_words(name: str) -> bool:
    return name in _WORDS or name.startswith(("aria-", "data-", "xmlns"))


def _is_link(element: HtmlElement, name: str) -> bool:
    return name == "href" and (element.tag in _LINKS or element.tag.startswith(_VML))


def _loads(element: HtmlElement) -> Iterator[Load]:
    if element.tag == "style":
        for address in addresses_in_css(element.text or ""):
            yield Load(address, host_of(address), "a style sheet", is_picture=False)
    for name, value in element.items():
        if _is_words(name) or _is_link(element, name):
            continue
        if name == "style" or "url(" in value.lower():
            for address in addresses_in_css(value):
                how = f"the style of <{element.tag}>"
                yield Load(address, host_of(address), how, is_picture=False)
            continue
        is_picture = element.tag in _PICTURES or name == "background"
        for address in re.split(r"[\s,]+", value) if name in _SEVERAL else [value]:
            if host := host_of(address):
                yield Load(address.strip(), host, f"{name} of <{element.tag}>", is_picture)
