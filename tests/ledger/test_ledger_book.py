"""What a run writes down: calls, and further requests within one attempt."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from newsletter.config import Delivery
from newsletter.delivery.queue import Queue
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.controls import Hold
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.reading import Claim
from newsletter.ledger.states import State
from newsletter.ledger.suppressions import Leave, Reason
from newsletter.ledger.versions import Approved
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import Accepted, Call, Deferred, Outcome

from tests.ledger.conftest import EDITION, NOW, Freeze, T

WHOLE, FIRST_HALF = Call("key-whole", "d0"), Call("key-half", "d1")


class Resend(ScriptedTransport):
    name, place = "resend", "resend api.resend.com"


@dataclass
class Batch:
    """A batch of four as a worker has it in its hands."""

    ledger: Ledger
    campaign: Campaign
    queue: Queue
    claims: list[Claim]
    clock: FrozenClock

    def attempt(self, claims: Sequence[Claim], call: Call) -> bool:
        return self.queue.write_ahead(claims, call).wait()

    def answer(self, outcome: Outcome) -> None:
        for claim in self.claims:
            self.queue.note(claim, outcome, left_at=0.0)
        self.queue.write_ahead([]).wait()  # what was noted before is on disk, too

    def states(self) -> dict[State, int]:
        return dict(self.ledger.campaigns.tally(self.campaign).counts)


@pytest.fixture
def batch(ledger: Ledger, freeze: Freeze) -> Iterator[Batch]:
    campaign, clock = freeze(4), FrozenClock(NOW)
    queue = Queue(
        ledger,
        campaign,
        transport=Resend(),
        settings=Delivery(connections=1, batch=4, wait_minutes=0, stop_above=1),
        clock=clock,
        run_id="run-1",
    )
    queue.start()
    yield Batch(ledger, campaign, queue, list(queue.take().claims), clock)
    queue.close()


def test_a_call_is_on_disk_with_its_members_in_order_before_it_is_made(batch: Batch) -> None:
    assert batch.attempt(batch.claims[::-1], WHOLE)
    (call,) = batch.ledger.runs.calls(batch.campaign.id)
    assert ("key-whole", "resend", "resend api.resend.com", (4, 3, 2, 1), "d0", NOW) == (
        call.key,
        call.transport,
        call.place,
        call.members,
        call.digest,
        call.first_at,
    )
    assert {State.ATTEMPTING: 4} == batch.states()


def test_a_call_that_may_not_be_made_is_not_noted(batch: Batch) -> None:
    with batch.ledger.transaction():
        batch.ledger.controls.hold(batch.campaign.id, Hold("Paused.", by_person=True))
    assert not batch.attempt(batch.claims, WHOLE)
    assert () == batch.ledger.runs.calls(batch.campaign.id)
    assert {State.CLAIMED: 4} == batch.states()


def test_the_parts_of_a_refused_batch_may_go_under_calls_of_their_own(batch: Batch) -> None:
    assert batch.attempt(batch.claims, WHOLE)
    batch.clock.advance(30)
    assert batch.attempt(batch.claims[:2], FIRST_HALF)
    calls = batch.ledger.runs.calls(batch.campaign.id)
    assert [("key-whole", (1, 2, 3, 4)), ("key-half", (1, 2))] == [
        (call.key, call.members) for call in calls
    ]
    assert {State.ATTEMPTING: 4} == batch.states()
    batch.answer(Accepted("200"))
    assert {State.ACCEPTED: 4} == batch.states()
    (attempt,) = batch.ledger.deliveries.history(1)
    assert (1, NOW) == (attempt.number, attempt.started_at)


def suppress_the_first(batch: Batch) -> None:
    with batch.ledger.transaction():
        batch.ledger.suppressions.add(Leave(b"tag1", Reason.UNSUBSCRIBED, "test", NOW))


def hold(batch: Batch) -> None:
    with batch.ledger.transaction():
        batch.ledger.controls.hold(batch.campaign.id, Hold("Paused.", by_person=True))


def lose_the_claim(batch: Batch) -> None:
    with batch.ledger.transaction():
        batch.ledger.deliveries.recover(batch.campaign.id, alive=(), now=T)


@pytest.mark.parametrize(
    ("meanwhile", "ends_as"),
    [
        (suppress_the_first, State.DEFERRED),
        (hold, State.DEFERRED),
        (lose_the_claim, State.IN_DOUBT),
    ],
)
def test_a_part_does_not_go_if_its_reader_left_the_campaign_is_held_or_the_claim_lost(
    batch: Batch, meanwhile: Callable[[Batch], None], ends_as: State
) -> None:
    assert batch.attempt(batch.claims, WHOLE)
    meanwhile(batch)
    assert not batch.attempt(batch.claims[:2], FIRST_HALF)
    assert ["key-whole"] == [call.key for call in batch.ledger.runs.calls(batch.campaign.id)]
    batch.answer(Deferred("It was not tried a second time.", retry_after_s=0))
    assert {ends_as: 4} == batch.states()


def test_a_correction_in_between_does_not_stop_the_parts_that_were_attempted(batch: Batch) -> None:
    assert batch.attempt(batch.claims, WHOLE)
    with batch.ledger.transaction():
        batch.ledger.controls.correct(batch.campaign, Approved({"en": EDITION}, "{}"), NOW)
    assert batch.attempt(batch.claims[:2], FIRST_HALF)


def test_a_part_goes_only_with_those_of_it_that_were_never_attempted(batch: Batch) -> None:
    assert batch.attempt(batch.claims[:1], WHOLE)
    assert batch.attempt(batch.claims[:2], FIRST_HALF)
    assert {State.ATTEMPTING: 2, State.CLAIMED: 2} == batch.states()


def test_two_workers_of_a_run_that_was_taken_for_dead_do_not_mail_the_same_person(
    batch: Batch,
) -> None:
    with batch.ledger.transaction():
        batch.ledger.deliveries.recover(batch.campaign.id, alive=(), now=T)
    others = batch.queue.take().claims
    assert [claim.id for claim in others] == [claim.id for claim in batch.claims]
    assert batch.attempt(others, WHOLE)
    assert not batch.attempt(batch.claims, WHOLE)
    assert batch.attempt(others[:2], FIRST_HALF)
