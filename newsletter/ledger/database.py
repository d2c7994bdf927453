"""The ledger's SQLite file: opening, transactions, and errors in our words.

Durability (docs/ledger.md): WAL with ``synchronous=FULL``, so that a commit has
been through fsync before it returns; NORMAL could forget an accepted message
after a power cut and mail it again. One writing connection; writers take the
lock at BEGIN, never in the middle.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from newsletter.addresses import Address
from newsletter.errors import LedgerRefused, Where
from newsletter.ledger.schema import SCHEMA
from newsletter.ledger.seal import reader_tag, seal
from newsletter.ledger.upgrade import SCHEMA_VERSION, statements, upgrade
from newsletter.message.keys import KeyRing
from newsletter.system import one_at_a_time

# Times are aware datetimes for whoever calls; in the file they are seconds since the epoch,
# which :func:`newsletter.clock.moment_at` reads. The whole process has this one file format.
sqlite3.register_adapter(datetime, datetime.timestamp)

_WRITES = ("INSERT", "UPDATE", "DELETE")


class Database:
    """One connection to the ledger's file; used by one thread at a time.

    Args:
        path: the file; created, readable by its owner alone, if it is missing.
        keys: the key ring that belongs to it. What is frozen is sealed with it, and
            who left is known by it: with another one nobody would be recognised.
        create: whether a missing file is created.

    Raises:
        LedgerRefused: the file is missing (without ``create``), is no ledger,
            is newer than this program, damaged, belongs to another key ring,
            or cannot be opened.
    """

    def __init__(self, path: Path, keys: KeyRing, *, create: bool) -> None:
        self.path = path
        self.keys = keys
        self.before_commit: Callable[[], None] = lambda: None
        self._files: dict[Path, tuple[int, int]] = {}
        self.seal_key = keys.seal_key
        self._interrupted = False
        fresh = not path.exists()
        if fresh and not create:
            raise LedgerRefused(
                "Nothing has been sent from here yet: there is no ledger.",
                where=Where(path),
                next="“newsletter send ISSUE” starts one.",
            )
        try:
            # Two that switch a new file to WAL at once get SQLITE_BUSY, without any wait.
            with one_at_a_time(path.parent):
                if fresh:
                    # 0600 from the first moment: the file holds addresses.
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                self._connection = sqlite3.connect(
                    path, isolation_level=None, check_same_thread=False, timeout=10
                )
                try:
                    self._prepare()
                except BaseException:
                    self._connection.close()
                    raise
                self._files[path] = _identity(path)
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from None

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        # On macOS fsync(2) stops at the drive's own memory; elsewhere these two do nothing.
        run("PRAGMA fullfsync = ON")
        run("PRAGMA checkpoint_fullfsync = ON")
        run("PRAGMA recursive_triggers = ON")  # else REPLACE deletes past the triggers
        self._offer("seal_of", -1, lambda *values: seal(self.seal_key, values))
        self._offer("reader_of", 1, lambda address: reader_tag(self.seal_key, address))
        self._offer("message_tag_of", 2, self.message_tag)
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
        else:
            self._refuse_other_key()  # before it seals anything
            if version < SCHEMA_VERSION:
                self._upgrade()
        self._name()
        # Not before: while it is on, references follow a table that an upgrade renames.
        run("PRAGMA foreign_keys = ON")

    def _create(self) -> None:
        with self.transaction():
            # Another process may have created it while this one waited for the lock.
            if self._connection.execute("PRAGMA user_version").fetchone() == (0,):
                for statement in statements(SCHEMA):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self) -> None:
        """Bring a ledger of an earlier version to this one, all or nothing."""
        with self.transaction():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == SCHEMA_VERSION:
                return  # another process has done it while this one waited for the lock
            upgrade(self._connection, SCHEMA, since=version, seal_key=self.seal_key)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _name(self) -> None:
        """Give a new ledger, or one of an older version, what names it."""
        names = {"key_check": self.keys.pepper_id, "identity": secrets.token_hex(16)}
        if all(self.meta(key) for key in names):
            return
        with self.transaction():
            for key, value in names.items():
                self.execute(
                    "INSERT INTO meta SELECT ?1, ?2"
                    " WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = ?1)",
                    (key, value),
                )

    def _offer(self, name: str, arguments: int, function: Callable[..., bytes]) -> None:
        """Let SQL call ``function``, and know a Ctrl-C in it from a fault of the ledger."""

        def called(*values: Any) -> bytes:
            try:
                return function(*values)
            except KeyboardInterrupt:
                self._interrupted = True
                raise

        self._connection.create_function(name, arguments, called, deterministic=True)

    def _refuse_other_key(self) -> None:
        if self.meta("key_check") not in {None, self.keys.pepper_id}:
            raise LedgerRefused(
                "The key file is not the one this ledger was written with, so those who "
                "unsubscribed would not be recognised.",
                where=Where(self.path),
                next="Restore newsletter.key from your backup; “newsletter docs keys” says more.",
            )

    def meta(self, key: str) -> str | None:
        """What is noted in the ledger under ``key``; None if nothing is."""
        with self.errors():
            row = self.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put_meta(self, key: str, value: str) -> None:
        """Note something in the ledger; inside the caller's transaction."""
        self.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run one statement; one that writes belongs into a transaction.

        Raises:
            RuntimeError: it writes, and the caller has opened none.
        """
        if sql.startswith(_WRITES) and not self._connection.in_transaction:
            raise RuntimeError("a write to the ledger outside of a transaction")
        return self._connection.execute(sql, parameters)

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """All that a question brings.

        Raises:
            LedgerRefused: the file cannot be read.
        """
        with self.errors():
            return self._connection.execute(sql, parameters).fetchall()

    def executemany(self, sql: str, rows: Iterable[tuple[object, ...]]) -> sqlite3.Cursor:
        """Run one statement for each row."""
        return self._connection.executemany(sql, rows)

    def message_tag(self, campaign: str, address: str) -> bytes:
        """What a campaign's message to an address is known by, see :class:`KeyRing`."""
        local, _, domain = address.rpartition("@")
        return bytes.fromhex(self.keys.message_tag(campaign, Address(local, domain)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing in the ledger, and on disk when the block ends.

        The send record is committed after the ledger; should that fail, it is
        behind, and copied anew when a run begins.

        Raises:
            LedgerRefused: the disk is full or read-only, the file is damaged,
                or another process keeps it locked. Nothing of the block stays.
            RuntimeError: the caller is inside of one already.
        """
        nested = self._connection.in_transaction
        if nested:
            raise RuntimeError("a transaction of the ledger inside of another one")
        with self.errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.before_commit()
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
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt from None
            raise self._refusal(error) from error

    def attach(self, path: Path, *, schema: str, migrations: Sequence[Sequence[str]]) -> None:
        """Open the send record beside the ledger, as ``record``; made if it is missing.

        One of an earlier version is brought up to date, all or nothing.

        Its commits are on disk a moment later (``synchronous=NORMAL``), which a
        killed program does not notice.

        Raises:
            LedgerRefused: it cannot be opened or written, is damaged, or newer
                than this program.
        """
        run = self._connection.execute
        version = len(migrations) + 1
        try:
            with one_at_a_time(path.parent):
                if not path.exists():
                    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                run("ATTACH ? AS record", (str(path.absolute()),))
                run("PRAGMA record.journal_mode = WAL")
                run("PRAGMA record.synchronous = NORMAL")
                (found,) = run("PRAGMA record.user_version").fetchone()
                if found < version:
                    with self.transaction():
                        if found == 0:
                            for statement in statements(schema):
                                run(statement.replace("CREATE TABLE ", "CREATE TABLE record."))
                        for statement in chain(*migrations[found - 1 :] if found else ()):
                            run(statement)
                        run(f"PRAGMA record.user_version = {version}")
                self._files[path] = _identity(path)
        except (OSError, sqlite3.Error) as error:
            raise LedgerRefused(
                f"The send record cannot be used: {error}.",
                where=Where(path),
                next="Look at the folder's permissions and the disk's free space. If the file is "
                "damaged, move it away; “newsletter adopt” then makes a new one and says what "
                "cannot be known.",
            ) from None
        if found > version:
            raise LedgerRefused(
                "The send record was written by a newer version of this program.",
                where=Where(path),
                next="Update the program; nothing was changed.",
            )

    def checkpoint(self) -> None:
        """Bring the send record to disk; no harm if another process reads it just now."""
        with self.errors():
            self._connection.execute("PRAGMA record.wal_checkpoint(PASSIVE)")

    def copy_to(self, path: Path, *, of: Literal["main", "record"]) -> None:
        """Write a copy of the ledger or its record as it is now, with SQLite's backup API.

        Raises:
            LedgerRefused: it cannot be written.
        """
        with self.errors():
            copy = sqlite3.connect(path)
            try:
                self._connection.backup(copy, name=of)
            finally:
                copy.close()

    def check_files(self) -> None:
        """Make sure that the files are still where they were opened.

        SQLite would go on writing to a file that was removed, and all of it would be lost.

        Raises:
            LedgerRefused: one was removed or replaced.
        """
        for path, identity in self._files.items():
            try:
                same = _identity(path) == identity
            except OSError:
                same = False
            if not same:
                raise LedgerRefused(
                    "This file was removed or replaced during a send.",
                    where=Where(path),
                    next="Nothing more was sent. Put the file back as it was, with its -wal file, "
                    "or let “newsletter adopt” bring another copy up to date.",
                )

    def check(self) -> None:
        """Read the whole file and see whether its pages fit together.

        Four seconds for a million deliveries, too long for each command:
        a run asks once, before it begins.

        Raises:
            LedgerRefused: the file is damaged.
        """
        for place, path in zip(("main", "record"), self._files, strict=False):
            with self.errors():
                found = self._connection.execute(f"PRAGMA {place}.quick_check(1)").fetchone()
            if found != ("ok",):
                what, following = _ADVICE[sqlite3.SQLITE_CORRUPT]
                raise LedgerRefused(what, where=Where(path), next=following)

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
            (f"The ledger cannot be used: {error}.", "Nothing was changed; correct this first."),
        )
        first, *others = self._files or (self.path,)
        beside = f"or the send record {others[0]}" if others else None
        return LedgerRefused(what, where=Where(first, item=beside), next=following)


_SAFE = "What was recorded stays recorded; then run “newsletter resume ISSUE”."
_ADVICE: dict[int | None, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("The disk is full, so nothing more can be recorded or sent.",
                          f"Free some space. {_SAFE}"),
    sqlite3.SQLITE_IOERR: ("The disk refuses the ledger's writes.",
                           f"Look at the disk and its free space. {_SAFE}"),
    sqlite3.SQLITE_READONLY: ("The ledger is read-only, so nothing can be recorded or sent.",
                              "Give yourself write permission for the file and its folder."),
    sqlite3.SQLITE_CANTOPEN: ("The ledger cannot be opened.",
                              "Look at the permissions of the file and its folder."),
    sqlite3.SQLITE_BUSY: ("Another program keeps the ledger locked.",
                          "Close it, or wait until its send is done."),
    sqlite3.SQLITE_CORRUPT: ("The ledger is damaged.",
                             "Keep the file, restore the latest backup beside it, and ask for "
                             "help before sending: only this file records who has the mail."),
    sqlite3.SQLITE_NOTADB: ("This file is not a ledger.",
                            "Move it away if it is not needed; see “newsletter docs ledger”."),
}  # fmt: skip


def move_aside(path: Path) -> Path | None:
    """Give a ledger another name, ``newsletter.db.1`` or the next one that is free.

    Its ``-wal`` file goes with it: a part of what was written may be there alone.

    Returns:
        The new name; None if there is no ledger.
    """
    # The file itself last: a ledger without its -wal is older, one that is gone is not.
    there = [s for s in ("-wal", "-shm", "") if path.with_name(f"{path.name}{s}").exists()]
    if not there:
        return None
    aside = next(
        free
        for number in count(1)
        if not any(
            (free := path.with_name(f"{path.name}.{number}")).with_name(f"{free.name}{s}").exists()
            for s in ("", *there)
        )
    )
    for suffix in there:
        path.with_name(f"{path.name}{suffix}").rename(aside.with_name(f"{aside.name}{suffix}"))
    return aside


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask a file of another kind one question, without opening the ledger.

    Raises:
        LedgerRefused: it cannot be read.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10)
        try:
            with connection:
                return connection.execute(sql).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LedgerRefused(
            f"The send record cannot be read: {error}.",
            where=Where(path),
            next="Look at its permissions. If it is damaged, move it away; “newsletter adopt” "
            "then makes a new one and says what cannot be known.",
        ) from None


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
