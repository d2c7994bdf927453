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
from newsletter.ledger.states import State, listed
from newsletter.ledger.suppressions import Leave, add_to, join_sql
from newsletter.ledger.upgrade import events_of, statements

# What a delivery is in both files. The order of the columns is that of the table.
_COLUMNS = (
    "id, campaign, reader, tag, language, state, wave, version, resends, attempts, dated_at,"
    " first_attempt_at, next_attempt_at, changed_at"
)
_FROM_LEDGER = _COLUMNS.replace("reader", "reader_of(address)")
_CAMPAIGN = "id, issue, round, frozen_at, planned, fingerprint, letterhead, excluded"

SCHEMA = """
CREATE TABLE record_meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO record_meta VALUES ('id', lower(hex(randomblob(16))));
-- Other ledgers of the list whose deliveries are in here.
CREATE TABLE record_ledger (
    identity TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE record_campaign (
    id TEXT PRIMARY KEY,
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,
    frozen_at REAL NOT NULL,
    planned INTEGER,               -- NULL: nobody knows who was in it
    fingerprint TEXT NOT NULL,
    letterhead TEXT NOT NULL,
    excluded TEXT NOT NULL,
    not_before REAL NOT NULL,
    not_after REAL NOT NULL,
    held TEXT
) WITHOUT ROWID;
CREATE TABLE record_version (
    campaign TEXT NOT NULL,
    number INTEGER NOT NULL,
    made_at REAL NOT NULL,
    fingerprint TEXT NOT NULL,
    letterhead TEXT NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (campaign, number)
) WITHOUT ROWID;
CREATE TABLE record_edition (
    campaign TEXT NOT NULL,
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (campaign, version, language)
) WITHOUT ROWID;
CREATE TABLE record_delivery (
    id INTEGER PRIMARY KEY,        -- the ledger's own; below 0: it has no such row
    campaign TEXT NOT NULL,
    reader BLOB NOT NULL,          -- keyed hash of the address as it is spelled
    tag BLOB NOT NULL,             -- that by which suppressions know them
    language TEXT NOT NULL,
    state TEXT NOT NULL,
    wave INTEGER NOT NULL,
    version INTEGER,
    resends INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    dated_at REAL,
    first_attempt_at REAL,
    next_attempt_at REAL NOT NULL,
    changed_at REAL NOT NULL
);
CREATE TABLE record_suppression (
    id BLOB NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    tag BLOB,
    about BLOB,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence TEXT NOT NULL,
    PRIMARY KEY (id, at)
) WITHOUT ROWID;
"""
MIGRATIONS = (
    # 1 to 2: suppressions are events.
    (
        "ALTER TABLE record.record_suppression RENAME TO old_suppression",
        *(
            statement.replace("CREATE TABLE ", "CREATE TABLE record.")
            for statement in statements(SCHEMA)
            if "record_suppression" in statement
        ),
        f"INSERT INTO record_suppression {events_of('record.old_suppression')}",
        "DROP TABLE record.old_suppression",
    ),
)
"""From each version to the next, as in :data:`newsletter.ledger.upgrade.MIGRATIONS`."""

_MAY_HAVE = (State.ATTEMPTING, State.ACCEPTED, State.IN_DOUBT)
OPEN = (State.PENDING, State.CLAIMED, State.DEFERRED)
"""Who waits to be mailed."""


# A claim is left out: nothing is handed over, and pending says as much.
_FOLLOW = (
    f"""CREATE TEMP TRIGGER record_state AFTER UPDATE ON main.delivery
        WHEN NEW.state <> '{State.CLAIMED}' BEGIN
        UPDATE record_delivery SET state = NEW.state, wave = NEW.wave, version = NEW.version,
          resends = NEW.resends, attempts = NEW.attempts, dated_at = NEW.dated_at,
          first_attempt_at = NEW.first_attempt_at, next_attempt_at = NEW.next_attempt_at,
          changed_at = NEW.changed_at
        WHERE id = NEW.id; END""",
    """CREATE TEMP TRIGGER record_control AFTER UPDATE ON main.control BEGIN
        UPDATE record_campaign SET not_before = NEW.not_before, not_after = NEW.not_after,
          held = NEW.held
        WHERE id = NEW.campaign; END""",
    """CREATE TEMP TRIGGER record_version_made AFTER INSERT ON main.version
        WHEN EXISTS (SELECT 1 FROM record_campaign WHERE id = NEW.campaign) BEGIN
        INSERT OR REPLACE INTO record_version VALUES (NEW.campaign, NEW.number, NEW.made_at,
          NEW.fingerprint, NEW.letterhead, NEW.seal); END""",
    """CREATE TEMP TRIGGER record_edition_made AFTER INSERT ON main.edition
        WHEN EXISTS (SELECT 1 FROM record_campaign WHERE id = NEW.campaign) BEGIN
        INSERT OR REPLACE INTO record_edition VALUES (NEW.campaign, NEW.version, NEW.language,
          NEW.content); END""",
    """CREATE TEMP TRIGGER record_leave AFTER INSERT ON main.suppression BEGIN
        INSERT OR IGNORE INTO record_suppression VALUES (NEW.id, NEW.at, NEW.kind, NEW.tag,
          NEW.about, NEW.reason, NEW.source, NEW.evidence); END""",
)


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
            for trigger in _FOLLOW:
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
            f"INSERT OR REPLACE INTO record_delivery ({_COLUMNS}) SELECT {_FROM_LEDGER}"
            f" FROM main.delivery WHERE campaign IN ({campaigns}) ORDER BY id",
            parameters,
        )

    def _copy_frame(self, campaign: str) -> None:
        """A campaign with all that was approved, without its audience."""
        execute = self._database.execute
        execute(
            f"INSERT OR REPLACE INTO record_campaign SELECT {_CAMPAIGN}, not_before, not_after,"
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
