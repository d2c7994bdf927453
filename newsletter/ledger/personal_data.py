"""What the ledger holds of one reader beside suppressions, and erasing who it was.

An erasure is asked for by a leave of its own source, which is a tombstone: it stays
in the ledger and in the send record, so that what a backup or the public log brings
back is erased again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from newsletter.clock import EARLIEST, moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.seal import DELIVERY, FORGOTTEN_DOMAIN
from newsletter.ledger.states import TERMINAL, listed
from newsletter.ledger.suppressions import ERASURE, IN_FORCE

_ERASABLE = f"domain <> '{FORGOTTEN_DOMAIN}' AND state IN {listed(TERMINAL)}"
"""SQL: nothing is waited for, so that nobody needs the address any more."""


class PersonalData:
    """Deliveries by their reader."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def deliveries(self, tag: bytes) -> list[dict[str, Any]]:
        """All that is held of what was mailed to a reader, oldest first, as for JSON."""
        found = []
        for row in self._rows(
            "SELECT d.id, d.campaign, d.issue, d.address, d.name, d.language, d.fields, d.state,"
            " c.frozen_at, d.changed_at, d.reply, d.provider_id FROM delivery AS d"
            " JOIN campaign AS c ON c.id = d.campaign WHERE d.tag = ? ORDER BY c.frozen_at, d.id",
            tag,
        ):
            id_, campaign, issue, address, name, language, fields, state, *rest = row
            frozen_at, changed_at, reply, provider_id = rest
            found.append(
                {
                    "issue": issue,
                    "campaign": campaign,
                    "address": address,
                    "name": name,
                    "language": language,
                    "fields": json.loads(fields),
                    "state": state,
                    "planned": _time(frozen_at),
                    "changed": _time(changed_at),
                    "reply": reply,
                    "provider_id": provider_id or "",
                    "attempts": [
                        {"at": _time(at), "outcome": outcome or "unknown", "reply": words}
                        for at, outcome, words in self._rows(
                            "SELECT started_at, outcome, reply FROM attempt"
                            " WHERE delivery = ? ORDER BY number",
                            id_,
                        )
                    ],
                    "events": [
                        {"at": _time(at), "kind": kind, "source": source, "detail": detail}
                        for at, kind, source, detail in self._rows(
                            "SELECT at, kind, source, detail FROM event"
                            " WHERE delivery = ? ORDER BY at, id",
                            id_,
                        )
                    ],
                }
            )
        return found

    def requests(self) -> dict[bytes, datetime]:
        """When each reader who asked for it was to be forgotten, by tag; the latest time."""
        rows = self._rows(
            "SELECT tag, MAX(at) FROM suppression WHERE kind = 'leave' AND source = ? GROUP BY tag",
            ERASURE,
        )
        return {tag: moment_at(at) for tag, at in rows}

    def gone_since(self, moment: datetime) -> dict[bytes, datetime]:
        """Who is suppressed, and was before a moment, by tag, with the time of their last leave."""
        rows = self._rows(
            f"SELECT tag, MAX(at) FROM suppression AS leave WHERE {IN_FORCE}"
            " GROUP BY tag HAVING MAX(at) < ?",
            moment,
        )
        return {tag: moment_at(at) for tag, at in rows}

    def waiting(self, tag: bytes) -> int:
        """How many deliveries still need a reader's address."""
        ((number,),) = self._rows(
            f"SELECT COUNT(*) FROM delivery WHERE tag = ? AND state NOT IN {listed(TERMINAL)}", tag
        )
        return int(number)

    def erase(
        self, until: Mapping[bytes, datetime], *, everybody_until: datetime = EARLIEST
    ) -> int:
        """Take name, address, fields and servers' words out of what was mailed.

        In place of the address stands its keyed hash, by which an issue is still mailed
        once. Inside the caller's transaction.

        Args:
            until: the readers by tag; with each, the time until which campaigns count.
            everybody_until: campaigns until then lose all their addresses.

        Returns:
            How many deliveries were erased.
        """
        execute = self._database.execute
        execute("CREATE TEMP TABLE wanted (tag BLOB PRIMARY KEY, until REAL)")
        execute("CREATE TEMP TABLE erased (id INTEGER PRIMARY KEY)")
        self._database.executemany("INSERT INTO temp.wanted VALUES (?, ?)", until.items())
        execute(
            "INSERT INTO temp.erased SELECT d.id FROM main.delivery AS d"
            " JOIN main.campaign AS c ON c.id = d.campaign"
            " LEFT JOIN temp.wanted AS w ON w.tag = d.tag"
            f" WHERE {_ERASABLE} AND (c.frozen_at <= w.until OR c.frozen_at <= ?)",
            (everybody_until,),
        )
        (number,) = execute("SELECT COUNT(*) FROM temp.erased").fetchone()
        if number:
            self._erase()
        execute("DROP TABLE temp.wanted")
        execute("DROP TABLE temp.erased")
        return int(number)

    def _erase(self) -> None:
        execute, these = self._database.execute, "(SELECT id FROM temp.erased)"
        execute(
            "UPDATE main.delivery SET domain = ?1,"
            " address = lower(hex(reader_of(address))) || '@' || ?1,"
            f" name = '', fields = '{{}}', reply = '', provider_id = NULL WHERE id IN {these}",
            (FORGOTTEN_DOMAIN,),
        )
        execute(
            "UPDATE main.delivery SET message_tag = message_tag_of(campaign, address),"
            f" seal = seal_of({DELIVERY}) WHERE id IN {these}"
        )
        execute(f"UPDATE main.attempt SET reply = '' WHERE delivery IN {these}")
        execute(f"UPDATE main.event SET detail = '' WHERE delivery IN {these}")

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._database.errors():
            return self._database.execute(sql, parameters).fetchall()


def erased_readers(addresses: frozenset[str]) -> frozenset[bytes]:
    """The keyed hashes in place of erased addresses, see :func:`newsletter.ledger.seal.reader_tag`.

    Args:
        addresses: as the ledger has them, erased or not.
    """
    end = f"@{FORGOTTEN_DOMAIN}"
    return frozenset(
        bytes.fromhex(each.removesuffix(end)) for each in addresses if each.endswith(end)
    )


def _time(seconds: float) -> str:
    return moment_at(seconds).isoformat(timespec="seconds")
