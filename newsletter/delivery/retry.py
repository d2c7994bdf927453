"""When somebody who said “later” is tried again. No I/O."""

from __future__ import annotations

_FIRST_S = 300.0
_LONGEST_S = 3600.0


def next_attempt_at(*, now: float, attempt: int, asked_s: float | None) -> float:
    """When to try again, in seconds since the epoch.

    5, 10, 20, 40 minutes, then hourly (as Postfix's minimal_backoff_time and
    RFC 5321 4.5.4.1 have it), or later if the other side asked for that.

    Args:
        now: seconds since the epoch.
        attempt: number of the attempt that was put off, from 1.
        asked_s: what the other side asked for, in seconds.
    """
    wait_s = min(_LONGEST_S, _FIRST_S * 2.0 ** (attempt - 1))
    return now + max(wait_s, asked_s or 0.0)
