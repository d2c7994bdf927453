"""Drafts an issue from a feed: fetches it, with limits, and writes the file."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from contextlib import closing
from pathlib import Path

from newsletter.clock import Clock
from newsletter.errors import InputError, Where
from newsletter.issues.feed_entries import FeedContent, read_feed, stories_of
from newsletter.issues.scaffold import new_issue
from newsletter.project.log_source import plain_reason
from newsletter.transports.http import HttpClient, NoResponse, NotSent
from newsletter.transports.http_values import LARGEST_ANSWER, Request, Response

_LONGEST_S = 30.0
"""For all of it, redirects included."""
_MOST_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_LARGEST_MB = LARGEST_ANSWER // 1_000_000


def draft_from_feed(
    path: Path, url: str, *, title: str, date: dt.date, language: str, clock: Clock
) -> FeedContent:
    """Write an issue whose stories are the newest entries of a feed.

    Args:
        path: where, such as ``issues/2017-04.yaml``.
        url: address of an RSS or Atom feed.
        title: name of the issue.
        date: day of publication.
        language: the language it will be written in.
        clock: bounds the time that the server may take.

    Returns:
        What the feed holds.

    Raises:
        InputError: the feed cannot be fetched or read, or the issue cannot be written.
    """
    content, address = _fetched(url, clock)
    feed = read_feed(content, address)
    new_issue(
        path,
        title=title,
        date=date,
        language=language,
        web_url=None,
        stories=stories_of(feed.entries),
    )
    return feed


def _fetched(url: str, clock: Clock) -> tuple[bytes, str]:
    """The feed, and the address where it was in the end."""
    until = clock.monotonic() + _LONGEST_S
    for _ in range(_MOST_REDIRECTS + 1):
        response = _asked(url, until - clock.monotonic(), clock)
        if response.status not in _MOVED:
            return _body(response, url), url
        try:
            url = urllib.parse.urljoin(url, response.headers.get("location", ""))
        except ValueError:
            url = ""
    raise _failed(f"the server redirects more than {_MOST_REDIRECTS} times", url)


def _asked(url: str, left_s: float, clock: Clock) -> Response:
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            "This is no address of a feed.",
            where=Where(url),
            next="Write it in full, such as https://www.example.org/feed.xml",
        )
    if left_s <= 0:
        raise _failed("no whole answer came in time", url)
    path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    request = Request(path if path[0] == "/" else f"/{path}", headers=_ACCEPT, method="GET")
    base = f"{parts.scheme}://{parts.netloc}"
    with closing(HttpClient(base, timeout_s=left_s, clock=clock)) as client:
        try:
            return client.send(request)
        except (NotSent, NoResponse) as error:
            raise _failed(plain_reason(str(error)), url) from None


_ACCEPT = {"Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"}


def _body(response: Response, url: str) -> bytes:
    if response.status != 200:
        raise _failed(f"the server answers {response.status}", url)
    if response.body is None:
        raise _failed(
            f"it did not arrive whole: it has more than {_LARGEST_MB} MB, or took more than "
            f"{_LONGEST_S:.0f} seconds",
            url,
        )
    return response.body


def _failed(why: str, url: str) -> InputError:
    return InputError(
        f"The feed cannot be fetched: {why}.",
        where=Where(url),
        next="Open the address in a browser to see whether the feed is there.",
    )
