"""Numbers, names and times as they stand in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

_MINUTE_S, _HOUR_S = 60, 3600


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 error``, ``2 errors``, ``12 people``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def people(number: int) -> str:
    """``1 person``, ``12 people``."""
    return count(number, "person", "people")


def joined(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def moment(at: datetime) -> str:
    """``2017-03-31 11:00 CEST``: the time of this machine's zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def duration(seconds: float) -> str:
    """``less than a minute``, ``about 3 minutes``, ``about 2 hours``."""
    if seconds < _MINUTE_S:
        return "less than a minute"
    if seconds < 2 * _HOUR_S:
        return f"about {count(round(seconds / _MINUTE_S), 'minute')}"
    return f"about {count(round(seconds / _HOUR_S), 'hour')}"
