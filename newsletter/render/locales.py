"""Dates, and the names of languages, as a language writes them (Unicode CLDR). No I/O, no clock."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections import Counter
from collections.abc import Iterable

from newsletter.issue_dates import IssueDate, read_issue_date

_ZEROS = {"arab": "٠", "arabext": "۰", "beng": "০", "deva": "०", "mymr": "၀"}
"""The zero of numbering systems that CLDR makes a language's own; 1 to 9 follow it."""


def long_date(date: dt.date, language: str, pattern: str = "long") -> str:
    """``31 March 2017``, ``31 mars 2017``, ``٣١ آذار ٢٠١٧``: as the language does (Unicode CLDR).

    Digits are those that CLDR makes the default: 0 to 9 for ar, as in newspapers
    of the Maghreb, ٠ to ٩ for ar-EG or ar-SY.

    Args:
        date: the day.
        language: a BCP 47 tag; one that CLDR does not know gives an ISO date.
        pattern: full, long, medium, short, or a CLDR pattern such as ``MMMM y``.
    """
    from babel import Locale, UnknownLocaleError
    from babel.dates import format_date

    # English without a country is American in CLDR; readers here are not only there.
    name = "en-GB" if language == "en" else language
    for tag in (name, language.split("-", maxsplit=1)[0]):
        try:
            locale = Locale.parse(tag, sep="-")
            written = format_date(date, pattern, locale=locale)
        except (UnknownLocaleError, ValueError):
            continue
        return _in_digits(written, locale.default_numbering_system)
    return date.isoformat()


def date_in_words(typed: str, language: str) -> str:
    """A typed date, hours and the name of their zone as a language writes them (Unicode CLDR).

    ``Thursday, 2 March 2017, 13:00–14:30 (Central European Standard Time)``.

    Args:
        typed: as :func:`newsletter.issue_dates.read_issue_date` reads it.
        language: a BCP 47 tag; one that CLDR does not know gives ISO dates and the zone's id.
    """
    date = read_issue_date(typed)
    zone = f" ({_zone_name(date, language)})" if date.zone else ""
    if date.first == date.last:
        return f"{_day_and_hours(date.first, (date.begins, date.ends), language)}{zone}"
    first = _day_and_hours(date.first, (date.begins,), language)
    return f"{first} – {_day_and_hours(date.last, (date.ends,), language)}{zone}"


def _day_and_hours(day: dt.date, hours: Iterable[dt.time | None], language: str) -> str:
    from babel import Locale, UnknownLocaleError
    from babel.dates import format_time

    shown = long_date(day, language, "full")
    given = [hour for hour in hours if hour is not None]
    if not given:
        return shown
    try:
        locale = Locale.parse("en-GB" if language == "en" else language, sep="-")
    except (UnknownLocaleError, ValueError):
        return f"{shown} {'–'.join(f'{hour:%H:%M}' for hour in given)}"
    times = "–".join(format_time(hour, "short", locale=locale) for hour in given)
    joined = str(locale.datetime_formats["medium"])
    return joined.format(_in_digits(times, locale.default_numbering_system), shown)


def _zone_name(date: IssueDate, language: str) -> str:
    """What a language calls the zone on that day: Central European Summer Time."""
    from babel import Locale, UnknownLocaleError
    from babel.dates import get_timezone_name

    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return date.zone
    return get_timezone_name(date.with_zone, locale=locale)


def duration(number: int, unit: str, language: str) -> str:
    """``3 years`` as a language writes it; in a language that CLDR lacks, the number alone.

    Args:
        number: how many.
        unit: ``year`` or ``day``.
        language: a BCP 47 tag.
    """
    from babel import Locale, UnknownLocaleError
    from babel.units import format_unit

    try:
        locale = Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return str(number)
    return format_unit(number, f"duration-{unit}", "long", locale=locale)


def _in_digits(text: str, system: str) -> str:
    """``text`` in the digits of a numbering system; Babel writes 0 to 9 always."""
    zero = _ZEROS.get(system)
    if zero is None:
        return text
    return text.translate({ord("0") + n: chr(ord(zero) + n) for n in range(10)})


def script_of(text: str) -> str:
    """The script of most letters of a text, as Unicode names it: ``LATIN``, ``ARABIC``.

    A text without letters has none, and gives ``""``.
    """
    names = (unicodedata.name(char, "") for char in text if char.isalpha())
    counted = Counter(name.split(" ", maxsplit=1)[0] for name in names)
    return counted.most_common(1)[0][0] if counted else ""


def language_name(tag: str, language: str) -> str:
    """What ``language`` calls the language ``tag``: ``Russian``, ``russe``, ``русский``.

    Args:
        tag: a BCP 47 tag, e.g. ru or pt-BR.
        language: the language to say it in; one that CLDR does not know says it
            as that language calls itself. A tag that CLDR does not know stays as it is.
    """
    from babel import Locale, UnknownLocaleError

    try:
        named = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag
    for name in (language, language.split("-", maxsplit=1)[0]):
        try:
            return named.get_display_name(Locale.parse(name, sep="-")) or tag
        except (UnknownLocaleError, ValueError):
            continue
    return named.get_display_name() or tag


def open_graph_locale(tag: str) -> str:
    """``fr_FR`` for ``fr``: Open Graph wants a country, so the likeliest is named (CLDR)."""
    from babel import Locale, UnknownLocaleError
    from babel.core import get_global

    if tag == "en":
        return "en_GB"
    try:
        likely = get_global("likely_subtags").get(tag.replace("-", "_"))
        locale = Locale.parse(tag if likely is None else likely, sep="-" if likely is None else "_")
    except (UnknownLocaleError, ValueError):
        return tag.replace("-", "_")
    return f"{locale.language}_{locale.territory}" if locale.territory else locale.language
