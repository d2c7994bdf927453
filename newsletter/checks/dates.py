"""Dates: does the weekday fit?"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.issue_dates import read_issue_date
from newsletter.model import Value

_HALF_YEAR = dt.timedelta(days=183)


@check(
    "weekday",
    why="Readers note the date, and some will come on the wrong day.",
)
def weekday(given: CheckInput) -> Iterator[Flaw]:
    """A weekday that does not fit its date, in the story's language."""
    for value in given.issue.parts():
        calendar = _Calendar.of(given.issue.language_at(value.path))
        if value.says.date:
            yield from _typed_weekday(given, value, calendar)
        if calendar is None or value.says.name not in {"headline", "text", "value of a fact"}:
            continue
        for phrase, said, date in calendar.dates(value.text, near=given.issue.date):
            if date.weekday() == said:
                continue
            yield Flaw(
                Severity.WARNING,
                f"“{phrase}”: {date.isoformat()} is a {calendar.name(date.weekday())}.",
                "Correct the weekday or the date.",
                given.at(*value.path),
            )


def _typed_weekday(given: CheckInput, value: Value, calendar: _Calendar | None) -> Iterator[Flaw]:
    """The weekday in front of a typed date; in the story's language or in English."""
    date = read_issue_date(value.text)
    said = date.weekday.strip(" .,").casefold()
    english = _Calendar.of("en")
    assert english is not None  # CLDR has English
    known = {**english.days, **(calendar.days if calendar else {})}
    fitting = {number for name, number in known.items() if name.startswith(said)}
    if not said or date.first.weekday() in fitting:
        return
    told = (calendar or english).name(date.first.weekday())
    yield Flaw(
        Severity.WARNING,
        f"“{date.weekday}” stands before {date.first.isoformat()}, which is a {told}.",
        "Correct the weekday or the date.",
        given.at(*value.path),
    )


@check("date-over", why="Readers would come too late, or take an old item for news.")
def date_over(given: CheckInput) -> Iterator[Flaw]:
    """A date in “facts” that is over on the issue's own date: a deadline, or when something is."""
    for value in given.issue.parts():
        if value.says.date and (last := read_issue_date(value.text).last) < given.issue.date:
            key = value.path[-1]
            yield Flaw(
                Severity.WARNING if key == "deadline" else Severity.NOTE,
                f"“{key}” is {last.isoformat()}, before the issue's date "
                f"{given.issue.date.isoformat()}.",
                "Correct it, or delete what can no longer be done.",
                given.at(*value.path),
            )


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The names of days and months of one language, and the pattern of a date with a weekday."""

    days: Mapping[str, int]
    months: Mapping[str, int]
    pattern: re.Pattern[str]

    @classmethod
    @functools.cache
    def of(cls, language: str) -> _Calendar | None:
        """The calendar of a language, None where nobody knows it."""
        from babel import Locale, UnknownLocaleError

        try:
            locale = Locale.parse(language, sep="-")
        except (UnknownLocaleError, ValueError):
            return None
        forms = ("format", "stand-alone")
        days = {name.casefold(): n for f in forms for n, name in locale.days[f]["wide"].items()}
        months = {name.casefold(): n for f in forms for n, name in locale.months[f]["wide"].items()}
        day, month = _any_of(days), _any_of(months)
        number, year = (
            r"(?P<{0}>[0-3]?\d)(?:st|nd|rd|th|er|\.)?",
            r"(?:,?\s+(?:de\s+)?(?P<year>\d{4}))?",
        )
        pattern = (
            rf"\b(?P<weekday>{day}),?\s+(?:(?:the|le|el|den|il)\s+)?"
            rf"(?:{number.format('day')}\s+(?:of\s+|de\s+)?(?P<month>{month})"
            rf"|(?P<month2>{month})\s+{number.format('day2')}(?!\d)){year}"
        )
        return cls(days, months, re.compile(pattern, re.IGNORECASE))

    def dates(self, text: str, *, near: dt.date) -> Iterator[tuple[str, int, dt.date]]:
        """Each date with a weekday: the words, the weekday that they name, and the date."""
        for found in self.pattern.finditer(text):
            month = self.months[(found["month"] or found["month2"]).casefold()]
            day = int(found["day"] or found["day2"])
            date = _date(found["year"], month, day, near)
            if date is not None:
                phrase = " ".join(found.group().split())
                yield phrase, self.days[found["weekday"].casefold()], date

    def name(self, number: int) -> str:
        """The name of a weekday, Monday being 0."""
        return next(name.capitalize() for name, n in self.days.items() if n == number)


def _any_of(names: Mapping[str, int]) -> str:
    # The longest first, so that no name hides one that starts with it.
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _date(year: str | None, month: int, day: int, near: dt.date) -> dt.date | None:
    """The date meant; without a year, the one nearest to the issue's."""
    years = [int(year)] if year else [near.year, near.year + 1, near.year - 1]
    for candidate in years:
        try:
            date = dt.date(candidate, month, day)
        except ValueError:
            continue
        if year or abs(date - near) <= _HALF_YEAR:
            return date
    return None
