"""A session's connection: to which relay, how long it is kept, and when it is looked at.

RFC 5321 4.5.3.2.7 lets a relay hang up on who is idle for five minutes; many
do so after less. So a connection that rested for longer than 20 seconds is
asked with NOOP whether it still lives: one round trip, where a new connection
costs five or six with TLS and AUTH. If it does not answer as it should, or if
something came unasked (a goodbye, or the end), it is dropped and renewed. All
this comes before MAIL, so no message is ever lost or in doubt for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.clock import Clock
from newsletter.config import Smtp
from newsletter.transports.protocol import Deferred
from newsletter.transports.relays import Relays, Trouble, Way, none_left
from newsletter.transports.smtp_connection import Connection, NoConnection

_IDLE_S = 20


@dataclass(eq=False, slots=True)
class Link:
    """A connection to a relay, and how far it is worn out."""

    connection: Connection
    way: Way
    since: float
    used: float
    messages: int = 0
    """Those begun."""
    has_taken: bool = False
    """Whether the relay took a message over it."""


class Links:
    """One connection at a time, renewed when it is worn out or lost.

    Args:
        settings: how long a connection is used.
        relays: shared by all sessions.
        connect: opens a connection.
        clock: tells how old one is.
    """

    def __init__(
        self,
        settings: Smtp,
        relays: Relays,
        *,
        connect: Callable[[Way], Connection],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._relays = relays
        self._connect = connect
        self._clock = clock
        self._tried: dict[Way, Trouble] = {}
        self._crowded = False
        self.current: Link | None = None

    def begin(self) -> None:
        """Messages are to be delivered: relays that failed before may be tried again."""
        self._tried.clear()
        self._crowded = False
        link = self.current
        if link is None or self.worn_out(link):
            return
        rested = self._clock.monotonic() - link.used > _IDLE_S
        # What came unasked would be taken for the answer to the next command.
        if link.connection.unasked() or (rested and not link.connection.lives()):
            self.drop()

    def rest(self) -> None:
        """No message is on its way."""
        if self.current is not None:
            self.current.used = self._clock.monotonic()

    def worn_out(self, link: Link) -> bool:
        """Whether no other message should begin on it."""
        return (
            link.messages >= self._settings.messages_per_connection
            or self._clock.monotonic() - link.since >= self._settings.connection_s
        )

    def ready(self) -> Link | None:
        """A connection that can take a message; None where no relay will have us for now."""
        if self.current is not None and self.worn_out(self.current):
            self.close()
        while self.current is None:
            way = self._relays.choose(self._tried)
            if way is None:
                return None
            self.current = self._open(way)
        return self.current

    def _open(self, way: Way) -> Link | None:
        trouble: Trouble | None = None
        connection: Connection | None = None
        try:
            connection = self._connect(way)
        except NoConnection as error:
            self._tried[way] = trouble = error.trouble
            return None
        finally:
            # Whatever else went wrong, the relay must not be counted as being opened for ever.
            if connection is None:
                self._crowded |= self._relays.failed(way, trouble)
        self._relays.opened(way)
        now = self._clock.monotonic()
        return Link(connection, way, since=now, used=now)

    def patience(self) -> Deferred:
        """What a message is told that no relay will have for now.

        Raises:
            TransportStopped: none of them asked for patience, or others of our
                connections go on where this one was one too many.
        """
        known = [*self._tried.values(), *self._relays.troubles(besides=self._tried)]
        later = next((trouble.later for trouble in known if trouble.later), None)
        if later is None or self._crowded:
            raise none_left(known)
        return later

    def avoid(self, trouble: Trouble) -> bool:
        """The current relay is in trouble; whether another can be had instead."""
        assert self.current is not None
        way = self.current.way
        self._tried[way] = trouble
        self._relays.rest(way, trouble)
        return self._relays.others(self._tried)

    def lost(self, trouble: Trouble) -> None:
        """The connection broke; that is the relay's trouble only if it never took a message."""
        link = self.current
        self.drop()
        if link is not None and not link.has_taken:
            self._relays.rest(link.way, trouble)

    def well(self) -> None:
        """The current relay took a message."""
        link = self.current
        if link is not None and not link.has_taken:
            link.has_taken = True
            self._relays.well(link.way)

    def close(self) -> None:
        """Say goodbye. Never raises."""
        if self.current is not None:
            self.current.connection.quit()
            self._forget(self.current)

    def drop(self) -> None:
        """Hang up; what was begun and not ended with the dot is void. Never raises."""
        if self.current is not None:
            self.current.connection.abort()
            self._forget(self.current)

    def _forget(self, link: Link) -> None:
        self.current = None
        self._relays.closed(link.way)
