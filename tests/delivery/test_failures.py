"""What fails during a run: connections, letters, the disk, the program and its lock."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from newsletter.delivery.queue import Queue
from newsletter.delivery.run import Run
from newsletter.delivery.worker import Compose
from newsletter.errors import LedgerRefused, NewsletterError, TransportStopped
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Journal,
    Outcome,
    Session,
)

from tests.delivery.conftest import LIMITS, Begin
from tests.ledger.conftest import KEYS, NOW, Freeze, counts


def test_a_stopped_transport_loses_nobody_and_a_later_run_finishes(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(20)

    def script(message: Message, _attempt: int) -> Outcome | NewsletterError:
        return TransportStopped("the relay is down") if down.is_set() else Accepted("250 ok")

    down = threading.Event()
    down.set()
    transport = ScriptedTransport(script)
    with pytest.raises(TransportStopped, match="relay is down"):
        begin(campaign, transport).execute()
    # Attempted by the script, and then the session died: that is a doubt.
    doubt = counts(ledger, campaign).get(State.IN_DOUBT, 0)
    assert doubt <= LIMITS.connections
    down.clear()
    begin(campaign, transport).execute()
    assert 20 - doubt == counts(ledger, campaign)[State.ACCEPTED]
    assert {1} == set(transport.copies.values())


@pytest.mark.fault(
    "Input", "a recipient whose message cannot be made", state="rejected; all others accepted"
)
def test_a_recipient_that_cannot_be_composed_is_refused_and_named(
    ledger: Ledger, freeze: Freeze, begin: Begin, compose: Compose
) -> None:
    def poisoned(recipient: Recipient, date: datetime, version: int) -> Message:
        if recipient.address.local == "reader3":
            raise Uncomposable("no value for “organisation”")
        return compose(recipient, date, version)

    campaign = freeze(5)
    begin(campaign, ScriptedTransport(), compose_=poisoned).execute()
    assert {State.ACCEPTED: 4, State.REJECTED: 1} == counts(ledger, campaign)
    (held,) = ledger.deliveries.of(campaign.id, State.REJECTED)
    assert ("reader3@example.org", "no value for “organisation”") == (held.address, held.reply)


def test_one_letter_that_breaks_the_program_takes_no_other_along(
    ledger: Ledger, freeze: Freeze, begin: Begin, compose: Compose
) -> None:
    def broken(recipient: Recipient, date: datetime, version: int) -> Message:
        if recipient.address.local == "reader3":
            raise ZeroDivisionError(date)
        return compose(recipient, date, version)

    campaign = freeze(5)
    assert "done" == begin(campaign, ScriptedTransport(), compose_=broken).execute().how
    assert {State.ACCEPTED: 4, State.REJECTED: 1} == counts(ledger, campaign)
    (held,) = ledger.deliveries.of(campaign.id, State.REJECTED)
    assert "could not be made, by a fault of this program: ZeroDivisionError" in held.reply


def test_twenty_letters_in_a_row_that_cannot_be_made_stop_the_run(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    def broken(_recipient: Recipient, date: datetime, version: int) -> Message:
        raise ZeroDivisionError(date, version)

    campaign = freeze(200)
    with pytest.raises(TransportStopped, match="20 messages in a row could not be made"):
        begin(campaign, ScriptedTransport(), compose_=broken).execute()
    found = counts(ledger, campaign)
    assert found[State.REJECTED] <= 20 + LIMITS.connections * LIMITS.batch
    assert {State.REJECTED, State.PENDING} == set(found)


def test_an_orphan_of_a_dead_run_is_in_doubt_and_not_mailed(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(3)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run="dead", count=2, now=NOW)
        assert ledger.deliveries.write_ahead(claims[:1], run="dead", now=NOW)
    transport = ScriptedTransport()
    begin(campaign, transport).execute()
    assert {State.ACCEPTED: 2, State.IN_DOUBT: 1} == counts(ledger, campaign)
    assert 0 == transport.copies["reader1@example.org"]


@pytest.mark.fault(
    "Process", "disk full", state="the run stops, exit 5; with room again it goes on"
)
def test_a_full_disk_stops_the_run_and_tells_nothing_untrue(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(400)
    (pages,) = ledger._database.execute("PRAGMA page_count").fetchone()
    ledger._database.execute(f"PRAGMA max_page_count = {pages + 2}")
    transport = ScriptedTransport(lambda *_: Accepted("250 " + "ok " * 200))
    with pytest.raises(LedgerRefused, match="disk is full"):
        begin(campaign, transport).execute()
    ledger._database.execute("PRAGMA max_page_count = 100000")
    begin(campaign, transport).execute()
    found = counts(ledger, campaign)
    assert {State.ACCEPTED, State.IN_DOUBT} >= set(found)
    assert {1} == set(transport.copies.values())
    assert 400 == sum(transport.copies.values())
    assert found.get(State.IN_DOUBT, 0) <= LIMITS.connections


class OneIsRefusedLate:
    """One connection is refused only when all that others could claim is done."""

    name, place, batch_size, allowance = "scripted", "scripted", 100, Allowance()

    def __init__(self, others: int) -> None:
        self.inner = ScriptedTransport(self._count)
        self._others = others
        self._done = threading.Event()
        self._first = threading.Lock()

    def _count(self, _message: Message, _attempt: int) -> Outcome:
        if sum(self.inner.copies.values()) + 1 == self._others:
            self._done.set()
        return Accepted("250 ok")

    def open(self) -> Session:
        if self._first.acquire(blocking=False):
            return _RefusedLate(self._done)
        return self.inner.open()

    def close(self) -> None:
        self.inner.close()

    def status_lookup(self) -> None:
        pass


class _RefusedLate:
    def __init__(self, done: threading.Event) -> None:
        self._done = done

    def deliver(self, _messages: Sequence[Message], _journal: Journal) -> None:
        assert self._done.wait(10)
        raise TransportStopped("421 too many connections")

    def close(self) -> None:
        pass


def test_what_a_connection_that_was_refused_late_gives_back_is_sent_by_the_others(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(LIMITS.batch * 3)
    transport = OneIsRefusedLate(LIMITS.batch * 2)
    begin(campaign, transport).execute()
    assert {State.ACCEPTED: LIMITS.batch * 3} == counts(ledger, campaign)
    assert {1} == set(transport.inner.copies.values())


def test_a_transport_that_cannot_be_opened_stops_the_run_and_says_so(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    class Closed:
        name, place, batch_size, allowance = "closed", "closed", 100, Allowance()

        def open(self) -> Session:
            raise RuntimeError("no more files can be opened")

        def status_lookup(self) -> None:
            pass

        def close(self) -> None:
            pass

    campaign = freeze(2)
    with pytest.raises(TransportStopped, match="no more files"):
        begin(campaign, Closed()).execute()
    assert {State.PENDING: 2} == counts(ledger, campaign)


def test_a_fault_at_the_very_end_is_told_although_nobody_waits(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    def broken(_outcome: Outcome) -> None:
        raise ZeroDivisionError

    campaign = freeze(1)
    with pytest.raises(TransportStopped, match="fault of this program"):
        begin(campaign, ScriptedTransport()).execute(on_outcome=broken)
    assert {State.ACCEPTED: 1} == counts(ledger, campaign)


def test_an_outcome_that_cannot_be_written_at_the_very_end_is_told(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    def script(_message: Message, _attempt: int) -> Outcome:
        # The write-ahead is on disk; from here on the file takes nothing.
        ledger._database.execute("PRAGMA query_only = ON")
        runs[0].stop()
        return Accepted("250 ok")

    campaign, runs = freeze(1), list[Run]()
    runs.append(begin(campaign, ScriptedTransport(script)))
    with pytest.raises(LedgerRefused, match="read-only"):
        runs[0].execute()
    ledger._database.execute("PRAGMA query_only = OFF")
    assert {State.ATTEMPTING: 1} == counts(ledger, campaign)
    transport = ScriptedTransport()
    begin(campaign, transport).execute()
    assert {State.IN_DOUBT: 1} == counts(ledger, campaign)
    assert Counter() == transport.copies


@pytest.mark.fault(
    "Process",
    "two senders at once, since the lock was removed",
    state="accepted or in_doubt, nobody twice",
)
def test_two_senders_at_once_although_the_lock_was_removed_mail_nobody_twice(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin, compose: Compose
) -> None:
    campaign, transport = freeze(60), ScriptedTransport()
    other = Ledger(ledger_path, KEYS)
    queue = Queue(
        other,
        campaign,
        transport=transport,
        settings=LIMITS,
        clock=FrozenClock(NOW),
        run_id="run-2",
    )
    second = Run(queue, compose)
    started = threading.Event()

    def both(_outcome: Outcome) -> None:
        if not started.is_set():
            started.set()
            thread.start()

    thread = threading.Thread(target=second.execute)
    begin(campaign, transport).execute(on_outcome=both)
    thread.join(30)
    other.close()
    assert {1} == set(transport.copies.values())
    found = counts(ledger, campaign)
    assert {State.ACCEPTED, State.IN_DOUBT} >= set(found)
    assert found.get(State.IN_DOUBT, 0) <= LIMITS.connections
