"""The pace: how much of a limit it uses, and what it remembers.

``python -m benchmarks.pacing`` prints the figures of many more cases.
"""

from datetime import timedelta

import pytest
from newsletter.clock import EARLIEST
from newsletter.config import Delivery
from newsletter.delivery.pacing import Bucket, Pacer
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.runs import BucketRow
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import Allowance

from tests.support.throttle import Throttle, Words, race


def figures(throttle: Throttle, words: Words, *, known: bool) -> tuple[float, float]:
    """Share of the allowed rate that was used in ten minutes, share of calls refused."""
    race(throttle, words, known=known)
    made = throttle.taken + throttle.refused
    return throttle.taken / throttle.allowed(600), throttle.refused / made


@pytest.mark.parametrize("words", ["Retry-After: 1", "a fraction", "nothing"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("rate", "burst"), [(14, 1), (14, 14), (50, 1)])
def test_a_steady_limit_is_used_to_95_percent_with_1_percent_refused(
    rate: float, burst: float, words: Words, *, known: bool
) -> None:
    used, refused = figures(Throttle(rate, burst), words, known=known)
    assert used >= 0.95
    assert refused <= 0.01


@pytest.mark.parametrize(("burst", "most_refused"), [(1, 0.012), (2, 0.016)])
@pytest.mark.parametrize("known", [True, False])
def test_at_two_a_second_finding_the_limit_costs_a_little_more(
    burst: float, most_refused: float, *, known: bool
) -> None:
    used, refused = figures(Throttle(2, burst), "Retry-After: 1", known=known)
    assert used >= 0.95
    assert refused <= (0.01 if known else most_refused)


@pytest.mark.parametrize(("factor", "least"), [(0.5, 0.93), (2.0, 0.87)])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("burst", [1, 14])
def test_a_limit_that_halves_or_doubles_is_followed(
    burst: float, factor: float, least: float, *, known: bool
) -> None:
    used, refused = figures(Throttle(14, burst, factor), "Retry-After: 1", known=known)
    assert used >= least
    assert refused <= 0.01


def pacer(
    clock: FrozenClock,
    *,
    per_second: float = 0,
    allowance: Allowance = Allowance(),  # noqa: B008 - frozen
    kept: dict[str, BucketRow] | None = None,
) -> Pacer:
    transport = ScriptedTransport()
    transport.place, transport.allowance = "relay", allowance
    return Pacer(transport, Delivery(rate_per_second=per_second), kept=kept or {}, clock=clock)


def test_without_a_limit_nobody_waits() -> None:
    clock = FrozenClock()
    free = pacer(clock)
    for _ in range(100):
        assert 0 == free.wait_s()
        free.take(50)
    assert 50 == free.portion(50, 4)
    assert () == free.changed()


def test_time_that_was_not_used_is_not_saved_up() -> None:
    clock = FrozenClock()
    slow = pacer(clock, per_second=2)
    clock.advance(3600)
    sent = 0
    began = clock.monotonic()
    while clock.monotonic() < began + 10:
        if wait_s := slow.wait_s():
            clock.advance(wait_s)
        else:
            slow.take(1)
            sent += 1
    assert 20 <= sent <= 22


def test_a_ceiling_is_kept_although_the_other_side_would_take_more() -> None:
    clock = FrozenClock()
    both = pacer(clock, per_second=1, allowance=Allowance(messages_per_second=100))
    both.take(1)
    assert 0.99 < both.wait_s() <= 1
    assert 1 == both.portion(50, 4)


def test_a_stop_is_noticed_while_waiting_for_leave() -> None:
    clock = FrozenClock()
    slow = pacer(clock, allowance=Allowance(calls_per_second=0.01))
    assert slow.acquire_permit(stopped=lambda: False, patience_s=1e6) is not None
    assert slow.acquire_permit(stopped=lambda: clock.monotonic() > 2, patience_s=1e6) is None
    assert sum(clock.slept) < 3


def test_without_a_word_of_when_the_pause_doubles_until_something_is_taken() -> None:
    clock = FrozenClock()
    bucket = Bucket("relay", known=None, limit=None, kept=None, clock=clock)
    found = []
    for _ in range(15):
        found.append(wait_s := bucket.throttled(clock.monotonic(), None))
        clock.advance(wait_s + 1)
    for n, wait_s in enumerate(found):
        assert min(3600, 2**n) <= wait_s <= min(3600, 2**n * 1.2)
    bucket.accepted()
    assert 1 == bucket.throttled(clock.monotonic(), None)


def test_what_was_learned_outlives_the_run(ledger: Ledger) -> None:
    clock = FrozenClock()
    first = pacer(clock, allowance=Allowance(calls_per_second=10))
    for _ in range(300):
        assert first.acquire_permit(stopped=lambda: False, patience_s=10) is not None
    left_at = clock.monotonic()
    first.throttled(left_at, 30)
    with ledger.transaction():
        ledger.runs.keep_buckets(first.changed())
    kept = ledger.runs.buckets()
    assert {"relay", "relay calls"} == set(kept)
    second = pacer(clock, allowance=Allowance(calls_per_second=10), kept=kept)
    assert 29 < second.blocked_s() <= 30


@pytest.mark.parametrize("hours", [-24, -1, 0, 1])
def test_a_clock_that_was_set_back_blocks_nobody_for_longer(hours: float) -> None:
    clock = FrozenClock()
    now = clock.now()
    until = now + timedelta(seconds=60)
    kept = BucketRow("relay", tokens=0.0, filled_at=now, per_second=2, blocked_until=until)
    later = FrozenClock(clock.now() + timedelta(hours=hours))
    bucket = Bucket("relay", known=2, limit=None, kept=kept, clock=later)
    assert bucket.blocked_s() == (60 if hours <= 0 else 0)


def test_what_another_version_kept_is_learned_anew() -> None:
    clock = FrozenClock()
    kept = BucketRow("relay", tokens=1, filled_at=EARLIEST, learned='{"strange": true}')
    assert 14 * 0.98 < (Bucket("relay", known=14, limit=None, kept=kept, clock=clock).rate() or 0)
