"""Reading the mail's HTML and text: what is visible, its links, its words. No I/O."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.web_addresses import find_addresses

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SILENT = frozenset({"head", "script", "style", "template", "title"})
INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "em", "i", "ins", "kbd", "mark"}
    | {"q", "s", "small", "span", "strong", "sub", "sup", "u"}
)
"""Elements that stand in a line of text."""
_WORD = re.compile(r"[^\W_]+")
_MAYBE_WIDE = re.compile("[\u1101-\U0010ffff]")
"""No character before the Korean ones is wide; to ask each takes long."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link of the HTML: where it leads and what the reader sees or hears of it."""

    href: str
    text: str
    label: str
    hidden: bool


def visible_text(element: HtmlElement) -> str:
    """The text of an element, one line a block, without what is hidden."""
    lines = "".join(_visible(element)).split("\n")
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


def _visible(element: HtmlElement) -> Iterator[str]:
    if not isinstance(element.tag, str) or element.tag in _SILENT or is_hidden(element):
        return
    edge = "" if element.tag in INLINE else "\n"
    yield edge
    yield element.text or ""
    for child in element:
        yield from _visible(child)
        yield child.tail or ""
    yield edge


def is_hidden(element: HtmlElement) -> bool:
    """Whether the element's own style hides it, as the preheader's does."""
    if not (written := element.get("style")):
        return False
    style = re.sub(r"\s", "", written).lower()
    return "display:none" in style or "visibility:hidden" in style


def anchors(page: HtmlElement) -> Iterator[Anchor]:
    """Every ``<a href>``, in order; the alt text of a picture counts as text."""
    for element in page.iter("a"):
        href = element.get("href")
        if href is None:
            continue
        words = [visible_text(element), *(img.get("alt") or "" for img in element.iter("img"))]
        text = " ".join(" ".join(words).split())
        hidden = any(is_hidden(each) for each in (element, *element.iterancestors()))
        yield Anchor(href.strip(), text, element.get("aria-label") or text, hidden)


def addresses_in(text: str) -> Iterator[str]:
    """Where every web or mail address leads that stands in plain text."""
    return (found.url for found in find_addresses(text))


def words(text: str) -> str:
    """The words of a text with single spaces around each: what typography cannot change.

    Each wide character (Chinese, Japanese, Korean) is a word, since a line may
    break before it.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    spaced = _MAYBE_WIDE.sub(_apart, folded)
    return f" {' '.join(_WORD.findall(spaced))} "


def _apart(found: re.Match[str]) -> str:
    char = found.group()
    return f" {char} " if unicodedata.east_asian_width(char) in "WF" else char
