"""Ledgers of earlier versions, brought up to date without losing a row.

The tables whose shape changed are set aside, made anew by the schema of today,
and filled from what was set aside; new tables are made. All inside a
transaction that the caller opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_CHANGED = ("attempt", "delivery", "edition")
"""In the order in which they can be dropped: those that refer to others first."""

_LATE_S = 72 * 3600

_FILL = (
    # Who was attempted has the only edition there was.
    """INSERT INTO delivery (id, campaign, issue, round, address, domain, tag, name, language,
         fields, state, wave, version, attempts, dated_at, first_attempt_at, next_attempt_at, run,
         reply, provider_id, changed_at)
       SELECT id, campaign, issue, round, address, domain_of(address), tag, name, language,
         fields, state, 2, CASE WHEN attempts > 0 THEN 1 END, attempts, dated_at,
         first_attempt_at, next_attempt_at, run, reply, provider_id, changed_at
       FROM old_delivery""",
    "INSERT INTO attempt SELECT * FROM old_attempt",
    "INSERT INTO edition SELECT campaign, 1, language, content FROM old_edition",
    "INSERT INTO version SELECT id, 1, frozen_at, fingerprint, letterhead FROM campaign",
    f"""INSERT INTO control
        SELECT id, frozen_at, frozen_at + {_LATE_S}, 2, 1, NULL FROM campaign""",
)


def upgrade(connection: sqlite3.Connection, schema: str) -> None:
    """Turn the tables of version 1 into those of ``schema``.

    Raises:
        sqlite3.Error: it cannot be written; the caller rolls back.
    """
    connection.create_function("domain_of", 1, _domain_of, deterministic=True)
    connection.execute("PRAGMA legacy_alter_table = ON")  # else references follow the rename
    connection.execute("DROP INDEX once")
    connection.execute("DROP INDEX queue")
    for table in _CHANGED:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
    for statement in statements(schema):
        if _made_by(statement) not in there:
            connection.execute(statement)
    for statement in _FILL:
        connection.execute(statement)
    for table in _CHANGED:
        connection.execute(f"DROP TABLE old_{table}")


def statements(script: str) -> Iterator[str]:
    """Single statements; executescript() would commit the open transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _made_by(statement: str) -> str:
    """The name of what a CREATE statement makes."""
    line = next(line for line in statement.splitlines() if line.startswith("CREATE "))
    return line.removeprefix("CREATE UNIQUE").removeprefix("CREATE").split()[1]


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]
