"""Several relays: whose turn it is, and which of them is in trouble. No I/O.

Shared by the sessions of a transport. Trouble only ever moves a message that
was certainly not handed over; what is certain, the session knows.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from newsletter.clock import Clock
from newsletter.config import Relay
from newsletter.errors import Problem, TransportStopped
from newsletter.transports.protocol import Deferred

_FIRST_REST_S = 30.0
_LONGEST_REST_S = 900.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a relay cannot be used.

    Attributes:
        stopped: as a person is told.
        later: what the relay said, if it asked for patience.
        lasting: nothing will change before somebody mends it.
    """

    stopped: TransportStopped
    later: Deferred | None = None
    lasting: bool = False


@dataclass(eq=False, slots=True)
class Way:
    """One relay, and how it fares in this run."""

    relay: Relay
    password: str | None = field(repr=False)
    connections: int = 0
    """Open ones."""
    opening: int = 0
    """Those under way."""
    trouble: Trouble | None = None
    has_taken: bool = False
    credit: int = 0
    rests: int = 0
    rests_until: float = 0.0


class Relays:
    """Which relay a session goes to.

    Connections are spread by weight, smoothly and without chance. A relay in
    trouble rests 30 seconds, then 60, 120 … up to 15 minutes, until it takes a
    mail again; others go on meanwhile. One with weight 0 is taken only when no
    other can be had.

    Args:
        relays: with the password of each.
        clock: tells how long a rest lasts.
        patience_s: how long to wait for connections under way, see :meth:`crowded`.
    """

    def __init__(
        self, relays: Sequence[tuple[Relay, str | None]], *, clock: Clock, patience_s: float
    ) -> None:
        self._ways = [Way(relay, password) for relay, password in relays]
        self._clock = clock
        self._patience_s = patience_s
        self._change = threading.Condition()

    def choose(self, tried: Collection[Way]) -> Way | None:
        """Take a turn: the relay to connect to next; :meth:`opened` or :meth:`failed` follows.

        Args:
            tried: relays that would not have us just now.

        Returns:
            None: there is no other.
        """
        with self._change:
            way = self._turn(self._fit(tried)) or (None if tried else self._first_rested())
            if way is not None:
                way.opening += 1
            return way

    def others(self, tried: Collection[Way]) -> bool:
        """Whether a relay besides ``tried`` can be had."""
        with self._change:
            return bool(self._fit(tried))

    def opened(self, way: Way) -> None:
        """A connection is there."""
        with self._change:
            way.opening -= 1
            way.connections += 1
            self._change.notify_all()

    def failed(self, way: Way, trouble: Trouble | None) -> bool:
        """No connection was to be had; None: it was not the relay's fault.

        Returns:
            Whether the relay only takes no further one: it has some of ours,
            and wants patience. Such a relay is not in trouble.
        """
        with self._change:
            way.opening -= 1
            self._change.notify_all()
        if trouble is None:
            return False
        if trouble.later is not None and self._crowded(way):
            return True
        self.rest(way, trouble)
        return False

    def closed(self, way: Way) -> None:
        """A connection ended."""
        with self._change:
            way.connections -= 1

    def rest(self, way: Way, trouble: Trouble) -> None:
        """Leave a relay alone for a while, or for good if its trouble is lasting."""
        with self._change:
            now = self._clock.monotonic()
            if way.trouble is None or now >= way.rests_until:
                # What many sessions meet at the same time is one trouble.
                rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2.0**way.rests)
                asked_s = (trouble.later and trouble.later.retry_after_s) or 0.0
                way.rests += 1
                way.rests_until = now + max(rest_s, min(asked_s, _LONGEST_REST_S))
            if way.trouble is None or not way.trouble.lasting:
                way.trouble = trouble

    def well(self, way: Way) -> None:
        """It took a mail over a new connection; a rest that it was given meanwhile goes on."""
        with self._change:
            way.has_taken = True
            if not self._resting(way):
                way.trouble, way.rests = None, 0

    def troubles(self, *, besides: Collection[Way] = ()) -> list[Trouble]:
        """What was heard last from each relay in trouble, in their order."""
        with self._change:
            return [way.trouble for way in self._ways if way.trouble and way not in besides]

    def left_out(self) -> list[Trouble]:
        """The trouble of relays that the others had to do without: for good, or all the time."""
        with self._change:
            if len(self._ways) == 1:
                return []
            return [
                way.trouble
                for way in self._ways
                if way.trouble and (way.trouble.lasting or not way.has_taken)
            ]

    def _fit(self, tried: Collection[Way]) -> list[Way]:
        """Who can be had; who stands by is among them only if nobody else is."""
        fit = [way for way in self._ways if way not in tried and not self._resting(way)]
        return [way for way in fit if way.relay.weight] or fit

    def _resting(self, way: Way) -> bool:
        if way.trouble is None:
            return False
        return way.trouble.lasting or self._clock.monotonic() < way.rests_until

    def _turn(self, fit: Sequence[Way]) -> Way | None:
        """Smooth weighted round robin, as nginx spreads requests."""
        if not fit:
            return None
        for way in fit:
            way.credit += way.relay.weight or 1
        chosen = max(fit, key=lambda way: way.credit)
        chosen.credit -= sum(way.relay.weight or 1 for way in fit)
        return chosen

    def _first_rested(self) -> Way | None:
        """All rest, and yet we are asked to deliver: somebody has waited already."""
        mendable = [way for way in self._ways if not (way.trouble and way.trouble.lasting)]
        return min(mendable, key=lambda way: way.rests_until, default=None)

    def _crowded(self, way: Way) -> bool:
        """Whether other connections of ours hold the relay's places.

        At the beginning of a run all are opened at the same time, so those
        that are under way are waited for.
        """
        with self._change:
            self._change.wait_for(lambda: way.connections or not way.opening, self._patience_s)
            return way.connections > 0


def none_left(troubles: Sequence[Trouble]) -> TransportStopped:
    """What a person is told when no relay can be had."""
    stops = [trouble.stopped for trouble in troubles]
    if len(stops) == 1:
        return stops[0]
    return TransportStopped(
        f"None of the {len(stops)} relays takes our mail.",
        problems=[Problem(stop.what, stop.where, stop.next) for stop in stops],
        next="Mend one of them, then run “newsletter resume ISSUE”. Nobody was lost.",
    )
