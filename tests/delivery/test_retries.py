"""Deferred recipients: when they are tried again, and when they are given up."""

from collections import Counter
from datetime import timedelta

import pytest
from newsletter.errors import TransportStopped
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import Disposition, State, Step
from newsletter.message.model import Message
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    Scope,
)

from tests.delivery.conftest import Begin
from tests.ledger.conftest import NOW, Freeze, counts


def test_who_said_later_is_tried_again_when_due_and_not_before(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(1), FrozenClock(NOW)
    transport = ScriptedTransport(
        lambda _, attempt: Deferred("450 later") if attempt == 1 else Accepted("250 ok")
    )
    begin(campaign, transport, clock=clock).execute()
    due = ledger.deliveries.next_due(campaign.id)
    assert due is not None
    assert 300 <= (due - NOW).total_seconds() <= 330
    begin(campaign, transport, clock=clock).execute()
    assert {State.DEFERRED: 1} == counts(ledger, campaign)
    clock.advance(330)
    begin(campaign, transport, clock=clock).execute()
    assert {State.ACCEPTED: 1} == counts(ledger, campaign)


def test_the_other_sides_wish_to_wait_longer_is_granted(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(1)
    transport = ScriptedTransport(lambda *_: Deferred("429", retry_after_s=1800))
    begin(campaign, transport).execute()
    assert NOW + timedelta(seconds=1800) == ledger.deliveries.next_due(campaign.id)


def test_after_a_day_of_delays_it_is_given_up(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign, clock = freeze(1), FrozenClock(NOW)
    transport = ScriptedTransport(lambda *_: Deferred("450 later"))
    begin(campaign, transport, clock=clock).execute()
    clock.advance(86401)
    begin(campaign, transport, clock=clock).execute()
    assert {State.EXPIRED: 1} == counts(ledger, campaign)
    assert 1 == ledger.campaigns.tally(campaign).settled


def test_a_repeated_attempt_carries_the_same_bytes(freeze: Freeze, begin: Begin) -> None:
    campaign, clock, seen = freeze(1), FrozenClock(NOW), []

    def script(message: Message, attempt: int) -> Outcome:
        seen.append(message.as_bytes())
        return Deferred("450 later") if attempt == 1 else Accepted("250 ok")

    transport = ScriptedTransport(script)
    begin(campaign, transport, clock=clock).execute()
    clock.advance(3600)
    begin(campaign, transport, clock=clock).execute()
    first, second = seen
    assert first == second


def test_whoever_resumes_late_tries_everybody_once_more_before_giving_up(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(1), FrozenClock(NOW)
    transport = ScriptedTransport(
        lambda _, attempt: Deferred("450 greylisted") if attempt == 1 else Accepted("250 ok")
    )
    begin(campaign, transport, clock=clock).execute()
    clock.advance(3 * 86400)
    begin(campaign, transport, clock=clock).execute()
    assert {State.ACCEPTED: 1} == counts(ledger, campaign)


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.CAMPAIGN])
def test_a_refusal_of_letter_or_account_uses_up_nobodys_time_for_retries(
    ledger: Ledger, freeze: Freeze, begin: Begin, scope: Scope
) -> None:
    campaign, clock = freeze(1), FrozenClock(NOW)
    answers: dict[int, Outcome] = {
        1: Rejected("550 5.1.8 sender", scope),
        2: Deferred("450 greylisted"),
    }
    transport = ScriptedTransport(lambda _, attempt: answers.get(attempt, Accepted("250 ok")))
    with pytest.raises(TransportStopped):
        begin(campaign, transport, clock=clock).execute()
    clock.advance(3 * 86400)
    begin(campaign, transport, clock=clock).execute()
    assert {State.DEFERRED: 1} == counts(ledger, campaign)
    clock.advance(3600)
    begin(campaign, transport, clock=clock).execute()
    assert {State.ACCEPTED: 1} == counts(ledger, campaign)


def test_who_was_given_up_by_a_run_that_died_is_not_tried_again(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, transport = freeze(1), ScriptedTransport()
    for hours in (0, 25):
        at = NOW + timedelta(hours=hours)
        with ledger.transaction():
            (claim,) = ledger.deliveries.claim(campaign.id, run="dead", count=1, now=at)
            ledger.deliveries.record(claim, Disposition(Step.DEFER, "450"), run="dead", now=at)
    clock = FrozenClock(NOW)
    clock.advance(26 * 3600)
    begin(campaign, transport, clock=clock).execute()
    assert {State.EXPIRED: 1} == counts(ledger, campaign)
    assert Counter() == transport.copies
