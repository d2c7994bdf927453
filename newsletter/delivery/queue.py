"""The queue of one run: hands out work and writes down what became of it.

Workers call it from any thread. All that touches the ledger runs on the thread
of a :class:`newsletter.delivery.writer.Writer`, inside a transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from newsletter.clock import EARLIEST, Clock
from newsletter.config import Delivery
from newsletter.delivery.evidence import Attempt, Evidence, SharedCause
from newsletter.delivery.pacing import STEP_S, Pacer
from newsletter.delivery.policy import (
    DOMAIN_PAUSE,
    Brake,
    Trip,
    classify,
    judge_wave,
    rule_for,
)
from newsletter.delivery.writer import Pending, Writer
from newsletter.errors import NewsletterError
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.plan import Wave
from newsletter.ledger.reading import Claim
from newsletter.ledger.runs import CallRecord
from newsletter.ledger.states import Disposition, State, Step
from newsletter.transports.protocol import (
    Accepted,
    Call,
    InDoubt,
    Outcome,
    Transport,
)

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

TOO_LATE = (
    "It is too late for this send: its time was over before everybody was mailed. "
    "“newsletter resume ISSUE --late” sends it to the rest all the same."
)
FOR_SERVER = "for the server, which asked for slower mail,"
_LOOK_AGAIN_S = 0.2
"""How long a stop may go unnoticed by a worker that waits for others."""
_COUNT_EVERY = 10
"""Beats between two counts of everybody: with a million readers one takes a while."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker does next: mail ``claims``, wait, or end, where it has neither.

    Attributes:
        claims: whom to mail.
        wait_s: how long to wait, in seconds.
        wait_for: for what, in the words that a person reads; empty for one's turn by the pace.
        trip: a wave was judged to need a person's look; ``following`` is the wave behind it.
    """

    claims: Sequence[Claim] = ()
    wait_s: float = 0.0
    wait_for: str = ""
    trip: Trip | None = None
    following: Wave = Wave.REST


class Queue:
    """A campaign's deliveries, as one run works them off.

    Args:
        ledger: open; from :meth:`start` to :meth:`close` nobody else uses it.
        campaign: whose deliveries.
        transport: what they go out through.
        settings: how it may be used; newsletter.toml's [delivery].
        clock: tells the time and waits.
        run_id: names the run and its claims; unique.

    Attributes:
        stopping: set when nothing new may begin.
        trip: why the run must stop, as many refusals together have shown.
        notes: what else a person should know: what many deferrals together have shown.
        pacer: says when messages and calls may go.

    What it was given are attributes, too.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: Campaign,
        *,
        transport: Transport,
        settings: Delivery,
        clock: Clock,
        run_id: str,
    ) -> None:
        self.ledger = ledger
        self.campaign = campaign
        self.transport = transport
        self.settings = settings
        self.clock = clock
        self.run_id = run_id
        self.stopping = threading.Event()
        self.trip: Trip | None = None
        self.notes: list[str] = []
        self.pacer = Pacer(transport, settings, kept=ledger.runs.buckets(), clock=clock)
        self._deliveries = ledger.deliveries
        self._writer = Writer(ledger)
        self._started: dict[int, Attempt] = {}
        self._calls = 0
        self._holders = 0
        self._settled = 0
        self._turn = threading.Condition()
        self._beats = 0
        self._evidence = Evidence()

    def start(self) -> None:
        """Let the writer begin."""
        self._writer.start()

    def close(self) -> NewsletterError | None:
        """Write what waits, then stop; why something could not be written, if so."""
        self._writer.close()
        if self._writer.failed is None:
            with self.ledger.transaction():
                for cause in self._evidence.at_the_end(self._now()):
                    self._put_back(cause)
                self._keep_pace()
        return self._writer.failed

    def take(self) -> Work:
        """What to do next.

        Blocks while nobody is due and other workers hold claims: one whose
        connection is refused returns them, and somebody must work them off.

        Raises:
            LedgerRefused: the ledger cannot be written.
        """
        while not self.stopping.is_set():
            settled = self._settled
            # Asked here first, since a transaction costs more than a look.
            if (pause := self._pause()) is not None:
                return pause
            work = self._writer.submit(self._take).wait()
            # What was returned while it was asked may not have been seen.
            if work is not None and (work.claims or self._settled == settled):
                return work
            with self._turn:
                while self._settled == settled and not self.stopping.is_set():
                    self._turn.wait(_LOOK_AGAIN_S)
        return Work()

    def write_ahead(self, claims: Sequence[Claim], call: Call | None = None) -> Pending[bool]:
        """Make the durable record ``attempting``; whether the messages may go."""
        return self._writer.submit(lambda: self._write_ahead(claims, call))

    def note(self, claim: Claim, outcome: Outcome, *, left_at: float) -> None:
        """Note an outcome for the ledger and the pace.

        Args:
            claim: whose.
            outcome: what the attempt told.
            left_at: when it had left, on the clock's monotonic time.
        """
        wait_s = 0.0
        if isinstance(outcome, Accepted):
            self.pacer.accepted()
        elif rule_for(outcome).throttles:
            wait_s = self.pacer.throttled(left_at, getattr(outcome, "retry_after_s", None))
        self._writer.note(lambda: self._note(claim, outcome, wait_s))

    def settle(self, claims: Sequence[Claim]) -> None:
        """A worker's batch is over: return ``claims`` to the queue, of which nothing was noted."""
        if claims:
            self._writer.note(lambda: self._return_unreported(claims))
        with self._turn:
            self._holders -= 1
            self._settled += 1
            self._turn.notify_all()

    def record(self, work: Callable[[Ledger], None]) -> None:
        """Write something else down; returns when it is on disk.

        Raises:
            LedgerRefused: it cannot be written.
        """
        self._writer.submit(lambda: work(self.ledger)).wait()

    def postpone(self, domain: str) -> None:
        """Let those at a domain that refuses us wait for an hour, with whom it refused last."""
        self._writer.note(lambda: self._wait_at(domain))

    def beat(self) -> str | None:
        """Show that the run is alive; why it must not go on, if so.

        Raises:
            LedgerRefused: the ledger is not what it was, or cannot be written.
        """
        why = self._writer.submit(self._beat).wait()
        self.ledger.check_files()
        return why

    # On the writer's thread, inside its transaction

    def _take(self) -> Work | None:
        """Work, or None while others hold claims and nobody is due."""
        # Asked again: another worker may have been given what there was.
        if (pause := self._pause()) is not None:
            return pause
        most = min(self.settings.batch, self.transport.batch_size)
        claims = self._claim(self.pacer.portion(most, self.settings.connections))
        self._keep_pace()
        if claims:
            with self._turn:
                self._holders += 1
            return Work(claims)
        return None if self._holders else self._outlook()

    def _pause(self) -> Work | None:
        if (blocked_s := self.pacer.blocked_s()) > 0:
            return Work(wait_s=blocked_s, wait_for=FOR_SERVER)
        if (wait_s := self.pacer.wait_s()) > 0:
            return Work(wait_s=wait_s)
        return None

    def _claim(self, count: int) -> list[Claim]:
        """Claim up to ``count`` of those who are due and whose domain has not had enough."""
        now = self._now()
        while claims := self._deliveries.claim(
            self.campaign.id, run=self.run_id, count=count, now=now
        ):
            allowed, full = self.pacer.take_turns(claims)
            going = {claim.id for claim in allowed}
            self._release([claim for claim in claims if claim.id not in going])
            for domain, wait_s in full.items():
                self._postpone(domain, wait_s)
            if allowed:
                self.pacer.take(len(allowed))
                return allowed
        return []

    def _outlook(self) -> Work | None:
        """Nobody is due and nobody is on the way: judge the wave, or wait for who comes due."""
        wave = self.ledger.controls.of(self.campaign.id).wave
        if wave is not Wave.REST and not self._unheard(wave):
            following = self._following(wave)
            if (trip := self._judge(wave)) is not None:
                return Work(trip=trip, following=following)
            self.ledger.controls.open_wave(self.campaign.id, following)
            return self._take()
        due = self._deliveries.next_due(self.campaign.id)
        if due is None:
            return Work()
        left_s = (due - self.clock.now()).total_seconds()
        return Work(wait_s=max(left_s, STEP_S), wait_for="for deferred recipients,")

    def _unheard(self, wave: Wave) -> bool:
        return any(
            each <= wave and self._deliveries.wave_unheard(self.campaign.id, each) for each in Wave
        )

    def _following(self, wave: Wave) -> Wave:
        later = [each for each in Wave if each > wave]
        found = (e for e in later if self._deliveries.wave_tally(self.campaign.id, e))
        return next(found, Wave.REST)

    def _judge(self, wave: Wave) -> Trip | None:
        tally = self._deliveries.wave_tally(self.campaign.id, wave)
        replies = self._deliveries.wave_replies(self.campaign.id, wave)
        accepted = tally.get(State.ACCEPTED, 0)
        return judge_wave(wave, accepted, replies, stop_above=self.settings.stop_above)

    def _write_ahead(self, claims: Sequence[Claim], call: Call | None) -> bool:
        if self.stopping.is_set():
            return False
        now = self._now()
        # Parts of a request that was refused as a whole were attempted before.
        before = [claim for claim in claims if self._has_started(claim)]
        fresh = [claim for claim in claims if not self._has_started(claim)]
        if before and not self._deliveries.may_go_again(before, run=self.run_id):
            return False
        if not self._deliveries.write_ahead(fresh, run=self.run_id, now=now):
            return False
        if call is not None:
            self.ledger.runs.note_call(
                CallRecord(
                    call.key,
                    self.campaign.id,
                    transport=self.transport.name,
                    place=self.transport.place,
                    members=tuple(claim.id for claim in claims),
                    digest=call.digest,
                    first_at=now,
                )
            )
        self._calls += 1
        started = (Attempt(claim, now, self._calls) for claim in fresh)
        self._started.update((each.claim.id, each) for each in started)
        return True

    def _has_started(self, claim: Claim) -> bool:
        """Whether it was attempted, and by whoever holds this very claim.

        Another process that takes this run for dead returns its claims to the queue, and
        then two of its workers hold the same person.
        """
        started = self._started.get(claim.id)
        return started is not None and started.claim is claim

    def _note(self, claim: Claim, outcome: Outcome, wait_s: float) -> None:
        now = self._now()
        started = self._started.pop(claim.id, None)
        cause = self._evidence.judge(
            started or Attempt(claim, now, call=None),
            outcome,
            now=now,
            in_progress=self._calls_in_progress,
        )
        if cause is not None:
            reply = getattr(outcome, "reply", "")
            due = cause.until if cause.domain else EARLIEST
            found = Disposition(Step.RETURN, reply, next_attempt_at=due)
        else:
            found = classify(
                outcome,
                attempt=lambda: self._deliveries.deferrals(claim.id) + 1,
                key=claim.recipient.address.key,
                now=now,
                wait_s=wait_s,
            )
        self._deliveries.record(
            claim,
            found,
            run=self.run_id,
            now=now,
            started_at=started.began_at if started else None,
        )
        if cause is not None:
            self._put_back(cause)

    def _calls_in_progress(self) -> int:
        return len({started.call for started in self._started.values()})

    def _put_back(self, cause: SharedCause) -> None:
        """Put recipients back who were refused for a shared cause; stop the run, or wait."""
        now = self._now()
        self._deliveries.put_back(cause.claims, now=now)
        if cause.trip is not None and cause.trip.brake is Brake.STOP:
            self.trip = self.trip or cause.trip
            self.stopping.set()
        elif cause.trip is not None:
            self.notes.append(cause.trip.why)
        if cause.begins and cause.domain:
            self._deliveries.postpone(self.campaign.id, cause.domain, cause.until)
        elif cause.begins and cause.until > now:
            self.pacer.pause((cause.until - now).total_seconds())

    def _wait_at(self, domain: str) -> None:
        self._put_back(self._evidence.wait_at(domain, until=self._now() + DOMAIN_PAUSE))

    def _return_unreported(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            # Only a row that is attempting can be put in doubt, only one that
            # is claimed released; each row takes the step that fits.
            self._note(claim, InDoubt("The transport ended without an answer."), 0.0)
        self._release(claims)

    def _release(self, claims: Sequence[Claim]) -> None:
        self._deliveries.release(claims, run=self.run_id, now=self._now())

    def _postpone(self, domain: str, wait_s: float) -> None:
        self._deliveries.postpone(self.campaign.id, domain, self._now() + timedelta(seconds=wait_s))

    def _beat(self) -> str | None:
        self._beats += 1
        if self._beats % _COUNT_EVERY == 0:
            self.ledger.campaigns.verify(self.campaign)
        if self.ledger.record is not None and self.ledger.record.follows:
            self.ledger.record.join_suppressions()  # who left by another folder meanwhile
        self.ledger.runs.alive(self.run_id, self._now())
        self._keep_pace()
        control = self.ledger.controls.of(self.campaign.id)
        if control.held is None and self.clock.now() > control.not_after:
            return TOO_LATE
        return control.held

    def _keep_pace(self) -> None:
        self.ledger.runs.keep_buckets(self.pacer.changed())

    def _now(self) -> datetime:
        return self.clock.now()
