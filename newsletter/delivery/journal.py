"""Between transport and ledger: what a run writes down, and when.

:class:`Book` is the run's side of the ledger; its methods run on the writer's
thread, inside a transaction. :class:`BatchJournal` is what a transport sees of
it: one worker's batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from newsletter.clock import Clock
from newsletter.delivery.pacing import Pacer
from newsletter.delivery.verdict import verdict
from newsletter.delivery.writer import Pending, Writer
from newsletter.ledger import Ledger
from newsletter.ledger.deliveries import Claim
from newsletter.message.model import Message
from newsletter.transports.protocol import (
    Accepted,
    Call,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)


class Book:
    """What one run writes into the ledger.

    Args:
        ledger: open; the writer's thread alone uses it.
        campaign: the campaign's id.
        run_id: names this run's claims.
        transport: the name of what it goes out through.
        place: where that leads, as the transport says.
        clock: tells the time.
        stopping: asked before each write-ahead: nothing new begins then.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        *,
        run_id: str,
        transport: str,
        place: str,
        clock: Clock,
        stopping: Callable[[], bool],
    ) -> None:
        self._deliveries = ledger.deliveries
        self._calls = ledger.calls
        self._campaign = campaign
        self._run_id = run_id
        self._transport = transport
        self._place = place
        self._clock = clock
        self.stopping = stopping
        self._started: dict[int, tuple[Claim, float]] = {}

    def claim(self, count: int) -> list[Claim]:
        """Take up to ``count`` deliveries that are due."""
        return self._deliveries.claim(
            self._campaign, run=self._run_id, count=count, now=self._now()
        )

    def release(self, claims: Sequence[Claim]) -> None:
        """Return to the queue who was claimed and is not attempted."""
        self._deliveries.release(claims, run=self._run_id, now=self._now())

    def write_ahead(self, claims: Sequence[Claim], call: Call | None = None) -> bool:
        """Make the durable record ``attempting``; whether the messages may go."""
        if self.stopping():
            return False
        now = self._now()
        # Parts of a request that was refused as a whole were attempted before.
        before = [claim for claim in claims if self._has_started(claim)]
        fresh = [claim for claim in claims if not self._has_started(claim)]
        if before and not self._deliveries.may_go_again(before, run=self._run_id):
            return False
        if not self._deliveries.write_ahead(fresh, run=self._run_id, now=now):
            return False
        if call is not None:
            self._calls.note(
                call.key,
                self._campaign,
                transport=self._transport,
                place=self._place,
                members=[claim.id for claim in claims],
                digest=call.digest,
                now=now,
            )
        self._started.update((claim.id, (claim, now)) for claim in fresh)
        return True

    def _has_started(self, claim: Claim) -> bool:
        """Whether it was attempted, and by whoever holds this very claim.

        Another process that takes this run for dead returns its claims to the queue, and
        then two of its workers hold the same person.
        """
        started = self._started.get(claim.id)
        return started is not None and started[0] is claim

    def note(self, claim: Claim, outcome: Outcome, *, wait_s: float = 0.0) -> None:
        """Write an outcome down.

        ``wait_s`` is how long the whole transport waits, where it was pushed back.
        """
        now = self._now()
        started = self._started.pop(claim.id, None)
        found = verdict(
            outcome,
            # Asked for only where it matters: most are accepted.
            attempt=lambda: self._deliveries.put_off(claim.id) + 1,
            key=claim.recipient.address.key,
            now=now,
            wait_s=wait_s,
        )
        self._deliveries.record(
            claim,
            found.step,
            run=self._run_id,
            reply=found.reply,
            now=now,
            started_at=started and started[1],
            provider_id=found.provider_id,
            next_attempt_at=found.next_attempt_at,
            theirs=found.theirs,
        )

    def return_unreported(self, claims: Sequence[Claim]) -> None:
        """Settle what a transport took and said nothing of."""
        for claim in claims:
            # Only a row that is attempting can be put in doubt, only one that
            # is claimed released; each row takes the step that fits.
            self.note(claim, InDoubt("The transport ended without an answer."))
        self._deliveries.release(claims, run=self._run_id, now=self._now())

    def _now(self) -> float:
        return self._clock.now().timestamp()


class BatchJournal:
    """One worker's batch as the transport sees it.

    Args:
        book: where it is written.
        writer: on whose thread.
        claims: the batch.
        pacer: gives leave for calls, and is told of pushback.
        taken_at: when the batch was taken, on the clock's monotonic time.
        patience_s: leave that takes longer than this is not waited for.
        on_outcome: called on the worker's thread with each outcome and whose it is.
    """

    def __init__(
        self,
        book: Book,
        writer: Writer,
        claims: Sequence[Claim],
        *,
        pacer: Pacer,
        taken_at: float,
        patience_s: float,
        on_outcome: Callable[[Claim, Outcome], None],
    ) -> None:
        self._book = book
        self._writer = writer
        self._pacer = pacer
        self._left_at = taken_at
        self._patience_s = patience_s
        self._left = {claim.id: claim for claim in claims}
        self._by_message: dict[str, Claim] = {}
        self._on_outcome = on_outcome

    def expect(self, message: Message, claim: Claim) -> None:
        """Remember whose message it is."""
        self._by_message[message.message_id] = claim

    def leave(self) -> bool:
        """See :class:`newsletter.transports.protocol.Journal`."""
        left_at = self._pacer.leave(stopped=self._book.stopping, patience_s=self._patience_s)
        if left_at is None:
            return False
        self._left_at = left_at
        return True

    def attempt(self, messages: Sequence[Message], *, call: Call | None = None) -> Pending[bool]:
        """See :class:`newsletter.transports.protocol.Journal`."""
        claims = [self._by_message[message.message_id] for message in messages]
        return self._writer.submit(lambda: self._book.write_ahead(claims, call))

    def record(self, message: Message, outcome: Outcome) -> None:
        """See :class:`newsletter.transports.protocol.Journal`."""
        self.note(self._by_message[message.message_id], outcome)

    def note(self, claim: Claim, outcome: Outcome) -> None:
        """Note an outcome, also of one for whom there was no message."""
        del self._left[claim.id]
        wait_s = 0.0
        if isinstance(outcome, Accepted):
            self._pacer.soothe()
        elif isinstance(outcome, Deferred) and outcome.scope is Scope.ACCOUNT:
            wait_s = self._pacer.push_back(self._left_at, outcome.retry_after_s)
        self._writer.note(lambda: self._book.note(claim, outcome, wait_s=wait_s))
        self._on_outcome(claim, outcome)

    def drop(self, claim: Claim, outcome: Rejected) -> None:
        """Note that there is no message for a claim; nobody else's answer, so nobody is told."""
        del self._left[claim.id]
        self._writer.note(lambda: self._book.note(claim, outcome))

    def settle(self) -> bool:
        """Nothing more comes: return to the queue what was never attempted.

        Returns:
            Whether there was anything to return.
        """
        left = tuple(self._left.values())
        if left:
            self._writer.note(lambda: self._book.return_unreported(left))
        return bool(left)
