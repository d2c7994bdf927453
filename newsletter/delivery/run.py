"""A run: one process works a campaign's queue off over a pool of sessions.

Each worker owns one session: it takes a batch from the queue, lets the transport
hand it over, and returns what was not attempted. Transports only report; what
an outcome means is decided in :mod:`newsletter.delivery.policy`, and how fast
anything goes in :mod:`newsletter.delivery.pacing`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from newsletter.delivery.pacing import STEP_S
from newsletter.delivery.policy import Brake, CircuitBreaker, Trip
from newsletter.delivery.queue import Queue, Work
from newsletter.delivery.worker import Compose, Worker
from newsletter.errors import LedgerRefused, NewsletterError, TransportStopped
from newsletter.ledger.controls import Hold
from newsletter.ledger.plan import Wave
from newsletter.ledger.reading import Claim
from newsletter.log import is_on, note
from newsletter.transports.protocol import Outcome

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

_ALWAYS_S = 60.0
"""So short a wait is worth it even where a run is not to stay for deferred recipients."""
_ANNOUNCED_S = 2.0
"""Shorter waits are not announced."""
_BEAT_S = 0.8
"""A pause from another process is noticed within a second."""

Record = Callable[[Callable[["Ledger"], None]], None]
"""Runs work on a run's ledger, inside a transaction; returns when it is on disk."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        how: ``done``: nobody is left whom it could still mail. ``paused``: held, by a person or
            because a person should look. ``waiting``: who is left is due later than the run
            stays. ``stopped``: asked to, by Ctrl-C or the end of the machine.
        words: in a sentence; it is kept in the ledger.
        until: when the next one is due, where it is waiting.
        notes: what else a person should know, such as a domain that refuses us.
    """

    how: Literal["done", "paused", "waiting", "stopped"]
    words: str
    until: datetime | None = None
    notes: tuple[str, ...] = ()


class Run:
    """One run over a campaign's queue.

    Args:
        queue: not started; nobody else uses its ledger until :meth:`execute` returns.
        compose: makes messages.
        background: what is done meanwhile, such as reading the public log, until the event is set;
            on a thread of its own. Tells what a person must know of it, or nothing. A
            LedgerRefused ends the run.
    """

    def __init__(
        self,
        queue: Queue,
        compose: Compose,
        background: Callable[[threading.Event, Record], str] = lambda *_: "",
    ) -> None:
        self._queue = queue
        self._compose = compose
        self._background = background
        self._background_note = ""
        self._ledger = queue.ledger
        self._campaign = queue.campaign
        self._settings = queue.settings
        self._clock = queue.clock
        self._breaker = CircuitBreaker(queue.settings.stop_above)
        self._lock = threading.Lock()
        self._failure: NewsletterError | None = None
        self._unreachable: TransportStopped | None = None
        self._held: str | None = None
        self._trip: Trip | None = None
        self._next_wave: Wave | None = None
        self._later: datetime | None = None
        self._notes: list[str] = []

    def stop(self) -> None:
        """Ask the run to end: what is attempted is finished, nothing new is attempted."""
        self._queue.stopping.set()

    def execute(
        self,
        *,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
        on_wait: Callable[[str | None, datetime | None], None] = lambda *_: None,
        on_beat: Callable[[], None] = lambda: None,
    ) -> Ending:
        """Work until nothing is due soon, the run is stopped or held, or the transport refuses.

        Args:
            on_outcome: called from worker threads after each outcome, for progress.
            on_wait: called when the run begins to wait, with for what and until
                when, and with None when it goes on.
            on_beat: called about every second; may raise LedgerRefused, which ends the run.

        Raises:
            TransportStopped: the server, the account or the message was refused.
            LedgerRefused: nothing can be recorded any more.
        """
        self._on_outcome, self._on_wait, self._on_beat = on_outcome, on_wait, on_beat
        with self._ledger.transaction():
            self._ledger.runs.begin(
                self._queue.run_id,
                self._campaign.id,
                transport=self._queue.transport.name,
                place=self._queue.transport.place,
                now=self._clock.now(),
            )
        note("run began", campaign=self._campaign.id)
        try:
            ending = self._execute()
        except NewsletterError as error:
            with suppress(LedgerRefused):
                self._end(error.what)
            raise
        self._end(ending.words, *ending.notes)
        return ending

    def _end(self, *words: str) -> None:
        ending = " ".join(filter(None, (*words, self._background_note)))
        with self._ledger.transaction():
            self._ledger.runs.end(self._queue.run_id, self._clock.now(), ending)
        if is_on():
            counts = self._ledger.campaigns.tally(self._campaign).counts
            by_state = {str(state): count for state, count in counts.items()}
            note("run ended", campaign=self._campaign.id, counts=by_state)

    def _execute(self) -> Ending:
        self._settle_leftovers()
        self._queue.start()
        self._work()
        if (failed := self._queue.close()) is not None:
            raise failed
        if self._queue.trip is not None:
            self._apply(self._queue.trip)
        self._notes += self._queue.notes
        self._keep_hold()
        self._expire()
        tally = self._ledger.campaigns.verify(self._campaign)
        # That some connection was not to be had matters only if others left work undone.
        if self._failure is None and self._held is None and tally.open:
            self._failure = self._unreachable
        if self._failure is not None:
            raise self._failure
        return self._ending(waiting=tally.open)

    def _settle_leftovers(self) -> None:
        now = self._clock.now()
        with self._ledger.transaction():
            # The lock is this run's: no other of this list is alive.
            self._ledger.deliveries.recover(self._campaign.id, alive=(self._queue.run_id,), now=now)
            self._ledger.deliveries.suppress(self._campaign.id, now=now)
        self._expire()

    def _expire(self) -> None:
        with self._ledger.transaction():
            self._ledger.deliveries.expire(
                self._campaign.id,
                retry_for_s=self._settings.retry_for_hours * 3600,
                now=self._clock.now(),
            )

    def _work(self) -> None:
        ended = threading.Event()
        others = [
            threading.Thread(target=work, args=(ended,), name=name, daemon=True)
            for name, work in (("heartbeat", self._beat), ("background", self._run_background))
        ]
        workers = [
            threading.Thread(target=self._run_worker, name=f"worker-{number}")
            for number in range(self._settings.connections)
        ]
        for thread in (*others, *workers):
            thread.start()
        for worker in workers:
            _join(worker)
        ended.set()
        for thread in others:
            _join(thread)

    def _beat(self, ended: threading.Event) -> None:
        """Show that the run is alive, and see what others decide meanwhile."""
        while not ended.wait(_BEAT_S):
            try:
                why = self._queue.beat()
                self._on_beat()
            except NewsletterError as error:
                return self._fail(error)
            except Exception as fault:  # noqa: BLE001 - a run must not go on unwatched
                return self._fail(
                    LedgerRefused(
                        f"The heartbeat stopped on a fault of this program: {fault!r}.",
                        next="Nothing was lost; please report this, then run “newsletter resume”.",
                    )
                )
            if why is not None:
                return self._hold(why)
        return None

    def _run_background(self, ended: threading.Event) -> None:
        try:
            self._background_note = self._background(ended, self._queue.record)
        except NewsletterError as error:
            self._fail(error)
        except Exception as fault:  # noqa: BLE001 - whoever leaves would be mailed
            self._fail(
                LedgerRefused(
                    f"Reading the public log stopped on a fault of this program: {fault!r}.",
                    next="Nothing was lost; please report this, then run “newsletter resume”.",
                )
            )

    def _run_worker(self) -> None:
        worker = Worker(
            self._queue,
            self._compose,
            wait=self._wait,
            on_outcome=self._judge,
            on_unfit=self._judge_unfit,
        )
        try:
            worker.work()
        except TransportStopped as error:
            # This connection is not to be had; others may still do the work,
            # for example where the relay allows fewer of them.
            self._unreachable = error
        except NewsletterError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a dead worker must stop the run and say so
            self._fail(
                TransportStopped(
                    f"The {self._queue.transport.name} transport stopped on a fault of this "
                    f"program: {error!r}.",
                    next="Nobody was lost; please report this, then run “newsletter resume”.",
                )
            )

    # On a worker's thread

    def _wait(self, work: Work) -> bool:
        """Wait as ``work`` says, unless that is longer than a run stays; whether to go on."""
        if work.trip is not None:
            self._next_wave = work.next_wave
            self._apply(work.trip)
        if not work.wait_s:
            return False
        until = self._clock.now() + timedelta(seconds=work.wait_s)
        paced = not work.wait_for
        if not paced and work.wait_s > max(self._settings.wait_minutes * 60, _ALWAYS_S):
            with self._lock:
                self._later = min(self._later or until, until)
            return False
        announced = not paced and work.wait_s > _ANNOUNCED_S
        if announced:
            self._on_wait(work.wait_for, until)
        end = self._clock.monotonic() + work.wait_s
        while (left_s := end - self._clock.monotonic()) > 0 and not self._queue.stopping.is_set():
            self._clock.sleep(min(left_s, STEP_S))
        if announced:
            self._on_wait(None, None)
        return True

    def _judge(self, claim: Claim, outcome: Outcome) -> None:
        """Decide what an outcome means for the run and its domain."""
        domain = claim.recipient.address.domain
        with self._lock:
            trip = self._breaker.record(domain, outcome)
        if trip is not None:
            self._apply(trip, domain)
        self._on_outcome(outcome)

    def _judge_unfit(self, reason: str) -> None:
        with self._lock:
            trip = self._breaker.record_unfit(reason)
        if trip is not None:
            self._apply(trip)

    def _apply(self, trip: Trip, domain: str = "") -> None:
        match trip.brake:
            case Brake.STOP:
                self._fail(TransportStopped(trip.why, next=trip.next))
            case Brake.HOLD:
                with self._lock:
                    self._trip = self._trip or trip
                self._hold(trip.why)
            case Brake.DOMAIN:
                self._notes.append(trip.why)
                self._queue.postpone(domain)

    def _hold(self, why: str) -> None:
        with self._lock:
            self._held = self._held or why
        self._queue.stopping.set()

    def _fail(self, error: NewsletterError) -> None:
        with self._lock:
            # The ledger's trouble matters more: it is why the transport was stopped.
            if self._failure is None or isinstance(error, LedgerRefused):
                self._failure = error
        self._queue.stopping.set()

    # When all have ended

    def _keep_hold(self) -> None:
        """Let the ledger know that a person should look; only then go on behind a wave."""
        if self._trip is not None:
            with self._ledger.transaction():
                self._ledger.controls.hold(self._campaign.id, Hold(self._trip.why))
            note("campaign held", campaign=self._campaign.id)
        if self._next_wave is not None:
            # Whoever resumes has looked: their word opens it.
            with self._ledger.transaction():
                self._ledger.controls.open_wave(self._campaign.id, self._next_wave)

    def _ending(self, *, waiting: int) -> Ending:
        notes = tuple(self._notes)
        if self._held is not None:
            return Ending("paused", self._held, notes=notes)
        if self._queue.stopping.is_set():
            return Ending("stopped", "Stopped, as it was asked to.", notes=notes)
        if waiting:
            until = self._later or self._ledger.deliveries.next_due(self._campaign.id)
            if (blocked_s := self._queue.pacer.blocked_s()) > 0:
                until = self._clock.now() + timedelta(seconds=blocked_s)
            return Ending("waiting", "Deferred recipients are retried later.", until, notes)
        return Ending("done", "Nobody is left to mail.", notes=notes)


def _join(thread: threading.Thread) -> None:
    """Wait for a thread so that Ctrl-C still reaches the main thread."""
    while thread.is_alive():
        thread.join(timeout=0.2)
