"""Writes what readers do into the public log: sealed to the officer's key, and durable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from newsletter.clock import Clock
from newsletter.web.bundle import Bundle
from newsletter.web.log import LogUnwritable, PublicLog
from newsletter.web.seal import seal


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

    async def add(self, content: Mapping[str, object]) -> str:
        """Write one event down.

        Returns:
            Its id, hexadecimal, once it is on disk.

        Raises:
            LogUnwritable: it is not on disk.
        """
        dated = {"v": 1, "at": self._clock.now().timestamp(), **content}
        box = seal(dated, self._bundle.box, self._bundle.box_number)
        try:
            written = await asyncio.wrap_future(self._log.submit(box))
        except LogUnwritable:
            self.writable = False
            raise
        self.writable = True
        return written.hex()
