"""The relays of a transport, and a session's connection to one of them.

Sessions share the state of the relays. A message moves to another relay only if
it was certainly not handed over; the session decides that.

RFC 5321 4.5.3.2.7 lets a relay close a connection that was idle for five
minutes; many do so sooner. So a connection that was idle for more than 20
seconds is checked with NOOP: one round trip, where a new connection costs five
or six with TLS and AUTH. A connection that does not answer, or that holds
unsolicited bytes, is replaced. This happens before MAIL, so it never leaves a
message in doubt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from newsletter.clock import Clock
from newsletter.config import Relay, Smtp
from newsletter.errors import Problem, TransportStopped
from newsletter.transports.protocol import Deferred
from newsletter.transports.smtp_connection import Connection, RelayFailure
from newsletter.transports.smtp_oauth import AccessToken

_IDLE_S = 20
_FIRST_BACKOFF_S = 30.0
_LONGEST_BACKOFF_S = 900.0


@dataclass(eq=False, slots=True)
class RelayState:
    """One relay, and its state in this run.

    Attributes:
        relay: where it is and how it is secured.
        credential: for AUTH, a password or an access token.
        connections: number of open connections.
        opening: number of connections that are being opened.
        failure: the last failure; None once the relay accepts mail again.
        has_accepted: it accepted a message in this run.
        credit: for the weighted round robin.
        backoffs: how often it was left alone since it last accepted a message.
        session_limit: number of messages it takes over one connection; 0: not known.
        retry_at: when it may be tried again, in seconds of the monotonic clock.
    """

    relay: Relay
    credential: str | AccessToken | None = field(repr=False)
    connections: int = 0
    opening: int = 0
    failure: RelayFailure | None = None
    has_accepted: bool = False
    credit: int = 0
    backoffs: int = 0
    session_limit: int = 0
    retry_at: float = 0.0


class Relays:
    """Chooses the relay for each new connection.

    Connections are spread by weight, in a fixed order. A relay that fails is left
    alone for 30 seconds, then 60, 120 … up to 15 minutes, until it accepts a
    message; the other relays go on. A relay with weight 0 is used only when no
    other is available.

    Args:
        relays: each with its credential.
        clock: measures the backoff.
        opening_wait_s: how long to wait for connections that are being opened,
            before a refused connection counts as a failure; in seconds.
    """

    def __init__(
        self,
        relays: Sequence[tuple[Relay, str | AccessToken | None]],
        *,
        clock: Clock,
        opening_wait_s: float,
    ) -> None:
        self._states = [RelayState(relay, credential) for relay, credential in relays]
        self._clock = clock
        self._opening_wait_s = opening_wait_s
        self._change = threading.Condition()

    def choose(self, tried: Collection[RelayState]) -> RelayState | None:
        """The relay to connect to next; the caller reports :meth:`opened` or :meth:`failed`.

        Args:
            tried: relays that already refused this delivery.

        Returns:
            None if there is no other.
        """
        with self._change:
            state = self._next(self._available(tried))
            if state is None and not tried:
                state = self._first_to_retry()
            if state is not None:
                state.opening += 1
            return state

    def has_other(self, tried: Collection[RelayState]) -> bool:
        """Whether a relay besides ``tried`` is available."""
        with self._change:
            return bool(self._available(tried))

    def opened(self, state: RelayState) -> None:
        """A connection was opened."""
        with self._change:
            state.opening -= 1
            state.connections += 1
            self._change.notify_all()

    def failed(self, state: RelayState, failure: RelayFailure | None) -> bool:
        """No connection could be opened; ``failure`` is None if that is not the relay's fault.

        Returns:
            Whether the relay only refused one connection more than it allows: it
            deferred this one while others of ours are open. It is not backed off.
        """
        with self._change:
            state.opening -= 1
            self._change.notify_all()
        if failure is None:
            return False
        if failure.deferral is not None and self._at_connection_limit(state):
            return True
        self.back_off(state, failure)
        return False

    def closed(self, state: RelayState) -> None:
        """A connection was closed."""
        with self._change:
            state.connections -= 1

    def back_off(self, state: RelayState, failure: RelayFailure) -> None:
        """Leave a relay alone for a while, or until the end of the run if it is permanent."""
        with self._change:
            now = self._clock.monotonic()
            if state.failure is None or now >= state.retry_at:
                # What many sessions meet at the same time is one failure.
                backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0**state.backoffs)
                asked_s = (failure.deferral and failure.deferral.retry_after_s) or 0.0
                state.backoffs += 1
                state.retry_at = now + max(backoff_s, min(asked_s, _LONGEST_BACKOFF_S))
            if state.failure is None or not state.failure.permanent:
                state.failure = failure

    def succeeded(self, state: RelayState) -> None:
        """It accepted a message over a new connection; a backoff since then still holds."""
        with self._change:
            state.has_accepted = True
            if not self._backing_off(state):
                state.failure, state.backoffs = None, 0

    def failures(self, *, besides: Collection[RelayState] = ()) -> list[RelayFailure]:
        """The last failure of each relay that fails now, in the relays' order."""
        with self._change:
            return [
                state.failure for state in self._states if state.failure and state not in besides
            ]

    def left_out(self) -> list[RelayFailure]:
        """Failures of relays that others replaced: permanent ones, or for the whole run."""
        with self._change:
            if len(self._states) == 1:
                return []
            return [
                state.failure
                for state in self._states
                if state.failure and (state.failure.permanent or not state.has_accepted)
            ]

    def _available(self, tried: Collection[RelayState]) -> list[RelayState]:
        """Relays that may be tried; standby relays (weight 0) only if there is no other."""
        available = [
            state for state in self._states if state not in tried and not self._backing_off(state)
        ]
        return [state for state in available if state.relay.weight] or available

    def _backing_off(self, state: RelayState) -> bool:
        if state.failure is None:
            return False
        return state.failure.permanent or self._clock.monotonic() < state.retry_at

    def _next(self, available: Sequence[RelayState]) -> RelayState | None:
        """Smooth weighted round robin, as in nginx."""
        if not available:
            return None
        for state in available:
            state.credit += state.relay.weight or 1
        chosen = max(available, key=lambda state: state.credit)
        chosen.credit -= sum(state.relay.weight or 1 for state in available)
        return chosen

    def _first_to_retry(self) -> RelayState | None:
        """All relays are backed off, and yet a delivery begins: somebody waited already."""
        temporary = [
            state for state in self._states if not (state.failure and state.failure.permanent)
        ]
        return min(temporary, key=lambda state: state.retry_at, default=None)

    def _at_connection_limit(self, state: RelayState) -> bool:
        """Whether our other connections use up what the relay allows.

        A run opens all its connections at the same time, so those that are being
        opened are waited for.
        """
        with self._change:
            self._change.wait_for(
                lambda: state.connections or not state.opening, self._opening_wait_s
            )
            return state.connections > 0


@dataclass(eq=False, slots=True)
class PooledConnection:
    """A connection to a relay, and how much it was used.

    Attributes:
        connection: the connection.
        state: of its relay.
        since: when it was opened, in seconds of the monotonic clock.
        used: when it was last used, likewise.
        messages: number of messages begun on it.
        accepted: number of messages that the relay accepted over it.
    """

    connection: Connection
    state: RelayState
    since: float
    used: float
    messages: int = 0
    accepted: int = 0


class ConnectionSlot:
    """A session's one connection, replaced when it expires or breaks.

    Args:
        settings: how long a connection is used.
        relays: shared by all sessions.
        connect: opens a connection.
        clock: measures its age.
    """

    def __init__(
        self,
        settings: Smtp,
        relays: Relays,
        *,
        connect: Callable[[RelayState], Connection],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._relays = relays
        self._connect = connect
        self._clock = clock
        self._tried: dict[RelayState, RelayFailure] = {}
        self._at_limit = False
        self.current: PooledConnection | None = None

    def begin(self) -> None:
        """A delivery begins: relays that failed before may be tried again."""
        self._tried.clear()
        self._at_limit = False
        pooled = self.current
        if pooled is None or self.expired(pooled):
            return
        was_idle = self._clock.monotonic() - pooled.used > _IDLE_S
        # Unsolicited bytes would be taken for the answer to the next command.
        if pooled.connection.unsolicited() or (was_idle and not pooled.connection.is_alive()):
            self.drop()

    def end(self) -> None:
        """A delivery ended: the connection is idle from now on."""
        if self.current is not None:
            self.current.used = self._clock.monotonic()

    def expired(self, pooled: PooledConnection) -> bool:
        """Whether no other message should begin on it."""
        return (
            pooled.messages >= self._settings.messages_per_connection
            or pooled.messages >= (pooled.state.session_limit or pooled.messages + 1)
            or self._clock.monotonic() - pooled.since >= self._settings.connection_s
        )

    def acquire(self) -> PooledConnection | None:
        """A connection that can take a message; None if no relay is available now."""
        if self.current is not None and self.expired(self.current):
            self.close()
        while self.current is None:
            state = self._relays.choose(self._tried)
            if state is None:
                return None
            self.current = self._open(state)
        return self.current

    def _open(self, state: RelayState) -> PooledConnection | None:
        failure: RelayFailure | None = None
        connection: Connection | None = None
        try:
            connection = self._connect(state)
        except RelayFailure as error:
            self._tried[state] = failure = error
            return None
        finally:
            # Whatever else went wrong, the relay must not count as being opened for ever.
            if connection is None:
                self._at_limit |= self._relays.failed(state, failure)
        self._relays.opened(state)
        now = self._clock.monotonic()
        return PooledConnection(connection, state, since=now, used=now)

    def deferral(self) -> Deferred:
        """The outcome of a message that no relay accepts now.

        Raises:
            TransportStopped: no relay asked us to come back later, or other
                connections of ours go on and this one exceeds the limit.
        """
        failures = [*self._tried.values(), *self._relays.failures(besides=self._tried)]
        deferral = next((failure.deferral for failure in failures if failure.deferral), None)
        if deferral is None or self._at_limit:
            raise _no_relay_left(failures)
        return deferral

    def fail_over(self, failure: RelayFailure) -> bool:
        """The current relay fails; whether another is available."""
        assert self.current is not None
        state = self.current.state
        self._tried[state] = failure
        self._relays.back_off(state, failure)
        return self._relays.has_other(self._tried)

    def lost(self, failure: RelayFailure) -> None:
        """The connection broke; the relay is backed off only if it never accepted a message."""
        pooled = self.current
        self.drop()
        if pooled is not None and not pooled.accepted:
            self._relays.back_off(pooled.state, failure)

    def succeeded(self) -> None:
        """The current relay accepted a message."""
        pooled = self.current
        if pooled is not None:
            pooled.accepted += 1
            if pooled.accepted == 1:
                self._relays.succeeded(pooled.state)

    def session_limit(self, pooled: PooledConnection) -> None:
        """The relay takes no more over one connection; it has told how many it does take."""
        pooled.state.session_limit = pooled.accepted
        self.drop()

    def close(self) -> None:
        """Close the connection with QUIT. Never raises."""
        if self.current is not None:
            self.current.connection.quit()
            self._forget(self.current)

    def drop(self) -> None:
        """Close it without QUIT: a message without its final dot is void. Never raises."""
        if self.current is not None:
            self.current.connection.abort()
            self._forget(self.current)

    def _forget(self, pooled: PooledConnection) -> None:
        self.current = None
        self._relays.closed(pooled.state)


def _no_relay_left(failures: Sequence[RelayFailure]) -> TransportStopped:
    """The error when no relay is available."""
    stops = [failure.stopped for failure in failures]
    if len(stops) == 1:
        return stops[0]
    return TransportStopped(
        f"None of the {len(stops)} relays takes our mail.",
        problems=[Problem(stop.what, stop.where, stop.next) for stop in stops],
        next="Mend one of them, then run “newsletter resume ISSUE”. Nobody was lost.",
    )
