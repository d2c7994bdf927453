"""When somebody who said “later” is tried again. No I/O."""

from __future__ import annotations

import hashlib

_FIRST_S = 300.0
_LONGEST_S = 4000.0
_LONGEST_ASKED_S = 86400.0
"""A server that asks for years would keep the campaign open for years."""
_SPREAD = 0.1
"""Retries are put up to a tenth later than the schedule says, so that not all come at once."""


def next_attempt_at(*, now: float, attempt: int, asked_s: float | None, key: str = "") -> float:
    """When to try again, in seconds since the epoch.

    5, 10, 20, 40 minutes, then every 4,000 seconds (Postfix's
    minimal_backoff_time and maximal_backoff_time; RFC 5321 4.5.4.1 asks for
    half an hour in the long run), or later if the other side asked for that,
    but within a day. Up to a tenth is added.

    Args:
        now: seconds since the epoch.
        attempt: number of the attempt that was put off, from 1; only those
            that were about the recipient count.
        asked_s: what the other side asked for, in seconds.
        key: what tells this recipient from others, for the spread.
    """
    wait_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt - 1, 10))
    wait_s *= 1 + _SPREAD * jitter(key, attempt)
    return now + max(wait_s, min(asked_s or 0.0, _LONGEST_ASKED_S))


def jitter(key: str, number: int) -> float:
    """A number from 0 to below 1 that looks like chance and is always the same."""
    digest = hashlib.sha256(f"{key}\n{number}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
