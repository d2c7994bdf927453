import threading
from collections.abc import Callable

import pytest
from newsletter.delivery.writer import Writer
from newsletter.errors import LedgerRefused
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import Disposition, State, Step

from tests.ledger.conftest import KEYS, NOW, Freeze, T

RUN = "run-1"


@pytest.fixture
def writer(ledger: Ledger) -> Writer:
    started = Writer(ledger)
    started.start()
    return started


def together(writer: Writer, *work: Callable[[Writer], object]) -> list[object]:
    """Queue ``work`` so that all of it comes into one transaction."""
    entered, gate = threading.Event(), threading.Event()

    def hold() -> bool:
        entered.set()
        return gate.wait(10)

    held = writer.submit(hold)
    assert entered.wait(10)
    queued = [each(writer) for each in work]
    gate.set()
    assert held.wait()
    return queued


def test_what_is_waited_for_is_on_disk_when_the_wait_ends(
    ledger: Ledger, writer: Writer, freeze: Freeze
) -> None:
    campaign = freeze(1)
    claims = writer.submit(
        lambda: ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
    ).wait()
    other = Ledger(ledger.path, KEYS)
    assert {State.CLAIMED: 1} == other.campaigns.tally(campaign).counts
    other.close()
    writer.close()
    assert 1 == len(claims)


def test_a_record_that_cannot_be_written_takes_no_other_with_it(
    ledger: Ledger, writer: Writer, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        one, two = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
        assert ledger.deliveries.write_ahead([one], run=RUN, now=T)
        assert ledger.deliveries.write_ahead([two], run=RUN, now=T)

    def accept() -> object:
        return ledger.deliveries.record(one, Disposition(Step.ACCEPT, "250 ok"), run=RUN, now=T)

    def poison() -> object:
        raise ZeroDivisionError

    together(writer, lambda w: w.note(poison), lambda w: w.note(accept))
    writer.close()
    assert "fault of this program" in str(writer.failed)
    assert {State.ACCEPTED: 1, State.ATTEMPTING: 1} == ledger.campaigns.tally(campaign).counts


def test_whoever_waits_is_told_of_the_failure_of_another_in_the_same_transaction(
    ledger: Ledger, writer: Writer, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)

    def broken() -> object:
        # News of a delivery that is not there: a real error of SQLite's.
        return ledger.events.add(999, "bounced", "test", NOW, "", "mark")

    _, ticket = together(
        writer,
        lambda w: w.note(broken),
        lambda w: w.submit(lambda: ledger.deliveries.write_ahead([claim], run=RUN, now=T)),
    )
    with pytest.raises(LedgerRefused):
        ticket.wait()  # type: ignore[attr-defined] # what submit() returned
    with pytest.raises(LedgerRefused):
        writer.submit(lambda: True).wait()
    writer.close()
    assert {State.CLAIMED: 1} == ledger.campaigns.tally(campaign).counts


def test_records_of_one_transaction_keep_their_order(ledger: Ledger, writer: Writer) -> None:
    done: list[int] = []
    together(writer, *(lambda w, n=number: w.note(lambda: done.append(n)) for number in range(5)))
    writer.close()
    assert [0, 1, 2, 3, 4] == done


def test_outcomes_are_on_disk_no_later_than_the_next_write_ahead(
    ledger: Ledger, writer: Writer, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        one, two = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
        assert ledger.deliveries.write_ahead([one], run=RUN, now=T)
    writer.note(
        lambda: ledger.deliveries.record(one, Disposition(Step.ACCEPT, "250 ok"), run=RUN, now=T)
    )
    assert writer.submit(lambda: ledger.deliveries.write_ahead([two], run=RUN, now=T)).wait()
    other = Ledger(ledger.path, KEYS)
    assert {State.ACCEPTED: 1, State.ATTEMPTING: 1} == other.campaigns.tally(campaign).counts
    other.close()
    writer.close()
