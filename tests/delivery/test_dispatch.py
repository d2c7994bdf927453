import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.config import Delivery
from newsletter.delivery.queue import Queue
from newsletter.delivery.run import How, Run
from newsletter.delivery.worker import Compose
from newsletter.errors import LedgerRefused, NewsletterError, TransportStopped
from newsletter.ledger import Ledger
from newsletter.ledger.plan import Plan
from newsletter.ledger.states import State, Step
from newsletter.ledger.suppressions import Reason, Suppression
from newsletter.ledger.versions import Approved
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Deferred,
    InDoubt,
    Journal,
    Outcome,
    Rejected,
    Scope,
    Session,
)

from tests.delivery.conftest import LIMITS, Begin
from tests.ledger.conftest import EDITION, KEYS, NOW, Freeze, counts, planned


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


def by_number(answers: dict[int, Outcome]) -> Callable[[Message, int], Outcome]:
    def script(message: Message, _attempt: int) -> Outcome:
        number = int(message.envelope_to.local.removeprefix("reader"))
        return answers.get(number, Accepted("250 ok"))

    return script


def test_one_recipients_trouble_stays_theirs(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign = freeze(9)
    answers: dict[int, Outcome] = {
        1: Rejected("550 no"),
        2: Deferred("450 later"),
        3: InDoubt("cut"),
    }
    begin(campaign, ScriptedTransport(by_number(answers))).execute()
    assert {
        State.ACCEPTED: 6,
        State.REJECTED: 1,
        State.DEFERRED: 1,
        State.IN_DOUBT: 1,
    } == counts(ledger, campaign)


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


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        (Rejected, Scope.ACCOUNT),
        (Rejected, Scope.CAMPAIGN),
        (Deferred, Scope.CAMPAIGN),
    ],
)
def test_a_refused_letter_or_account_stops_the_run_and_blames_nobody(
    ledger: Ledger,
    freeze: Freeze,
    begin: Begin,
    scope: Scope,
    kind: type[Rejected] | type[Deferred],
) -> None:
    campaign = freeze(40)
    transport = ScriptedTransport(lambda *_: kind("550 5.1.8 sender", scope))
    with pytest.raises(TransportStopped, match=r"5\.1\.8"):
        begin(campaign, transport).execute()
    found = counts(ledger, campaign)
    assert {State.PENDING, State.DEFERRED} >= set(found)
    assert found[State.DEFERRED] <= LIMITS.connections


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


def elsewhere(*, count: int) -> Plan:
    """``count`` readers, each at a domain of their own."""
    readers = (planned(number) for number in range(1, count + 1))
    return Plan(
        "2017-05",
        listed=count,
        recipients=tuple(
            replace(
                each,
                recipient=replace(
                    each.recipient,
                    address=Address.parse(f"{each.recipient.address.local}@d{number}.example"),
                ),
            )
            for number, each in enumerate(readers, start=1)
        ),
        excluded={},
    )


@pytest.mark.parametrize(("accepted", "refused"), [(0, 60), (25, 35)])
def test_the_same_refusal_for_readers_of_many_domains_is_about_us_and_nobody_is_blamed(
    ledger: Ledger, begin: Begin, accepted: int, refused: int
) -> None:
    plan = elsewhere(count=60)
    with ledger.transaction():
        campaign = ledger.campaigns.freeze(plan, Approved({"en": EDITION}, "{}"), now=NOW)
    said = Rejected("550 Mensaje no aceptado")
    answers: dict[int, Outcome] = dict.fromkeys(range(accepted + 1, 61), said)
    with pytest.raises(TransportStopped, match="no aceptado") as stopped:
        begin(campaign, ScriptedTransport(by_number(answers))).execute()
    assert "newsletter resume" in (stopped.value.next or "")
    left = {State.PENDING: refused} | ({State.ACCEPTED: accepted} if accepted else {})
    waiting = counts(ledger, campaign)
    waiting[State.PENDING] += waiting.pop(State.DEFERRED, 0)
    assert left == waiting
    # Somebody mends it, and whoever was refused gets the mail as if for the first time.
    begin(campaign, ScriptedTransport()).execute()
    assert {State.ACCEPTED: 60} == counts(ledger, campaign)


def test_the_same_refusal_at_one_domain_is_that_domains(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(60)
    begin(campaign, ScriptedTransport(lambda *_: Rejected("554 no"))).execute()
    assert counts(ledger, campaign)[State.REJECTED] < 22 + LIMITS.connections * LIMITS.batch
    assert counts(ledger, campaign)[State.PENDING] > 0


def test_one_acceptance_shows_that_refusals_are_about_their_recipients(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(40)
    answers: dict[int, Outcome] = {number: Rejected("550 no") for number in range(1, 41)}
    del answers[15]
    del answers[30]
    one_at_a_time = Delivery(connections=1, batch=10, wait_minutes=0, stop_above=1)
    begin(campaign, ScriptedTransport(by_number(answers)), limits=one_at_a_time).execute()
    assert {State.ACCEPTED: 2, State.REJECTED: 38} == counts(ledger, campaign)


def test_who_leaves_during_the_send_is_not_mailed(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(10)

    def script(message: Message, _attempt: int) -> Outcome:
        if message.envelope_to.local == "reader1":
            # Another process, such as the unsubscribe page, writes to the same file.
            other = Ledger(ledger_path, KEYS)
            other.suppressions.add(Suppression(b"tag10", Reason.UNSUBSCRIBED, "page", NOW))
            other.close()
        return Accepted("250 ok")

    transport = ScriptedTransport(script)
    one_at_a_time = Delivery(connections=1, batch=10, wait_minutes=0, stop_above=1)
    begin(campaign, transport, limits=one_at_a_time).execute()
    assert {State.ACCEPTED: 9, State.SUPPRESSED: 1} == counts(ledger, campaign)
    assert 0 == transport.copies["reader10@example.org"]


@pytest.mark.fault(
    "Input", "a recipient whose letter cannot be made", state="rejected; all others accepted"
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


def test_one_letter_that_breaks_the_program_takes_no_other_along(
    ledger: Ledger, freeze: Freeze, begin: Begin, compose: Compose
) -> None:
    def broken(recipient: Recipient, date: datetime, version: int) -> Message:
        if recipient.address.local == "reader3":
            raise ZeroDivisionError(date)
        return compose(recipient, date, version)

    campaign = freeze(5)
    assert How.DONE is begin(campaign, ScriptedTransport(), compose_=broken).execute().how
    assert {State.ACCEPTED: 4, State.REJECTED: 1} == counts(ledger, campaign)
    (held,) = ledger.deliveries.of(campaign.id, State.REJECTED)
    assert "could not be made, by a fault of this program: ZeroDivisionError" in held.reply


def test_twenty_letters_in_a_row_that_cannot_be_made_stop_the_run(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    def broken(_recipient: Recipient, date: datetime, version: int) -> Message:
        raise ZeroDivisionError(date, version)

    campaign = freeze(200)
    with pytest.raises(TransportStopped, match="20 letters in a row could not be made"):
        begin(campaign, ScriptedTransport(), compose_=broken).execute()
    found = counts(ledger, campaign)
    assert found[State.REJECTED] <= 20 + LIMITS.connections * LIMITS.batch
    assert {State.REJECTED, State.PENDING} == set(found)


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

    ledger.suppressions.add(Suppression(b"tag2", Reason.UNSUBSCRIBED, "page", NOW))
    begin(campaign, ScriptedTransport(), compose_=watched).execute()
    assert {State.ACCEPTED: 2, State.SUPPRESSED: 1} == counts(ledger, campaign)
    assert ["reader1@example.org", "reader3@example.org"] == sorted(composed)


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


def test_a_fault_at_the_very_end_is_told_although_nobody_waits(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    def broken(_outcome: Outcome) -> None:
        raise ZeroDivisionError

    campaign = freeze(1)
    with pytest.raises(TransportStopped, match="fault of this program"):
        begin(campaign, ScriptedTransport()).execute(on_outcome=broken)
    assert {State.ACCEPTED: 1} == counts(ledger, campaign)


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


def test_who_was_given_up_by_a_run_that_died_is_not_tried_again(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign, transport = freeze(1), ScriptedTransport()
    for hours in (0, 25):
        at = NOW + timedelta(hours=hours)
        with ledger.transaction():
            (claim,) = ledger.deliveries.claim(campaign.id, run="dead", count=1, now=at)
            ledger.deliveries.record(claim, Step.DEFER, run="dead", reply="450", now=at)
    clock = FrozenClock(NOW)
    clock.advance(26 * 3600)
    begin(campaign, transport, clock=clock).execute()
    assert {State.EXPIRED: 1} == counts(ledger, campaign)
    assert Counter() == transport.copies
