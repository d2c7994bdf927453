"""Accounting, pacing and retrying: the values and small machines that dispatch is made of."""

import pytest
from newsletter.delivery.pacing import Pace
from newsletter.delivery.retry import next_attempt_at
from newsletter.delivery.states import State
from newsletter.delivery.tally import Tally
from newsletter.errors import ExitCode
from newsletter.testing import FrozenClock


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


def test_retries_come_after_5_10_20_40_minutes_and_then_every_hour() -> None:
    waits = [next_attempt_at(now=1000, attempt=n, asked_s=None) - 1000 for n in range(1, 8)]
    assert [300, 600, 1200, 2400, 3600, 3600, 3600] == waits


def test_whoever_asks_for_longer_gets_it_and_for_less_does_not() -> None:
    assert 7200 == next_attempt_at(now=0, attempt=1, asked_s=7200)
    assert 300 == next_attempt_at(now=0, attempt=1, asked_s=1)


def test_time_that_was_not_used_is_not_saved_up() -> None:
    clock = FrozenClock()
    pace = Pace(2, clock)
    clock.advance(3600)
    for _ in range(5):
        pace.take(2, stopped=lambda: False)
    assert 4.0 == sum(clock.slept)


def test_a_stop_is_noticed_while_waiting_for_leave() -> None:
    clock = FrozenClock()
    pace = Pace(0.01, clock)
    pace.take(1, stopped=lambda: False)
    pace.take(1, stopped=lambda: clock.monotonic() > 2)
    assert sum(clock.slept) < 3


def test_without_a_rate_nobody_waits() -> None:
    clock = FrozenClock()
    pace = Pace(0, clock)
    pace.take(1000, stopped=lambda: False)
    assert (False, []) == (pace.limited, clock.slept)
