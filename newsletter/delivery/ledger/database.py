"""The ledger's SQLite file: opening, schema, transactions, and errors in our words.

Durability (docs/ledger.md): WAL with ``synchronous=FULL``, so that a commit has
been through fsync before it returns; NORMAL could forget an accepted message
after a power cut and mail it again. One writing connection; writers take the
lock at BEGIN, never in the middle.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.delivery.ledger.upgrade import statements, upgrade
from newsletter.delivery.states import HAS_OR_MAY_HAVE, State
from newsletter.errors import LedgerRefused, Where

SCHEMA_VERSION = 2


def _words(states: frozenset[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_SCHEMA = f"""
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE campaign (
    id TEXT PRIMARY KEY,
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,        -- 1; each “send --again” adds one
    frozen_at REAL NOT NULL,       -- seconds since the epoch, as all times here
    planned INTEGER NOT NULL,      -- rows frozen in the same transaction
    fingerprint TEXT NOT NULL,     -- editions and letterhead: what resume compares
    letterhead TEXT NOT NULL,      -- JSON: sender and list as frozen
    excluded TEXT NOT NULL         -- JSON: who of the list was left out, counts by reason
) WITHOUT ROWID;

-- What people and runs decide about a campaign while it goes on. Its row is
-- written last in the freeze: from then on the audience is sealed.
CREATE TABLE control (
    campaign TEXT PRIMARY KEY REFERENCES campaign (id),
    not_before REAL NOT NULL,      -- send --at; else the freeze
    not_after REAL NOT NULL,       -- too late from then on, unless a person says otherwise
    wave INTEGER NOT NULL,         -- deliveries of later waves wait for the canary
    version INTEGER NOT NULL,      -- of the editions that a first attempt gets; from 1
    held TEXT                      -- why nothing new is attempted, in words; NULL: go on
) WITHOUT ROWID;

-- What was approved: version 1 with the freeze, one more with each correction.
CREATE TABLE version (
    campaign TEXT NOT NULL REFERENCES campaign (id),
    number INTEGER NOT NULL,
    made_at REAL NOT NULL,
    fingerprint TEXT NOT NULL,     -- of its editions and the campaign's letterhead
    PRIMARY KEY (campaign, number)
) WITHOUT ROWID;

CREATE TABLE edition (
    campaign TEXT NOT NULL REFERENCES campaign (id),
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    content TEXT NOT NULL,         -- JSON, see render/edition.py
    PRIMARY KEY (campaign, version, language)
) WITHOUT ROWID;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL REFERENCES campaign (id),
    issue TEXT NOT NULL,
    round INTEGER NOT NULL,
    address TEXT NOT NULL,         -- Address.key
    domain TEXT NOT NULL,          -- of the address: pauses and limits are by domain
    tag BLOB NOT NULL,             -- keyed hash of the address, see message/keys.py
    name TEXT NOT NULL,
    language TEXT NOT NULL,        -- of the edition this person gets
    fields TEXT NOT NULL,          -- JSON: further columns of the list
    state TEXT NOT NULL CHECK (state IN ({_words(frozenset(State))})),
    wave INTEGER NOT NULL,         -- 0 seeds, 1 canary, 2 the rest
    version INTEGER,               -- of the edition they were first attempted with, for good
    resends INTEGER NOT NULL DEFAULT 0, -- how often a person had it mailed again
    attempts INTEGER NOT NULL DEFAULT 0,
    dated_at REAL,                 -- the Date header: first claim, kept on every attempt
    first_attempt_at REAL,         -- when retrying began
    next_attempt_at REAL NOT NULL DEFAULT 0,
    run TEXT,                      -- who holds the claim
    reply TEXT NOT NULL DEFAULT '',
    provider_id TEXT,
    changed_at REAL NOT NULL,
    UNIQUE (campaign, address)
);
-- An issue reaches an address once: a second copy cannot even be written down.
CREATE UNIQUE INDEX once ON delivery (issue, round, address)
    WHERE state IN ({_words(HAS_OR_MAY_HAVE)});
CREATE INDEX queue ON delivery (campaign, state, wave, next_attempt_at);
CREATE INDEX of_domain ON delivery (campaign, domain);
-- Planned = the sum of the states: nobody can be taken out or slipped in later,
-- none becomes another's, and the number itself stays.
CREATE TRIGGER delivery_stays BEFORE DELETE ON delivery
    BEGIN SELECT RAISE(ABORT, 'deliveries are never deleted'); END;
CREATE TRIGGER delivery_is_its_own BEFORE UPDATE OF id, campaign, issue, round ON delivery
    BEGIN SELECT RAISE(ABORT, 'a delivery belongs to its campaign for good'); END;
CREATE TRIGGER audience_is_sealed BEFORE INSERT ON delivery
    WHEN EXISTS (SELECT 1 FROM control WHERE campaign = NEW.campaign)
    BEGIN SELECT RAISE(ABORT, 'the audience is sealed'); END;
CREATE TRIGGER seal_stays BEFORE DELETE ON control
    BEGIN SELECT RAISE(ABORT, 'the audience is sealed'); END;
CREATE TRIGGER campaign_stays BEFORE DELETE ON campaign
    BEGIN SELECT RAISE(ABORT, 'campaigns are never deleted'); END;
CREATE TRIGGER campaign_is_frozen BEFORE UPDATE ON campaign
    BEGIN SELECT RAISE(ABORT, 'campaigns are frozen'); END;
CREATE TRIGGER edition_stays BEFORE DELETE ON edition
    BEGIN SELECT RAISE(ABORT, 'what was approved is kept'); END;
CREATE TRIGGER edition_is_frozen BEFORE UPDATE ON edition
    BEGIN SELECT RAISE(ABORT, 'what was approved is never changed'); END;

CREATE TABLE attempt (
    delivery INTEGER NOT NULL REFERENCES delivery (id),
    number INTEGER NOT NULL,
    run TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT,                  -- NULL: the answer was never written down
    reply TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID;

-- One request to a provider that took several messages, as needed to repeat it.
CREATE TABLE call (
    key TEXT PRIMARY KEY,          -- its idempotency key
    campaign TEXT NOT NULL REFERENCES campaign (id),
    transport TEXT NOT NULL,
    place TEXT NOT NULL,           -- Transport.place: the account's endpoint
    members TEXT NOT NULL,         -- JSON: ids of deliveries, in the request's order
    digest TEXT NOT NULL,          -- SHA-256 of its body, hex
    first_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
    id TEXT PRIMARY KEY,
    campaign TEXT NOT NULL REFERENCES campaign (id),
    transport TEXT NOT NULL,
    place TEXT NOT NULL,
    started_at REAL NOT NULL,
    seen_at REAL NOT NULL,         -- it was alive
    ended_at REAL,
    ending TEXT NOT NULL DEFAULT ''  -- why it ended, in words
) WITHOUT ROWID;

-- How fast mail may go; outlives the run that learned it.
CREATE TABLE bucket (
    name TEXT PRIMARY KEY,         -- a Transport.place, or “domain example.org”
    tokens REAL NOT NULL,
    filled_at REAL NOT NULL,
    per_second REAL,               -- NULL: no limit known
    blocked_until REAL NOT NULL DEFAULT 0,
    learned TEXT NOT NULL DEFAULT ''  -- JSON: what else pacing keeps in mind
) WITHOUT ROWID;

-- What was learned after the attempt: a provider's word, a bounce, a complaint.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL REFERENCES delivery (id),
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    mark TEXT NOT NULL UNIQUE      -- the same news twice is one event
);

CREATE TABLE suppression (
    id INTEGER PRIMARY KEY,
    tag BLOB NOT NULL,             -- keyed hash: the list of who left names nobody
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    at REAL NOT NULL,
    UNIQUE (tag, reason)
);
-- Append-only: no import and no restored backup can bring back who left.
CREATE TRIGGER suppression_stays BEFORE DELETE ON suppression
    BEGIN SELECT RAISE(ABORT, 'suppressions are never deleted'); END;
CREATE TRIGGER suppression_is_final BEFORE UPDATE ON suppression
    BEGIN SELECT RAISE(ABORT, 'suppressions are never changed'); END;
"""


class Database:
    """One connection to the ledger's file; used by one thread at a time.

    Args:
        path: the file; created, readable by its owner alone, if it is missing.
        create: whether a missing file is created.

    Raises:
        LedgerRefused: the file is missing (without ``create``), is no ledger,
            is newer than this program, damaged, or cannot be opened.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        fresh = not path.exists()
        if fresh and not create:
            raise LedgerRefused(
                "Nothing has been sent from here yet: there is no ledger.",
                where=Where(path),
                next="“newsletter send ISSUE” starts one.",
            )
        try:
            # Two that switch a new file to WAL at once get SQLITE_BUSY, without any wait.
            with _one_at_a_time(path.parent):
                if fresh:
                    # 0600 from the first moment: the file holds addresses.
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                self._connection = sqlite3.connect(
                    path, isolation_level=None, check_same_thread=False, timeout=10
                )
                self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from None

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        # 64 MB, used as far as the file is large: with SQLite's own 2 MB a freeze of
        # 200,000 takes nearly twice as long.
        run("PRAGMA cache_size = -65536")
        (level,) = run("PRAGMA synchronous").fetchone()
        if level < 2:  # some builds override it; then no promise could be kept
            raise LedgerRefused("This SQLite cannot write durably.", where=Where(self.path))
        (version,) = run("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise LedgerRefused(
                "The ledger was written by a newer version of this program.",
                where=Where(self.path),
                next="Update the program; nothing was changed.",
            )
        if version == 0:
            self._create()
        elif version < SCHEMA_VERSION:
            self._upgrade()

    def _create(self) -> None:
        with self.transaction():
            # Another process may have created it while this one waited for the lock.
            if self._connection.execute("PRAGMA user_version").fetchone() == (0,):
                for statement in statements(_SCHEMA):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self) -> None:
        """Bring a ledger of version 1 to this one, all or nothing."""
        with self.transaction():
            if self._connection.execute("PRAGMA user_version").fetchone() != (1,):
                return  # another process has done it while this one waited for the lock
            upgrade(self._connection, _SCHEMA)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterator[tuple[object, ...]]) -> sqlite3.Cursor:
        """Run one statement for each row."""
        return self._connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when the block ends.

        Raises:
            LedgerRefused: the disk is full or read-only, the file is damaged,
                or another process keeps it locked. Nothing of the block stays.
        """
        with self.errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translate SQLite's errors; used around every read as well."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._refusal(error) from error

    def check(self) -> None:
        """Read the whole file and see whether its pages fit together.

        Four seconds for a million deliveries, too long for each command:
        a run asks once, before it begins.

        Raises:
            LedgerRefused: the file is damaged.
        """
        with self.errors():
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            what, following = _ADVICE[sqlite3.SQLITE_CORRUPT]
            raise LedgerRefused(what, where=Where(self.path), next=following)

    def close(self) -> None:
        """Close the connection. Never raises."""
        try:
            self._connection.close()
        except sqlite3.Error:
            return

    def _refusal(self, error: Exception) -> LedgerRefused:
        code = getattr(error, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None
        what, following = _ADVICE.get(
            primary,
            (f"The ledger cannot be used: {error}.", "Nothing was changed; mend this first."),
        )
        return LedgerRefused(what, where=Where(self.path), next=following)


_SAFE = "What was recorded stays recorded; then run “newsletter resume ISSUE”."
_ADVICE: dict[int | None, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("The disk is full, so nothing more can be recorded or sent.",
                          f"Free some space. {_SAFE}"),
    sqlite3.SQLITE_IOERR: ("The disk does not take what the ledger writes.",
                           f"Look at the disk and its free space. {_SAFE}"),
    sqlite3.SQLITE_READONLY: ("The ledger is read-only, so nothing can be recorded or sent.",
                              "Give yourself write permission for the file and its folder."),
    sqlite3.SQLITE_CANTOPEN: ("The ledger cannot be opened.",
                              "Look at the permissions of the file and its folder."),
    sqlite3.SQLITE_BUSY: ("Another program keeps the ledger locked.",
                          "Close it, or wait until its send is done."),
    sqlite3.SQLITE_CORRUPT: ("The ledger is damaged.",
                             "Keep the file, restore the latest backup beside it, and ask for "
                             "help before sending: who has the mail is written only there."),
    sqlite3.SQLITE_NOTADB: ("This file is no ledger.",
                            "Move it away if it is not needed; see docs/ledger.md."),
}  # fmt: skip


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
