"""Pacing: how fast messages and calls go, over all connections.

A :class:`Bucket` holds back what goes faster than its rate, or while it is
blocked. A :class:`Pacer` has two for the way out: one counts messages, the
other the calls of a provider with an API. The one that the server throttles
estimates its rate (:mod:`newsletter.delivery.rate_estimator`); the other keeps to
what newsletter.toml sets. It has one more for each domain with a set rate.
Inside a run time is measured on a clock that cannot be set back; what is kept in
the ledger is by the time of day, and of that a later run believes no
more than makes sense.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from newsletter.clock import EARLIEST, Clock
from newsletter.config import Delivery
from newsletter.delivery.policy import jitter
from newsletter.delivery.rate_estimator import RateEstimator
from newsletter.ledger.reading import Claim
from newsletter.ledger.runs import BucketRow
from newsletter.transports.protocol import Transport

STEP_S = 0.25
"""The longest sleep without a look at whether the run ends."""
_BURST_S = 0.02
_PORTION_S = 0.25
"""A connection takes so many seconds' worth at a time: what it took goes at once."""
_FIRST_BLOCK_S = 1.0
_LONGEST_BLOCK_S = 3600.0
_SOON_S = 4.0
"""So short a wait for a call passes where it is made; messages are composed meanwhile."""
_TURN_S = 15.0
"""A domain with a rate gets so many seconds' worth at a time: to postpone all who wait costs."""


class Bucket:
    """A token bucket that can be blocked; its owner holds a lock.

    Args:
        name: in the ledger.
        clock: tells the time.
        known: the server's documented limit, a second; None: not told.
        limit: newsletter.toml's, a second, never exceeded; None: none.
        kept: as it was left by an earlier run.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        known: float | None = None,
        limit: float | None = None,
        kept: BucketRow | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        now, today = clock.monotonic(), clock.now()
        self._estimator = RateEstimator(known, now, kept.learned if kept else "")
        self._limit = limit
        self._tokens = 1.0
        self._filled_at = now
        self._blocked_until = now
        self._throttled_in_a_row = 0
        if kept is not None:
            # Where the clock was set back, what was kept seems to lie ahead.
            passed = max(0.0, (today - kept.filled_at).total_seconds())
            self._tokens = min(1.0, kept.tokens)
            self._filled_at = now - passed
            left = (kept.blocked_until - max(today, kept.filled_at)).total_seconds()
            self._blocked_until = now + min(max(0.0, left), _LONGEST_BLOCK_S)

    def rate(self) -> float | None:
        """How many a second may go now; None: as many as can."""
        learned = self._estimator.rate(self._clock.monotonic())
        limits = [limit for limit in (learned, self._limit) if limit is not None]
        return min(limits, default=None)

    def blocked_s(self) -> float:
        """For how long it is blocked; 0: it is not."""
        return max(0.0, self._blocked_until - self._clock.monotonic())

    def wait_s(self) -> float:
        """How long until one may go; 0: now."""
        if (blocked_s := self.blocked_s()) > 0:
            return blocked_s
        self._fill(self._clock.monotonic())
        rate = self.rate()
        if rate is None or self._tokens >= 1 - 1e-9:
            return 0.0
        return (1 - self._tokens) / rate

    def take(self, count: int) -> None:
        """Let ``count`` go; what goes ahead of its time is made up for by waiting."""
        if self.rate() is not None:
            self._fill(self._clock.monotonic())
            self._tokens -= count
        self._estimator.sent(count)

    def throttled(self, left_at: float, retry_after_s: float | None) -> float:
        """Block: the server wants mail slower or later.

        Args:
            left_at: when what was refused had left, on the clock's monotonic time.
            retry_after_s: what it asked for.

        Returns:
            For how long from now, in seconds.
        """
        now = self._clock.monotonic()
        wait_s = retry_after_s if retry_after_s is not None else self._guess_s()
        wait_s = min(max(wait_s, 0.0), _LONGEST_BLOCK_S)
        if self._estimator.throttled(left_at, now, wait_s):
            self._throttled_in_a_row += 1
            self._tokens = min(self._tokens, 1.0)
        self._blocked_until = max(self._blocked_until, now + wait_s)
        return self._blocked_until - now

    def pause(self, wait_s: float) -> None:
        """Block for ``wait_s`` seconds; how fast it may go afterwards is as before."""
        self._blocked_until = max(self._blocked_until, self._clock.monotonic() + wait_s)

    def unlearn(self) -> None:
        """Keep to the set limit alone."""
        self._estimator = RateEstimator(None, self._clock.monotonic())

    def accepted(self) -> None:
        """Note that something was taken."""
        self._throttled_in_a_row = 0

    def kept(self) -> BucketRow:
        """What a later run should know."""
        now, today = self._clock.monotonic(), self._clock.now()
        self._fill(now)
        blocked = self._blocked_until - now
        return BucketRow(
            self.name,
            tokens=self._tokens,
            filled_at=today,
            per_second=self.rate(),
            blocked_until=today + timedelta(seconds=blocked) if blocked > 0 else EARLIEST,
            learned=self._estimator.remember(),
        )

    def _guess_s(self) -> float:
        """Doubles from a second while nothing is taken; a fifth more, so that not all come back."""
        wait_s = _FIRST_BLOCK_S * 2.0 ** min(self._throttled_in_a_row, 12)
        return (
            wait_s * (1 + 0.2 * jitter(self.name, self._throttled_in_a_row))
            if self._throttled_in_a_row
            else wait_s
        )

    def _fill(self, now: float) -> None:
        rate = self.rate()
        since = max(self._filled_at, self._blocked_until)
        if rate is not None and now > since:
            # Time not used is not saved up, so a pause is never followed by a burst.
            self._tokens = min(max(1.0, rate * _BURST_S), self._tokens + rate * (now - since))
        self._filled_at = max(now, self._filled_at)


class Pacer:
    """Says when messages and calls may go; shared by all workers of a run.

    Args:
        transport: the way out, of which it is known what the server documents.
        settings: newsletter.toml's [delivery]; no set rate is exceeded.
        kept: the ledger's buckets.
        clock: tells the time and waits.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Delivery,
        *,
        kept: Mapping[str, BucketRow],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        allowance = transport.allowance
        messages, calls = allowance.messages_per_second, allowance.calls_per_second
        known = filter(None, (calls, messages and messages / transport.batch_size))
        name = f"{transport.place} calls"
        self._calls = Bucket(name, clock=clock, known=min(known, default=None), kept=kept.get(name))
        # Documented for calls: then it is by its calls that a transport is held back.
        self._by_call = calls is not None
        self._messages = Bucket(
            transport.place,
            clock=clock,
            known=None if self._by_call else messages,
            limit=settings.rate_per_second or None,
            kept=kept.get(transport.place),
        )
        self._domains = {
            domain.lower(): Bucket(
                name := f"domain {domain.lower()}",
                clock=clock,
                limit=rate / 60,
                kept=kept.get(name),
            )
            for domain, rate in settings.domain_per_minute.items()
            if rate > 0
        }
        self._changed = False
        self._asking = False  # nobody was accepted since a pause: a few messages tell enough

    def portion(self, most: int, connections: int) -> int:
        """How many messages a worker should take at a time."""
        with self._lock:
            rate = self._messages.rate()
            if self._asking:
                return 1
        if rate is None:
            return most
        return max(1, min(most, int(rate * _PORTION_S / connections)))

    def blocked_s(self) -> float:
        """For how long the server wants nothing more; 0: it takes some."""
        with self._lock:
            return self._learning.blocked_s()

    def wait_s(self) -> float:
        """How long until messages may be taken; 0: now. A call waits again, where it is made."""
        with self._lock:
            call_s = self._learning.wait_s()
            if call_s < _SOON_S:
                call_s = self._learning.blocked_s()
            return max(self._messages.wait_s(), call_s)

    def take(self, count: int) -> None:
        """Count messages that were taken."""
        with self._lock:
            self._messages.take(count)
            self._changed = self._changed or self._messages.rate() is not None

    def take_turns(self, claims: Sequence[Claim]) -> tuple[list[Claim], dict[str, float]]:
        """Take those of ``claims`` who may go by the rates of their domains.

        Returns:
            They, and the domains that have had enough, with how many seconds
            the others there must wait.
        """
        with self._lock:
            allowed: list[Claim] = []
            turns: dict[str, int] = {}
            full: dict[str, float] = {}
            for claim in claims:
                domain = claim.recipient.address.domain
                bucket = self._domains.get(domain)
                if bucket is None:
                    allowed.append(claim)
                    continue
                if domain not in turns:
                    turn = max(1, int((bucket.rate() or 0) * _TURN_S))
                    turns[domain] = turn if bucket.wait_s() <= 0 else 0
                if turns[domain]:
                    turns[domain] -= 1
                    bucket.take(1)
                    allowed.append(claim)
                else:
                    full[domain] = max(bucket.wait_s(), 0.1)
            self._changed = self._changed or bool(turns)
        return allowed, full

    def acquire_permit(self, *, stopped: Callable[[], bool], patience_s: float) -> float | None:
        """Wait until one more call may be made.

        Returns:
            When it left, on the clock's monotonic time; None: the run ends, or
            it would take longer than ``patience_s``.
        """
        while not stopped():
            with self._lock:
                if not self._by_call:
                    self._by_call = True
                    self._messages.unlearn()
                left_s = self._calls.wait_s()
                if left_s <= 0:
                    self._calls.take(1)
                    self._changed = True
                    return self._clock.monotonic()
            if left_s > patience_s:
                return None
            # In short steps: at a low rate a person would wait long for Ctrl-C.
            self._clock.sleep(min(left_s, STEP_S))
        return None

    def throttled(self, left_at: float, retry_after_s: float | None) -> float:
        """The server wants mail slower or later; see :meth:`Bucket.throttled`."""
        with self._lock:
            self._changed = True
            return self._learning.throttled(left_at, retry_after_s)

    def pause(self, wait_s: float) -> None:
        """Let everybody wait for ``wait_s`` seconds, whatever the rate."""
        with self._lock:
            self._asking = self._changed = True
            self._learning.pause(wait_s)

    def accepted(self) -> None:
        """Note that a message was accepted."""
        with self._lock:
            self._asking = False
            self._learning.accepted()

    def changed(self) -> Iterable[BucketRow]:
        """What must be kept since the last time this was asked."""
        with self._lock:
            if not self._changed:
                return ()
            self._changed = False
            # A learned rate is kept for what learned it; a set one is in the settings.
            buckets = (self._calls, self._messages) if self._by_call else (self._messages,)
            return tuple(bucket.kept() for bucket in (*buckets, *self._domains.values()))

    @property
    def _learning(self) -> Bucket:
        return self._calls if self._by_call else self._messages
