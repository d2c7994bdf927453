"""Readers that were imported from files: what each import says of whom, until it is reverted.

Imports are added, and at most reverted. Who may be mailed is on the list while an import that
stands says so and none says that they never confirmed or are excluded. All that keeps a reader
off is a leave as well, see suppressions.py, so that the send record knows it, too; its id names
import and reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.addresses import Address, AddressError
from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.seal import seal
from newsletter.ledger.suppressions import KEEPS_OFF, Reason, Suppressions, Void
from newsletter.reader_states import ReaderState

REASONS = {
    ReaderState.SPAM: Reason.COMPLAINED,
    ReaderState.LEFT: Reason.UNSUBSCRIBED,
    ReaderState.DEAD: Reason.BOUNCED,
    ReaderState.NEVER: Reason.EXCLUDED,
    ReaderState.WAIT: Reason.UNCONFIRMED,
}
STANDS = "(SELECT id FROM import WHERE reverted_at IS NULL)"
KEPT_OFF = f"SELECT tag FROM suppression AS leave WHERE {KEEPS_OFF}"
"""SQL: the tags of those who must not be mailed without being suppressed."""
NEWEST = (
    f"one.state = '{ReaderState.IN}' AND one.address <> '' AND one.import IN {STANDS}"
    " AND NOT EXISTS (SELECT 1 FROM imported AS newer WHERE newer.tag = one.tag"
    " AND newer.import > one.import AND newer.state = one.state AND newer.address <> ''"
    f" AND newer.import IN {STANDS})"
)
"""SQL: whether the row ``one`` is the newest that says who its reader is."""


@dataclass(frozen=True, slots=True)
class Import:
    """Files that were imported together.

    Attributes:
        id: from 1.
        at: when, aware, in UTC.
        files: of each its name, digest, program and counts.
        reverted_at: when it was reverted; None: it stands.
    """

    id: int
    at: datetime
    files: Sequence[Mapping[str, Any]]
    reverted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Imported:
    """A reader who is on the list by an import.

    Attributes:
        address: as the first file wrote it.
        name: may be empty.
        language: empty: none was named.
        fields: further columns.
        consent: ``basis`` and ``at``, as far as the file had them.
        source: the import's id.
    """

    address: Address
    name: str
    language: str
    fields: Mapping[str, str]
    consent: Mapping[str, str]
    source: int


class Imports:
    """The tables of imports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Import]:
        """All imports, oldest first."""
        return [
            Import(id_, moment_at(at), json.loads(files), None if end is None else moment_at(end))
            for id_, at, files, end in self._database.rows(
                "SELECT id, at, files, reverted_at FROM import ORDER BY id"
            )
        ]

    def readers(self) -> Iterator[Imported]:
        """Whom imports name as readers, in their order; see :meth:`kept_off` beside it."""
        for address, name, language, fields, consent, source in self._database.rows(
            "SELECT address, name, language, fields, consent, import FROM imported AS one"
            f" WHERE {NEWEST} ORDER BY import, number"
        ):
            try:
                parsed = Address.parse(address)
            except AddressError:
                continue  # another version was less strict
            yield Imported(parsed, name, language, json.loads(fields), json.loads(consent), source)

    def kept_off(self) -> dict[bytes, ReaderState]:
        """Who never confirmed or is excluded, by tag."""
        return {
            tag: ReaderState.NEVER if excluded else ReaderState.WAIT
            for tag, excluded in self._database.rows(
                f"SELECT tag, MAX(reason = '{Reason.EXCLUDED}') FROM suppression AS leave"
                f" WHERE {KEEPS_OFF} GROUP BY tag"
            )
        }

    def of(self, tag: bytes) -> list[dict[str, Any]]:
        """All that imports hold of a reader, oldest first, as for JSON."""
        return [
            {
                "import": id_,
                "at": moment_at(at).isoformat(timespec="seconds"),
                "reverted": end is not None,
                "state": state,
                "address": address,
                "name": name,
                "language": language,
                "fields": json.loads(fields),
                "consent": json.loads(consent),
            }
            for id_, at, end, state, address, name, language, fields, consent in (
                self._database.rows(
                    "SELECT m.id, m.at, m.reverted_at, state, address, name, language, fields,"
                    " consent FROM imported JOIN import AS m ON m.id = import WHERE tag = ?"
                    " ORDER BY m.id",
                    (tag,),
                )
            )
        ]

    def leave_id(self, id_: int, at: datetime, tag: bytes) -> bytes:
        """16 bytes for the leave that an import made of a reader.

        Another ledger counts its imports from 1 as well, so the time is in it.
        """
        return seal(self._database.seal_key, ("import", id_, at.timestamp(), tag))

    def leaves(self, id_: int, at: datetime) -> Iterator[tuple[bytes, Reason, bytes]]:
        """The leaves that an import made: the reader's tag, the reason and the leave's id."""
        states = ", ".join(f"'{state}'" for state in REASONS)
        for tag, state in self._database.rows(
            "SELECT tag, state FROM imported WHERE import = ? AND tag IS NOT NULL"
            f" AND state IN ({states})",
            (id_,),
        ):
            yield tag, REASONS[ReaderState(state)], self.leave_id(id_, at, tag)

    def revert(self, which: Import, *, now: datetime) -> int:
        """Withdraw what an import says, and nothing else; inside the caller's transaction.

        Returns:
            How many leaves that suppress are voided.
        """
        suppressions = Suppressions(self._database)
        source = f"revert of import {which.id}"
        leaves = list(self.leaves(which.id, which.at))
        suppressions.add_all(
            Void(about, source, now, seal(self._database.seal_key, ("revert", about)))
            for _, _, about in leaves
        )
        self._database.execute("UPDATE import SET reverted_at = ? WHERE id = ?",
                               (now.timestamp(), which.id))  # fmt: skip
        return sum(reason.suppresses for _, reason, _ in leaves)

    def erase(self, until: Mapping[bytes, datetime], *, wholly: bool) -> int:
        """Erase who imported readers are; inside the caller's transaction. States stay.

        Args:
            until: the readers by tag; with each, until when.
            wholly: whether the keyed hash goes as well.

        Returns:
            How many rows are erased.
        """
        change = "tag = NULL, " if wholly else ""
        held = "" if wholly else " AND address <> ''"
        return sum(
            self._database.execute(
                f"UPDATE imported SET {change}address = '', name = '', fields = '{{}}',"
                f" consent = '{{}}' WHERE tag = ?{held} AND import IN"
                " (SELECT id FROM import WHERE at <= ?)",
                each,
            ).rowcount
            for each in until.items()
        )
