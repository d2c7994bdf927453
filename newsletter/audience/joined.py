"""Since when a reader is on a list, as the columns of a file tell. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache

from newsletter.audience.cells import trim
from newsletter.audience.columns import fold
from newsletter.audience.dates import read_date

_NAMES = (
    "joined,joined at,date joined,join date,member since,subscribed at,subscribed on,"
    "subscription date,date subscribed,signup date,signed up,confirm time,confirmed at,"
    "confirmation date,opted in at,optin time,optin date,date added,added time,added,"
    "date registered,registered,created at,creation date,date created,entered,inscrit le,"
    "date d'inscription,date inscription,fecha de alta,fecha de suscripción,"
    "fecha de inscripción,data di iscrizione,data de inscrição,anmeldedatum,"
    "angemeldet am,inschrijfdatum,data zapisu,дата подписки,дата регистрации,"
    "تاريخ الاشتراك"
)
_COLUMNS = tuple(map(fold, _NAMES.split(",")))
"""Names of the column, the surest first."""
_WIDEST = timedelta(days=3)
"""So much may lie between the moments that one day can mean, in the time zones of the earth."""


def joined_column(header: Sequence[str]) -> int | None:
    """Where a header says that readers joined; None: nowhere."""
    return _find(tuple(header))


@lru_cache(maxsize=64)
def _find(header: tuple[str, ...]) -> int | None:
    folded = [fold(name) for name in header]
    return next((folded.index(name) for name in _COLUMNS if name in folded), None)


def joined_by(told: Mapping[str, str]) -> date | None:
    """When a reader joined, by what a file told of them: values by the names of their columns."""
    names = list(told)
    place = joined_column(names)
    return None if place is None else read_day(told[names[place]])


def read_day(cell: str) -> date | None:
    """The day that a cell names; None if it names none, or one of two, such as 3/4/2021."""
    text = trim(cell)
    return _read_day(text[:10] if text[10:11] in {" ", "T"} and text[4:5] == "-" else text)


@lru_cache(maxsize=4096)
def _read_day(text: str) -> date | None:
    span = read_date(text)
    if span is None or span[1] - span[0] > _WIDEST:
        return None
    return (span[0] + (span[1] - span[0]) / 2).date()


def earliest(*days: date | None) -> date | None:
    """The first of those days that are known."""
    return min((day for day in days if day is not None), default=None)
