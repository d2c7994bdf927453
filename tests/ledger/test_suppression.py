"""Suppression as events: who is mailed follows from the set of them, however it came together."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.errors import LedgerRefused
from newsletter.ledger import record, record_schema, steps
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.suppressions import Event, Leave, Lift, Reason, Return, Void

from tests.ledger.conftest import KEYS, NOW, Freeze

ANNA, BEN = b"tag of Anna.", b"tag of Ben.."


def at(hour: int) -> datetime:
    return NOW + timedelta(hours=hour)


def left(hour: int, reason: Reason = Reason.UNSUBSCRIBED, tag: bytes = ANNA) -> Leave:
    return Leave(tag, reason, "test", at(hour))


def back(hour: int, tag: bytes = ANNA) -> Return:
    return Return(tag, "test", at(hour))


def test_a_suppression_holds_no_address_but_its_tag() -> None:
    suppression = Leave(b"tag", Reason.MANUAL, "command", datetime.now(UTC))
    assert suppression.tag == b"tag"


def test_a_time_without_its_zone_is_refused(ledger: Ledger) -> None:
    naive = datetime(2017, 3, 1)  # noqa: DTZ001 - the very thing refused
    for event in (
        Leave(b"tag", Reason.BOUNCED, "webhook", naive),
        Return(b"tag", "sign-up", naive),
        Void(b"id", "page", naive),
        Lift(b"id", "a wrong bounce", "command", naive),
    ):
        with ledger.transaction(), pytest.raises(ValueError, match="aware"):
            ledger.suppressions.add(event)
    assert () == ledger.suppressions.history(b"tag")


def in_force(events: Iterable[Event], *, suppressing: bool = True) -> frozenset[bytes]:
    """Who must not be mailed, by the definition and without SQL; or who is off the list alone."""
    known = list(events)

    def ended(leave: Leave) -> bool:
        for event in known:
            match event:
                case Void(about=about) if about == leave.id:
                    return True
                case Lift(about=about) if about == leave.id and leave.reason.can_be_lifted:
                    return True
                case Return(tag=tag, form_at=at) if tag == leave.tag and at > leave.at:
                    if suppressing:
                        return True
        return False

    leaves = [event for event in known if isinstance(event, Leave)]
    chosen = [leave for leave in leaves if (leave.reason in SUPPRESSING) is suppressing]
    return frozenset(leave.tag for leave in chosen if not ended(leave))


SUPPRESSING = set(Reason) - {Reason.UNCONFIRMED, Reason.EXCLUDED}


LEAVES = [
    Leave(tag, reason, "test", at(hour), id=f"{tag[7:]!r}{reason[:4]}{hour}".encode())
    for tag in (ANNA, BEN)
    for reason in Reason
    for hour in range(4)
]
LEAVE_IDS = st.sampled_from([leave.id for leave in LEAVES])
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(LEAVES),
    st.builds(replace, st.sampled_from(LEAVES), at=st.sampled_from([at(1), at(2)])),
    st.builds(back, st.integers(0, 4), st.sampled_from([ANNA, BEN])),
    st.builds(Void, LEAVE_IDS, st.just("page"), st.just(at(9))),
    st.builds(Lift, LEAVE_IDS, st.just("a mistake"), st.just("command"), st.just(at(9))),
)


def of_example(event: Event, number: int) -> Event:
    """The event with tag and ids of its own, since a ledger is used for many examples."""
    own = number.to_bytes(4)
    match event:
        case Leave():
            return replace(event, tag=event.tag + own, id=event.id + own)
        case Return():
            return replace(event, tag=event.tag + own)
    return replace(event, about=event.about + own)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ledger, Ledger]]:
    folder = tmp_path_factory.mktemp("pair")
    with (
        closing(Ledger(folder / "one.db", KEYS)) as one,
        closing(Ledger(folder / "two.db", KEYS)) as two,
    ):
        yield one, two


NUMBERS = count()


@given(data=st.data())
def test_any_order_repetition_and_split_gives_the_same_answer(
    pair: tuple[Ledger, Ledger], data: st.DataObject
) -> None:
    """Two ledgers, each told some of it in some order and some of it twice, then joined."""
    number = next(NUMBERS)
    events = [of_example(event, number) for event in data.draw(st.lists(EVENTS, max_size=14))]
    tags = [tag + number.to_bytes(4) for tag in (ANNA, BEN)]
    cut = data.draw(st.integers(0, len(events)))
    again = data.draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    for ledger, part in zip(pair, (events[:cut], events[cut:]), strict=True):
        share = data.draw(st.permutations([*part, *again]))
        tell(ledger, *share)
        assert in_force(share) == ledger.suppressions.tags().intersection(tags)
    one, two = pair
    for ledger in (one, two, one):
        join(ledger, one.path.parent)
    for tag in tags:
        expected = tag in in_force(events)
        assert [expected] * 2 == [ledger.suppressions.is_suppressed(tag) for ledger in pair]
        off = tag in in_force(events, suppressing=False)
        assert [off] * 2 == [bool(ledger.suppressions.keeping_off(tag)) for ledger in pair]
        assert [off] * 2 == [tag in ledger.imports.kept_off() for ledger in pair]
        assert one.suppressions.history(tag) == two.suppressions.history(tag)


def tell(ledger: Ledger, *events: Event) -> None:
    with ledger.transaction():
        for event in events:
            ledger.suppressions.add(event)


def join(ledger: Ledger, folder: Path) -> None:
    opened = ledger.open_record(folder / "sent.db")
    with ledger.transaction():
        opened.join_suppressions()


@pytest.mark.parametrize(
    ("events", "suppressed"),
    [
        ([left(1)], True),
        ([left(1), back(2)], False),
        ([left(1), back(2), left(3)], True),
        ([left(1), back(2), left(3), back(4)], False),
        ([left(2), back(1)], True),
        ([left(1), back(1)], True),
        ([back(2)], False),
        ([left(1, reason) for reason in Reason], True),
        ([*(left(1, reason) for reason in Reason), back(2)], False),
        ([left(1), back(2, BEN)], True),
    ],
)
def test_a_return_ends_only_what_is_older_than_its_form(
    ledger: Ledger, events: list[Event], suppressed: bool
) -> None:
    tell(ledger, *events)
    assert suppressed is ledger.suppressions.is_suppressed(ANNA)


@pytest.mark.parametrize("reason", Reason)
def test_what_the_reader_did_not_do_themselves_can_be_lifted(
    ledger: Ledger, reason: Reason
) -> None:
    tell(ledger, left(1, reason))
    suppressions = ledger.suppressions
    off = suppressions.in_force if reason in SUPPRESSING else suppressions.keeping_off
    (leave,) = off(ANNA)
    with ledger.transaction():
        assert suppressions.add(Lift(leave.id, "a mistake", "command", at(2)))
    can_be_lifted = reason not in {Reason.UNSUBSCRIBED, Reason.COMPLAINED}
    assert can_be_lifted is not bool(off(ANNA))
    # What is told once more later is another leave.
    tell(ledger, left(3, reason))
    assert off(ANNA)
    assert suppressions.is_suppressed(ANNA) is (reason in SUPPRESSING)


def test_an_undo_ends_the_one_leave_that_it_names_also_if_it_is_heard_of_first(
    ledger: Ledger,
) -> None:
    one, another = (replace(left(1), id=bytes([number]) * 16) for number in (1, 2))
    tell(ledger, Void(one.id, "page", at(2)), one)
    assert not ledger.suppressions.is_suppressed(ANNA)
    tell(ledger, another)
    assert (another,) == ledger.suppressions.in_force(ANNA)


def test_the_same_leave_told_with_two_times_counts_from_the_later_one(ledger: Ledger) -> None:
    tell(ledger, replace(left(3), id=b"x" * 16), replace(left(1), id=b"x" * 16), back(2))
    assert ledger.suppressions.is_suppressed(ANNA)


def test_who_returned_is_mailed_and_who_left_again_is_not(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(2)
    tell(ledger, left(1, tag=b"tag1"), left(1, tag=b"tag2"), back(2, b"tag2"))
    with ledger.transaction():
        assert 1 == ledger.deliveries.suppress(campaign.id, now=NOW)
        (claim,) = ledger.deliveries.claim(campaign.id, run="r", count=9, now=NOW)
    tell(ledger, left(3, tag=b"tag2"))
    with ledger.transaction():
        assert not ledger.deliveries.write_ahead([claim], run="r", now=NOW)


def test_a_void_that_names_a_void_hides_nobody_who_left(ledger: Ledger) -> None:
    void = Void(b"v" * 16, "page", at(1), id=b"w" * 16)
    tell(ledger, left(1), void, Void(void.id, "page", at(2)))
    assert {ANNA} == ledger.suppressions.tags()


def test_the_question_before_each_message_is_answered_by_indexes(
    ledger: Ledger, freeze: Freeze
) -> None:
    freeze(1)
    plan = [
        step
        for *_, step in ledger._database.execute(
            f"EXPLAIN QUERY PLAN SELECT 1 FROM delivery WHERE id = 1 AND NOT {steps.LEFT}"
        )
    ]
    assert [] == [step for step in plan if "SCAN" in step]
    assert any("USING INDEX of_reader" in step for step in plan)


def test_evidence_is_bounded_and_printable(ledger: Ledger) -> None:
    pieces = [{"words": "\x1b[31m550\r\n" + "x" * 10_000, "status": ""}] * 99
    with ledger.transaction():
        assert ledger.suppressions.add(replace(left(1), evidence=pieces))
    (leave,) = ledger.suppressions.in_force(ANNA)
    assert 10 == len(leave.evidence)
    assert [{"words"}] * 10 == [set(piece) for piece in leave.evidence]
    assert all(len(piece["words"]) <= 500 for piece in leave.evidence)
    assert leave.evidence[0]["words"].startswith("[31m550 xxx")


# The send record.

RECORD_1 = """
CREATE TABLE record_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE record_ledger (identity TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE record_suppression (
    tag BLOB NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (tag, reason)
) WITHOUT ROWID;
INSERT INTO record_suppression VALUES (x'74', 'unsubscribed', 'page', 9), (x'75', 'manual', '', 8);
PRAGMA user_version = 1;
"""


@pytest.fixture
def old_record(tmp_path: Path) -> Path:
    path = tmp_path / "sent.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RECORD_1)
    return path


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_a_record_of_version_1_is_brought_up_to_date(
    ledger: Ledger, old_record: Path, tmp_path: Path
) -> None:
    tell(ledger, Leave(b"t", Reason.UNSUBSCRIBED, "page", datetime.fromtimestamp(9, UTC),
                       id=ledger.suppressions.id_of(b"t", "unsubscribed")))  # fmt: skip
    join(ledger, tmp_path)
    assert {"unsubscribed": 1, "manual": 1} == ledger.suppressions.counts()
    # What both knew before is one event, since its id is made the same way in both.
    assert 1 == len(ledger.suppressions.history(b"t"))
    assert [(2,)] == rows(old_record, "PRAGMA user_version")
    shape = "SELECT sql FROM sqlite_master WHERE name = 'record_suppression'"
    with closing(Ledger(tmp_path / "new.db", KEYS)) as other:
        other.open_record(tmp_path / "new-sent.db")
    assert rows(tmp_path / "new-sent.db", shape) == rows(old_record, shape)


def test_an_upgrade_of_the_record_that_fails_leaves_it_as_it_was(
    ledger: Ledger, old_record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(old_record, "SELECT * FROM record_suppression")
    broken = (*record_schema.MIGRATIONS[0], "INSERT INTO nowhere VALUES (1)")
    with monkeypatch.context() as patched:
        patched.setattr(record, "MIGRATIONS", (broken,))
        with pytest.raises(LedgerRefused, match="nowhere"):
            ledger.open_record(old_record)
    assert before == rows(old_record, "SELECT * FROM record_suppression")
    assert [(1,)] == rows(old_record, "PRAGMA user_version")


@pytest.mark.parametrize(
    ("there", "suppressed"),
    [
        ([left(1)], True),
        ([left(1), back(2)], False),
        ([replace(left(1, Reason.BOUNCED), id=b"i" * 16)], True),
        ([replace(left(1, Reason.BOUNCED), id=b"i" * 16),
          Lift(b"i" * 16, "a mistake", "command", at(2))], False),
        ([replace(left(1), id=b"i" * 16), Void(b"i" * 16, "page", at(2))], False),
    ],
)  # fmt: skip
def test_a_ledger_that_knows_less_learns_all_of_it_from_the_record(
    tmp_path: Path, there: list[Event], suppressed: bool
) -> None:
    """A cleaned folder, and one whose backup knows nothing but an older leave that was undone."""
    older = replace(left(0), id=b"o" * 16)
    undone: list[Event] = [older, Void(older.id, "page", at(1))]
    for number, events in enumerate((there, list[Event](), undone)):
        with closing(Ledger(tmp_path / f"{number}.db", KEYS)) as ledger:
            tell(ledger, *events)
            join(ledger, tmp_path)
            assert suppressed is ledger.suppressions.is_suppressed(ANNA)
            assert len(there) + len(events) * (number > 0) == len(ledger.suppressions.history(ANNA))


def test_ctrl_c_within_a_statement_is_ctrl_c_and_nothing_stays(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    def statement() -> None:
        with ledger.transaction():
            ledger.suppressions.add(replace(left(1), id=b"1" * 16))
            ledger._database.execute("SELECT seal_of('import', 1)")

    monkeypatch.setattr("newsletter.ledger.database.seal", interrupted)
    with pytest.raises(KeyboardInterrupt):
        statement()
    assert not ledger.suppressions.is_suppressed(ANNA)
    with pytest.raises(LedgerRefused), ledger.transaction():
        ledger._database.execute("SELECT nothing")
