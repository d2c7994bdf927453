"""Webhooks that wait, where room is short."""

import pytest
from newsletter.ledger import webhooks
from newsletter.ledger.ledger import Ledger

from tests.ledger.conftest import after


def keep(ledger: Ledger, *numbers: int) -> frozenset[bytes]:
    with ledger.transaction():
        return ledger.webhooks.keep((n.to_bytes(16), after(n), b"box") for n in numbers)


@pytest.mark.parametrize(("name", "most"), [("MOST_WEBHOOKS", 4), ("MOST_BYTES", 14)])
def test_what_waits_longest_for_an_unknown_message_makes_room_and_what_is_new_never(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(webhooks, name, most)
    assert not keep(ledger, 1, 2, 3, 4)
    with ledger.transaction():
        for number in (2, 3):
            ledger.webhooks.wait_for(number.to_bytes(16), ["a tag of another list"])
    assert not keep(ledger, 5)
    assert [1, 4, 5, 3] == [int.from_bytes(each.id) for each in ledger.webhooks.all()]
    assert {(7).to_bytes(16)} == keep(ledger, 6, 7)
    assert [1, 4, 5, 6] == [int.from_bytes(each.id) for each in ledger.webhooks.all()]
