"""Dates as a language writes them. No I/O, no clock."""

from __future__ import annotations

import datetime as dt


def long_date(date: dt.date, language: str, pattern: str = "long") -> str:
    """``31 March 2017``, ``31 mars 2017``: in the manner of the language (Unicode CLDR).

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
            return format_date(date, pattern, locale=Locale.parse(tag, sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return date.isoformat()
