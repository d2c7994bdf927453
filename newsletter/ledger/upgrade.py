"""Ledgers of earlier versions, brought up to date without losing a row.

The tables whose shape changed are set aside, made anew by the schema of today,
and filled from what was set aside; new tables, and all indexes and triggers, are
made. All inside a transaction that the caller opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.ledger.seal import DELIVERY, version_seal

_LATE_S = 72 * 3600


@dataclass(frozen=True, slots=True)
class _Way:
    """How a ledger of one version becomes one of today.

    Attributes:
        changed: the tables to set aside as ``old_…``, in the order in which they can
            be dropped: those that refer to others first.
        fill: statements that fill the tables of today; a version is sealed afterwards.
    """

    changed: tuple[str, ...]
    fill: tuple[str, ...]


_WAYS = {
    1: _Way(
        ("attempt", "delivery", "edition"),
        (
            # Who was attempted has the only edition there was.
            """INSERT INTO delivery (id, campaign, issue, round, address, domain, tag, name,
                 language, fields, state, wave, version, attempts, dated_at, first_attempt_at,
                 next_attempt_at, run, reply, provider_id, changed_at, seal)
               SELECT id, campaign, issue, round, address, domain_of(address), tag, name, language,
                 fields, state, 2, CASE WHEN attempts > 0 THEN 1 END, attempts, dated_at,
                 first_attempt_at, next_attempt_at, run, reply, provider_id, changed_at,
                 seal_of(campaign, issue, round, address, domain_of(address), tag, name, language,
                 fields, 2)
               FROM old_delivery""",
            "INSERT INTO attempt SELECT * FROM old_attempt",
            "INSERT INTO edition SELECT campaign, 1, language, content FROM old_edition",
            """INSERT INTO version
               SELECT id, 1, frozen_at, fingerprint, letterhead, x'' FROM campaign""",
            f"""INSERT INTO control
                SELECT id, frozen_at, frozen_at + {_LATE_S}, 2, 1, NULL FROM campaign""",
        ),
    ),
    2: _Way(
        ("attempt", "delivery", "version"),
        (
            f"INSERT INTO delivery SELECT *, seal_of({DELIVERY}) FROM old_delivery",
            "INSERT INTO attempt SELECT * FROM old_attempt",
            "INSERT INTO version SELECT *, x'' FROM old_version",
        ),
    ),
}


def upgrade(connection: sqlite3.Connection, schema: str, *, since: int, seal_key: bytes) -> None:
    """Turn the tables of version ``since`` into those of ``schema``.

    Raises:
        sqlite3.Error: it cannot be written; the caller rolls back.
    """
    way = _WAYS[since]
    connection.create_function("domain_of", 1, _domain_of, deterministic=True)
    # Else references follow the rename; they would with foreign keys on, too.
    connection.execute("PRAGMA legacy_alter_table = ON")
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql NOT NULL"
    ).fetchall():
        connection.execute(f"DROP {kind} {name}")
    for table in way.changed:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    missing = [each for each in statements(schema) if _made_by(each)[1] not in there]
    for statement in missing:
        if _made_by(statement)[0] != "TRIGGER":
            connection.execute(statement)
    for statement in way.fill:
        connection.execute(statement)
    for table in way.changed:
        connection.execute(f"DROP TABLE old_{table}")
    _seal_versions(connection, seal_key)
    # Last: they would refuse what was done here.
    for statement in missing:
        if _made_by(statement)[0] == "TRIGGER":
            connection.execute(statement)


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
