"""Random lives of a ledger: whatever happens in whatever order, the promise holds.

The model is kept by what went over the wire, which the ledger cannot see: a
message goes out when its write-ahead is on disk, and not otherwise.
"""

import tempfile
from collections import Counter, defaultdict
from datetime import datetime, timedelta
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
from newsletter.clock import EARLIEST
from newsletter.errors import LedgerRefused
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.controls import Hold
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan, Planned, Wave
from newsletter.ledger.states import TERMINAL, Disposition, State, Step
from newsletter.ledger.suppressions import Leave, Reason
from newsletter.ledger.versions import Approved

from tests.ledger.conftest import EDITION, KEYS, NOW, T
from tests.ledger.ledger_lives import DOMAINS, Attempt, Copy, drawn, planned

ISSUE = "2017-03"
READERS = 8
HOUR = 3600.0
RETRY_FOR_S = 24 * HOUR

MEANWHILE = st.sampled_from(["nothing", "nothing", "nothing", "correct", "hold"])
people = st.integers(1, READERS)


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
        """Deliveries that went out, or may have from another copy of the ledger, and of which
        nobody told the ledger what became of them."""
        self.version: dict[str, int] = defaultdict(lambda: 1)
        """By campaign, what a first attempt gets."""
        self.bound: dict[int, int] = {}
        """By delivery, what it was first attempted with."""
        self.refused: list[Attempt] = []
        self.held: set[str] = set()
        self.wave: dict[str, int] = {}
        self.waits: dict[int, datetime] = {}
        """By delivery, until when its domain was postponed while it waited."""

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
        self.ledger = Ledger(self.path, KEYS)
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
        with self.ledger.transaction():
            frozen = self.ledger.campaigns.freeze(
                Plan(ISSUE, len(recipients), recipients, {}),
                Approved({"en": EDITION}, "{}"),
                now=NOW,
                again=again,
            )
        self.wave[frozen.id] = min(one.wave for one in recipients)

    @rule(data=st.data(), what=st.sampled_from(["correct", "hold", "go on", "go on"]))
    def control(self, data: st.DataObject, what: str) -> None:
        self.control_one(data.draw(st.sampled_from(self.campaigns())), what)

    def control_one(self, campaign: Campaign, what: str) -> None:
        with self.ledger.transaction():
            match what:
                case "correct":
                    at = self.now
                    number = self.ledger.controls.correct(
                        campaign, Approved({"en": EDITION}, "{}"), at
                    )
                    assert number == self.version[campaign.id] + 1
                    self.version[campaign.id] = number
                case "hold":
                    self.ledger.controls.hold(
                        campaign.id, Hold("A person paused it.", by_person=True)
                    )
                    self.held.add(campaign.id)
                case "go on":
                    self.ledger.controls.go_on(campaign.id)
                    self.held.discard(campaign.id)

    @rule(data=st.data(), wave=st.sampled_from(Wave))
    def open_a_wave(self, data: st.DataObject, wave: Wave) -> None:
        campaign = data.draw(st.sampled_from(self.campaigns()))
        with self.ledger.transaction():
            self.ledger.controls.open_wave(campaign.id, wave)
        self.wave[campaign.id] = max(self.wave[campaign.id], wave)

    @rule(data=st.data(), surely=st.sampled_from([False, False, False, True]))
    def adopt(self, data: st.DataObject, *, surely: bool) -> None:
        """A restored backup, or a copy, is taken on."""
        if not surely:
            return
        campaign = data.draw(st.sampled_from(self.campaigns()))
        waiting = self.ids(campaign, State.PENDING, State.CLAIMED, State.DEFERRED)
        with self.ledger.transaction():
            count = self.ledger.deliveries.adopt(campaign.id, self.now, "restored")
        self.open |= waiting
        assert count >= len(waiting)
        assert not self.ledger.campaigns.tally(campaign).open

    def ids(self, campaign: Campaign, *states: State) -> set[int]:
        return {one.id for one in self.ledger.deliveries.of(campaign.id, *states)}

    @rule(data=st.data(), step=st.sampled_from([Step.ASSUME, Step.RESEND]))
    def decide(self, data: st.DataObject, step: Step) -> None:
        held = [
            (campaign.round, one)
            for campaign in self.campaigns()
            for one in self.ledger.deliveries.of(campaign.id, State.IN_DOUBT)
        ]
        if not held:
            return
        round_, one = data.draw(st.sampled_from(held))
        with self.ledger.transaction():
            assert self.ledger.deliveries.decide(one.id, step, note="a person", now=self.now)
        self.open.discard(one.id)
        self.waits.pop(one.id, None)
        if step is Step.RESEND:
            self.allowed[one.address, round_] += 1

    # What other programs do.

    @rule(reader=people)
    def leave(self, reader: int) -> None:
        one = planned(reader)
        other = Ledger(self.path, KEYS)
        with other.transaction():
            other.suppressions.add(Leave(one.tag, Reason.UNSUBSCRIBED, "page", NOW))
        other.close()
        self.left.add(one.recipient.address.key)

    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        """A provider says that it took one: true of what went out, and of nothing else."""
        campaign = data.draw(st.sampled_from(self.campaigns()))
        for one in self.ledger.deliveries.in_doubt_claims(campaign.id):
            if self.taken[one.recipient.address.key, campaign.round]:
                with self.ledger.transaction():
                    assert self.ledger.deliveries.evidence(one.id, "found", None, self.now)
                self.open.discard(one.id)
                return

    @rule(hours=st.sampled_from([-30, 0.1, 1, 30]))
    def time_passes(self, hours: float) -> None:
        """Also backwards."""
        self.now += timedelta(hours=hours)

    # What the sender does.

    @rule(data=st.data(), count=st.integers(1, 3))
    def claim(self, data: st.DataObject, count: int) -> None:
        campaign = data.draw(st.sampled_from(self.campaigns()))
        with self.ledger.transaction():
            claims = self.ledger.deliveries.claim(
                campaign.id, run=self.run, count=count, now=self.now
            )
        assert not (claims and campaign.id in self.held)
        for claim in claims:
            assert self.waits.pop(claim.id, EARLIEST) <= self.now
            assert claim.version == self.bound.get(claim.id, self.version[campaign.id])
            reader = int(claim.recipient.address.local.removeprefix("reader"))
            assert planned(reader).wave <= self.wave[campaign.id]
        self.claimed += [Attempt(self.run, campaign, claim) for claim in claims]

    @rule(data=st.data(), domain=st.sampled_from(DOMAINS), hours=st.sampled_from([0.5, 2]))
    def postpone(self, data: st.DataObject, domain: str, hours: float) -> None:
        campaign, until = (
            data.draw(st.sampled_from(self.campaigns())),
            self.now + timedelta(hours=hours),
        )
        queue = self.ledger.deliveries.of(campaign.id, State.PENDING, State.DEFERRED)
        with self.ledger.transaction():
            self.ledger.deliveries.postpone(campaign.id, domain, until)
        for one in queue:
            if one.address.endswith(f"@{domain}"):
                self.waits[one.id] = max(until, self.waits.get(one.id, EARLIEST))

    @precondition(lambda self: self.claimed)
    @rule(data=st.data(), count=st.integers(1, 2), meanwhile=MEANWHILE)
    def write_ahead(self, data: st.DataObject, count: int, meanwhile: str) -> None:
        """A refused claim stays claimed: it is released by a later recover."""
        attempts = [drawn(data, self.claimed) for _ in range(min(count, len(self.claimed)))]
        self.control_one(attempts[0].campaign, meanwhile)
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
        for attempt in attempts:
            assert attempt.campaign.id not in self.held
            with_ = self.bound.setdefault(attempt.claim.id, self.version[attempt.campaign.id])
            assert with_ == attempt.claim.version
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
                Disposition(
                    step,
                    str(step),
                    next_attempt_at=self.now + timedelta(seconds=300)
                    if step is Step.DEFER
                    else EARLIEST,
                ),
                run=attempt.run,
                now=self.now,
            )
        if changed and step is not Step.DOUBT:
            self.open.discard(claim.id)

    @precondition(lambda self: self.attempting)
    @rule(data=st.data(), meanwhile=MEANWHILE)
    def refused_whole_and_asked_again(self, data: st.DataObject, meanwhile: str) -> None:
        """The request was definitely refused; may its parts go on their own?"""
        attempt = drawn(data, self.attempting)
        self.control_one(attempt.campaign, meanwhile)
        self.taken[attempt.copy] -= 1
        with self.ledger.transaction():
            may_go = self.ledger.deliveries.may_go_again([attempt.claim], run=attempt.run)
        if may_go:
            assert attempt.claim.recipient.address.key not in self.left
            assert attempt.campaign.id not in self.held
            self.taken[attempt.copy] += 1
            self.attempting.append(attempt)
            return
        with self.ledger.transaction():
            if self.ledger.deliveries.record(
                attempt.claim, Disposition(Step.DEFER, "refused"), run=attempt.run, now=self.now
            ):
                self.open.discard(attempt.claim.id)

    @precondition(lambda self: self.claimed)
    @rule(data=st.data(), step=st.sampled_from([Step.REJECT, Step.DEFER, Step.RETURN, None]))
    def refuse_or_release(self, data: st.DataObject, step: Step | None) -> None:
        """Before the decisive byte."""
        attempt = drawn(data, self.claimed)
        run, claim = attempt.run, attempt.claim
        with self.ledger.transaction():
            if step is None:
                self.ledger.deliveries.release([claim], run=run, now=self.now)
            elif self.ledger.deliveries.record(
                claim, Disposition(step, str(step)), run=run, now=self.now
            ):
                # What was about the message or the account is no attempt of theirs.
                if step is not Step.RETURN or claim.first_attempt_at is not None:
                    self.bound.setdefault(claim.id, claim.version)
                if step in {Step.REJECT, Step.DEFER}:
                    self.refused.append(attempt)

    @precondition(lambda self: self.refused)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        """The refusal turned out to be about us."""
        claim = drawn(data, self.refused).claim
        with self.ledger.transaction():
            if (
                self.ledger.deliveries.put_back([claim], now=self.now)
                and claim.first_attempt_at is None
            ):
                self.bound.pop(claim.id, None)

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
        self.ledger = Ledger(self.path, KEYS)
        self.runs += 1
        with self.ledger.transaction():
            for campaign in self.campaigns():
                self.ledger.deliveries.recover(campaign.id, alive=(), now=self.now)
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
            ended = set(tally.counts) <= TERMINAL
            assert ended == (tally.complete or tally.refused_by_all)

    @invariant()
    def nobody_gets_a_copy_without_a_persons_word(self) -> None:
        assert not [who for who in self.taken if self.taken[who] > self.allowed[who]]

    @invariant()
    def what_went_out_is_held_until_an_answer_or_a_person_settles_it(self) -> None:
        held = {
            one.id
            for campaign in self.campaigns()
            for one in self.ledger.deliveries.of(campaign.id, State.ATTEMPTING, State.IN_DOUBT)
        }
        assert self.open == held

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=45,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
