"""Ledgers of earlier versions, brought up to date without losing a row.

:data:`MIGRATIONS` lists what leads from each version to the next. They are applied
one after the other, all in one transaction that the caller opened. A new version
adds one entry at the end and changes none before it: an entry only adds what is new
to the tables that it finds, and a table whose shape is not that of today is made anew
once, after the last.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from newsletter.ledger.seal import DELIVERY, version_seal

_LATE_S = 72 * 3600


def events_of(table: str) -> str:
    """SQL: the rows of a table of suppressions as it was up to version 5, as leaves."""
    return (
        "SELECT seal_of('leave', tag, reason) AS id, at, 'leave' AS kind, tag, NULL AS about,"
        f" reason, source, '[]' AS evidence FROM {table}"
    )


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    # 1 to 2: waves, corrections and holds; limits by domain.
    (
        "ALTER TABLE delivery ADD COLUMN domain TEXT",
        "ALTER TABLE delivery ADD COLUMN wave INTEGER",
        "ALTER TABLE delivery ADD COLUMN version INTEGER",
        "ALTER TABLE delivery ADD COLUMN resends INTEGER NOT NULL DEFAULT 0",
        # Who was attempted has the only edition there was.
        """UPDATE delivery SET domain = domain_of(address), wave = 2,
             version = CASE WHEN attempts > 0 THEN 1 END""",
        "ALTER TABLE edition ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
        """CREATE TABLE version AS SELECT id AS campaign, 1 AS number, frozen_at AS made_at,
             fingerprint, letterhead FROM campaign""",
        f"""CREATE TABLE control AS SELECT id AS campaign, frozen_at AS not_before,
              frozen_at + {_LATE_S} AS not_after, 2 AS wave, 1 AS version, NULL AS held
            FROM campaign""",
    ),
    # 2 to 3: seals over what is frozen.
    (
        "ALTER TABLE delivery ADD COLUMN seal BLOB",
        f"UPDATE delivery SET seal = seal_of({DELIVERY})",
        "ALTER TABLE version ADD COLUMN seal BLOB",
        """UPDATE version SET seal = version_seal_of(id, issue, round, planned, number,
             version.fingerprint, version.letterhead,
             (SELECT json_group_object(language, content) FROM edition
              WHERE edition.campaign = id AND edition.version = number))
           FROM campaign WHERE id = campaign""",
    ),
    # 3 to 4: a hold has a kind beside its words.
    (
        """UPDATE control SET held = json_array(json_array(
             CASE held WHEN 'Paused by a person.' THEN 'pause' ELSE 'brake' END, held))
           WHERE held IS NOT NULL""",
    ),
    # 4 to 5: a message is found by the tag in its Message-ID.
    (
        "ALTER TABLE delivery ADD COLUMN message_tag BLOB",
        "UPDATE delivery SET message_tag = message_tag_of(campaign, address)",
    ),
    # 5 to 6: suppressions are events.
    (
        "ALTER TABLE suppression RENAME TO old_suppression",
        f"CREATE TABLE suppression AS {events_of('old_suppression')}",
        "DROP TABLE old_suppression",
    ),
    # 6 to 7: imports, mails that were read, and webhooks, in tables of their own.
    (),
)
"""From each version to the next; the first leads from version 1 to 2."""

SCHEMA_VERSION = len(MIGRATIONS) + 1


def upgrade(connection: sqlite3.Connection, schema: str, *, since: int, seal_key: bytes) -> None:
    """Turn the tables of version ``since`` into those of ``schema``.

    Args:
        connection: knows the functions of :class:`newsletter.ledger.database.Database`;
            foreign keys are off.
        schema: CREATE statements, tables before what belongs to them.
        since: the version that the file was written by.
        seal_key: with which the ledger's seals are made.

    Raises:
        sqlite3.Error: it cannot be written; the caller rolls back.
    """

    def version_seal_of(*values: Any) -> bytes:
        campaign, issue, round_, planned, number, print_, letterhead, contents = values
        return version_seal(
            seal_key,
            (campaign, issue, round_, planned),
            number=number,
            fingerprint=print_,
            letterhead=letterhead,
            contents=json.loads(contents),
        )

    connection.create_function("domain_of", 1, _domain_of, deterministic=True)
    connection.create_function("version_seal_of", 8, version_seal_of, deterministic=True)
    # Else references follow a table that is renamed.
    connection.execute("PRAGMA legacy_alter_table = ON")
    # Triggers would refuse what is done here; at the end those of today are made.
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql NOT NULL"
    ).fetchall():
        connection.execute(f"DROP {kind} {name}")
    for migration in MIGRATIONS[since - 1 :]:
        for statement in migration:
            connection.execute(statement)
    for statement in statements(schema):
        _make(connection, statement)


def _make(connection: sqlite3.Connection, statement: str) -> None:
    """Make a table, index or trigger; a table that is there keeps its rows."""
    line = next(line for line in statement.splitlines() if line.startswith("CREATE "))
    _, kind, name = line.replace("UNIQUE ", "").split()[:3]
    found = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
    ).fetchone()
    if kind != "TABLE" or found is None:
        connection.execute(statement)
        return
    if statement.rstrip("; \n").endswith(found[0]):
        return
    there = [column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")]
    connection.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
    connection.execute(statement)
    columns = ", ".join(there)
    connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM old_{name}")
    connection.execute(f"DROP TABLE old_{name}")


def statements(script: str) -> Iterator[str]:
    """Single statements; executescript() would commit the open transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2]
