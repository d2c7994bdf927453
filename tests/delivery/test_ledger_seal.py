"""What is frozen stays frozen, whoever writes into the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.states import State
from newsletter.errors import LedgerRefused

from tests.delivery.conftest import Freeze

COPY = (
    "INSERT {how} INTO delivery (campaign, issue, round, address, domain, tag, name, language,"
    " fields, state, wave, changed_at) SELECT campaign, issue, round, {address}, domain, tag,"
    " name, language, fields, 'pending', wave, changed_at FROM delivery WHERE id = 1"
)
FORBIDDEN = {
    "DELETE FROM delivery WHERE id = 2": "never deleted",
    "DELETE FROM delivery": "never deleted",
    COPY.format(how="", address="'new@example.org'"): "sealed",
    COPY.format(how="OR REPLACE", address="address"): "sealed",
    "UPDATE delivery SET campaign = '2017-03.2' WHERE id = 2": "for good",
    "UPDATE OR REPLACE delivery SET id = 1 WHERE id = 2": "for good",
    "UPDATE delivery SET round = 2": "for good",
    "DELETE FROM control": "sealed",
    "DELETE FROM campaign": "never deleted",
    "UPDATE campaign SET planned = 2": "frozen",
    "UPDATE edition SET content = '{}'": "never changed",
    "DELETE FROM edition": "kept",
}


@pytest.fixture
def raw(ledger: Ledger, ledger_path: Path, freeze: Freeze) -> Iterator[sqlite3.Connection]:
    """The file of a frozen campaign, opened by another program."""
    freeze(3)
    with closing(sqlite3.connect(ledger_path)) as connection:
        yield connection


@pytest.mark.parametrize("statement", list(FORBIDDEN))
def test_no_statement_takes_anybody_out_slips_anybody_in_or_changes_what_was_approved(
    raw: sqlite3.Connection, ledger: Ledger, statement: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=FORBIDDEN[statement]):
        raw.execute(statement)
    raw.commit()
    (campaign,) = ledger.campaigns.all()
    assert {State.PENDING: 3} == ledger.campaigns.verify(campaign).counts


def test_a_state_that_does_not_exist_cannot_be_written(raw: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        raw.execute("UPDATE delivery SET state = 'sent'")


@pytest.mark.parametrize(
    ("damage", "counted"),
    [("DELETE FROM delivery WHERE id = 2", 2), (COPY.format(how="", address="'n@x.org'"), 4)],
)
@pytest.mark.fault("Ledger", "numbers that do not add up", state="refused, exit 5; nothing is sent")
def test_numbers_that_do_not_add_up_stop_everything(
    raw: sqlite3.Connection, ledger: Ledger, damage: str, counted: int
) -> None:
    for trigger in ("delivery_stays", "audience_is_sealed"):
        raw.execute(f"DROP TRIGGER {trigger}")
    raw.execute(damage)
    raw.commit()
    (campaign,) = ledger.campaigns.all()
    with pytest.raises(LedgerRefused, match=f"3 recipients were planned.*counts {counted}"):
        ledger.campaigns.verify(campaign)
