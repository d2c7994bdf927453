"""What readers chose: any order, repetition and split gives the same answer."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.errors import LedgerRefused
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.preferences import NO_PAUSE, PreferenceChange, Preferences
from newsletter.ledger.suppressions import ERASURE, Leave, Reason

from tests.ledger.conftest import KEYS, NOW

ANNA, BEN = b"tag of Anna.", b"tag of Ben.."
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "language": st.sampled_from(["en", "fr", "pt-BR"]),
        "topics": st.dictionaries(st.sampled_from(["alerts", "reports"]), st.booleans()),
        "pause": st.sampled_from(["", "2017-05-01", "2017-06-01"]),
    },
)
NUMBERS = count()


def add(ledger: Ledger, change: PreferenceChange) -> bool:
    with ledger.transaction():
        return ledger.preferences.add(change)


def change(
    changes: dict[str, Any], *, at: float = 0, tag: bytes = ANNA, id_: int = 1
) -> PreferenceChange:
    return PreferenceChange.of(tag, NOW + timedelta(seconds=at), changes, id_.to_bytes(16))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path_factory.mktemp("one") / "one.db", KEYS)) as opened:
        yield opened


@given(data=st.data())
def test_any_order_and_repetition_gives_the_same(one: Ledger, data: st.DataObject) -> None:
    number = next(NUMBERS)
    tags = [tag[:8] + number.to_bytes(4) for tag in (ANNA, BEN)]
    drawn = data.draw(
        st.lists(st.tuples(st.sampled_from(tags), st.integers(0, 3), CHANGES), max_size=10)
    )
    changes = [
        change(changes, at=at, tag=tag, id_=number * 100 + place)
        for place, (tag, at, changes) in enumerate(drawn)
    ]
    again = data.draw(st.lists(st.sampled_from(changes), max_size=5)) if changes else []
    with one.transaction():
        for each in data.draw(st.permutations([*changes, *again])):
            one.preferences.add(each)
    current = one.preferences.current()
    for tag in tags:
        expected = Preferences()
        for each in sorted(changes, key=lambda each: (each.at, each.id)):
            expected = expected.after(each) if each.tag == tag else expected
        assert expected == current.get(tag, Preferences())


def test_of_each_field_the_latest_change_counts(ledger: Ledger) -> None:
    add(ledger, change({"language": "ar", "topics": {"alerts": False}}, at=5, id_=1))
    add(ledger, change({"language": "fr", "pause": "2017-05-01"}, at=1, id_=2))
    add(ledger, change({"topics": {"reports": True}}, at=9, id_=3))
    wanted = ledger.preferences.current()[ANNA]
    topics = {"alerts": False, "reports": True}
    assert Preferences("ar", topics, date(2017, 5, 1)) == wanted


def test_a_pause_holds_until_its_day() -> None:
    wanted = Preferences(pause=date(2017, 5, 1))
    assert wanted.is_paused(date(2017, 4, 30))
    assert not wanted.is_paused(date(2017, 5, 1))
    assert not wanted.after(change({"pause": ""})).is_paused(date(2017, 4, 1))
    assert not Preferences().is_paused(NO_PAUSE)


@pytest.mark.parametrize(
    "changes",
    [
        {"language": "a" * 99},
        {"language": "fr; DROP TABLE"},
        {"language": 7},
        {"topics": {"alerts": "yes"}},
        {"topics": {"../x": True}},
        {"topics": {f"t{number}": True for number in range(99)}},
        {"topics": 3},
        {"pause": "9999999-01-01"},
        {"pause": 5},
        {"pause": "soon"},
    ],
)
def test_what_makes_no_sense_is_no_change(changes: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        change(changes)


def test_a_change_is_kept_or_erased_and_nothing_else(ledger: Ledger) -> None:
    add(ledger, change({"language": "fr"}))
    database = ledger.preferences._database
    for statement in (
        "DELETE FROM preference",
        'UPDATE preference SET changes = \'{"language": "ar"}\'',
        "UPDATE preference SET tag = X'00'",
        "INSERT OR REPLACE INTO preference SELECT id, at, tag, '{}' FROM preference",
    ):
        with pytest.raises(LedgerRefused, match="kept, or erased"), ledger.transaction():
            database.execute(statement)
    with ledger.transaction():
        assert 1 == ledger.preferences.erase({ANNA: NOW})
    assert {} == ledger.preferences.current()
    assert not add(ledger, change({"language": "fr"}))
    assert {} == ledger.preferences.current()


def test_who_asked_to_be_forgotten_gets_nothing_back_from_an_old_log(ledger: Ledger) -> None:
    asked = Leave(ANNA, Reason.UNSUBSCRIBED, ERASURE, datetime.fromtimestamp(9e8, UTC))
    with ledger.transaction():
        ledger.suppressions.add(asked)
    before = PreferenceChange.of(ANNA, datetime.fromtimestamp(8e8, UTC), {"language": "fr"}, b"1")
    later = PreferenceChange.of(ANNA, datetime.fromtimestamp(9.1e8, UTC), {"language": "ar"}, b"2")
    assert not add(ledger, before)
    assert add(ledger, later)
    assert "ar" == ledger.preferences.current()[ANNA].language
    assert {"language": "ar"} == json.loads(json.dumps(ledger.preferences.of(ANNA)[0].as_changes()))
