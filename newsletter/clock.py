"""The only place that asks what time it is.

Rendering takes no clock at all; what dispatch and the ledger know of time
comes in through :class:`Clock`, so that a test can hold it still. Here as well is
the one way from seconds that somebody else told, or a ledger kept, to a time.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Protocol

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
"""A year from the end of what Python can tell, so that no time zone goes beyond it."""


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        time.sleep(seconds)


def moment_at(seconds: float) -> datetime:
    """The time ``seconds`` after the epoch, aware, in UTC.

    Never raises: what lies outside :data:`EARLIEST` and :data:`LATEST` becomes
    the nearer of the two, and what is no number the earliest.
    """
    if math.isnan(seconds) or seconds <= 0:
        return EARLIEST
    if seconds >= LATEST.timestamp():
        return LATEST
    return datetime.fromtimestamp(seconds, UTC)
