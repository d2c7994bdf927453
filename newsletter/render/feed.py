"""Atom feeds (RFC 4287): one a language, with every issue's stories in full. No I/O, no clock.

Dates are those that the issues tell, so that the same issues give the same bytes
on any day: a corrected typo is no news, a correction that its editor dates is.
"""

from __future__ import annotations

import datetime as dt
import html
import re
import uuid
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from newsletter.archive_layout import feed_path, index_path, page_path
from newsletter.model import Fact, Issue, Picture, Quote, Story, Value, direction
from newsletter.render import markdown
from newsletter.render.locales import date_in_words
from newsletter.render.urls import ascii_url
from newsletter.render.web import Site
from newsletter.render.web_urls import WebIssue, WebUrls
from newsletter.render.web_vocabulary import with_fallbacks
from newsletter.source import Path_
from newsletter.theme import Theme, Words

_ATOM = "http://www.w3.org/2005/Atom"
_XHTML_META = "{http://www.w3.org/1999/xhtml}meta"
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document may hold (XML 1.0, 2.2)."""
MOST_ENTRIES = 20
"""Older issues are in the index."""


def render_feed(site: Site, issues: Sequence[WebIssue], *, language: str) -> bytes:
    """The feed of one language.

    Args:
        site: what all of the archive shares.
        issues: in that language, the newest first; at least one.
        language: the feed's.
    """
    settings, base = site.settings, ascii_url(site.archive.url)
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    _add(feed, "id", _feed_id(settings.list.id, language))
    _add(feed, "title", settings.list_name_in(language)[0])
    _add(feed, "updated", max(_updated(web.issue) for web in issues))
    _link(feed, "self", base + feed_path(language), type="application/atom+xml")
    _link(feed, "alternate", base + index_path(language, settings.language), type="text/html",
          hreflang=language)  # fmt: skip
    if site.archive.noindex:
        _add(feed, _XHTML_META).attrib.update({"name": "robots", "content": "noindex"})
    author = _add(feed, "author")
    organisation, _ = settings.organisation_in(language)
    _add(author, "name", organisation.name)
    if organisation.website:
        _add(author, "uri", ascii_url(organisation.website))
    for web in issues[:MOST_ENTRIES]:
        _entry(feed, web, site)
    ET.indent(feed)
    document: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _entry(feed: ET.Element, web: WebIssue, site: Site) -> None:
    issue, places = web.issue, WebUrls(web, site.archive)
    page = places.absolute(page_path(issue.id, issue.language))
    entry = _add(feed, "entry")
    _add(entry, "id", tag_uri(issue, site.settings.list.id))
    _add(entry, "title", issue.title)
    _add(entry, "published", _moment(issue.date))
    _add(entry, "updated", _updated(issue))
    _link(entry, "alternate", page, type="text/html", hreflang=issue.language)
    _add(entry, "summary", with_fallbacks(issue.preheader))
    content = _add(entry, "content", "".join(_content(places, page, site.theme)))
    content.set("type", "html")


def tag_uri(issue: Issue, authority: str) -> str:
    """An id that no move of the archive changes (RFC 4151).

    Args:
        issue: the issue; of its date only the year counts, since a day may be corrected.
        authority: the List-ID, a domain name that is never changed.
    """
    return f"tag:{authority},{issue.date.year}:{issue.id}.{issue.language}"


def _feed_id(authority: str, language: str) -> str:
    """An id that no move of the archive changes (RFC 9562, 5.5)."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"feed.{language}.{authority}").urn


def _content(places: WebUrls, page: str, theme: Theme) -> Iterator[str]:
    issue = places.web.issue
    yield f'<div lang="{issue.language}" dir="{issue.direction}">'
    if issue.introduction:
        yield _text(with_fallbacks(issue.introduction, escaped=True), issue.language)
    values = list(issue.parts())
    yield from _stories((issue.lead_story,), values, places, page, theme)
    for section, stories in issue.grouped:
        if section and section.body:
            yield f"<h2>{html.escape(section.title)}</h2>"
            yield from _said(("sections", issue.sections.index(section)), values, places, theme)
        yield from _stories(stories, values, places, page, theme)
    for network in dict.fromkeys(post.network for post in issue.posts):
        words = theme.words_for(issue.language)
        yield f"<h2>{html.escape(words.posted_on.format(network=network))}</h2>"
        for post in issue.posts:
            if post.network == network:
                address = html.escape(ascii_url(post.url))
                yield f'<p><a href="{address}">{html.escape(post.text)}</a></p>'
    yield from _said(("closing",), values, places, theme)
    yield "</div>"


def _stories(
    stories: Sequence[Story | None],
    values: Sequence[Value],
    places: WebUrls,
    page: str,
    theme: Theme,
) -> Iterator[str]:
    issue = places.web.issue
    for story in filter(None, stories):
        language = issue.language_of(story)
        yield f'<div lang="{language}" dir="{direction(language)}">'
        if story.headline:
            yield f'<h2><a href="{page}#{story.id}">{html.escape(story.headline)}</a></h2>'
        yield from _said(("stories", issue.stories.index(story)), values, places, theme)
        yield "</div>"


def _said(place: Path_, values: Sequence[Value], places: WebUrls, theme: Theme) -> Iterator[str]:
    """All that is said at a place of the issue, but a headline."""
    issue = places.web.issue
    language = issue.language_at(place)
    words = theme.words_for(language, otherwise=issue.language)
    for value in values:
        if value.path[: len(place)] != place:
            continue
        if value.says.label:
            yield _anchor(value, places.address(value.path, value.part))
        elif value.says.markdown and value.says.name:
            yield _marked(value, language)
        elif value.says.name and value.path[-1] != "headline":
            yield _line(value, words, language)


def _anchor(value: Value, address: str | None) -> str:
    label = html.escape(value.text)
    language = getattr(value.part, "language", None)
    more = f' hreflang="{language}"' if language else ""
    return f'<p><a href="{html.escape(address)}"{more}>{label}</a></p>' if address else ""


def _marked(value: Value, language: str) -> str:
    text = _text(value.text, language)
    return f"<blockquote>{text}</blockquote>" if isinstance(value.part, Quote) else text


def _line(value: Value, words: Words, language: str) -> str:
    line = html.escape(value.text)
    match value.part, value.path[-1]:
        case Quote(), _:
            line = f"— {line}"
        case Picture(alt=alt, url=url), _:
            shown = html.escape(words.picture.format(alt=alt))
            linked = f'<a href="{html.escape(ascii_url(url))}">{shown}</a>' if url else shown
            line = f"{linked} {html.escape(words.credit.format(credit=value.text))}"
        case Fact(), "term":
            line = f"<strong>{line}</strong>"
        case Fact(), _:
            line = html.escape(date_in_words(value.text, language))
        case _, "source":
            line = html.escape(words.source.format(source=value.text))
        case _, "highlight":
            line = f"<strong>{line}</strong>"
    return f"<p>{line}</p>"


def _text(text: str, language: str) -> str:
    return markdown.to_page(markdown.parse(text, language=language), heading=3)


def _moment(date: dt.date) -> str:
    """A day as RFC 3339 has it: its first moment in UTC."""
    return f"{date.isoformat()}T00:00:00Z"


def _updated(issue: Issue) -> str:
    """The issue's day, or noon of the day it was corrected: that may be the same day."""
    return f"{issue.corrected.isoformat()}T12:00:00Z" if issue.corrected else _moment(issue.date)


def _add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = None if text is None else _NOT_XML.sub("", text)
    return child


def _link(parent: ET.Element, rel: str, href: str, **more: str) -> None:
    _add(parent, "link").attrib.update({"rel": rel, "href": href, **more})
