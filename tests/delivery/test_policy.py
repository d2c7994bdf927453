"""Accounting, pacing and retrying: the values and small machines that dispatch is made of."""

import pytest
from newsletter.delivery.policy import (
    Brake,
    CircuitBreaker,
    Trip,
    classify,
    is_bad_address,
    is_policy,
    next_attempt_at,
)
from newsletter.errors import ExitCode
from newsletter.ledger.states import State, Step
from newsletter.ledger.tally import Tally
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.smtp_reply import Reply, Stage, refusal

from tests.delivery import policy_tables


@pytest.mark.parametrize(
    ("counts", "exit_code", "complete"),
    [
        ({State.ACCEPTED: 4}, ExitCode.DONE, True),
        ({State.ACCEPTED: 1, State.REJECTED: 1, State.EXPIRED: 1, State.SUPPRESSED: 1}, 0, True),
        ({State.ACCEPTED: 3, State.IN_DOUBT: 1}, ExitCode.IN_DOUBT, False),
        ({State.ACCEPTED: 3, State.ATTEMPTING: 1}, ExitCode.IN_DOUBT, False),
        ({State.ACCEPTED: 3, State.PENDING: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.ACCEPTED: 3, State.CLAIMED: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.ACCEPTED: 3, State.DEFERRED: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.IN_DOUBT: 3, State.DEFERRED: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.ACCEPTED: 3}, ExitCode.LEDGER_REFUSES, False),
        ({State.ACCEPTED: 5}, ExitCode.LEDGER_REFUSES, False),
    ],
)
def test_a_campaign_is_complete_only_when_everybody_has_a_definite_end(
    counts: dict[State, int], exit_code: int, *, complete: bool
) -> None:
    tally = Tally(4, counts)
    assert (exit_code, complete) == (tally.exit_code, tally.complete)


def test_retries_come_after_5_10_20_40_minutes_and_then_every_4000_seconds() -> None:
    waits = [next_attempt_at(now=1000, attempt=n, asked_s=None) - 1000 for n in range(1, 8)]
    for expected, wait in zip([300, 600, 1200, 2400, 4000, 4000, 4000], waits, strict=True):
        assert expected <= wait <= expected * 1.1


def test_retries_are_spread_but_for_one_recipient_always_the_same() -> None:
    at = [next_attempt_at(now=0, attempt=1, asked_s=None, key=f"r{n}@a.example") for n in range(99)]
    assert max(at) - min(at) > 20
    assert at[7] == next_attempt_at(now=0, attempt=1, asked_s=None, key="r7@a.example")


def test_whoever_asks_for_longer_gets_it_and_for_less_does_not() -> None:
    assert 7200 == next_attempt_at(now=0, attempt=1, asked_s=7200)
    assert 300 <= next_attempt_at(now=0, attempt=1, asked_s=1)


def test_nobody_is_put_off_for_years() -> None:
    asked = refusal(Reply(450, "4.2.1 try again in 90000 hours"), Stage.RCPT)
    assert isinstance(asked, Deferred)
    assert 86400 == next_attempt_at(now=0, attempt=1, asked_s=asked.retry_after_s)


@pytest.mark.parametrize(
    ("reply", "bad_address", "policy"),
    [
        ("550 5.1.1 no such user", True, False),
        ("550-5.1.10 null MX", True, False),
        ("554 5.7.1 we do not want you", False, True),
        ("550 5.7.26 unauthenticated", False, True),
        ("552 5.2.2 mailbox full", False, False),
        ("550 no", False, False),
        ("550 see https://10.5.1.1.example", False, False),
    ],
)
def test_a_bad_address_is_told_from_a_policy(
    reply: str, *, bad_address: bool, policy: bool
) -> None:
    assert (bad_address, policy) == (is_bad_address(reply), is_policy(reply))


def refusing(breaker: CircuitBreaker, *replies: str) -> list[str]:
    trips = [breaker.record("a.example", Rejected(reply)) for reply in replies]
    return [trip.why for trip in trips if trip and trip.brake is Brake.STOP]


def test_twenty_refusals_in_a_row_stop_the_run_unless_the_addresses_are_bad() -> None:
    assert refusing(CircuitBreaker(1.0), *["554 5.7.1 no"] * 20)
    assert not refusing(CircuitBreaker(1.0), *["554 5.7.1 no"] * 19)
    assert not refusing(CircuitBreaker(1.0), *["550 5.1.1 unknown"] * 100)


def test_too_large_a_share_of_refusals_asks_for_a_person_from_fifty_on() -> None:
    breaker = CircuitBreaker(0.05)
    refusing(breaker, *["550 5.1.1 unknown"] * 4, "550 5.7.1 no")
    trips = [breaker.record("a.example", Accepted("250 ok")) for _ in range(95)]
    told = "5 of 50 were refused (10%), most often with: 550 5.1.1 unknown"
    assert [*[None] * 44, Trip(Brake.HOLD, told)] == trips[:45]
    assert trips[94] is None


def test_a_wish_for_patience_is_no_refusal() -> None:
    breaker = CircuitBreaker(0.05)
    throttled = Deferred("429", Scope.ACCOUNT)
    assert {None} == {breaker.record("a.example", throttled) for _ in range(99)}


def test_delivery_md_has_the_tables_of_the_policy() -> None:
    page = policy_tables.PAGE.read_text(encoding="utf-8")
    assert page == policy_tables.written(page), "run: python -m tests.delivery.policy_tables"


@pytest.mark.parametrize("kind", [Accepted, Deferred, Rejected, InDoubt])
@pytest.mark.parametrize("scope", Scope)
def test_every_outcome_has_a_rule(kind: type, scope: Scope) -> None:
    scoped = kind in {Deferred, Rejected}
    outcome = kind("said", scope) if scoped else kind("said")
    found = classify(outcome, attempt=lambda: 1, now=1000.0, wait_s=7)
    assert "said" == found.reply
    assert found.counts is (not scoped or scope is Scope.RECIPIENT)
    if not found.counts:
        assert (Step.DEFER, 1007) == (found.step, found.next_attempt_at)
