"""A run waits for what comes due, keeps to the pace of the other side, and notices a pause."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsletter.clock import SystemClock
from newsletter.config import Delivery, Smtp
from newsletter.delivery.run import Run
from newsletter.errors import LedgerRefused
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.controls import Hold
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State
from newsletter.message.model import Message
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Deferred,
    Journal,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.smtp import SmtpTransport

from tests.delivery.conftest import LIMITS, Begin
from tests.ledger.conftest import KEYS, NOW, Freeze, counts
from tests.support.throttling_relay import throttling_relay

ONE = LIMITS.model_copy(update={"connections": 1})
HALF_AN_HOUR = LIMITS.model_copy(update={"wait_minutes": 30})


def never_too_late(ledger: Ledger, campaign: Campaign) -> None:
    """The fixture freezes in 2017; the machine's clock is beyond that."""
    with ledger.transaction():
        ledger.controls.allow_until(campaign.id, datetime(2100, 1, 1, tzinfo=UTC))


def first_later(_message: Message, attempt: int) -> Outcome:
    return Deferred("450 4.2.0 greylisted") if attempt == 1 else Accepted("250 ok")


def test_a_run_stays_for_those_put_off_and_says_so(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(9), FrozenClock(NOW)
    told: list[tuple[str | None, datetime | None]] = []
    run = begin(
        campaign,
        ScriptedTransport(first_later),
        clock=clock,
        limits=HALF_AN_HOUR,
    )
    ending = run.execute(on_wait=lambda words, until: told.append((words, until)))
    assert "done" == ending.how
    assert {State.ACCEPTED: 9} == counts(ledger, campaign)
    assert 300 <= clock.monotonic()
    words, until = told[0]
    assert "for deferred recipients," == words
    assert until is not None
    assert until > NOW


def test_a_run_that_is_not_to_stay_so_long_says_until_when_they_wait(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(9)
    ending = begin(campaign, ScriptedTransport(first_later)).execute()
    assert "waiting" == ending.how
    due = ledger.deliveries.next_due(campaign.id)
    assert ending.until is not None
    assert due is not None
    assert abs((ending.until - due).total_seconds()) < 1
    (kept,) = ledger.runs.of(campaign.id)
    assert (ending.words, True) == (kept.ending, kept.ended_at is not None)


def test_pushback_slows_the_run_and_costs_nobody_an_attempt(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(40), FrozenClock(NOW)

    def script(message: Message, attempt: int) -> Outcome:
        if message.envelope_to.local == "reader7" and attempt <= 3:
            return Deferred("454 4.7.0 Throttling", Scope.ACCOUNT, retry_after_s=5)
        return Accepted("250 ok")

    transport = ScriptedTransport(script)
    ending = begin(campaign, transport, clock=clock, limits=ONE).execute()
    assert "done" == ending.how
    assert {State.ACCEPTED: 40} == counts(ledger, campaign)
    assert clock.monotonic() >= 15
    (row,) = [r for r in ledger.deliveries.of(campaign.id, State.ACCEPTED) if r.attempts > 1]
    assert 0 == ledger.deliveries.deferrals(row.id)


def test_throttling_does_not_lengthen_the_wait_for_a_greylisted_reader(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(1), FrozenClock(NOW)
    throttled = Deferred("429", Scope.ACCOUNT, retry_after_s=1)
    transport = ScriptedTransport(
        lambda _, attempt: throttled if attempt <= 4 else Deferred("450 4.2.0 greylisted")
    )
    begin(campaign, transport, clock=clock).execute()
    due = ledger.deliveries.next_due(campaign.id)
    assert due is not None
    assert 300 <= (due - clock.now()).total_seconds() <= 330


def test_a_block_outlives_the_run_that_met_it(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign, clock = freeze(5), FrozenClock(NOW)
    blocked = ScriptedTransport(lambda *_: Deferred("429", Scope.ACCOUNT, retry_after_s=900))
    assert "waiting" == begin(campaign, blocked, clock=clock, limits=ONE).execute().how
    transport = ScriptedTransport()
    ending = begin(campaign, transport, clock=clock, limits=ONE).execute()
    assert ("waiting", 0) == (ending.how, sum(transport.copies.values()))
    clock.advance(901)
    assert "done" == begin(campaign, transport, clock=clock, limits=ONE).execute().how


def test_a_pause_from_another_process_ends_the_run_within_moments(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(3000)
    never_too_late(ledger, campaign)
    going = threading.Event()

    def script(_message: Message, _attempt: int) -> Outcome:
        going.set()
        return Accepted("250 ok")

    limits = LIMITS.model_copy(update={"rate_per_second": 20})
    run = begin(campaign, ScriptedTransport(script), clock=SystemClock(), limits=limits)
    endings = []
    thread = threading.Thread(target=lambda: endings.append(run.execute()))
    thread.start()
    assert going.wait(10)
    other = Ledger(ledger_path, KEYS)
    with other.transaction():
        other.controls.hold(campaign.id, Hold("Paused by a person.", by_person=True))
    other.close()
    thread.join(10)
    ended = not thread.is_alive()
    run.stop()
    thread.join(10)
    assert ended
    assert ("paused", "Paused by a person.") == (endings[0].how, endings[0].words)
    assert {State.ACCEPTED, State.PENDING} == set(counts(ledger, campaign))


def test_each_beat_looks_whether_the_run_may_go_on(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(60)
    never_too_late(ledger, campaign)

    def removed() -> None:
        raise LedgerRefused("The lock file was removed.")

    limits = LIMITS.model_copy(update={"rate_per_second": 20})
    run = begin(campaign, ScriptedTransport(), clock=SystemClock(), limits=limits)
    with pytest.raises(LedgerRefused, match="lock file was removed"):
        run.execute(on_beat=removed)
    assert State.PENDING in counts(ledger, campaign)


def test_a_send_whose_time_is_over_goes_no_further(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(1000), SystemClock()  # frozen in 2017
    limits = LIMITS.model_copy(update={"rate_per_second": 20})
    ending = begin(campaign, ScriptedTransport(), clock=clock, limits=limits).execute()
    assert "paused" == ending.how
    assert "too late" in ending.words
    assert counts(ledger, campaign)[State.PENDING] > 900


class Runs:
    """Stops a run from within its own transport."""

    run: Run


def test_a_stop_is_noticed_while_all_wait(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign, box = freeze(3), Runs()
    never_too_late(ledger, campaign)
    box.run = begin(
        campaign,
        ScriptedTransport(first_later),
        limits=HALF_AN_HOUR,
        clock=SystemClock(),
    )
    ending = box.run.execute(on_wait=lambda words, _: box.run.stop() if words else None)
    assert "stopped" == ending.how
    assert {State.DEFERRED: 3} == counts(ledger, campaign)


@pytest.mark.timeout(90)
def test_a_throttling_relay_gets_all_1450_in_one_run(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(1450)
    never_too_late(ledger, campaign)
    limits = Delivery(connections=4, batch=50, wait_minutes=0, stop_above=1)
    with throttling_relay(200) as server:
        relay = SmtpTransport(
            Smtp(host="127.0.0.1", port=server.port, security="none"),
            credentials=[None],
            client_name="news.example",
            clock=SystemClock(),
        )
        ending = begin(campaign, relay, clock=SystemClock(), limits=limits).execute()
    assert "done" == ending.how
    assert {State.ACCEPTED: 1450} == counts(ledger, campaign)
    assert (1450, {1}) == (len(server.copies), set(server.copies.values()))
    assert 0 < server.refusals < 100


def test_a_refused_account_still_stops_the_run_without_waiting(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, clock = freeze(5), FrozenClock(NOW)
    transport = ScriptedTransport(lambda *_: Rejected("535 5.7.8 no", Scope.ACCOUNT))
    with pytest.raises(Exception, match=r"5\.7\.8"):
        begin(campaign, transport, clock=clock, limits=HALF_AN_HOUR).execute()
    assert 0 == clock.monotonic()
    (kept,) = ledger.runs.of(campaign.id)
    assert "does not take our mail" in kept.ending


class _SlowSession:
    def __init__(self, asked: list[int]) -> None:
        self._asked = asked

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        self._asked.append(len(messages))
        assert len(self._asked) < 100, "it asks again and again, and never waits"
        for message in messages:
            if not journal.acquire_permit() or not journal.attempt([message]).wait():
                return
            journal.record(message, Accepted("ok"))

    def close(self) -> None:
        """Nothing to close."""


class _SlowTransport(ScriptedTransport):
    allowance = Allowance(calls_per_second=0.1)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def open(self) -> _SlowSession:  # type: ignore[override] # a session of another kind
        return _SlowSession(self.asked)


def test_at_a_call_in_ten_seconds_a_run_waits_instead_of_claiming_again_and_again(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, transport = freeze(3), _SlowTransport()
    assert "done" == begin(campaign, transport, limits=ONE).execute().how
    assert {State.ACCEPTED: 3} == counts(ledger, campaign)
    assert len(transport.asked) <= 6
