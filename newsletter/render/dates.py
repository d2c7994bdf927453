"""Dates as a language writes them. No I/O, no clock."""

from __future__ import annotations

import datetime as dt

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


def _in_digits(text: str, system: str) -> str:
    """``text`` in the digits of a numbering system; Babel writes 0 to 9 always."""
    zero = _ZEROS.get(system)
    if zero is None:
        return text
    return text.translate({ord("0") + n: chr(ord(zero) + n) for n in range(10)})
