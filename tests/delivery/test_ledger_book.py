"""What a run writes down: calls, and further requests within one attempt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from newsletter.audience.suppression import Reason, Suppression
from newsletter.delivery.dispatch import Composes
from newsletter.delivery.journal import BatchJournal, Book
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.ledger.campaigns import Campaign
from newsletter.delivery.states import State
from newsletter.delivery.writer import Writer
from newsletter.message.model import Message
from newsletter.testing import FrozenClock
from newsletter.transports.protocol import Accepted, Call, Deferred, Outcome

from tests.delivery.conftest import EDITION, NOW, Freeze, T

WHOLE, FIRST_HALF = Call("key-whole", "d0"), Call("key-half", "d1")


@dataclass
class Batch:
    """A batch of four as a transport has it in its hands."""

    ledger: Ledger
    campaign: Campaign
    journal: BatchJournal
    messages: list[Message]
    writer: Writer
    clock: FrozenClock

    def states(self) -> dict[State, int]:
        self.writer.submit(lambda: None).wait()
        return dict(self.ledger.campaigns.tally(self.campaign).counts)

    def answer(self, outcome: Outcome) -> None:
        for message in self.messages:
            self.journal.record(message, outcome)
        self.journal.settle()


@pytest.fixture
def batch(ledger: Ledger, freeze: Freeze, compose: Composes) -> Iterator[Batch]:
    campaign, clock, writer = freeze(4), FrozenClock(NOW), Writer(ledger)
    book = Book(
        ledger,
        campaign.id,
        run_id="run-1",
        transport="resend",
        place="resend api.resend.com",
        clock=clock,
        stopping=lambda: False,
    )
    claims = writer.submit(lambda: book.claim(4)).wait()
    journal = BatchJournal(book, writer, claims, on_outcome=lambda _: None)
    messages = []
    for claim in claims:
        messages.append(compose(claim.recipient, date=claim.date, version=claim.version))
        journal.expect(messages[-1], claim)
    yield Batch(ledger, campaign, journal, messages, writer, clock)
    writer.close()
    assert writer.failed is None


def test_a_call_is_on_disk_with_its_members_in_order_before_it_is_made(batch: Batch) -> None:
    assert batch.journal.attempt(batch.messages[::-1], call=WHOLE).wait()
    (call,) = batch.ledger.calls.of(batch.campaign.id)
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
    batch.ledger.controls.hold(batch.campaign.id, "Paused.")
    assert not batch.journal.attempt(batch.messages, call=WHOLE).wait()
    assert () == batch.ledger.calls.of(batch.campaign.id)
    assert {State.CLAIMED: 4} == batch.states()


def test_the_parts_of_a_refused_batch_may_go_under_calls_of_their_own(batch: Batch) -> None:
    assert batch.journal.attempt(batch.messages, call=WHOLE).wait()
    batch.clock.advance(30)
    assert batch.journal.attempt(batch.messages[:2], call=FIRST_HALF).wait()
    calls = batch.ledger.calls.of(batch.campaign.id)
    assert [("key-whole", (1, 2, 3, 4)), ("key-half", (1, 2))] == [
        (call.key, call.members) for call in calls
    ]
    assert {State.ATTEMPTING: 4} == batch.states()
    batch.answer(Accepted("200"))
    assert {State.ACCEPTED: 4} == batch.states()
    (attempt,) = batch.ledger.deliveries.history(1)
    assert (1, NOW) == (attempt.number, attempt.started_at)


def suppress_the_first(batch: Batch) -> None:
    batch.ledger.suppressions.add(Suppression(b"tag1", Reason.UNSUBSCRIBED, "test", NOW))


def hold(batch: Batch) -> None:
    batch.ledger.controls.hold(batch.campaign.id, "Paused.")


def lose_the_claim(batch: Batch) -> None:
    with batch.ledger.transaction():
        batch.ledger.deliveries.recover(batch.campaign.id, now=T)


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
    assert batch.journal.attempt(batch.messages, call=WHOLE).wait()
    meanwhile(batch)
    assert not batch.journal.attempt(batch.messages[:2], call=FIRST_HALF).wait()
    assert ["key-whole"] == [call.key for call in batch.ledger.calls.of(batch.campaign.id)]
    batch.answer(Deferred("It was not tried a second time.", retry_after_s=0))
    assert {ends_as: 4} == batch.states()


def test_a_correction_in_between_does_not_stop_the_parts_that_were_attempted(batch: Batch) -> None:
    assert batch.journal.attempt(batch.messages, call=WHOLE).wait()
    batch.ledger.controls.correct(batch.campaign, {"en": EDITION}, "g", NOW)
    assert batch.journal.attempt(batch.messages[:2], call=FIRST_HALF).wait()


def test_a_part_goes_only_with_those_of_it_that_were_never_attempted(batch: Batch) -> None:
    assert batch.journal.attempt(batch.messages[:1], call=WHOLE).wait()
    assert batch.journal.attempt(batch.messages[:2], call=FIRST_HALF).wait()
    assert {State.ATTEMPTING: 2, State.CLAIMED: 2} == batch.states()
