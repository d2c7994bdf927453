"""Dispatch: works a campaign's queue off over a pool of sessions.

Each worker thread owns one session: it claims a batch, lets the transport
hand it over, and returns to the queue what was not attempted. All writing goes
through one :class:`newsletter.delivery.writer.Writer`. Transports only report;
what an outcome means is decided in :mod:`newsletter.delivery.verdict`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from newsletter.clock import Clock
from newsletter.delivery.journal import BatchJournal, Book
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.ledger.campaigns import Campaign
from newsletter.delivery.ledger.deliveries import Claim
from newsletter.delivery.pacing import Pace
from newsletter.delivery.verdict import Watchdog
from newsletter.delivery.writer import Writer
from newsletter.errors import LedgerRefused, NewsletterError, TransportStopped
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.transports.protocol import Outcome, Rejected, Session, Transport

_LOOK_AGAIN_S = 0.2
"""How long a stop may go unnoticed by a worker that waits for others."""


class Composes(Protocol):
    """Makes the message for one recipient from the edition of their language."""

    def __call__(self, recipient: Recipient, *, date: datetime, version: int) -> Message:
        """Compose.

        Raises:
            Uncomposable: there is something about this recipient; others may be fine.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """How a run may use the transport."""

    connections: int
    batch: int
    rate_per_second: float
    retry_for_s: float


class Run:
    """One run over a campaign's queue.

    Args:
        ledger: open, and used by nobody else until :meth:`execute` returns.
        campaign: whose queue.
        compose: makes messages.
        transport: the way out.
        limits: how it may be used.
        clock: tells the time.
        run_id: names this run's claims; unique.
        on_outcome: called from worker threads after each outcome, for progress.
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
    ) -> None:
        self._ledger = ledger
        self._campaign = campaign
        self._compose = compose
        self._transport = transport
        self._limits = limits
        self._clock = clock
        self._on_outcome = on_outcome
        self._pace = Pace(limits.rate_per_second, clock)
        self._stopping = threading.Event()
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
        self._judging = threading.Lock()
        self._watchdog = Watchdog()
        self._turn = threading.Condition()
        self._holders = 0
        self._returns = 0

    def stop(self) -> None:
        """Ask the run to end: what is attempted is finished, nothing new is attempted."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to end."""
        return self._stopping.is_set()

    def execute(self) -> None:
        """Work until nothing is due, the run is stopped, or the transport refuses.

        Raises:
            TransportStopped: the server, the account or the letter was refused.
            LedgerRefused: nothing can be recorded any more.
        """
        self._settle_leftovers()
        writer = Writer(self._ledger)
        workers = [
            threading.Thread(target=self._work, args=(writer,), name=f"worker-{number}")
            for number in range(self._limits.connections)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            _join(worker)
        writer.close()
        if writer.failed is not None:
            raise writer.failed
        self._give_up()
        # That some connection was not to be had matters only if others left work undone.
        if self._failure is None and self._ledger.campaigns.tally(self._campaign).open:
            self._failure = self._unreachable
        if self._failure is not None:
            raise self._failure

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

    def _work(self, writer: Writer) -> None:
        try:
            session = self._transport.open()
            try:
                self._work_off(session, writer)
            finally:
                session.close()
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

    def _work_off(self, session: Session, writer: Writer) -> None:
        while not self.stopping:
            returns = self._returns
            claims = self._claim(writer)
            if claims:
                self._hand_over(session, claims, writer)
            elif not self._returned_since(returns):
                return

    def _returned_since(self, returns: int) -> bool:
        """Whether claims came back to the queue; waits while others hold some.

        Else a worker whose connection is refused late would return its claims
        to a queue that nobody works off any more.
        """
        with self._turn:
            while self._holders and self._returns == returns and not self.stopping:
                self._turn.wait(_LOOK_AGAIN_S)
            return self._returns != returns

    def _claim(self, writer: Writer) -> list[Claim]:
        count = min(self._limits.batch, self._transport.batch_size)
        if self._pace.limited:
            # Leave is taken for whole batches, so at a low rate batches are small.
            count = max(1, min(count, int(self._limits.rate_per_second / self._limits.connections)))
        return writer.submit(lambda: self._take(count)).wait()

    def _take(self, count: int) -> list[Claim]:
        """Claim; on the writer's thread, so that whoever claims later sees who holds some."""
        claims = self._book.claim(count)
        if claims:
            with self._turn:
                self._holders += 1
        return claims

    def _hand_over(self, session: Session, claims: Sequence[Claim], writer: Writer) -> None:
        journal = BatchJournal(self._book, writer, claims, on_outcome=self._judge)
        try:
            self._pace.take(len(claims), stopped=self._stopping.is_set)
            messages = [] if self.stopping else list(self._composed(claims, journal))
            if messages:
                session.deliver(messages, journal)
        finally:
            returned = journal.settle()
            with self._turn:
                self._holders -= 1
                self._returns += returned
                self._turn.notify_all()

    def _composed(self, claims: Sequence[Claim], journal: BatchJournal) -> Iterator[Message]:
        for claim in claims:
            try:
                message = self._compose(claim.recipient, date=claim.date, version=claim.version)
            except Uncomposable as error:
                journal.note(claim, Rejected(str(error)))
                continue
            journal.expect(message, claim)
            yield message

    def _judge(self, outcome: Outcome) -> None:
        """Decide what an outcome means for the run; on the worker's thread."""
        with self._judging:
            stop = self._watchdog.look_at(outcome)
        if stop is not None:
            self._fail(stop)
        self._on_outcome(outcome)

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
