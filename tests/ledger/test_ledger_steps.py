"""What the steps of a delivery write down beside its state, and what they answer."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from newsletter.errors import LedgerRefused
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.reading import Claim
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.suppressions import Leave, Reason

from tests.ledger.conftest import NOW, Freeze, T, after, counts

RUN = "run-1"


def claimed(ledger: Ledger, campaign: str, count: int, *, now: datetime = T) -> list[Claim]:
    return ledger.deliveries.claim(campaign, run=RUN, count=count, now=now)


def row(path: Path, delivery: int, *columns: str) -> Sequence[Any]:
    with closing(sqlite3.connect(path)) as raw:
        found = raw.execute(
            f"SELECT {', '.join(columns)} FROM delivery WHERE id = ?", (delivery,)
        ).fetchone()
        assert isinstance(found, tuple)
        return found


def in_doubt(ledger: Ledger, campaign: str) -> Claim:
    with ledger.transaction():
        (claim,) = claimed(ledger, campaign, 1)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
        assert ledger.deliveries.record(claim, Disposition(Step.DOUBT, "cut"), run=RUN, now=T)
    return claim


def test_the_date_of_a_message_is_that_of_its_first_claim(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (first,) = claimed(ledger, campaign.id, 1)
        ledger.deliveries.release([first], run=RUN, now=T)
        (again,) = claimed(ledger, campaign.id, 1, now=after(900))
    assert [NOW, NOW] == [first.date, again.date]


def test_no_more_are_claimed_than_were_asked_for(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(4)
    with ledger.transaction():
        for claim in claimed(ledger, campaign.id, 2):
            ledger.deliveries.record(
                claim, Disposition(Step.DEFER, "450", next_attempt_at=after(300)), run=RUN, now=T
            )
        # First attempts before retries.
        assert [3, 4, 1] == [claim.id for claim in claimed(ledger, campaign.id, 3, now=after(300))]


def test_a_write_ahead_begins_the_time_for_retries_once(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = claimed(ledger, campaign.id, 1)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=after(1))
    assert (after(1).timestamp(),) == row(ledger_path, 1, "first_attempt_at")
    with ledger.transaction():
        ledger.deliveries.record(
            claim, Disposition(Step.DEFER, "450"), run=RUN, now=after(2), started_at=after(1)
        )
        (claim,) = claimed(ledger, campaign.id, 1, now=after(600))
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=after(600))
    assert (after(1).timestamp(),) == row(ledger_path, 1, "first_attempt_at")
    with ledger.transaction():
        ledger.deliveries.record(claim, Disposition(Step.DEFER, "450"), run=RUN, now=after(601))
    assert (after(1).timestamp(),) == row(ledger_path, 1, "first_attempt_at")


def test_a_claim_of_no_run_goes_back_to_the_queue(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        claimed(ledger, campaign.id, 1)
    with closing(sqlite3.connect(ledger_path)) as raw:
        raw.execute("UPDATE delivery SET run = NULL")
        raw.commit()
    with ledger.transaction():
        assert 0 == ledger.deliveries.recover(campaign.id, alive=(RUN,), now=T)
    assert {State.PENDING: 1} == counts(ledger, campaign)


def test_only_those_refused_are_put_back_and_counted(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(3)
    with ledger.transaction():
        claims = claimed(ledger, campaign.id, 3)
        assert ledger.deliveries.write_ahead(claims, run=RUN, now=T)
        for claim, step in zip(claims, (Step.REJECT, Step.REJECT, Step.ACCEPT), strict=True):
            ledger.deliveries.record(claim, Disposition(step, "said"), run=RUN, now=T)
        assert 2 == ledger.deliveries.put_back(claims, now=T)
    assert {State.PENDING: 2, State.ACCEPTED: 1} == counts(ledger, campaign)


def test_proof_says_once_that_it_ended_a_doubt(ledger: Ledger, freeze: Freeze) -> None:
    claim = in_doubt(ledger, freeze(1).id)
    with ledger.transaction():
        assert ledger.deliveries.evidence(claim.id, "250 ok", None, T)
    with ledger.transaction():
        assert not ledger.deliveries.evidence(claim.id, "250 ok", None, T)


def test_a_providers_id_is_kept_without_control_characters(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(2).id
    told, kept = "id\x1b[2J", "id\N{REPLACEMENT CHARACTER}[2J"
    claim = in_doubt(ledger, campaign)
    with ledger.transaction():
        assert ledger.deliveries.evidence(claim.id, told, told, T)
    with ledger.transaction():
        (other,) = claimed(ledger, campaign, 1)
        assert ledger.deliveries.write_ahead([other], run=RUN, now=T)
        ledger.deliveries.record(
            other, Disposition(Step.ACCEPT, told, provider_id=told), run=RUN, now=T
        )
    for number in (1, 2):
        assert (kept, kept) == row(ledger_path, number, "reply", "provider_id")


def test_a_word_that_settles_no_doubt_says_so(ledger: Ledger, freeze: Freeze) -> None:
    claim = in_doubt(ledger, freeze(1).id)
    with ledger.transaction():
        assert ledger.deliveries.decide(claim.id, Step.ASSUME, note="it is there", now=T)
    with ledger.transaction():
        assert not ledger.deliveries.decide(claim.id, Step.RESEND, note="again", now=T)


def test_a_delivery_that_was_changed_is_named_by_number_and_not_by_address(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with closing(sqlite3.connect(ledger_path)) as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("UPDATE delivery SET address = 'mallory@example.org' WHERE id = 2")
        raw.commit()
    with pytest.raises(LedgerRefused) as refused, ledger.transaction():
        claimed(ledger, campaign.id, 2)
    said = f"{refused.value.what} {refused.value.where} {refused.value.next}"
    assert "Delivery 2" in said
    assert "mallory" not in said


@pytest.mark.parametrize("before", [False, True])
def test_who_is_put_back_keeps_the_version_of_an_attempt_before_and_of_no_other(
    ledger: Ledger, freeze: Freeze, *, before: bool
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = claimed(ledger, campaign.id, 1)
        if before:
            assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
            ledger.deliveries.record(claim, Disposition(Step.DEFER, "450"), run=RUN, now=T)
            (claim,) = claimed(ledger, campaign.id, 1)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=after(60))
        ledger.deliveries.record(claim, Disposition(Step.REJECT, "550"), run=RUN, now=after(60))
        assert 1 == ledger.deliveries.put_back([claim], now=after(60))
        (again,) = claimed(ledger, campaign.id, 1)
    assert (before, T if before else None) == (again.bound, again.first_attempt_at)


def outcomes(ledger: Ledger, delivery: int = 1) -> list[str | None]:
    return [attempt.outcome for attempt in ledger.deliveries.history(delivery)]


def test_an_attempt_that_was_about_us_is_held_back_in_the_history(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        first, second = claimed(ledger, campaign.id, 2)
        assert ledger.deliveries.write_ahead([first, second], run=RUN, now=T)
        ledger.deliveries.record(first, Disposition(Step.REJECT, "550"), run=RUN, now=T)
        ledger.deliveries.record(second, Disposition(Step.RETURN, "552"), run=RUN, now=T)
        ledger.deliveries.put_back([first], now=T)
    assert [["held back"], ["held back"]] == [outcomes(ledger, 1), outcomes(ledger, 2)]


def test_an_attempt_whose_answer_was_never_written_down_is_in_the_history(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = claimed(ledger, campaign.id, 1)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
    with ledger.transaction():
        assert 1 == ledger.deliveries.recover(campaign.id, alive=(), now=after(60))
    assert [None] == outcomes(ledger)


def test_an_answer_to_a_lost_claim_is_no_attempt(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = claimed(ledger, campaign.id, 1)
        ledger.deliveries.release([claim], run=RUN, now=T)
        assert not ledger.deliveries.record(claim, Disposition(Step.REJECT, "550"), run=RUN, now=T)
    assert [] == outcomes(ledger)


def test_an_attempt_under_way_is_in_the_history_after_an_adoption(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        (claim,) = claimed(ledger, campaign.id, 1)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
    with ledger.transaction():
        assert 1 == ledger.deliveries.adopt(campaign.id, after(60), "adopted")
    assert [None] == outcomes(ledger)


def test_those_who_left_since_the_freeze_are_counted(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        ledger.suppressions.add(Leave(b"tag1", Reason.UNSUBSCRIBED, "test", NOW))
        assert 1 == ledger.deliveries.suppress(campaign.id, now=T)
    assert {State.PENDING: 1, State.SUPPRESSED: 1} == counts(ledger, campaign)
