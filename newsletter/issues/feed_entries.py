"""A feed, RSS or Atom, as stories of an issue. No I/O: whoever calls it has fetched the feed.

Feeds are written by anybody: what can be read of one is bounded, and nothing of an entry is
taken over as markup.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from lxml import etree

from newsletter.errors import InputError, Where
from newsletter.issues.feed_text import (
    markdown_of_html,
    markdown_of_text,
    plain_line,
    web_page,
    words_of_html,
)
from newsletter.model import NO_LEAD
from newsletter.web_addresses import canonical, host_in

MOST_STORIES = 20
"""Entries that become stories: the newest."""
_LARGEST_BROKEN = 200_000
"""Octets of a feed that is no well-formed XML; the time to mend one grows with their square."""
_LONGEST_TITLE = 200
_LONGEST_ID = 50
_NO_FEED = "Give the address of an RSS or Atom feed; the page's source names it beside “alternate”."


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry; each text may be "".

    Attributes:
        title: on one line.
        url: where it leads.
        text: Markdown.
    """

    title: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class FeedContent:
    """What a feed holds.

    Attributes:
        entries: the newest, at most :data:`MOST_STORIES`, newest first.
        found: how many entries the feed has.
        repeated: how many of these are there already, and become no story.
    """

    entries: tuple[FeedEntry, ...]
    found: int
    repeated: int


def read_feed(content: bytes, address: str) -> FeedContent:
    """Read a feed.

    Args:
        content: what was fetched.
        address: where from; links in it are relative to it.

    Raises:
        InputError: it is no feed, or has no entry that says anything.
    """
    listed = _parsed(content, address)
    unique: dict[object, Mapping[str, Any]] = {}
    for number, entry in enumerate(listed):
        unique.setdefault(_identity(entry, number), entry)
    newest = sorted(unique.values(), key=_published, reverse=True)
    entries = tuple(islice(filter(None, (_entry(each, address) for each in newest)), MOST_STORIES))
    if not entries:
        raise InputError(
            "The feed has no entries." if not listed else "No entry of the feed says anything.",
            where=Where(address),
            next="Try again when something was published, or start without --from-feed.",
        )
    return FeedContent(entries, len(listed), len(listed) - len(unique))


def stories_of(entries: Sequence[FeedEntry]) -> str:
    """The key ``stories`` of an issue, as YAML."""
    lines = ["stories:"]
    for entry, name in zip(entries, _names(entries), strict=True):
        lines += [f"  - id: {name}", *_story(entry)]
    return "\n".join(lines) + "\n"


def _parsed(content: bytes, address: str) -> list[Mapping[str, Any]]:
    import feedparser

    if not content.strip():
        raise InputError(
            "The server sent an empty page instead of a feed.", where=Where(address), next=_NO_FEED
        )
    if b"<!ENTITY" in content.replace(b"\0", b""):  # hundreds of megabytes in a few lines
        raise InputError(
            "The feed declares entities of its own, which are not expanded.",
            where=Where(address),
            next="Use another feed of the site.",
        )
    if len(content) > _LARGEST_BROKEN and (fault := _xml_fault(content)):
        raise InputError(
            f"The feed is damaged: {fault}.",
            where=Where(address),
            next="Tell its publisher, or use another feed of the site.",
        )
    try:
        # A stream, since a text would be taken for an address and fetched.
        found = feedparser.parse(
            io.BytesIO(content),
            response_headers={"content-location": address},
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception:  # noqa: BLE001 - whatever it stumbles over in what anybody wrote is no feed
        found = {}
    if not found.get("version") and not found.get("entries"):
        page = re.search(rb"<(?:!doctype\s+)?html[\s>]", content[:2_000], re.IGNORECASE)
        raise InputError(
            "The address leads to a web page, not to a feed."
            if page
            else "What the server sent is no feed.",
            where=Where(address),
            next=_NO_FEED,
        )
    return [entry for entry in found["entries"] if isinstance(entry, Mapping)]


def _xml_fault(content: bytes) -> str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        return str(error.msg).rstrip(".") or "it is no well-formed XML"
    return ""


def _identity(entry: Mapping[str, Any], number: int) -> object:
    """What two copies of an entry have in common."""
    if isinstance(name := entry.get("id"), str) and name:
        return name
    if isinstance(link := entry.get("link"), str) and link:
        return canonical(link)
    return entry.get("title") or number


def _published(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """When it was published, to be compared; an undated entry is the oldest."""
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    return tuple(moment[:6]) if moment else ()


def _entry(entry: Mapping[str, Any], address: str) -> FeedEntry | None:
    title = _title(entry.get("title_detail"))
    url = web_page(entry.get("link"), base=address) if entry.get("link") else ""
    text = next(filter(None, (_text(each, url or address) for each in _texts(entry))), "")
    return FeedEntry(title, url, text) if title or text else None


def _texts(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    details = (entry.get("summary_detail"), *(entry.get("content") or ()))
    yield from (detail for detail in details if isinstance(detail, Mapping))


def _title(detail: object) -> str:
    if not isinstance(detail, Mapping):
        return ""
    value = str(detail.get("value") or "")
    title = plain_line(value) if detail.get("type") == "text/plain" else words_of_html(value)
    return title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE].rstrip()}…"


def _text(detail: Mapping[str, Any], base: str) -> str:
    value = str(detail.get("value") or "")
    if detail.get("type") == "text/plain":
        return markdown_of_text(value)
    return markdown_of_html(value, base=base)


def _names(entries: Iterable[FeedEntry]) -> Iterator[str]:
    """An id for each story: the letters of its title that an id may hold, or a number."""
    taken = {NO_LEAD}
    for number, entry in enumerate(entries, 1):
        letters = unicodedata.normalize("NFKD", entry.title).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", letters.lower()).strip("-")[:_LONGEST_ID].strip("-")
        slug = slug if re.search("[a-z]", slug) else f"entry-{number}"
        name = next(
            each
            for each in (slug, *(f"{slug}-{again}" for again in islice(count(2), MOST_STORIES)))
            if each not in taken
        )
        taken.add(name)
        yield name


def _story(entry: FeedEntry) -> Iterator[str]:
    link = (
        f"- {{label: {_quoted(entry.title or host_in(entry.url))}, url: {_quoted(entry.url)}}}"
        if entry.url
        else ""
    )
    # Without a text, the title is all that it says.
    text = entry.text or ("" if link else markdown_of_text(entry.title))
    if entry.title and (entry.text or link):
        yield f"    headline: {_quoted(entry.title)}"
    if text:
        yield "    blurb: |-"
        yield from (f"      {line}".rstrip() for line in text.split("\n"))
    if link and text:
        yield from ("    links:", f"      {link}")
    elif link:
        yield from ("    body:", "      - links:", f"          {link}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
