"""Dispatch: works a campaign's queue off over a pool of sessions.

Each worker thread owns one session: it claims a batch, lets the transport
hand it over, and returns to the queue what was not attempted. All writing goes
through one :class:`newsletter.delivery.writer.Writer`. Transports only report;
what an outcome means is decided in :mod:`newsletter.delivery.verdict`, and how
fast anything goes in :mod:`newsletter.delivery.pacing`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.clock import Clock
from newsletter.delivery.desk import Desk
from newsletter.delivery.domains import DomainRates, Refusals
from newsletter.delivery.ending import Ending, How
from newsletter.delivery.heart import Heart
from newsletter.delivery.journal import Book
from newsletter.delivery.pacing import Pacer
from newsletter.delivery.verdict import Watchdog
from newsletter.delivery.worker import Composes, Crew, Worker
from newsletter.delivery.writer import Writer
from newsletter.errors import LedgerRefused, NewsletterError, TransportStopped
from newsletter.ledger import Ledger
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.deliveries import Claim
from newsletter.transports.protocol import Outcome, Transport


@dataclass(frozen=True, slots=True)
class Limits:
    """How a run may use the transport; newsletter.toml's [delivery]."""

    connections: int
    batch: int
    rate_per_second: float
    retry_for_s: float
    wait_s: float = 0.0
    stop_above: float = 1.0
    domain_per_minute: Mapping[str, float] = field(default_factory=dict)


class Run:
    """One run over a campaign's queue.

    Args:
        ledger: open, and used by nobody else until :meth:`execute` returns.
        campaign: whose queue.
        compose: makes messages.
        transport: the way out.
        limits: how it may be used.
        clock: tells the time.
        run_id: names this run and its claims; unique.
        on_outcome: called from worker threads after each outcome, for progress.
        on_wait: called when the run begins to wait, with for what and until
            when, and with None when it goes on.
        on_beat: called about every second; may raise LedgerRefused, which ends the run.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: Campaign,
        *,
        compose: Composes,
        transport: Transport,
        limits: Limits,
        clock: Clock,
        run_id: str,
        on_outcome: Callable[[Outcome], None],
        on_wait: Callable[[str | None, datetime | None], None] = lambda *_: None,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._campaign = campaign
        self._compose = compose
        self._transport = transport
        self._limits = limits
        self._clock = clock
        self._run_id = run_id
        self._on_outcome = on_outcome
        self._on_beat = on_beat
        self._stopping = threading.Event()
        self._crew = Crew(
            stopping=self._stopping, wait_s=limits.wait_s, clock=clock, on_wait=on_wait
        )
        self._book = Book(
            ledger,
            campaign.id,
            run_id=run_id,
            transport=transport.name,
            place=transport.place,
            clock=clock,
            stopping=self._stopping.is_set,
        )
        self._failure: NewsletterError | None = None
        self._unreachable: TransportStopped | None = None
        self._held: str | None = None
        self._notes: list[str] = []
        self._judging = threading.Lock()
        self._watchdog = Watchdog(limits.stop_above)
        self._refusals = Refusals()

    def stop(self) -> None:
        """Ask the run to end: what is attempted is finished, nothing new is attempted."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to end."""
        return self._stopping.is_set()

    def execute(self) -> Ending:
        """Work until nothing is due soon, the run is stopped or held, or the transport refuses.

        Raises:
            TransportStopped: the server, the account or the letter was refused.
            LedgerRefused: nothing can be recorded any more.
        """
        self._ledger.runs.begin(
            self._run_id,
            self._campaign.id,
            transport=self._transport.name,
            place=self._transport.place,
            now=self._now(),
        )
        try:
            ending = self._execute()
        except NewsletterError as error:
            with suppress(LedgerRefused):
                self._ledger.runs.end(self._run_id, self._now(), error.what)
            raise
        words = " ".join((ending.words, *ending.notes))
        self._ledger.runs.end(self._run_id, self._now(), words)
        return ending

    def _execute(self) -> Ending:
        self._settle_leftovers()
        kept = self._ledger.buckets.all()
        self._pacer = Pacer(
            self._transport.place,
            allowance=self._transport.allowance,
            batch_size=self._transport.batch_size,
            per_second=self._limits.rate_per_second,
            kept=kept,
            clock=self._clock,
        )
        self._desk = Desk(
            self._ledger,
            self._campaign.id,
            book=self._book,
            pacer=self._pacer,
            rates=DomainRates(self._limits.domain_per_minute, kept=kept, clock=self._clock),
            stop_above=self._limits.stop_above,
            run_id=self._run_id,
            clock=self._clock,
        )
        self._writer = Writer(self._ledger)
        self._work()
        self._writer.close()
        if self._writer.failed is not None:
            raise self._writer.failed
        with self._ledger.transaction():
            self._desk.keep()
        self._hold()
        self._give_up()
        tally = self._ledger.campaigns.verify(self._campaign)
        # That some connection was not to be had matters only if others left work undone.
        if self._failure is None and self._held is None and tally.open:
            self._failure = self._unreachable
        if self._failure is not None:
            raise self._failure
        return self._ending(waiting=tally.open)

    def _work(self) -> None:
        heart = Heart(
            self._ledger,
            self._campaign,
            desk=self._desk,
            writer=self._writer,
            on_beat=self._on_beat,
            on_hold=self._on_hold,
            on_failure=self._fail,
        )
        workers = [
            threading.Thread(target=self._employ, name=f"worker-{number}")
            for number in range(self._limits.connections)
        ]
        heart.start()
        for worker in workers:
            worker.start()
        for worker in workers:
            _join(worker)
        heart.stop()

    def _settle_leftovers(self) -> None:
        now = self._now()
        with self._ledger.transaction():
            self._ledger.deliveries.recover(self._campaign.id, now=now)
            self._ledger.deliveries.suppress(self._campaign.id, now=now)
        self._give_up()

    def _give_up(self) -> None:
        with self._ledger.transaction():
            self._ledger.deliveries.expire(
                self._campaign.id, retry_for_s=self._limits.retry_for_s, now=self._now()
            )

    def _employ(self) -> None:
        worker = Worker(
            self._crew,
            desk=self._desk,
            book=self._book,
            writer=self._writer,
            pacer=self._pacer,
            transport=self._transport,
            compose=self._compose,
            portion=min(self._limits.batch, self._transport.batch_size),
            connections=self._limits.connections,
            on_outcome=self._judge,
            on_unfit=self._unfit,
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
                    f"The {self._transport.name} transport stopped on a fault of this "
                    f"program: {error!r}.",
                    next="Nobody was lost; please report this, then run “newsletter resume”.",
                )
            )

    def _judge(self, claim: Claim, outcome: Outcome) -> None:
        """Decide what an outcome means for the run; on the worker's thread."""
        domain = claim.recipient.address.domain
        with self._judging:
            stop = self._watchdog.look_at(outcome)
            pause = self._refusals.look_at(domain, outcome)
            too_many = self._watchdog.too_many()
        if stop is not None:
            self._fail(stop)
        elif too_many is not None:
            self._on_hold(too_many)
        elif pause is not None:
            self._notes.append(pause)
            self._writer.note(lambda: self._desk.postpone(domain))
        self._on_outcome(outcome)

    def _unfit(self, reason: str) -> None:
        with self._judging:
            stop = self._watchdog.unfit(reason)
        if stop is not None:
            self._fail(stop)

    def _on_hold(self, why: str) -> None:
        self._held = self._held or why
        self._stopping.set()

    def _hold(self) -> None:
        """Let the ledger know that a person should look; only then go on behind a wave."""
        if self._crew.complaint is not None:
            self._held, following = self._crew.complaint
            self._ledger.controls.hold(self._campaign.id, self._held)
            # Whoever resumes has looked: their word opens it.
            with self._ledger.transaction():
                self._ledger.controls.open_wave(self._campaign.id, following)
        elif self._held is not None and self._watchdog.too_many() == self._held:
            self._ledger.controls.hold(self._campaign.id, self._held)

    def _ending(self, *, waiting: int) -> Ending:
        notes = tuple(self._notes)
        if self._held is not None:
            return Ending(How.PAUSED, self._held, notes=notes)
        if self._stopping.is_set():
            return Ending(How.STOPPED, "Stopped, as it was asked to.", notes=notes)
        if waiting:
            until = self._crew.later or self._ledger.deliveries.next_due(self._campaign.id)
            return Ending(How.WAITING, "Who is left is to be tried later.", until, notes)
        return Ending(How.DONE, "Nobody is left to mail.", notes=notes)

    def _fail(self, error: NewsletterError) -> None:
        with self._judging:
            # The ledger's trouble matters more: it is why the transport was stopped.
            if self._failure is None or isinstance(error, LedgerRefused):
                self._failure = error
        self._stopping.set()

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _join(worker: threading.Thread) -> None:
    """Wait for a thread so that Ctrl-C still reaches the main thread."""
    while worker.is_alive():
        worker.join(timeout=0.2)
