"""Dispatch: works a campaign's queue off over a pool of sessions.

Each worker thread owns one session: it claims a batch, lets the transport
hand it over, and returns to the queue what was not attempted. All writing goes
through one :class:`newsletter.delivery.writer.Writer`. What an outcome means
for the run is decided here; transports only report.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from newsletter.clock import Clock
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.ledger.campaigns import Campaign
from newsletter.delivery.ledger.deliveries import Claim
from newsletter.delivery.pacing import Pace
from newsletter.delivery.retry import next_attempt_at
from newsletter.delivery.states import Step
from newsletter.delivery.writer import Pending, Writer
from newsletter.errors import LedgerRefused, NewsletterError, TransportStopped
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
    Session,
    Transport,
)

_REFUSALS_IN_A_ROW = 20
"""So many refusals with no acceptance between them are the relay's word about us."""
_LOOK_AGAIN_S = 0.2
"""How long a stop may go unnoticed by a worker that waits for others."""


class Composes(Protocol):
    """Makes the message for one recipient from the edition of their language."""

    def __call__(self, recipient: Recipient, *, date: datetime) -> Message:
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
        self._run_id = run_id
        self._on_outcome = on_outcome
        self._pace = Pace(limits.rate_per_second, clock)
        self._stopping = threading.Event()
        self._failure: NewsletterError | None = None
        self._unreachable: TransportStopped | None = None
        self._failure_lock = threading.Lock()
        self._turn = threading.Condition()
        self._holders = 0
        self._returns = 0
        self._refusals = 0
        self._started: dict[int, float] = {}

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
        claims = self._ledger.deliveries.claim(
            self._campaign.id, run=self._run_id, count=count, now=self._now()
        )
        if claims:
            with self._turn:
                self._holders += 1
        return claims

    def _hand_over(self, session: Session, claims: Sequence[Claim], writer: Writer) -> None:
        journal = _Journal(self, writer, claims)
        try:
            self._pace.take(len(claims))
            messages = [] if self.stopping else list(self._composed(claims, journal))
            if messages:
                session.deliver(messages, journal)
        finally:
            returned = journal.settle()
            with self._turn:
                self._holders -= 1
                self._returns += returned
                self._turn.notify_all()

    def _composed(self, claims: Iterable[Claim], journal: _Journal) -> Iterable[Message]:
        for claim in claims:
            try:
                message = self._compose(claim.recipient, date=claim.date)
            except Uncomposable as error:
                journal.refuse(claim, Rejected(str(error)))
                continue
            journal.expect(message, claim)
            yield message

    def note(self, claim: Claim, outcome: Outcome) -> bool:
        """Write an outcome down; on the writer's thread."""
        now = self._now()
        record = partial(
            self._ledger.deliveries.record,
            claim,
            run=self._run_id,
            now=now,
            started_at=self._started.pop(claim.id, None),
        )
        match outcome:
            case Accepted():
                return record(Step.ACCEPT, reply=outcome.reply, provider_id=outcome.provider_id)
            case InDoubt():
                return record(Step.DOUBT, reply=outcome.reason)
            case Rejected(scope=Scope.RECIPIENT):
                return record(Step.REJECT, reply=outcome.reply)
            case Deferred(scope=Scope.RECIPIENT):
                at = next_attempt_at(now=now, attempt=claim.number, asked_s=outcome.retry_after_s)
                return record(Step.DEFER, reply=outcome.reply, next_attempt_at=at)
            case _:
                # The letter or the account was refused, not this person: they
                # are due again as soon as somebody has mended it.
                return record(Step.DEFER, reply=outcome.reply, next_attempt_at=now, theirs=False)

    def return_unreported(self, claims: Sequence[Claim]) -> None:
        """Settle what a transport took and said nothing of; on the writer's thread."""
        for claim in claims:
            # Only a row that is attempting can be put in doubt, only one that
            # is claimed released; each row takes the step that fits.
            self.note(claim, InDoubt("The transport ended without an answer."))
        self._ledger.deliveries.release(claims, run=self._run_id, now=self._now())

    def judge(self, outcome: Outcome) -> None:
        """Decide what an outcome means for the run; on the worker's thread."""
        if isinstance(outcome, Rejected | Deferred) and outcome.scope is not Scope.RECIPIENT:
            whom = "the letter or its sender" if outcome.scope is Scope.CAMPAIGN else "our mail"
            self._fail(
                TransportStopped(
                    f"The other side does not take {whom}: {outcome.reply}",
                    next="Mend what it names, then run “newsletter resume”.",
                )
            )
        elif self._refused_in_a_row(outcome) >= _REFUSALS_IN_A_ROW:
            self._fail(
                TransportStopped(
                    f"{_REFUSALS_IN_A_ROW} recipients in a row were refused, the last with: "
                    f"{_words(outcome)}",
                    next="The relay probably refuses us, not them. Ask who runs it, then run "
                    "“newsletter resume” for the others and “newsletter send” for those refused.",
                )
            )
        self._on_outcome(outcome)

    def _refused_in_a_row(self, outcome: Outcome) -> int:
        with self._failure_lock:
            if isinstance(outcome, Rejected):
                self._refusals += 1
            elif isinstance(outcome, Accepted):
                self._refusals = 0
            return self._refusals

    def write_ahead(self, claims: Sequence[Claim]) -> bool:
        """Make the durable record; on the writer's thread."""
        if self.stopping:
            return False
        now = self._now()
        if not self._ledger.deliveries.write_ahead(claims, run=self._run_id, now=now):
            return False
        self._started.update((claim.id, now) for claim in claims)
        return True

    def _fail(self, error: NewsletterError) -> None:
        with self._failure_lock:
            # The ledger's trouble matters more: it is why the transport was stopped.
            if self._failure is None or isinstance(error, LedgerRefused):
                self._failure = error
        self._stopping.set()

    def _now(self) -> float:
        return self._clock.now().timestamp()


class _Journal:
    """One worker's batch as the transport sees it."""

    def __init__(self, run: Run, writer: Writer, claims: Sequence[Claim]) -> None:
        self._run = run
        self._writer = writer
        self._left = {claim.id: claim for claim in claims}
        self._by_message: dict[str, Claim] = {}

    def expect(self, message: Message, claim: Claim) -> None:
        """Remember whose message it is."""
        self._by_message[message.message_id] = claim

    def settle(self) -> bool:
        """Nothing more comes: return to the queue what was never attempted.

        Returns:
            Whether there was anything to return.
        """
        left = tuple(self._left.values())
        if left:
            self._writer.note(lambda: self._run.return_unreported(left))
        return bool(left)

    def attempt(self, messages: Sequence[Message]) -> Pending[bool]:
        """See :class:`newsletter.transports.protocol.Journal`."""
        claims = [self._by_message[message.message_id] for message in messages]
        return self._writer.submit(lambda: self._run.write_ahead(claims))

    def record(self, message: Message, outcome: Outcome) -> None:
        """See :class:`newsletter.transports.protocol.Journal`."""
        self.refuse(self._by_message[message.message_id], outcome)

    def refuse(self, claim: Claim, outcome: Outcome) -> None:
        """Note an outcome."""
        del self._left[claim.id]
        self._writer.note(lambda: self._run.note(claim, outcome))
        self._run.judge(outcome)


def _words(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, InDoubt) else outcome.reply


def _join(worker: threading.Thread) -> None:
    """Wait for a thread so that Ctrl-C still reaches the main thread."""
    while worker.is_alive():
        worker.join(timeout=0.2)
