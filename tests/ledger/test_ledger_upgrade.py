"""A ledger of an earlier version is brought up to date whole, or left as it is."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.errors import LedgerRefused
from newsletter.ledger import upgrade
from newsletter.ledger.controls import Hold
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Wave
from newsletter.ledger.seal import seal, version_seal
from newsletter.ledger.states import State
from newsletter.ledger.upgrade import MIGRATIONS, SCHEMA_VERSION
from newsletter.ledger.versions import Approved
from newsletter.message.keys import KeyRing

from tests.ledger.conftest import EDITION, KEYS, NOW, after
from tests.support.project import SHORT_ISSUE, Project
from tests.support.tools import ROOT

SCHEMAS = {
    number: Path(__file__).with_name(f"schema_{number}.sql").read_text(encoding="utf-8")
    for number in range(1, SCHEMA_VERSION)
}
T = NOW.timestamp()
NEVER_ATTEMPTED = {State.PENDING, State.CLAIMED, State.SUPPRESSED}
KEPT = (
    "id, campaign, issue, round, address, tag, name, language, fields, state, attempts, dated_at,"
    " first_attempt_at, next_attempt_at, run, reply, provider_id, changed_at"
)


def message_tag(campaign: str, address: str) -> bytes:
    local, _, domain = address.rpartition("@")
    return bytes.fromhex(KEYS.message_tag(campaign, Address(local, domain)))


def old_rows() -> list[tuple[object, ...]]:
    """Two deliveries in each state, with something in each column."""
    rows: list[tuple[object, ...]] = []
    for number, state in enumerate([*State, *State], start=1):
        fresh = state in NEVER_ATTEMPTED
        rows.append(
            (
                *(number, "2017-03.1", "2017-03", 1),
                *(f"reader{number}@Host{number}.example".lower(), f"tag{number}".encode()),
                *(f"Lëserin {number}", "en", json.dumps({"city": f"Göteborg {number}"})),
                *(state, 0 if fresh else number, None if fresh else T + number),
                None if fresh else T + 2 * number,
                T + 300 if state is State.DEFERRED else 0.0,
                "run-1" if state in {State.CLAIMED, State.ATTEMPTING} else None,
                *(f"250 said {number}", f"id-{number}" if number % 2 else None, T + 3 * number),
            )
        )
    return rows


@pytest.fixture(params=range(1, SCHEMA_VERSION))
def since(request: pytest.FixtureRequest) -> int:
    """The version that the old ledger was written by."""
    return int(request.param)


@pytest.fixture
def old(ledger_path: Path, since: int) -> Path:
    with closing(sqlite3.connect(ledger_path)) as connection:
        connection.executescript(SCHEMAS[since])
        connection.execute("INSERT INTO meta VALUES ('key_check', ?)", (KEYS.pepper_id,))
        connection.execute(
            "INSERT INTO campaign VALUES ('2017-03.1', '2017-03', 1, ?, 18, 'f', '{}', '{}')", (T,)
        )
        marks = ", ".join("?" * 18)
        if since == 1:
            connection.execute(
                "INSERT INTO edition VALUES ('2017-03.1', 'en', ?)", (EDITION.to_json(),)
            )
            connection.executemany(f"INSERT INTO delivery ({KEPT}) VALUES ({marks})", old_rows())
        else:
            connection.execute(
                "INSERT INTO edition VALUES ('2017-03.1', 1, 'en', ?)", (EDITION.to_json(),)
            )
            domains = [str(row[4]).partition("@")[2] for row in old_rows()]
            if since == 2:
                connection.execute(
                    "INSERT INTO version VALUES ('2017-03.1', 1, ?, 'f', '{}')", (T,)
                )
                connection.executemany(
                    f"INSERT INTO delivery ({KEPT}, domain, wave, version)"
                    f" VALUES ({marks}, ?, 2, CASE WHEN ? > 0 THEN 1 END)",
                    [
                        (*row, domain, row[10])
                        for row, domain in zip(old_rows(), domains, strict=True)
                    ],
                )
            else:
                frozen = ("2017-03.1", "2017-03", 1, 18)
                sealed = version_seal(
                    KEYS.seal_key, frozen, number=1, fingerprint="f", letterhead="{}",
                    contents={"en": EDITION.to_json()},
                )  # fmt: skip
                connection.execute(
                    "INSERT INTO version VALUES ('2017-03.1', 1, ?, 'f', '{}', ?)", (T, sealed)
                )
                connection.executemany(
                    f"INSERT INTO delivery ({KEPT}, domain, wave, version, seal"
                    f"{', message_tag' if since > 4 else ''})"
                    f" VALUES ({marks}, ?, 2, CASE WHEN ? > 0 THEN 1 END, ?"
                    f"{', ?' if since > 4 else ''})",
                    [
                        (
                            *row,
                            domain,
                            row[10],
                            seal(KEYS.seal_key, (*row[1:5], domain, *row[5:9], 2)),
                            *([message_tag(str(row[1]), str(row[4]))] if since > 4 else []),
                        )
                        for row, domain in zip(old_rows(), domains, strict=True)
                    ],
                )
            connection.execute(
                "INSERT INTO control VALUES ('2017-03.1', ?, ?, 2, 1, NULL)", (T, T + 259200)
            )
            connection.execute(
                "INSERT INTO event VALUES (1, 4, 'bounced', 'dsn', ?, '550', 'm')", (T,)
            )
        connection.executemany(
            "INSERT INTO attempt VALUES (?, ?, 'run-1', ?, ?, 'defer', '450 later')",
            [(row[0], number, T, T + 1) for row in old_rows() for number in (1, 2)],
        )
        connection.execute(
            "INSERT INTO suppression VALUES (1, x'74', 'unsubscribed', 'page', 9)"
            if since < 6
            else "INSERT INTO suppression VALUES"
            " (x'01', 9, 'leave', x'74', NULL, 'unsubscribed', 'page', '[]')"
        )
        connection.commit()
    return ledger_path


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_each_row_keeps_all_that_it_held(old: Path) -> None:
    tables = {"attempt": "*", "suppression": "tag, reason, source, at"}
    before = {table: query(old, f"SELECT {what} FROM {table}") for table, what in tables.items()}
    Ledger(old, KEYS).close()
    assert old_rows() == query(old, f"SELECT {KEPT} FROM delivery ORDER BY id")
    assert before == {
        table: query(old, f"SELECT {what} FROM {table}") for table, what in tables.items()
    }
    assert SCHEMA_VERSION == version(old)
    assert [] == query(old, "SELECT name FROM sqlite_master WHERE name LIKE 'old%'")
    assert [] == query(old, "PRAGMA foreign_key_check")
    assert [("ok",)] == query(old, "PRAGMA integrity_check")


def test_an_upgraded_ledger_has_the_same_shape_as_a_new_one(old: Path, tmp_path: Path) -> None:
    Ledger(old, KEYS).close()
    Ledger(tmp_path / "new.db", KEYS).close()
    shape = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    assert query(tmp_path / "new.db", shape) == query(old, shape)


def test_who_was_attempted_had_the_only_edition_and_the_others_get_what_is_in_force(
    old: Path,
) -> None:
    Ledger(old, KEYS).close()
    rows = query(old, "SELECT state, domain, id, version, wave, resends FROM delivery")
    for state, domain, number, version_, wave, resends in rows:
        assert f"host{number}.example" == domain
        assert (None if state in NEVER_ATTEMPTED else 1) == version_
        assert (Wave.REST, 0) == (wave, resends)


def test_an_upgraded_campaign_goes_on(old: Path) -> None:
    with closing(Ledger(old, KEYS)) as ledger:
        (campaign,) = ledger.campaigns.all()
        assert dict.fromkeys(State, 2) == ledger.campaigns.verify(campaign).counts
        assert {1: Approved({"en": EDITION}, "{}")} == ledger.campaigns.approved(campaign)
        ledger.campaigns.check_seals(campaign)
        ((number, made_at, fingerprint, attempted),) = (
            (one.number, one.made_at, one.fingerprint, one.attempted)
            for one in ledger.controls.versions(campaign.id)
        )
        assert (1, NOW, "f", 12) == (number, made_at, fingerprint, attempted)
        control = ledger.controls.of(campaign.id)
        assert (NOW, Wave.REST, 1, None) == (
            control.not_before,
            control.wave,
            control.version,
            control.held,
        )
        with ledger.transaction():
            claims = ledger.deliveries.claim(campaign.id, run="run-2", count=9, now=after(300))
            assert 4 == len(claims)
            assert ledger.deliveries.write_ahead(claims, run="run-2", now=after(300))
        deferred = next(claim for claim in claims if claim.number > 1)
        assert datetime.fromtimestamp(T + deferred.id, UTC) == deferred.date


def test_an_upgraded_ledger_has_a_name_for_good_and_a_sealed_audience(old: Path) -> None:
    with closing(Ledger(old, KEYS)) as ledger:
        name = ledger.identity
    assert 32 == len(name)
    with closing(Ledger(old, KEYS)) as ledger:
        assert name == ledger.identity
    with (
        closing(sqlite3.connect(old)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="sealed"),
    ):
        connection.execute(
            "INSERT INTO delivery SELECT 99, campaign, issue, round, 'new@example.org', domain,"
            " tag, x'00', name, language, fields, state, wave, version, resends, attempts,"
            " dated_at, first_attempt_at, next_attempt_at, run, reply, provider_id, changed_at,"
            " seal FROM delivery LIMIT 1"
        )


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(
    old: Path, since: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)
    broken = ("INSERT INTO nowhere VALUES (1)",)
    with monkeypatch.context() as patched:
        patched.setattr(upgrade, "MIGRATIONS", (*MIGRATIONS, broken))
        with pytest.raises(LedgerRefused, match="nowhere"):
            Ledger(old, KEYS)
    assert (before, since) == (contents(old), version(old))
    Ledger(old, KEYS).close()
    assert SCHEMA_VERSION == version(old)


def test_another_key_file_leaves_an_old_ledger_as_it_was(old: Path, since: int) -> None:
    """Sealed under it, nothing would fit under the right one any more."""
    before = contents(old)
    with pytest.raises(LedgerRefused, match="key file"):
        Ledger(old, KeyRing(b"another".ljust(32), KEYS.keys))
    assert (before, since) == (contents(old), version(old))


def test_commands_work_on_an_upgraded_ledger(old: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.issue(SHORT_ISSUE, "2017-03")
    KEYS.save(project.folder / "newsletter.key")
    shutil.copy(old, project.folder / "newsletter.db")
    status = project.run("status", "2017-03")
    assert (4, "") == (status.returncode, status.stderr)  # some wait still
    assert "18 planned" in status.stdout
    doubt = list(State).index(State.IN_DOUBT) + 1
    settled = project.run("resolve", "2017-03", f"reader{doubt}@host{doubt}.example", "--accepted")
    assert (0, "") == (settled.returncode, settled.stderr)
    assert [("accepted",)] == query(
        project.folder / "newsletter.db", f"SELECT state FROM delivery WHERE id = {doubt}"
    )


DIES_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from newsletter.ledger import upgrade
from newsletter.ledger.ledger import Ledger
from newsletter.message.keys import KeyRing

made = upgrade._make

def dies(*args):
    made(*args)
    os.kill(os.getpid(), signal.SIGKILL)

upgrade._make = dies
Ledger(Path(sys.argv[1]), KeyRing(bytes(32), {1: bytes(32)}))
"""


@pytest.mark.fault(
    "Ledger", "SIGKILL in the upgrade", state="as it was before; upgraded at the next start"
)
def test_an_upgrade_that_is_killed_leaves_the_ledger_as_it_was(old: Path, since: int) -> None:
    before = contents(old)
    killed = subprocess.run(
        [sys.executable, "-c", DIES_IN_THE_MIDDLE, str(old)], cwd=ROOT, check=False
    )
    assert -signal.SIGKILL == killed.returncode
    assert (before, since) == (contents(old), version(old))
    Ledger(old, KEYS).close()
    assert old_rows() == query(old, f"SELECT {KEPT} FROM delivery ORDER BY id")


@pytest.mark.parametrize("since", [2, 3], indirect=True)
@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (None, ()),
        ("Paused by a person.", (Hold("Paused by a person.", by_person=True),)),
        ("Too many were refused.", (Hold("Too many were refused."),)),
        (
            "Paused by a person. Too many were refused.",
            (Hold("Paused by a person. Too many were refused."),),
        ),
    ],
)
def test_a_hold_gets_its_kind(old: Path, words: str | None, holds: tuple[Hold, ...]) -> None:
    """What a brake had a part in stays for a person to look at."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE control SET held = ?", (words,))
        connection.commit()
    with closing(Ledger(old, KEYS)) as ledger:
        assert holds == ledger.controls.of("2017-03.1").holds
