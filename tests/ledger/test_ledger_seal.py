"""What is frozen stays frozen, whoever writes into the file."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.errors import LedgerRefused
from newsletter.keyed_hash import keyed_hash
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.seal import seal
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.suppressions import Leave, Reason

from tests.ledger.conftest import NOW, Freeze, T

COPY = (
    "INSERT {how} INTO delivery (campaign, issue, round, address, domain, tag, message_tag, name,"
    " language, fields, state, wave, changed_at, seal) SELECT campaign, issue, round, {address},"
    " domain, tag, x'00', name, language, fields, 'pending', wave, changed_at, seal FROM delivery"
    " WHERE id = 1"
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
    "INSERT OR REPLACE INTO edition SELECT campaign, version, language, '{}' FROM edition":
        "never changed",
    "UPDATE version SET letterhead = '[]'": "never changed",
    "INSERT OR REPLACE INTO version SELECT campaign, number, made_at, 'g', '[]', seal"
    " FROM version": "never changed",
    "DELETE FROM version": "kept",
    "INSERT OR REPLACE INTO campaign SELECT id, issue, round, frozen_at, 4, fingerprint,"
    " letterhead, excluded FROM campaign": "frozen",
    "INSERT OR REPLACE INTO control SELECT campaign, 0, not_after, wave, version, held"
    " FROM control": "sealed",
    "UPDATE control SET campaign = '2017-03.2'": "sealed",
    **{
        f"UPDATE delivery SET {column} = 'x'": "who gets what is frozen"
        for column in ("address", "domain", "tag", "name", "language", "fields", "wave", "seal")
    },
    "UPDATE delivery SET version = 2 WHERE id = 1": "keeps the version",
    "UPDATE suppression SET at = 1": "never changed",
    "DELETE FROM suppression": "never deleted",
    "INSERT OR REPLACE INTO suppression SELECT id, at, kind, x'00', about, reason, source, evidence"
    " FROM suppression": "never changed",
    "INSERT OR REPLACE INTO suppression SELECT id, at, kind, tag, about, reason, 'another',"
    " evidence FROM suppression": "never changed",
    "INSERT OR IGNORE INTO suppression SELECT id, at, 'void', NULL, id, '', source, evidence"
    " FROM suppression": "never changed",
    "INSERT INTO suppression SELECT x'00', at, 'forgotten', tag, about, reason, source, evidence"
    " FROM suppression": "CHECK constraint failed",
    "INSERT INTO suppression SELECT x'00', at, 'void', NULL, NULL, reason, source, evidence"
    " FROM suppression": "CHECK constraint failed",
    "UPDATE meta SET value = 'x' WHERE key = 'identity'": "keeps its name",
    "DELETE FROM meta": "keeps its name",
    "INSERT OR REPLACE INTO meta VALUES ('key_check', 'x')": "keeps its name",
}  # fmt: skip


@pytest.fixture
def raw(ledger: Ledger, ledger_path: Path, freeze: Freeze) -> Iterator[sqlite3.Connection]:
    """The file of a frozen campaign, opened by another program."""
    campaign = freeze(3)
    with ledger.transaction():
        ledger.suppressions.add(Leave(b"gone", Reason.UNSUBSCRIBED, "page", NOW))
    with ledger.transaction():
        claimed = ledger.deliveries.claim(campaign.id, run="r", count=1, now=T)
        assert ledger.deliveries.write_ahead(claimed, run="r", now=T)
        ledger.deliveries.record(claimed[0], Disposition(Step.ACCEPT, "250 ok"), run="r", now=T)
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
    assert {State.ACCEPTED: 1, State.PENDING: 2} == ledger.campaigns.verify(campaign).counts


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


def unguarded(raw: sqlite3.Connection, *changes: str) -> None:
    """Change the file as a damaged disk would, or whoever drops the triggers first."""
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    for change in changes:
        raw.execute(change)
    raw.commit()


ANOTHER_MAIL = (
    "UPDATE edition SET content = REPLACE(content, 'Dear', 'Send money,')",
    'UPDATE version SET letterhead = \'{"sender": "another"}\'',
    "UPDATE version SET fingerprint = 'g'",
    "DELETE FROM edition",
    "UPDATE campaign SET round = 2",
    "INSERT INTO edition SELECT campaign, version, 'fr', content FROM edition",
    "UPDATE edition SET content = x'00'",
)


@pytest.mark.parametrize("change", ANOTHER_MAIL)
@pytest.mark.fault("Ledger", "a mail or sender changed after the freeze",
                   state="refused, exit 5; nothing is sent")  # fmt: skip
def test_what_was_approved_is_held_against_its_seal_whenever_it_is_loaded(
    raw: sqlite3.Connection, ledger: Ledger, change: str
) -> None:
    unguarded(raw, change)
    (campaign,) = ledger.campaigns.all()
    with pytest.raises(LedgerRefused, match=r"Version 1 .* is not what was frozen"):
        ledger.campaigns.approved(campaign)


ANOTHER_READER = (
    "UPDATE delivery SET address = 'victim@example.org' WHERE id = 2",
    "UPDATE delivery SET tag = x'00' WHERE id = 2",
    "UPDATE delivery SET tag = CAST(tag AS TEXT) WHERE id = 2",
    "UPDATE delivery SET name = 'Somebody else' WHERE id = 2",
    "UPDATE delivery SET language = 'fr' WHERE id = 2",
    'UPDATE delivery SET fields = \'{"city": "Rome"}\' WHERE id = 2',
    "UPDATE delivery SET wave = 0 WHERE id = 2",
    "UPDATE delivery SET seal = x'00' WHERE id = 2",
)


@pytest.mark.parametrize("change", ANOTHER_READER)
@pytest.mark.fault("Ledger", "a reader's row changed after the freeze",
                   state="refused, exit 5; nothing is sent")  # fmt: skip
def test_nobody_is_mailed_missed_or_asked_about_in_the_place_of_who_was_frozen(
    raw: sqlite3.Connection, ledger: Ledger, change: str
) -> None:
    (campaign,) = ledger.campaigns.all()
    ledger.campaigns.check_seals(campaign)
    tag = ledger.deliveries.of(campaign.id, *State)[1].message_tag
    unguarded(raw, change)
    for use in (
        lambda: ledger.campaigns.check_seals(campaign),
        lambda: ledger.campaigns.has_it("2017-03"),
        lambda: ledger.deliveries.claim(campaign.id, run="r", count=9, now=T),
        lambda: ledger.deliveries.by_message_tag(tag),
        lambda: list(ledger.deliveries.all_of(campaign.id)),
    ):
        with pytest.raises(LedgerRefused, match="is not what was frozen"), ledger.transaction():
            use()
    raw.execute("UPDATE delivery SET state = 'in_doubt'")
    raw.commit()
    with pytest.raises(LedgerRefused, match="is not what was frozen"):
        ledger.deliveries.in_doubt_claims(campaign.id)


def test_a_seal_fits_only_its_own_row_and_its_own_key() -> None:
    sealed = seal(b"key", ("a", 1, b"b", None))
    assert sealed == seal(b"key", ("a", 1, b"b", None))
    others = (("a", "1", b"b", None), ("a", 1, "b", None), ("a1", b"b", None), ("a", 1, b"b"))
    assert sealed not in [seal(b"key", other) for other in others]
    assert sealed != seal(b"another", ("a", 1, b"b", None))


def test_news_and_exports_are_not_taken_for_somebody_else(
    raw: sqlite3.Connection, ledger: Ledger
) -> None:
    (campaign,) = ledger.campaigns.all()
    (first, *_) = ledger.deliveries.of(campaign.id, *State)
    unguarded(
        raw,
        "UPDATE delivery SET message_tag = x'00' WHERE id = 1",
        f"UPDATE delivery SET message_tag = x'{first.message_tag}' WHERE id = 2",
    )
    assert ledger.deliveries.by_message_tag("f" * 24) is None
    for use in (
        lambda: ledger.deliveries.by_message_tag(first.message_tag),
        lambda: list(ledger.deliveries.all_of(campaign.id)),
    ):
        with pytest.raises(LedgerRefused, match="is not what was frozen"), ledger.transaction():
            use()


@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none(),
                          st.booleans(), st.sampled_from(Reason))))  # fmt: skip
def test_a_seal_is_over_the_values_as_json(values: list[object]) -> None:
    told = json.dumps(values, default=lambda value: ["bytes", value.hex()])
    assert keyed_hash(b"key", told.encode())[:16] == seal(b"key", values)
