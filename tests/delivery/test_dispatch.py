"""A run over a campaign: everybody who may be mailed is, once, and nobody else."""

import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from newsletter.config import Delivery
from newsletter.delivery.run import Run
from newsletter.delivery.worker import Compose
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State
from newsletter.ledger.suppressions import Leave, Reason
from newsletter.message.model import Message, Recipient
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Outcome,
)

from tests.delivery.conftest import LIMITS, Begin
from tests.ledger.conftest import KEYS, NOW, Freeze, counts


def test_everybody_gets_one_copy_over_several_sessions(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, transport = freeze(50), ScriptedTransport()
    begin(campaign, transport).execute()
    assert {State.ACCEPTED: 50} == counts(ledger, campaign)
    assert 50 == len(transport.copies)
    assert {1} == set(transport.copies.values())
    assert ledger.campaigns.tally(campaign).complete


def test_a_second_run_mails_nobody(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign, transport = freeze(5), ScriptedTransport()
    begin(campaign, transport).execute()
    begin(campaign, transport).execute()
    assert {1} == set(transport.copies.values())


def test_who_leaves_during_the_send_is_not_mailed(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(10)

    def script(message: Message, _attempt: int) -> Outcome:
        if message.envelope_to.local == "reader1":
            # Another process, such as the unsubscribe page, writes to the same file.
            other = Ledger(ledger_path, KEYS)
            with other.transaction():
                other.suppressions.add(Leave(b"tag10", Reason.UNSUBSCRIBED, "page", NOW))
            other.close()
        return Accepted("250 ok")

    transport = ScriptedTransport(script)
    one_at_a_time = Delivery(connections=1, batch=10, wait_minutes=0, stop_above=1)
    begin(campaign, transport, limits=one_at_a_time).execute()
    assert {State.ACCEPTED: 9, State.SUPPRESSED: 1} == counts(ledger, campaign)
    assert 0 == transport.copies["reader10@example.org"]


def test_a_stop_finishes_what_is_attempted_and_returns_the_rest(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(50)
    runs: list[Run] = []

    def script(_message: Message, _attempt: int) -> Outcome:
        runs[0].stop()
        return Accepted("250 ok")

    transport = ScriptedTransport(script)
    runs.append(begin(campaign, transport))
    runs[0].execute()
    found = counts(ledger, campaign)
    assert {State.ACCEPTED, State.PENDING} == set(found)
    assert found[State.ACCEPTED] <= LIMITS.connections
    assert sum(transport.copies.values()) == found[State.ACCEPTED]


def test_a_rate_is_kept_over_all_sessions(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign, clock = freeze(20), FrozenClock(NOW)
    at: list[float] = []

    def script(_message: Message, _attempt: int) -> Outcome:
        at.append(clock.monotonic())
        return Accepted("250 ok")

    transport = ScriptedTransport(script)
    limits = Delivery(connections=1, batch=50, rate_per_second=2, wait_minutes=0, stop_above=1)
    begin(campaign, transport, clock=clock, limits=limits).execute()
    assert {State.ACCEPTED: 20} == counts(ledger, campaign)
    assert clock.monotonic() >= 19 / 2 - 1
    per_second = Counter(int(moment) for moment in at)
    assert max(per_second.values()) <= 3


def test_times_in_the_ledger_are_aware_and_in_utc(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    assert UTC == campaign.frozen_at.tzinfo
    (stored,) = ledger.campaigns.all()
    assert campaign == stored


def test_the_tables_hold_no_secret_and_the_attempts_no_address(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(2)
    begin(campaign, ScriptedTransport()).execute()
    connection = sqlite3.connect(ledger_path)
    rows = connection.execute("SELECT * FROM attempt").fetchall()
    connection.close()
    assert 2 == len(rows)
    assert not [row for row in rows if "reader" in repr(row)]


def test_who_left_since_the_freeze_is_not_even_named_to_the_relay(
    ledger: Ledger, freeze: Freeze, begin: Begin, compose: Compose
) -> None:
    campaign, composed = freeze(3), []

    def watched(recipient: Recipient, date: datetime, version: int) -> Message:
        composed.append(str(recipient.address))
        return compose(recipient, date, version)

    with ledger.transaction():
        ledger.suppressions.add(Leave(b"tag2", Reason.UNSUBSCRIBED, "page", NOW))
    begin(campaign, ScriptedTransport(), compose_=watched).execute()
    assert {State.ACCEPTED: 2, State.SUPPRESSED: 1} == counts(ledger, campaign)
    assert ["reader1@example.org", "reader3@example.org"] == sorted(composed)
