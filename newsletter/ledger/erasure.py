"""Erasing who a reader is from what was mailed to them.

An erasure is asked for by a leave of its own source, which is a tombstone: it stays
in the ledger and in the send record, so that what a backup or the public log brings
back is erased again.
"""

from __future__ import annotations

from collections.abc import Iterable

from newsletter.ledger.database import Database
from newsletter.ledger.record import listed
from newsletter.ledger.seal import DELIVERY, FORGOTTEN_DOMAIN
from newsletter.ledger.states import TERMINAL

SOURCE = "erasure request"
"""The source of a leave by which somebody asked to be forgotten."""
FORGOTTEN = (
    f"SELECT 1 FROM suppression AS leave WHERE leave.kind = 'leave' AND leave.source = '{SOURCE}'"
)
"""SQL: the tombstones; the caller names the tag and the time."""


class Erasure:
    """What of the ledger can be erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def requests(self) -> dict[bytes, float]:
        """When each reader who asked for it was to be forgotten, by tag; the latest time."""
        with self._database.errors():
            return dict(
                self._database.execute(
                    "SELECT tag, MAX(at) FROM suppression WHERE kind = 'leave' AND source = ?"
                    " GROUP BY tag",
                    (SOURCE,),
                ).fetchall()
            )

    def erase(self, tags: Iterable[bytes], *, until: float) -> int:
        """Take name, address, fields and servers' words out of readers' settled deliveries.

        Inside the caller's transaction. In place of the address stands its keyed hash,
        by which an issue is still mailed once.

        Args:
            tags: the readers.
            until: in seconds since the epoch; what was mailed later stays.

        Returns:
            How many deliveries were erased.
        """
        execute = self._database.execute
        execute("CREATE TEMP TABLE IF NOT EXISTS erased (id INTEGER PRIMARY KEY)")
        execute("DELETE FROM temp.erased")
        for tag in tags:
            execute(
                "INSERT INTO temp.erased SELECT id FROM main.delivery WHERE tag = ?"
                f" AND changed_at <= ? AND domain <> '{FORGOTTEN_DOMAIN}'"
                f" AND state IN {listed(TERMINAL)}",
                (tag, until),
            )
        (number,) = execute("SELECT COUNT(*) FROM temp.erased").fetchone()
        if number:
            self._erase()
        execute("DELETE FROM temp.erased")
        return int(number)

    def waiting(self, tag: bytes) -> int:
        """How many deliveries still need a reader's address."""
        with self._database.errors():
            (number,) = self._database.execute(
                "SELECT COUNT(*) FROM delivery WHERE tag = ?"
                f" AND domain <> '{FORGOTTEN_DOMAIN}' AND state NOT IN {listed(TERMINAL)}",
                (tag,),
            ).fetchone()
        return int(number)

    def _erase(self) -> None:
        execute, these = self._database.execute, "(SELECT id FROM temp.erased)"
        execute(
            "UPDATE main.delivery SET domain = ?,"
            " address = lower(hex(reader_of(address))) || '@' || ?,"
            f" name = '', fields = '{{}}', reply = '', provider_id = NULL WHERE id IN {these}",
            (FORGOTTEN_DOMAIN, FORGOTTEN_DOMAIN),
        )
        execute(
            "UPDATE main.delivery SET message_tag = message_tag_of(campaign, address),"
            f" seal = seal_of({DELIVERY}) WHERE id IN {these}"
        )
        execute(f"UPDATE main.attempt SET reply = '' WHERE delivery IN {these}")
        execute(f"UPDATE main.event SET detail = '' WHERE delivery IN {these}")
