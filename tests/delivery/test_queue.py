"""The queue of a run: its heartbeat, and how work is handed out."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from newsletter.delivery.queue import FOR_SERVER, TOO_LATE, Queue, Work
from newsletter.errors import LedgerRefused
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.controls import Hold
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import Accepted, Deferred, Scope

from tests.delivery.conftest import LIMITS
from tests.ledger.conftest import NOW, Freeze, counts

Make = Callable[[Campaign], Queue]


@pytest.fixture
def started(ledger: Ledger) -> Iterator[Make]:
    queues: list[Queue] = []

    def make(campaign: Campaign) -> Queue:
        queue = Queue(
            ledger,
            campaign,
            transport=ScriptedTransport(),
            settings=LIMITS,
            clock=FrozenClock(NOW),
            run_id="run-1",
        )
        with ledger.transaction():
            ledger.runs.begin("run-1", campaign.id, transport="a", place="b", now=NOW)
        queue.start()
        queues.append(queue)
        return queue

    yield make
    for queue in queues:
        queue.close()


def test_every_tenth_beat_counts_everybody(
    ledger: Ledger, freeze: Freeze, started: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, counted, beats = started(freeze(3)), list[int](), list[int]()
    monkeypatch.setattr(ledger.campaigns, "verify", lambda _: counted.append(len(beats)))
    for number in range(30):
        beats.append(number)
        assert queue.beat() is None
    assert [10, 20, 30] == counted


def test_who_is_missing_stops_the_run_at_the_tenth_beat(
    ledger_path: Path, freeze: Freeze, started: Make
) -> None:
    queue = started(freeze(3))
    with closing(sqlite3.connect(ledger_path)) as raw:
        for trigger in ("delivery_stays", "audience_is_sealed"):
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("DELETE FROM delivery WHERE id = 2")
        raw.commit()
    for _ in range(9):
        queue.beat()
    with pytest.raises(LedgerRefused, match=r"3 recipients were planned.*counts 2"):
        queue.beat()


def test_a_run_is_alive_at_each_beat(ledger: Ledger, freeze: Freeze, started: Make) -> None:
    campaign = freeze(1)
    queue = started(campaign)
    assert isinstance(queue.clock, FrozenClock)
    queue.clock.advance(7)
    queue.beat()
    (run,) = ledger.runs.of(campaign.id)
    assert 7 == (run.seen_at - run.started_at).total_seconds()


def test_while_the_server_wants_slower_mail_nothing_is_claimed(
    ledger: Ledger, freeze: Freeze, started: Make
) -> None:
    campaign = freeze(9)
    queue = started(campaign)
    first, second = queue.take(), queue.take()
    queue.note(first.claims[0], Deferred("429", Scope.ACCOUNT, retry_after_s=30), left_at=0.0)
    work = queue.take()
    assert (FOR_SERVER, 30, ()) == (work.wait_for, work.wait_s, work.claims)
    assert 4 + 4 == len(first.claims) + len(second.claims)


def test_a_worker_without_work_waits_for_what_others_return(
    ledger: Ledger, freeze: Freeze, started: Make
) -> None:
    campaign = freeze(5)
    queue = started(campaign)
    first, second = queue.take(), queue.take()
    found: list[Work] = []
    idle = threading.Thread(target=lambda: found.append(queue.take()))
    idle.start()
    assert queue.write_ahead(second.claims).wait()
    queue.note(second.claims[0], Accepted("250 ok"), left_at=0.0)
    queue.settle([])
    assert idle.is_alive()
    assert [] == found
    queue.settle(first.claims)
    idle.join(10)
    assert list(first.claims) == list(found[0].claims)
    assert {State.ACCEPTED: 1, State.CLAIMED: 4} == counts(ledger, campaign)


def test_a_domain_that_refuses_us_waits_for_an_hour(
    ledger: Ledger, freeze: Freeze, started: Make
) -> None:
    campaign = freeze(3)
    queue = started(campaign)
    queue.postpone("example.org")
    assert queue.beat() is None
    assert NOW + timedelta(hours=1) == ledger.deliveries.next_due(campaign.id)


def test_a_send_that_is_held_or_too_late_ends_the_run_at_the_next_beat(
    ledger: Ledger, freeze: Freeze, started: Make
) -> None:
    campaign = freeze(3)
    queue = started(campaign)
    assert isinstance(queue.clock, FrozenClock)
    with ledger.transaction():
        ledger.controls.allow_until(campaign.id, NOW + timedelta(seconds=9))
    queue.clock.advance(9)
    assert queue.beat() is None
    queue.clock.advance(1)
    assert TOO_LATE == queue.beat()
    with ledger.transaction():
        ledger.controls.hold(campaign.id, Hold("Paused.", by_person=True))
    assert "Paused." == queue.beat()
