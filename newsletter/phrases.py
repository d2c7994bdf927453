"""Numbers, names, times and slips of the pen as they stand in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

_MINUTE_S, _HOUR_S = 60, 3600
_MOST_COMPARED = 1000
"""Words that one is compared with, so that no file with thousands of them takes minutes."""


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 error``, ``2 errors``, ``12 people``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def people(number: int) -> str:
    """``1 person``, ``12 people``."""
    return count(number, "person", "people")


def joined(words: Sequence[str], *, last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """“Did you mean …?” for the nearest known word, or the list of all."""
    names = list(known)
    near = nearest(word, names)
    if near:
        return f"Did you mean “{near}”?"
    return f"Possible here: {', '.join(names)}." if names else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` is most likely a slip for, capitals aside."""
    import difflib  # late: most commands end without a slip

    by_lower = {name.lower(): name for name in islice(known, _MOST_COMPARED)}
    # Cut, since comparing is quadratic and a stray paragraph may stand as a key.
    near = difflib.get_close_matches(word.lower()[:40], by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None
