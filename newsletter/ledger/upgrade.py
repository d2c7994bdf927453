"""Ledgers of earlier versions, brought up to date without losing a row.

:data:`MIGRATIONS` lists what leads from each version to the next. They are applied
one after the other, all in one transaction that the caller opened. Indexes and
triggers are those of today: they are dropped before and made again at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.ledger.seal import DELIVERY, version_seal

_LATE_S = 72 * 3600


@dataclass(frozen=True, slots=True)
class Migration:
    """How a ledger becomes one of the next version.

    Attributes:
        rebuilds: the tables whose shape changes. Each is set aside as ``old_…``, made
            anew, filled and dropped in this order: those that refer to others first.
        fill: statements that fill what was made anew.
        made: how a table was made in that version, if a later one changed it. All
            others are made by the schema of today.
        seals: whether the versions are sealed afterwards.
    """

    rebuilds: tuple[str, ...] = ()
    fill: tuple[str, ...] = ()
    made: str = ""
    seals: bool = False


MIGRATIONS = (
    # 1 to 2: waves, corrections and holds; limits by domain.
    Migration(
        rebuilds=("attempt", "delivery", "edition"),
        made="""
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY, campaign TEXT NOT NULL, issue TEXT NOT NULL, round INTEGER NOT NULL,
    address TEXT NOT NULL, domain TEXT NOT NULL, tag BLOB NOT NULL, name TEXT NOT NULL,
    language TEXT NOT NULL, fields TEXT NOT NULL, state TEXT NOT NULL, wave INTEGER NOT NULL,
    version INTEGER, resends INTEGER NOT NULL, attempts INTEGER NOT NULL, dated_at REAL,
    first_attempt_at REAL, next_attempt_at REAL NOT NULL, run TEXT, reply TEXT NOT NULL,
    provider_id TEXT, changed_at REAL NOT NULL
);
CREATE TABLE version (
    campaign TEXT NOT NULL, number INTEGER NOT NULL, made_at REAL NOT NULL,
    fingerprint TEXT NOT NULL, letterhead TEXT NOT NULL, PRIMARY KEY (campaign, number)
) WITHOUT ROWID;
CREATE TABLE control (
    campaign TEXT PRIMARY KEY, not_before REAL NOT NULL, not_after REAL NOT NULL,
    wave INTEGER NOT NULL, version INTEGER NOT NULL, held TEXT
) WITHOUT ROWID;
""",
        fill=(
            # Who was attempted has the only edition there was.
            """INSERT INTO delivery (id, campaign, issue, round, address, domain, tag, name,
                 language, fields, state, wave, version, resends, attempts, dated_at,
                 first_attempt_at, next_attempt_at, run, reply, provider_id, changed_at)
               SELECT id, campaign, issue, round, address, domain_of(address), tag, name,
                 language, fields, state, 2, CASE WHEN attempts > 0 THEN 1 END, 0, attempts,
                 dated_at, first_attempt_at, next_attempt_at, run, reply, provider_id, changed_at
               FROM old_delivery""",
            "INSERT INTO attempt SELECT * FROM old_attempt",
            "INSERT INTO edition SELECT campaign, 1, language, content FROM old_edition",
            "INSERT INTO version SELECT id, 1, frozen_at, fingerprint, letterhead FROM campaign",
            f"""INSERT INTO control
                SELECT id, frozen_at, frozen_at + {_LATE_S}, 2, 1, NULL FROM campaign""",
        ),
    ),
    # 2 to 3: seals over what is frozen.
    Migration(
        rebuilds=("attempt", "delivery", "version"),
        fill=(
            f"INSERT INTO delivery SELECT *, seal_of({DELIVERY}) FROM old_delivery",
            "INSERT INTO attempt SELECT * FROM old_attempt",
            "INSERT INTO version SELECT *, x'' FROM old_version",
        ),
        seals=True,
    ),
    # 3 to 4: a hold has a kind beside its words.
    Migration(
        rebuilds=("control",),
        fill=(
            """INSERT INTO control
               SELECT campaign, not_before, not_after, wave, version, CASE WHEN held IS NOT NULL
                 THEN json_array(json_array(
                   CASE held WHEN 'Paused by a person.' THEN 'pause' ELSE 'brake' END, held)) END
               FROM old_control""",
        ),
    ),
)
"""From each version to the next; the first leads from version 1 to 2."""

SCHEMA_VERSION = len(MIGRATIONS) + 1


def upgrade(connection: sqlite3.Connection, schema: str, *, since: int, seal_key: bytes) -> None:
    """Turn the tables of version ``since`` into those of ``schema``.

    Raises:
        sqlite3.Error: it cannot be written; the caller rolls back.
    """
    connection.create_function("domain_of", 1, _domain_of, deterministic=True)
    # Else references follow the rename; they would with foreign keys on, too.
    connection.execute("PRAGMA legacy_alter_table = ON")
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql NOT NULL"
    ).fetchall():
        connection.execute(f"DROP {kind} {name}")
    today = {_made_by(each): each for each in statements(schema)}
    tables = {name: each for (kind, name), each in today.items() if kind == "TABLE"}
    for migration in MIGRATIONS[since - 1 :]:
        _apply(connection, migration, tables)
        if migration.seals:
            _seal_versions(connection, seal_key)
    # Last: triggers would refuse what was done here.
    for (kind, _), statement in today.items():
        if kind != "TABLE":
            connection.execute(statement)


def _apply(connection: sqlite3.Connection, migration: Migration, tables: dict[str, str]) -> None:
    made = {_made_by(each)[1]: each for each in statements(migration.made)}
    for table in migration.rebuilds:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    for name, statement in {**tables, **made}.items():
        if name not in there:
            connection.execute(statement)
    for statement in migration.fill:
        connection.execute(statement)
    for table in migration.rebuilds:
        connection.execute(f"DROP TABLE old_{table}")


def _seal_versions(connection: sqlite3.Connection, key: bytes) -> None:
    for *frozen, number, fingerprint, letterhead in connection.execute(
        "SELECT id, issue, round, planned, number, version.fingerprint, version.letterhead"
        " FROM version JOIN campaign ON campaign.id = campaign"
    ).fetchall():
        contents = connection.execute(
            "SELECT language, content FROM edition WHERE campaign = ? AND version = ?",
            (frozen[0], number),
        )
        made = version_seal(
            key,
            (frozen[0], frozen[1], frozen[2], frozen[3]),
            number=number,
            fingerprint=fingerprint,
            letterhead=letterhead,
            contents=dict(contents),
        )
        connection.execute(
            "UPDATE version SET seal = ? WHERE campaign = ? AND number = ?",
            (made, frozen[0], number),
        )


def statements(script: str) -> Iterator[str]:
    """Single statements; executescript() would commit the open transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _made_by(statement: str) -> tuple[str, str]:
    """What a CREATE statement makes: TABLE, INDEX or TRIGGER, and its name."""
    line = next(line for line in statement.splitlines() if line.startswith("CREATE "))
    kind, name = line.removeprefix("CREATE ").removeprefix("UNIQUE ").split()[:2]
    return kind, name


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]
