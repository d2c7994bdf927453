"""An alarm for what would take minutes: it counts the processor's time, so a busy machine
sets off none."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooLong(BaseException):
    """The alarm; no parser that catches every Exception may catch it."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise :class:`TooLong` once this process has worked so long."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
