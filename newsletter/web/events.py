"""Writes what readers do into the public log: sealed to the officer's key, and durable."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from newsletter.clock import Clock
from newsletter.web.bundle import Bundle
from newsletter.web.log import LogUnwritable, PublicLog
from newsletter.web.seal import ENTRY_BYTES, seal

_A_DAY_S = 86_400
_MOST_RECENT = 100_000
T = TypeVar("T")


class PublicEvents:
    """The way into the log.

    Args:
        log: where events are written.
        bundle: holds the key that they are sealed to.
        clock: dates them.
    """

    def __init__(self, log: PublicLog, bundle: Bundle, clock: Clock) -> None:
        self._log = log
        self._bundle = bundle
        self._clock = clock
        self.writable = True
        """Whether the latest event could be written."""

    async def add(
        self, content: Mapping[str, object], id_: str = "", *, size: int = ENTRY_BYTES
    ) -> str:
        """Write one event down.

        Args:
            content: of the event.
            id_: hexadecimal; a new one if it is left out. Where the log holds it, nothing is
                added.
            size: how long the content is made before it is sealed, in bytes.

        Returns:
            Its id, hexadecimal, once it is on disk.

        Raises:
            LogUnwritable: it is not on disk.
        """
        dated = {"v": 1, "at": self._clock.now().timestamp(), **content}
        box = seal(dated, self._bundle.box, self._bundle.box_number, size=size)
        try:
            written = await asyncio.wrap_future(self._log.submit(box, bytes.fromhex(id_)))
        except LogUnwritable:
            self.writable = False
            raise
        self.writable = True
        return written.hex()


class OfToday(Generic[T]):
    """What is remembered of a link or reader for a day, and of no more than the latest 100,000.

    It knows keyed hashes under a key of this process alone. One process serves a log
    (see :mod:`newsletter.web.server`), or what one remembers another would not know.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def find(self, about: str) -> T | None:
        """What was noted within the last day."""
        at, known = self._known.get(self._digest(about), (0.0, None))
        return known if self._clock.now().timestamp() - at <= _A_DAY_S else None

    def note(self, about: str, value: T) -> T:
        """Remember ``value`` for a day from now on; gives it back."""
        self._known[self._digest(about)] = (self._clock.now().timestamp(), value)
        if len(self._known) > _MOST_RECENT:
            self._known.popitem(last=False)
        return value

    def forget(self, about: str) -> None:
        """Remember nothing of this one any more."""
        self._known.pop(self._digest(about), None)

    def _digest(self, about: str) -> bytes:
        return hmac.digest(self._key, about.encode(), hashlib.sha256)[:16]


class RecentEvents:
    """What was asked for within a day, so that a repeated request adds nothing to the log."""

    def __init__(self, events: PublicEvents, clock: Clock) -> None:
        self._events = events
        self._written: OfToday[asyncio.Task[str]] = OfToday(clock)

    async def once(self, about: str, content: Mapping[str, object]) -> str:
        """Write this event down, unless that was done within the last day.

        Returns:
            The event's id, hexadecimal, once it is on disk.

        Raises:
            LogUnwritable: it is not on disk.
        """
        if (known := self._find(about)) is None:
            known = self._written.note(about, asyncio.create_task(self._events.add(content)))
        elif known.done():
            # The log may have been replaced since.
            return await self._events.add(content, known.result())
        # Whoever hangs up must not take the others' answer along.
        return await asyncio.shield(known)

    def holds(self, about: str) -> bool:
        """Whether the event was asked for within the last day."""
        return self._find(about) is not None

    def forget(self, about: str) -> None:
        """The event was undone: the next one counts."""
        self._written.forget(about)

    def _find(self, about: str) -> asyncio.Task[str] | None:
        """The event of the last day, maybe still on its way to disk; None if it failed."""
        known = self._written.find(about)
        failed = known and known.done() and (known.cancelled() or known.exception() is not None)
        return None if failed else known


@dataclass(slots=True)
class Changed:
    """How often one link or reader changed something, what last, and the id of its event."""

    number: int = 0
    last: str = ""
    id: str = ""
