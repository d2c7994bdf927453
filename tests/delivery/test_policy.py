"""Accounting, pacing and retrying: the values and small machines that dispatch is made of."""

from datetime import UTC, datetime

import pytest
from newsletter.clock import EARLIEST
from newsletter.delivery.policy import (
    Brake,
    CircuitBreaker,
    DomainBreaker,
    Trip,
    classify,
    jitter,
    judge_wave,
    next_attempt_at,
)
from newsletter.errors import ExitCode
from newsletter.ledger.plan import Wave
from newsletter.ledger.states import State, Step
from newsletter.ledger.tally import Tally
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from newsletter.transports.smtp_reply import Reply, Stage, refusal

from tests.delivery import policy_tables


@pytest.mark.parametrize(
    ("counts", "exit_code", "complete"),
    [
        ({State.ACCEPTED: 4}, ExitCode.DONE, True),
        ({State.REJECTED: 4}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.EXPIRED: 4}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.REJECTED: 1, State.SUPPRESSED: 3}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.REJECTED: 1, State.EXPIRED: 1, State.SUPPRESSED: 2}, 4, False),
        ({State.SUPPRESSED: 4}, ExitCode.DONE, True),
        ({State.REJECTED: 3, State.IN_DOUBT: 1}, ExitCode.IN_DOUBT, False),
        ({State.ACCEPTED: 1, State.REJECTED: 1, State.EXPIRED: 1, State.SUPPRESSED: 1}, 0, True),
        ({State.ACCEPTED: 3, State.IN_DOUBT: 1}, ExitCode.IN_DOUBT, False),
        ({State.ACCEPTED: 3, State.ATTEMPTING: 1}, ExitCode.IN_DOUBT, False),
        ({State.ACCEPTED: 3, State.PENDING: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.ACCEPTED: 3, State.CLAIMED: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.ACCEPTED: 3, State.DEFERRED: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.IN_DOUBT: 3, State.DEFERRED: 1}, ExitCode.TRANSPORT_STOPPED, False),
        ({State.ACCEPTED: 3}, ExitCode.LEDGER_REFUSES, False),
        ({State.ACCEPTED: 5}, ExitCode.LEDGER_REFUSES, False),
        # Numbers that are not true come before all that they say.
        ({State.ACCEPTED: 3, State.PENDING: 2}, ExitCode.LEDGER_REFUSES, False),
        ({State.ACCEPTED: 4, State.IN_DOUBT: 1}, ExitCode.LEDGER_REFUSES, False),
    ],
)
def test_a_campaign_is_complete_only_when_everybody_has_a_definite_end(
    counts: dict[State, int], exit_code: int, *, complete: bool
) -> None:
    tally = Tally(4, counts)
    assert (exit_code, complete) == (tally.exit_code, tally.complete)


def test_a_large_campaign_is_complete_as_well() -> None:
    tally = Tally(200_000, {State.ACCEPTED: 199_000, State.REJECTED: 1_000})
    assert (ExitCode.DONE, True) == (tally.exit_code, tally.complete)


def test_all_who_wait_or_are_held_by_a_run_can_still_be_mailed() -> None:
    counts = {state: 2**number for number, state in enumerate(State)}
    tally = Tally(sum(counts.values()), counts)
    waiting = (State.PENDING, State.CLAIMED, State.DEFERRED)
    assert sum(counts[state] for state in waiting) == tally.open


NOW = datetime(2026, 11, 1, tzinfo=UTC)


def retried_after_s(*, attempt: int = 1, asked_s: float | None = None, key: str = "") -> float:
    due = next_attempt_at(now=NOW, attempt=attempt, asked_s=asked_s, key=key)
    return (due - NOW).total_seconds()


def test_retries_come_after_5_10_20_40_minutes_and_then_every_4000_seconds() -> None:
    waits = [retried_after_s(attempt=n) for n in range(1, 8)]
    for expected, wait in zip([300, 600, 1200, 2400, 4000, 4000, 4000], waits, strict=True):
        assert expected <= wait <= expected * 1.1


def test_a_retry_is_later_than_the_schedule_by_up_to_a_tenth_and_no_more() -> None:
    for attempt, wait_s in enumerate([300, 600, 1200, 2400, 4000], start=1):
        spread = 1 + 0.1 * jitter("key", attempt)
        found = retried_after_s(attempt=attempt, key="key")
        assert found == pytest.approx(wait_s * spread, rel=1e-8)


def test_retries_are_spread_but_for_one_recipient_always_the_same() -> None:
    waits = [retried_after_s(key=f"r{n}@a.example") for n in range(99)]
    assert max(waits) - min(waits) > 20
    assert waits[7] == retried_after_s(key="r7@a.example")


def test_whoever_asks_for_longer_gets_it_and_for_less_does_not() -> None:
    assert 7200 == retried_after_s(asked_s=7200)
    assert 300 <= retried_after_s(asked_s=1)


def test_nobody_is_put_off_for_years() -> None:
    asked = refusal(Reply(450, "4.2.1 try again in 90000 hours"), Stage.RCPT)
    assert isinstance(asked, Deferred)
    assert 86400 == retried_after_s(asked_s=asked.retry_after_s)


def refusing(breaker: CircuitBreaker, *replies: str) -> None:
    for reply in replies:
        breaker.record("a.example", Rejected(reply))


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
    found = classify(outcome, attempt=lambda: 1, now=NOW, wait_s=7)
    assert "said" == found.reply
    about_us = scoped and scope is not Scope.RECIPIENT
    assert about_us is (found.step is Step.RETURN)
    if about_us:
        assert 7 == (found.next_attempt_at - NOW).total_seconds()
        found = classify(outcome, attempt=lambda: 1, now=NOW)
        assert NOW == found.next_attempt_at
    elif found.step is Step.DEFER:
        assert 300 <= (found.next_attempt_at - NOW).total_seconds() <= 330
    else:
        assert EARLIEST == found.next_attempt_at


ACCEPTED = Accepted("250 ok")


def test_as_many_refusals_as_are_allowed_hold_nothing() -> None:
    breaker = CircuitBreaker(0.05)
    refusing(breaker, *["550 5.1.1 unknown"] * 5)
    trips = [breaker.record("a.example", ACCEPTED) for _ in range(95)]
    assert trips[93]
    assert trips[94] is None


def test_twenty_letters_in_a_row_that_cannot_be_made_stop_the_run() -> None:
    breaker = CircuitBreaker(1.0)
    assert {None} == {breaker.record_unfit("no name") for _ in range(19)}
    breaker.record("a.example", ACCEPTED)
    assert {None} == {breaker.record_unfit("no name") for _ in range(19)}
    trip = breaker.record_unfit("no name")
    assert trip
    assert (Brake.STOP, True) == (trip.brake, trip.why.endswith("because: no name"))
    assert "Nobody else was touched" in trip.next
    # Other workers may have made one meanwhile.
    assert breaker.record_unfit("no name")


def test_the_first_twenty_letters_of_a_run_stop_it_too() -> None:
    breaker = CircuitBreaker(1.0)
    trips = [breaker.record_unfit("no name") for _ in range(20)]
    assert ([None] * 19, True) == (trips[:19], trips[19] is not None)


@pytest.mark.parametrize(
    ("outcome", "whom"),
    [
        (Rejected("550 5.1.8 no", Scope.CAMPAIGN), "the message or its sender"),
        (Deferred("450 4.1.8 no", Scope.CAMPAIGN), "the message or its sender"),
        (Rejected("535 no", Scope.ACCOUNT), "our mail"),
    ],
)
def test_a_refused_letter_or_account_stops_the_run_at_once(
    outcome: Deferred | Rejected, whom: str
) -> None:
    trip = CircuitBreaker(1.0).record("a.example", outcome)
    assert trip
    assert Brake.STOP is trip.brake
    assert f"The server does not take {whom}: {outcome.reply}" == trip.why
    assert "newsletter resume" in trip.next


def pulled(*outcomes: Outcome) -> list[int]:
    """At which of ``outcomes`` one domain's brake is pulled, from 1."""
    breaker = DomainBreaker()
    trips = [breaker.record("a.example", outcome) for outcome in outcomes]
    assert {Brake.DOMAIN} >= {trip.brake for trip in trips if trip}
    return [number for number, trip in enumerate(trips, start=1) if trip]


def test_more_than_twenty_in_a_row_pull_a_domains_brake_and_it_begins_anew() -> None:
    different = [Rejected(f"550 {chr(97 + n)}") for n in range(20)]
    assert [] == pulled(*different)
    assert [21] == pulled(*different, Rejected("550 x"))
    assert [21] == pulled(*different, Rejected("550 x"), *different)
    assert [] == pulled(*different, ACCEPTED, *different[:5])
    assert [] == pulled(*[Rejected("550 5.1.1 who")] * 99)
    assert [] == pulled(*[Deferred("450 4.7.1 later")] * 99)


@pytest.mark.parametrize(
    "said",
    ["550 No such user here", "550 Empfänger unbekannt", "552 5.2.2 mailbox full"],
)
def test_words_that_name_the_readers_mailbox_pull_no_domains_brake(said: str) -> None:
    assert [] == pulled(*[Rejected(said)] * 99)


def test_words_that_may_mean_the_reader_count_in_a_row_alone() -> None:
    """Exchange Online says so of an unknown mailbox; a fifth of a large office may have left."""
    perhaps = Rejected("550 5.4.1 Recipient address rejected: Access denied")
    fifth: list[Outcome] = [perhaps, *[ACCEPTED] * 4]
    assert [] == pulled(*fifth * 20)
    assert [21] == pulled(*[perhaps] * 21)


def test_from_thirty_on_more_than_three_percent_alike_pull_a_domains_brake() -> None:
    policy = Rejected("550 5.7.1 no")
    assert [30] == pulled(policy, *[ACCEPTED] * 28, Rejected("550 other"))
    assert [] == pulled(policy, *[ACCEPTED] * 27, Rejected("550 other"))
    assert [] == pulled(*[policy] * 3, *[ACCEPTED] * 96, Rejected("550 other"))
    assert [100] == pulled(*[policy] * 3, *[ACCEPTED] * 96, policy)
    assert [100] == pulled(policy, policy, policy, *[ACCEPTED] * 96, Rejected("550 5.7.9 x"))


def test_replies_that_differ_in_the_address_or_a_long_number_alone_are_alike() -> None:
    alike = [
        Rejected("550 blocked <ann@a.example> 12345"),
        Rejected("550 blocked <bob@a.example> 67890"),
    ]
    others = [Rejected("550 full"), Rejected("550 moved away")]
    assert [65] == pulled(alike[0], *[ACCEPTED] * 63, alike[1])
    assert [] == pulled(others[0], *[ACCEPTED] * 63, others[1])
    long = "550 " + "ab " * 131
    assert [65] == pulled(Rejected(long + "abca"), *[ACCEPTED] * 63, Rejected(long + "abcb"))
    assert [] == pulled(Rejected(long + "a"), *[ACCEPTED] * 63, Rejected(long + "b"))


def test_a_domain_that_refuses_us_is_named_with_the_numbers() -> None:
    breaker = DomainBreaker()
    breaker.record("a.example", ACCEPTED)
    for _ in range(20):
        assert breaker.record("a.example", Rejected("554 no")) is None
    trip = breaker.record("a.example", Rejected("554 enough"))
    assert trip
    assert trip.why.startswith("a.example refused 21 of 22, the last with: 554 enough The other")


def held(accepted: int, replies: dict[tuple[State, str], int]) -> str | None:
    trip = judge_wave(Wave.CANARY, accepted, replies, stop_above=0.1)
    return trip.why if trip else None


def test_the_words_of_a_held_wave_name_it() -> None:
    trip = judge_wave(Wave.SEEDS, 0, {(State.REJECTED, "550 no"): 1}, stop_above=0.1)
    assert trip
    assert trip.why.startswith("Of the addresses that get it first, 1 of 1 were refused")


def test_a_wave_is_held_above_the_share_and_not_for_one_alone() -> None:
    refused = (State.REJECTED, "550 no")
    assert held(18, {refused: 2}) is None
    assert held(4, {refused: 1}) is None
    assert held(1, {refused: 1}) is None
    assert held(0, {}) is None
    assert held(0, {(State.SUPPRESSED, "left"): 5, (State.EXPIRED, "450 busy"): 5}) is None
    assert "Of the sample, 1 of 1 were refused (100%), most often with: 550 no" == held(
        0, {refused: 1}
    )
    assert "Of the sample, 2 of 19 were refused (11%), most often with: 550 no" == held(
        17, {refused: 2}
    )


@pytest.mark.parametrize(
    ("reply", "counts"),
    [
        ("421 4.7.28 unusual rate", True),
        ("450 4.2.0 busy", False),
        ("451 4.7.1 Greylisted", False),
        ("451 4.7.1 Grey-listed", False),
    ],
)
def test_a_deferred_recipient_of_a_wave_counts_where_it_is_policy(
    reply: str, *, counts: bool
) -> None:
    assert counts is (held(5, {(State.DEFERRED, reply): 5}) is not None)
