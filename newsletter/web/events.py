"""Writes what readers do into the public log: sealed to the officer's key, and durable."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.clock import Clock
from newsletter.web.bundle import Bundle
from newsletter.web.log import LogUnwritable, PublicLog
from newsletter.web.seal import ENTRY_BYTES, seal

_A_DAY_S = 86_400
_MOST_RECENT = 100_000


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

    async def add(self, content: Mapping[str, object], *, size: int = ENTRY_BYTES) -> str:
        """Write one event down.

        Args:
            content: what happened.
            size: how long the content is made before it is sealed, in bytes.

        Returns:
            Its id, hexadecimal, once it is on disk.

        Raises:
            LogUnwritable: it is not on disk.
        """
        dated = {"v": 1, "at": self._clock.now().timestamp(), **content}
        box = seal(dated, self._bundle.box, self._bundle.box_number, size=size)
        try:
            written = await asyncio.wrap_future(self._log.submit(box))
        except LogUnwritable:
            self.writable = False
            raise
        self.writable = True
        return written.hex()


@dataclass(frozen=True, slots=True)
class _Recent:
    """An event of the last day.

    Attributes:
        id: hexadecimal; there once it is on disk.
        at: when it was asked for, in seconds since the epoch.
    """

    id: asyncio.Task[str]
    at: float


class RecentEvents:
    """What was asked for within a day, by token, so that a repeated request adds nothing.

    It knows keyed hashes under a key of this process alone. One process serves a log
    (see :mod:`newsletter.web.server`), or an undo in one would not be known in another.
    """

    def __init__(self, events: PublicEvents, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._recent: OrderedDict[bytes, _Recent] = OrderedDict()

    async def once(self, token: str, content: Mapping[str, object]) -> str:
        """Write this token's event down, unless that was done within the last day.

        Returns:
            The event's id, hexadecimal, once it is on disk.

        Raises:
            LogUnwritable: it is not on disk.
        """
        task = self.find(token)
        if task is None:
            task = asyncio.create_task(self._events.add(content))
            self._recent[self._digest(token)] = _Recent(task, self._clock.now().timestamp())
            if len(self._recent) > _MOST_RECENT:
                self._recent.popitem(last=False)
        # Whoever hangs up must not take the others' answer along.
        return await asyncio.shield(task)

    def find(self, token: str) -> asyncio.Task[str] | None:
        """The event of this token within the last day: its id, maybe still on its way to disk."""
        known = self._recent.get(self._digest(token))
        if known is None or self._clock.now().timestamp() - known.at > _A_DAY_S:
            return None
        failed = known.id.done() and (known.id.cancelled() or known.id.exception() is not None)
        return None if failed else known.id

    def forget(self, token: str) -> None:
        """The event was undone: the next one counts."""
        self._recent.pop(self._digest(token), None)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), hashlib.sha256)[:16]


@dataclass(slots=True)
class Changed:
    """What one link or reader changed of late."""

    since: float
    number: int
    last: str


class RecentChanges:
    """How often a link or reader changed something within a day, and what last.

    It knows keyed hashes under a key of this process alone.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._changed: OrderedDict[bytes, Changed] = OrderedDict()

    def find(self, token: str) -> Changed:
        """What is remembered of one; empty where nothing is."""
        now = self._clock.now().timestamp()
        known = self._changed.get(self._digest(token))
        return known if known and now - known.since <= _A_DAY_S else Changed(now, 0, "")

    def note(self, token: str, changed: Changed) -> None:
        """Remember it for a day from the first change on."""
        self._changed[self._digest(token)] = changed
        if len(self._changed) > _MOST_RECENT:
            self._changed.popitem(last=False)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), hashlib.sha256)[:16]
