"""A simple rate limit: so many messages a second over all connections."""

from __future__ import annotations

import threading
from collections.abc import Callable

from newsletter.clock import Clock

_STEP_S = 0.5


class Pace:
    """Gives leave to send; shared by all workers.

    Args:
        per_second: messages a second; 0 means no limit.
        clock: tells the time and waits.
    """

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._interval_s = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.monotonic()

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._interval_s > 0

    def take(self, messages: int, *, stopped: Callable[[], bool]) -> None:
        """Wait until ``messages`` more may go, or until ``stopped`` says so.

        Time not used is not saved up, so a pause is never followed by a burst.
        """
        if not self.limited:
            return
        with self._lock:
            start = max(self._next, self._clock.monotonic())
            self._next = start + messages * self._interval_s
        while (left_s := start - self._clock.monotonic()) > 0 and not stopped():
            # In short steps: at a low rate a person would wait long for Ctrl-C.
            self._clock.sleep(min(left_s, _STEP_S))
