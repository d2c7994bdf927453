"""Random lives of a ledger: whatever happens in whatever order, the promise holds.

The model is kept by what went over the wire, which the ledger cannot see: a
message goes out when its write-ahead is on disk, and not otherwise.
"""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from newsletter.audience.suppression import Reason, Suppression
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.ledger.campaigns import Campaign
from newsletter.delivery.ledger.deliveries import Claim
from newsletter.delivery.plan import Plan, Planned
from newsletter.delivery.states import TERMINAL, State, Step
from newsletter.errors import LedgerRefused

from tests.delivery.conftest import EDITION, NOW, T, planned

ISSUE = "2017-03"
READERS = 8
HOUR = 3600.0
RETRY_FOR_S = 24 * HOUR

people = st.integers(1, READERS)
Copy = tuple[str, int]
"""A reader's copy in one round."""


@dataclass(frozen=True)
class Attempt:
    """What a run holds in its hands."""

    run: str
    round: int
    claim: Claim

    @property
    def copy(self) -> Copy:
        return self.claim.recipient.address.key, self.round


def drawn(data: st.DataObject, attempts: list[Attempt]) -> Attempt:
    """One of them, taken out."""
    return attempts.pop(data.draw(st.integers(0, len(attempts) - 1)))


class LedgerMachine(RuleBasedStateMachine):
    """One sender at a time, which may die; a person; and other programs beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T
        self.runs = 1
        self.left: set[str] = set()
        self.taken: Counter[Copy] = Counter()
        """What went out and was not definitely refused: what a reader may have."""
        self.allowed: Counter[Copy] = Counter()
        """What a person's word allows: one a round, and one more for each resend."""
        self.claimed: list[Attempt] = []
        self.attempting: list[Attempt] = []
        """Both also of runs that died: they may still act."""
        self.open: set[int] = set()
        """Deliveries that went out and of which nobody told the ledger what became of them."""

    @property
    def run(self) -> str:
        return f"run-{self.runs}"

    def campaigns(self) -> tuple[Campaign, ...]:
        return self.ledger.campaigns.all()

    # What a person does.

    @initialize(readers=st.sets(people, min_size=2))
    def first_send(self, readers: set[int]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "newsletter.db"
        self.ledger = Ledger(self.path, key_check="k")
        self.send(readers, again=False)

    @rule(readers=st.sets(people, min_size=1), again=st.sampled_from([False, False, True]))
    def send(self, readers: set[int], *, again: bool) -> None:
        """Plan as “send” does; --again is a person's word."""
        has_it = frozenset() if again else self.ledger.campaigns.has_it(ISSUE)
        recipients = tuple(
            one
            for one in map(planned, sorted(readers))
            if one.recipient.address.key not in has_it | self.left
        )
        if not recipients:
            return
        self.freeze(recipients, again=again)
        round_ = max(campaign.round for campaign in self.campaigns())
        for one in recipients:
            key = one.recipient.address.key
            if not again:
                assert self.total(self.taken, key) < max(1, self.total(self.allowed, key))
            self.allowed[key, round_] = self.taken[key, round_] + 1

    def total(self, copies: Counter[Copy], key: str) -> int:
        return sum(count for (who, _), count in copies.items() if who == key)

    @rule(readers=st.sets(people, min_size=1))
    def send_by_an_outdated_plan(self, readers: set[int]) -> None:
        """Two “send” at once, the lock being of no use: the ledger itself refuses."""
        has_it = self.ledger.campaigns.has_it(ISSUE)
        recipients = tuple(map(planned, sorted(readers)))
        rounds = {campaign.round for campaign in self.campaigns()}
        if rounds != {1} or not any(one.recipient.address.key in has_it for one in recipients):
            return
        before = self.campaigns()
        try:
            self.freeze(recipients, again=False)
        except LedgerRefused:
            assert before == self.campaigns()
            return
        raise AssertionError("somebody has the issue twice in one round")

    def freeze(self, recipients: tuple[Planned, ...], *, again: bool) -> None:
        self.ledger.campaigns.freeze(
            Plan(ISSUE, len(recipients), recipients, {}),
            editions={"en": EDITION},
            letterhead="{}",
            fingerprint="f",
            now=NOW,
            again=again,
        )

    @rule(data=st.data(), step=st.sampled_from([Step.ASSUME, Step.RESEND]))
    def decide(self, data: st.DataObject, step: Step) -> None:
        held = [
            (campaign.round, one)
            for campaign in self.campaigns()
            for one in self.ledger.deliveries.held(campaign.id, State.IN_DOUBT)
        ]
        if not held:
            return
        round_, one = data.draw(st.sampled_from(held))
        assert self.ledger.deliveries.decide(one.id, step, note="a person", now=self.now)
        self.open.discard(one.id)
        if step is Step.RESEND:
            self.allowed[one.address, round_] += 1

    # What other programs do.

    @rule(reader=people)
    def leave(self, reader: int) -> None:
        one = planned(reader)
        other = Ledger(self.path, key_check="k")
        other.suppressions.add(Suppression(one.tag, Reason.UNSUBSCRIBED, "page", NOW))
        other.close()
        self.left.add(one.recipient.address.key)

    @rule(hours=st.sampled_from([-30, 0.1, 1, 30]))
    def time_passes(self, hours: float) -> None:
        """Also backwards."""
        self.now += hours * HOUR

    # What the sender does.

    @rule(data=st.data(), count=st.integers(1, 3))
    def claim(self, data: st.DataObject, count: int) -> None:
        campaign = data.draw(st.sampled_from(self.campaigns()))
        with self.ledger.transaction():
            claims = self.ledger.deliveries.claim(
                campaign.id, run=self.run, count=count, now=self.now
            )
        self.claimed += [Attempt(self.run, campaign.round, claim) for claim in claims]

    @precondition(lambda self: self.claimed)
    @rule(data=st.data(), count=st.integers(1, 2))
    def write_ahead(self, data: st.DataObject, count: int) -> None:
        """A refused claim stays claimed: it is released by a later recover."""
        attempts = [drawn(data, self.claimed) for _ in range(min(count, len(self.claimed)))]
        runs = {attempt.run for attempt in attempts}
        claims = [attempt.claim for attempt in attempts]
        before = {claim.recipient.address.key for claim in claims} & self.left
        with self.ledger.transaction():
            may_go = len(runs) == 1 and self.ledger.deliveries.write_ahead(
                claims, run=attempts[0].run, now=self.now
            )
        if not may_go:
            return
        assert not before, f"{before} left, and would be mailed"
        self.taken.update(attempt.copy for attempt in attempts)
        self.open.update(claim.id for claim in claims)
        self.attempting += attempts

    @precondition(lambda self: self.attempting)
    @rule(data=st.data(), step=st.sampled_from([Step.ACCEPT, Step.REJECT, Step.DEFER, Step.DOUBT]))
    def answer(self, data: st.DataObject, step: Step) -> None:
        """The other side answers, perhaps after the sender's successor took over."""
        attempt = drawn(data, self.attempting)
        claim = attempt.claim
        if step in {Step.REJECT, Step.DEFER}:
            self.taken[attempt.copy] -= 1
        with self.ledger.transaction():
            changed = self.ledger.deliveries.record(
                claim,
                step,
                run=attempt.run,
                reply=str(step),
                now=self.now,
                next_attempt_at=self.now + 300 if step is Step.DEFER else 0,
            )
        if changed and step is not Step.DOUBT:
            self.open.discard(claim.id)

    @precondition(lambda self: self.claimed)
    @rule(data=st.data(), step=st.sampled_from([Step.REJECT, Step.DEFER, None]))
    def refuse_or_release(self, data: st.DataObject, step: Step | None) -> None:
        """Before the decisive byte."""
        attempt = drawn(data, self.claimed)
        run, claim = attempt.run, attempt.claim
        with self.ledger.transaction():
            if step is None:
                self.ledger.deliveries.release([claim], run=run, now=self.now)
            else:
                self.ledger.deliveries.record(
                    claim, step, run=run, reply=str(step), now=self.now, theirs=False
                )

    @rule()
    def give_up(self) -> None:
        with self.ledger.transaction():
            for campaign in self.campaigns():
                self.ledger.deliveries.expire(campaign.id, retry_for_s=RETRY_FOR_S, now=self.now)

    @rule(torn=st.booleans())
    def crash_and_start_again(self, *, torn: bool) -> None:
        """Whatever transaction was open is gone; the successor recovers."""
        if torn:
            self.ledger._database.execute("BEGIN IMMEDIATE")
            self.ledger._database.execute(
                "UPDATE delivery SET state = 'pending' WHERE state IN ('attempting', 'in_doubt')"
            )
        self.ledger.close()
        self.ledger = Ledger(self.path, key_check="k")
        self.runs += 1
        with self.ledger.transaction():
            for campaign in self.campaigns():
                self.ledger.deliveries.recover(campaign.id, now=self.now)
                self.ledger.deliveries.suppress(campaign.id, now=self.now)
        for campaign in self.campaigns():
            tally = self.ledger.campaigns.tally(campaign)
            assert not tally[State.ATTEMPTING] + tally[State.CLAIMED]

    # What always holds.

    @invariant()
    def the_numbers_add_up(self) -> None:
        for campaign in self.campaigns():
            tally = self.ledger.campaigns.tally(campaign)
            assert tally.adds_up
            assert tally.settled <= tally.planned
            assert tally.complete == (set(tally.counts) <= TERMINAL)

    @invariant()
    def nobody_gets_a_copy_without_a_persons_word(self) -> None:
        assert not [who for who in self.taken if self.taken[who] > self.allowed[who]]

    @invariant()
    def what_went_out_is_held_until_an_answer_or_a_person_settles_it(self) -> None:
        held = {
            one.id
            for campaign in self.campaigns()
            for one in self.ledger.deliveries.held(campaign.id, State.ATTEMPTING, State.IN_DOUBT)
        }
        assert self.open == held

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
