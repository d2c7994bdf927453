"""When something happened, as exports write it. No I/O.

A date says less than a moment: a day without its hour, a time without its zone, 3/4 that is in
March or in April. What is read is the span that it may mean.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from newsletter.audience.cells import trim

Span = tuple[datetime, datetime]
"""The earliest and the latest moment that a date can mean, aware, in UTC."""

_FIRST_YEAR = 1985
"""Before it nobody joined a list; programs write 1970 and 1900 for “never”."""
_DAY = timedelta(days=1)
_ZONES = timedelta(hours=14)
_LONGEST = 60
_CLOCK = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?:\s*\(?[A-Z]{2,5}\)?)?"
)
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})[-/.](?P<one>\d{{1,2}})[-/.](?P<two>\d{{1,2}}){_CLOCK}", re.IGNORECASE
)
_YEAR_LAST = re.compile(
    rf"(?P<one>\d{{1,2}})[-/.](?P<two>\d{{1,2}})[-/.](?P<year>\d{{4}}){_CLOCK}", re.IGNORECASE
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAMED = re.compile(
    r"(?:[a-z]{3,9},?\s+)?(?:(?P<day1>\d{1,2})(?:st|nd|rd|th)?[ -](?P<month1>[a-z]{3})[a-z]*\.?|"
    r"(?P<month2>[a-z]{3})[a-z]*\.? (?P<day2>\d{1,2})(?:st|nd|rd|th)?),?[ -](?P<year>\d{4})"
    rf"{_CLOCK}",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"\d{10}(?:\d{3})?")


_MOMENT = re.compile(r"(?!0000)\d{4}-\d\d-\d\d[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)
"""The usual form of a time that most often differs from row to row."""


def is_moment(cell: str) -> bool:
    """Whether a cell has that form; there may be no such day."""
    return _MOMENT.fullmatch(cell) is not None


def read_date(cell: str) -> Span | None:
    """The span that a cell can mean; None if it is no date, or one that stands for none."""
    if is_moment(cell):
        try:
            at = datetime.fromisoformat(cell + "+00:00")
        except ValueError:
            return None  # no such day
        return _sound(at, at)
    return _read_date(cell)


@lru_cache(maxsize=4096)
def _read_date(cell: str) -> Span | None:
    text = trim(cell)
    if len(text) > _LONGEST:
        return None
    if _SECONDS.fullmatch(text):
        at = datetime.fromtimestamp(int(text[:10]), UTC)
        return _sound(at, at)
    days: list[tuple[int, int]]
    if found := _YEAR_FIRST.fullmatch(text):
        days = [(int(found["one"]), int(found["two"]))]
    elif found := _YEAR_LAST.fullmatch(text):
        one, two = int(found["one"]), int(found["two"])
        days = [(one, two), (two, one)]
    elif found := _NAMED.fullmatch(text):
        named = (found["month1"] or found["month2"]).lower()
        if named not in _MONTHS:
            return None
        days = [(_MONTHS.index(named) + 1, int(found["day1"] or found["day2"]))]
    else:
        return None
    spans = [span for month, day in days if (span := _span(found, month, day))]
    if not spans:
        return None
    return _sound(min(first for first, _ in spans), max(last for _, last in spans))


def _span(found: re.Match[str], month: int, day: int) -> Span | None:
    hour = int(found["hour"] or 0)
    if half := found["half"]:
        hour = hour % 12 + (12 if half.lower().startswith("p") else 0)
    try:
        at = datetime(
            int(found["year"]),
            month,
            day,
            hour,
            int(found["minute"] or 0),
            int(found["second"] or 0),
            tzinfo=_zone(found["zone"]),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    if found["hour"] is None:  # a day of a calendar that nobody named
        return at - _ZONES, at + _DAY + _ZONES
    return at, at


def _zone(text: str | None) -> timezone:
    if not text or text[0] not in "+-":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].removeprefix(":") or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _sound(first: datetime, last: datetime) -> Span | None:
    return (first, last) if first.year >= _FIRST_YEAR else None
