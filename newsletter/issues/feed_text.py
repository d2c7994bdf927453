"""What others wrote as HTML or plain text, as Markdown that shows the same words. No I/O.

Nothing of the source is taken over as markup: paragraphs, lists and links to web pages are
written anew, and every character that means something in Markdown is escaped.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

MOST_WORDS = 130
"""Of one text; the rest is behind the entry's link."""
_MOST_CHARACTERS = 100_000
"""Of the HTML that is looked at for these words."""
_LONGEST_WORD = 300
_LONGEST_URL = 2_000
_LEFT_OUT = frozenset(
    {"audio", "button", "canvas", "form", "head", "iframe", "math", "noscript", "object", "script"}
    | {"select", "style", "svg", "template", "textarea", "title", "video"}
)
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em"}
    | {"font", "i", "img", "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strike"}
    | {"strong", "sub", "sup", "time", "tt", "u", "var", "wbr"}
)
# What issues refuse: controls, halves of a surrogate pair, marks that turn the reading order.
_REFUSED = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    r"\ufdd0-\ufdef\ufeff\ufffe\uffff\U0001fffe\U0001ffff]"
)
_MARKS = re.compile(r"[\\`*_\[\]<>&~|$^]")
_NUMBERED = re.compile(r"(\d{1,9})([.)])")
_HIDDEN = re.compile(r"[\xa0\xad\u200b-\u200f\u202f\u2060-\u206f\ufeff]")


def plain_line(text: str) -> str:
    """A text on one line, without what an issue refuses, and no merge field."""
    line = " ".join(_REFUSED.sub("", text).split())
    return line.replace("{{", "{ {").replace("}}", "} }")


def web_page(address: object, *, base: str) -> str:
    """The web address that a link leads to, in full; "" if it leads to no web page."""
    if not isinstance(address, str):
        return ""
    try:
        url = urllib.parse.urljoin(base, address.strip())
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return ""
    url = re.sub(r"[\s<>\"\\`{}|^]", lambda found: urllib.parse.quote(found.group()), url)
    fits = parts.scheme in {"http", "https"} and parts.hostname and len(url) <= _LONGEST_URL
    return "" if not fits or _HIDDEN.search(url) or _REFUSED.search(url) else url


def markdown_of_text(text: str) -> str:
    """Markdown that shows a plain text; an empty line begins a paragraph."""
    writer = _Writer("")
    for paragraph in re.split(r"\n\s*\n", text[:_MOST_CHARACTERS]):
        writer.words(paragraph)
        writer.end_block()
    return writer.markdown()


def markdown_of_html(html: str, *, base: str) -> str:
    """Markdown that shows the words of HTML, with its paragraphs, lists and links.

    Args:
        html: what anybody wrote.
        base: what relative links are relative to.
    """
    writer = _Writer(base)
    root = _tree(html)
    if root is not None:
        _walk(root, writer)
    return writer.markdown()


def words_of_html(html: str) -> str:
    """The words of HTML on one line."""
    root = _tree(html)
    if root is None:
        return ""
    etree.strip_elements(root, *_LEFT_OUT, with_tail=False)
    return plain_line("".join(map(str, root.itertext())))


def _tree(html: str) -> etree._Element | None:
    parser = etree.HTMLParser(
        no_network=True, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    text = _REFUSED.sub("", html[:_MOST_CHARACTERS])
    try:
        return etree.fromstring(f"<div>{text}</div>".encode(), parser)
    except (etree.LxmlError, ValueError):
        return None


def _walk(root: etree._Element, writer: _Writer) -> None:
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if tag in _LEFT_OUT:
                walker.skip_subtree()
                continue
            writer.open(tag, element.get("href"))
            writer.words(element.text or "")
        else:
            writer.close(tag)
            writer.words(element.tail or "")
        if writer.full:
            return


@dataclass
class _Writer:
    """Markdown in the making, until it has :data:`MOST_WORDS`."""

    base: str
    full: bool = False
    _blocks: list[tuple[str, str]] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)
    _count: int = 0
    _mark: str = ""
    _link: tuple[int, str] | None = None

    def open(self, tag: str, href: str | None) -> None:
        """An element begins."""
        if tag not in _INLINE:
            self.end_block()
            self._mark = "- " if tag == "li" else self._mark
        elif tag == "a" and self._link is None and (url := web_page(href, base=self.base)):
            self._link = (len(self._pieces), url)

    def close(self, tag: str) -> None:
        """An element ends."""
        if tag not in _INLINE:
            self.end_block()
        elif tag == "a":
            self._end_link()

    def words(self, text: str) -> None:
        """Words of the current paragraph."""
        if self.full:
            return
        for piece in re.findall(r"\s+|\S+", _REFUSED.sub("", text)):
            if piece.isspace():
                self._pieces.append(" ")
                continue
            self._count += 1
            if self._count > MOST_WORDS:
                self.full = True
                self._pieces.append("…")
                return
            cut = len(piece) > _LONGEST_WORD
            self._pieces.append(_MARKS.sub(r"\\\g<0>", piece[:_LONGEST_WORD]) + "…" * cut)

    def end_block(self) -> None:
        """What comes next is a paragraph of its own."""
        self._end_link()
        text = " ".join("".join(self._pieces).split())
        # Two brackets in a row would be a link, or a merge field.
        text = text.replace("{{", "{ {").replace("}}", "} }").replace("\\](", "\\] (")
        if text:
            text = _NUMBERED.sub(r"\1\\\2", text, count=1) if _NUMBERED.match(text) else text
            self._blocks.append((self._mark, ("\\" if text[0] in "#>+=-" else "") + text))
        self._pieces, self._mark = [], ""

    def markdown(self) -> str:
        """All of it."""
        self.end_block()
        return "".join(self._parted()).strip()

    def _end_link(self) -> None:
        if self._link is None:
            return
        start, url = self._link
        label = "".join(self._pieces[start:])
        if label.strip():
            # An ampersand that would begin an entity stays one.
            target = re.sub(r"&(?=#?\w+;)", r"\\&", url)
            before = " " if label[0] == " " else ""
            after = " " if label[-1] == " " else ""
            self._pieces[start:] = [f"{before}[{label.strip()}](<{target}>){after}"]
        self._link = None

    def _parted(self) -> Iterator[str]:
        before = ""
        for mark, text in self._blocks:
            yield ("\n" if mark and before else "\n\n") + mark + text
            before = mark
