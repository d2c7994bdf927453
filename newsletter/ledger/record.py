"""The send record: what a list was sent, kept outside the project's folder.

It is attached to the ledger's own connection while a ledger is in use, so each
change of a delivery's state is written to both files, to the ledger first. It names
nobody: readers are in it as keyed hashes. Should the project's folder be
cleaned, replaced or restored, it tells who has an issue, who may have it and
who left; :mod:`newsletter.ledger.copy_guard` draws the conclusions.

It is written without an fsync of its own: a killed program loses nothing of
it, a power cut may lose the last moments, and then the ledger, which does
sync, is ahead and is copied anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import LedgerRefused, Where
from newsletter.ledger.database import Database, query
from newsletter.ledger.record_schema import (
    CAMPAIGN,
    COLUMNS,
    FOLLOW,
    FROM_LEDGER,
    MIGRATIONS,
    SCHEMA,
)
from newsletter.ledger.states import State, listed
from newsletter.ledger.suppressions import Leave, add_to, join_sql

_MAY_HAVE = (State.ATTEMPTING, State.ACCEPTED, State.IN_DOUBT)
OPEN = (State.PENDING, State.CLAIMED, State.DEFERRED)
"""Who waits to be mailed."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a record says of itself.

    Attributes:
        id: a random name of this record; the ledger notes it.
        ledger: identity of the ledger that is the list's.
        epoch: how far that ledger was written, see :attr:`Ledger.epoch`.
        machine: where it was written last.
        folder: of the project that sent last.
        boot: while a run goes on, or after one that was killed, the name of the
            machine's start; empty once a run has ended.
        key_check: of the list's key file.
    """

    id: str
    ledger: str
    epoch: int
    machine: str
    folder: str
    boot: str
    key_check: str

    @classmethod
    def at(cls, path: Path) -> Remembered:
        """What a record's file says of itself; all is empty where there is none.

        Raises:
            LedgerRefused: it cannot be read.
        """
        rows = query(path, "SELECT key, value FROM record_meta") if path.is_file() else []
        return cls.of({str(key): str(value) for key, value in rows})

    @classmethod
    def of(cls, meta: Mapping[str, str]) -> Remembered:
        """What the table of a record says."""
        return cls(
            id=meta.get("id", ""),
            ledger=meta.get("ledger", ""),
            epoch=int(meta.get("epoch", "0")),
            machine=meta.get("machine", ""),
            folder=meta.get("folder", ""),
            boot=meta.get("boot", ""),
            key_check=meta.get("key_check", ""),
        )


def mark_as_copy(path: Path) -> None:
    """Let a record that comes from a backup be known as one, wherever it is put.

    Raises:
        LedgerRefused: it cannot be written.
    """
    query(path, "INSERT OR REPLACE INTO record_meta VALUES ('machine', 'a backup')")


class SendRecord:
    """A list's record, attached to an open ledger.

    Args:
        database: the ledger's.
        path: the record's file; made, readable by its owner alone, if it is missing.

    Raises:
        LedgerRefused: it cannot be opened or written, is damaged, or newer than this program.
    """

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self.path = path
        self.follows = False
        """Whether each change of the ledger is written down here as well."""
        database.attach(path, schema=SCHEMA, migrations=MIGRATIONS)

    # What it says.

    def remembered(self) -> Remembered:
        """What it says of itself; ``ledger`` is empty in a new one."""
        with self._database.errors():
            meta = dict(self._database.execute("SELECT key, value FROM record_meta").fetchall())
        return Remembered.of(meta)

    def may_have(self, issue: str) -> frozenset[bytes]:
        """Those who have the issue, or may have it, and are not in the ledger; see reader_tag."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT reader FROM record_delivery AS r"
                " JOIN record_campaign AS c ON c.id = campaign"
                f" WHERE r.id < 0 AND issue = ? AND state IN {listed(_MAY_HAVE)}",
                (issue,),
            ).fetchall()
        return frozenset(reader for (reader,) in rows)

    def in_round(self, issue: str, number: int) -> frozenset[bytes]:
        """Those who were in a round, whatever came of it, and are not in the ledger."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT reader FROM record_delivery AS r"
                " JOIN record_campaign AS c ON c.id = campaign"
                " WHERE r.id < 0 AND issue = ? AND round = ?",
                (issue, number),
            ).fetchall()
        return frozenset(reader for (reader,) in rows)

    def latest_round(self, issue: str) -> int:
        """1 for an issue's first round; “send --again” begins another."""
        with self._database.errors():
            (highest,) = self._database.execute(
                "SELECT COALESCE(MAX(round), 1) FROM record_campaign WHERE issue = ?", (issue,)
            ).fetchone()
        return int(highest)

    def missing(self) -> dict[str, str]:
        """The issues of campaigns that the ledger does not hold, by the campaign's id."""
        return self._pairs("SELECT id, issue FROM record_campaign"
                           " WHERE id NOT IN (SELECT id FROM main.campaign)")  # fmt: skip

    def unknown(self) -> frozenset[str]:
        """Issues of which a campaign was begun, and nobody knows who was in it."""
        found = self._pairs("SELECT id, issue FROM record_campaign WHERE planned IS NULL"
                            " AND id NOT IN (SELECT id FROM main.campaign)")  # fmt: skip
        return frozenset(found.values())

    def _pairs(self, sql: str) -> dict[str, str]:
        with self._database.errors():
            return dict(self._database.execute(sql).fetchall())

    # What is written down.

    def suppress(self, leave: Leave) -> None:
        """Note that somebody must not be mailed, whatever ledger is in use.

        Inside the caller's transaction.
        """
        add_to("record_suppression", leave, self._database)

    def absorbed(self, ledger: str) -> bool:
        """Whether the list's ledger knows all that another one, now given up, knew."""
        with self._database.errors():
            return bool(
                self._database.execute(
                    "SELECT EXISTS (SELECT 1 FROM record_ledger WHERE identity = ?)", (ledger,)
                ).fetchone()[0]
            )

    def belong_to(self, ledger: str, *, epoch: int, key_check: str) -> None:
        """Become the record of a ledger; inside the caller's transaction."""
        self._database.execute(
            "INSERT OR IGNORE INTO record_ledger SELECT value FROM record_meta"
            " WHERE key = 'ledger' AND value NOT IN ('', ?)",
            (ledger,),
        )
        self._put("ledger", ledger)
        self._put("epoch", str(epoch))
        self._put("key_check", key_check)

    def renamed(self) -> str:
        """Give it a name of its own, since it is a copy; inside the caller's transaction."""
        name = secrets.token_hex(16)
        self._put("id", name)
        return name

    def note_lost(self, campaigns: Iterable[tuple[str, str]]) -> None:
        """Note campaigns, by id and issue, of which nobody knows who was in them."""
        for campaign, issue in campaigns:
            self._database.execute(
                "INSERT OR IGNORE INTO record_campaign"
                " VALUES (?, ?, 1, 0, NULL, '', '', '{}', 0, 0, NULL)",
                (campaign, issue),
            )

    def join_suppressions(self) -> None:
        """Let ledger and record hold each event of either: who left, and who returned.

        Same key file only.

        Inside the caller's transaction.
        """
        both = self._database.execute(
            "SELECT (SELECT COUNT(*) FROM suppression), (SELECT COUNT(*) FROM record_suppression)"
        ).fetchone()
        if both[0] == both[1] and self.follows:
            return  # what is added to the ledger is added here as well
        self._database.execute(join_sql("record_suppression", "suppression"))
        self._database.execute(join_sql("suppression", "record_suppression"))

    def follow(self) -> None:
        """Write down from now on what the ledger writes.

        Only for the record of this very ledger, which must not be older than the record.
        In a transaction of its own: from the next one on, each raises the epoch.

        Raises:
            LedgerRefused: it cannot be written.
        """
        if self.follows:
            return
        execute = self._database.execute
        with self._database.transaction():
            (behind,) = execute(
                "SELECT (SELECT value FROM main.meta WHERE key = 'epoch') IS NOT"
                " (SELECT value FROM record_meta WHERE key = 'epoch')"
            ).fetchone()
            if behind:
                self.copy("SELECT id FROM record_campaign")
                execute("INSERT OR REPLACE INTO record_meta SELECT key, value FROM main.meta"
                        " WHERE key = 'epoch'")  # fmt: skip
            for trigger in FOLLOW:
                execute(trigger)
        self._database.before_commit = self._advance
        self.follows = True

    def note_folder(self, folder: str) -> None:
        """Note in which folder the list's ledger was used last; inside the caller's transaction."""
        self._put("folder", folder)

    def begin(self, campaign: str, *, machine: str, folder: str, boot: str) -> None:
        """Note that a run begins, before anything of the campaign leaves.

        Inside the caller's transaction; :meth:`sync` then brings it to disk.
        """
        for key, value in (("machine", machine), ("folder", folder), ("boot", boot)):
            self._put(key, value)
        known = self._database.execute(
            "SELECT 1 FROM record_delivery WHERE id ="
            " (SELECT MIN(id) FROM main.delivery WHERE campaign = ?)",
            (campaign,),
        ).fetchone()
        self._copy_frame(campaign)
        if known is None:
            self.copy("?", campaign)

    def settle(self, *, machine: str, folder: str) -> None:
        """Note where the list is sent from now on, and that no run is under way.

        Inside the caller's transaction.
        """
        for key, value in (("machine", machine), ("folder", folder), ("boot", "")):
            self._put(key, value)

    def include(self, campaign: str) -> None:
        """Take in a campaign as it is in the ledger; inside the caller's transaction."""
        self._copy_frame(campaign)
        self.copy("?", campaign)

    def end(self) -> None:
        """Note that a run has ended, however it did; inside the caller's transaction."""
        self._put("boot", "")

    def sync(self) -> None:
        """Bring to disk what was committed: of itself the record does that a moment later.

        Raises:
            LedgerRefused: it cannot be written.
        """
        self._database.checkpoint()

    def copy(self, campaigns: str, *parameters: object) -> None:
        """Copy deliveries from the ledger; inside the caller's transaction.

        Args:
            campaigns: which, as an SQL list or query.
            parameters: its own.
        """
        self._database.execute(
            f"INSERT OR REPLACE INTO record_delivery ({COLUMNS}) SELECT {FROM_LEDGER}"
            f" FROM main.delivery WHERE campaign IN ({campaigns}) ORDER BY id",
            parameters,
        )

    def _copy_frame(self, campaign: str) -> None:
        """A campaign with all that was approved, without its audience."""
        execute = self._database.execute
        execute(
            f"INSERT OR REPLACE INTO record_campaign SELECT {CAMPAIGN}, not_before, not_after,"
            " held FROM main.campaign JOIN main.control ON campaign = id WHERE id = ?",
            (campaign,),
        )
        execute(
            "INSERT OR REPLACE INTO record_version SELECT campaign, number, made_at, fingerprint,"
            " letterhead, seal FROM main.version WHERE campaign = ?",
            (campaign,),
        )
        execute(
            "INSERT OR REPLACE INTO record_edition SELECT campaign, version, language, content"
            " FROM main.edition WHERE campaign = ?",
            (campaign,),
        )

    def _advance(self) -> None:
        """One epoch more in both files, with each transaction.

        Raises:
            LedgerRefused: the record was written by another copy of this ledger.
        """
        ((epoch,),) = self._database.execute(
            "UPDATE main.meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'epoch'"
            " RETURNING CAST(value AS INTEGER)"
        ).fetchall()
        changed = self._database.execute(
            "UPDATE record_meta SET value = ? WHERE key = 'epoch' AND value = ?",
            (str(epoch), str(epoch - 1)),
        ).rowcount
        if changed != 1:
            raise LedgerRefused(
                "Another copy of this ledger was used meanwhile.",
                where=Where(self._database.path),
                next="Let only one of them go on. “newsletter adopt”, in that one's folder, "
                "brings it up to date.",
            )

    def _put(self, key: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO record_meta VALUES (?, ?)", (key, value))
