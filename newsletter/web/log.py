"""The public log: one append-only SQLite file of sealed boxes. All its SQL stands here.

An entry is a random id and a box that this machine cannot open, chained to the
one before: ``head = SHA-256(head before | id | box)``. The file holds no time (the
day of an entry aside, by which old ones leave), no kind and no tag.

Durability: WAL with ``synchronous=FULL``, and nobody is told that an entry is
written before its commit has been through fsync. One thread writes; all who wait
share a commit. Several processes may append to one file: the head is read inside
the transaction that extends it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue

from newsletter.clock import Clock, SystemClock
from newsletter.errors import LedgerRefused, Where
from newsletter.system import one_at_a_time, sync_folder

ID_BYTES = 16
MOST_ENTRIES = 1_000
"""The most entries of one page."""
LARGEST_SEQ = 10**18 - 1
"""The last place that a log may have and that may be asked for."""
_MOST_PAGE_BYTES = 1_200_000
"""The most bytes of one page's boxes, but for a single box that is larger."""

_NAMES = ("application_id", "user_version")
_NAMES_ARE = (0x4E4C6F67, 1)
"""What tells SQLite's files apart: “NLog”, and the version of the tables."""
_WAIT_S = 5.0
"""How long another program may keep the file locked before an entry is refused."""
_MOST_WAITING = 10_000
_MOST_A_COMMIT = 1_000
_MOST_DROPPED = 1_000
"""Of old entries, in one transaction: some 0.05 s, more with long boxes."""
_PAUSE_S = 0.1
"""Between two of those: SQLite looks that often whether a lock is free."""
_SECONDS_A_DAY = 86_400
_WAL_HEADER_BYTES = 32
_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
"""How a -wal file begins (https://www.sqlite.org/fileformat2.html, 4.1)."""

_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE entry (
        seq INTEGER PRIMARY KEY,       -- from 1, without a gap
        id BLOB NOT NULL UNIQUE,       -- random
        box BLOB NOT NULL,             -- sealed to the officer's key
        head BLOB NOT NULL,            -- SHA-256(head before | id | box)
        day INTEGER NOT NULL           -- since 1970, for deleting old ones
    )""",
)


class LogUnwritable(LedgerRefused):
    """The public log did not take an entry; whoever asked must be told so (HTTP 503)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a public log.

    Attributes:
        seq: its place, from 1.
        id: 16 random bytes, the id of the event that the box holds.
        box: sealed, see :mod:`newsletter.web.seal`.
        head: the chain's end with this entry, 32 bytes.
    """

    seq: int
    id: bytes
    box: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries of a public log, in order.

    Attributes:
        log_id: 32 hexadecimal digits; each log has its own.
        entries: those behind the place that was asked for.
        first_kept: the place of the oldest entry that is still there; one more than ``last``
            if none is.
        last: the place of the newest entry; 0 if there never was one.
        head: the chain's end at the place that was asked for; None if the log does not
            know it, since entries left or there never were so many.
        secret: the number of the newest secret whose keys the log's server has; 0: no server
            said so yet.
    """

    log_id: str
    entries: tuple[Entry, ...]
    first_kept: int
    last: int
    head: bytes | None
    secret: int = 0


def first_head(log_id: str) -> bytes:
    """The chain's end before the first entry: SHA-256 of the log's id."""
    return hashlib.sha256(log_id.encode()).digest()


def next_head(head: bytes, id_: bytes, box: bytes) -> bytes:
    """The chain's end behind one more entry."""
    return hashlib.sha256(head + id_ + box).digest()


class PublicLog:
    """An open public log, for any number of threads.

    Args:
        path: the file, such as public.db.
        create: whether a missing file is made, readable by its owner alone.
        clock: tells the day.

    Raises:
        LedgerRefused: it is missing (without ``create``), is no public log, is
            damaged or cannot be opened.
    """

    def __init__(self, path: Path, *, create: bool = True, clock: Clock | None = None) -> None:
        self.path = path
        self._create = create
        self._clock = clock or SystemClock()
        with _in_our_words(path, LedgerRefused):
            self._reader: _File | None = _File(path, create=create)
        self._reading = threading.Lock()
        self._waiting: Queue[_Waiting | None] = Queue(_MOST_WAITING)
        self._submitting = threading.Lock()
        self._closed = False
        self._writer = threading.Thread(target=self._write_all, name="public log", daemon=True)
        self._writer.start()

    def append(self, box: bytes, id_: bytes | None = None) -> bytes:
        """Add an entry; returns its id once it is on disk.

        Args:
            box: sealed.
            id_: 16 bytes; random ones if it is left out. An id that is there already
                adds nothing.

        Raises:
            LogUnwritable: it is not on disk.
        """
        return self.submit(box, id_).result()

    def submit(self, box: bytes, id_: bytes | None = None) -> Future[bytes]:
        """As :meth:`append`, without waiting: the result is there once the entry is on disk.

        For an event loop: ``await asyncio.wrap_future(log.submit(box))``.
        """
        waiting = _Waiting(id_ or secrets.token_bytes(ID_BYTES), box, Future())
        # No caller may take it back: it may be on disk by then.
        waiting.written.set_running_or_notify_cancel()
        with self._submitting:
            if not self._closed:
                try:
                    self._waiting.put_nowait(waiting)
                except Full:
                    pass
                else:
                    return waiting.written
        why = "The public log takes no more entries at the moment."
        waiting.written.set_exception(LogUnwritable(why, where=Where(self.path)))
        return waiting.written

    def page(self, after: int, most: int = MOST_ENTRIES) -> Page:
        """The entries behind a place.

        Args:
            after: the place, 0 for the beginning.
            most: how many, at most; never more than :data:`MOST_ENTRIES`.

        Raises:
            LedgerRefused: the log cannot be read.
        """
        with self._read(LedgerRefused) as reader, _transaction(reader, "BEGIN"):
            log_id = _meta(reader, "log_id")
            left = int(_meta(reader, "left"))
            last = _last(reader)
            found = reader.execute(
                "SELECT seq, id, box, head FROM entry WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, max(0, min(most, MOST_ENTRIES))),
            )
            entries = tuple(_as_many_as_fit(Entry(*row) for row in found))
            head = _head_at(reader, after)
            secret = int(_meta(reader, "secret"))
        return Page(log_id, entries, left + 1, last, head, secret)

    def bytes_by_day(self, *, longer_than: int) -> dict[int, int]:
        """How many bytes of boxes longer than so many are there, by day since 1970.

        Raises:
            LogUnwritable: the log cannot be read.
        """
        with self._read(LogUnwritable) as reader:
            return dict(
                reader.execute(
                    "SELECT day, SUM(LENGTH(box)) FROM entry WHERE LENGTH(box) > ? GROUP BY day",
                    (longer_than,),
                ).fetchall()
            )

    def note_secret(self, number: int) -> None:
        """Note the newest secret whose keys this log's server has, for whoever reads the log.

        Raises:
            LogUnwritable: it cannot be noted.
        """
        with self._read(LogUnwritable) as connection, _transaction(connection):
            if int(_meta(connection, "secret")) != number:
                _note(connection, "secret", str(number))

    def note_synced(self, seq: int) -> None:
        """Note that the officer's machine has read all up to ``seq``.

        Raises:
            LogUnwritable: it cannot be noted.
        """
        with self._read(LogUnwritable) as connection, _transaction(connection):
            seq = min(seq, _last(connection))
            if seq > int(_meta(connection, "synced")):
                _note(connection, "synced", str(seq))

    def drop_synced(self, before_day: int) -> int:
        """Let the oldest entries leave that were read and are from before a day.

        What stays can still be verified: the chain's end before it is kept. The bytes of
        those that left are overwritten. Some leave at a time, so that what readers ask for
        is not refused meanwhile.

        Args:
            before_day: in days since 1970.

        Returns:
            How many left.

        Raises:
            LogUnwritable: it cannot be written.
        """
        dropped = 0
        while some := self._drop_some(before_day):
            dropped += some
            if some == _MOST_DROPPED:
                self._clock.sleep(_PAUSE_S)
        with self._read(LogUnwritable) as connection:
            # Else they would stay readable in the -wal file until it is written over.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return dropped

    def _drop_some(self, before_day: int) -> int:
        with self._read(LogUnwritable) as connection, _transaction(connection):
            synced, left = (int(_meta(connection, key)) for key in ("synced", "left"))
            until = min(_last(connection), left + _MOST_DROPPED)
            (stays,) = connection.execute(
                "SELECT MIN(seq) FROM entry WHERE seq <= ? AND (seq > ? OR day >= ?)",
                (until, synced, before_day),
            ).fetchone()
            if stays is not None:
                until = stays - 1
            if until == left:
                return 0
            head = _head_at(connection, until)
            assert head is not None
            _note(connection, "left", str(until))
            _note(connection, "left_head", head.hex())
            return connection.execute("DELETE FROM entry WHERE seq <= ?", (until,)).rowcount

    @property
    def form_key(self) -> bytes:
        """32 random bytes of this log's own, for the forms of all servers that share it.

        Raises:
            LedgerRefused: the log cannot be read.
        """
        with self._read(LedgerRefused) as reader:
            return bytes.fromhex(_meta(reader, "form_key"))

    def close(self) -> None:
        """Write what waits, then close the file. Never raises."""
        with self._submitting:
            first, self._closed = not self._closed, True
        if first:
            self._waiting.put(None)
            self._writer.join()
            with self._reading:
                _close(self._reader)

    @contextmanager
    def _read(self, refusal: type[LedgerRefused]) -> Iterator[sqlite3.Connection]:
        """The connection that all threads but the writer share, one at a time."""
        with self._reading, _in_our_words(self.path, refusal):
            if self._reader is None or not self._reader.is_in_place():
                _close(self._reader)
                self._reader = None
                self._reader = _File(self.path, create=False)
            yield self._reader.connection

    # On the writer's thread

    def _write_all(self) -> None:
        file: _File | None = None
        failed = False
        while batch := self._next_batch():
            try:
                with _in_our_words(self.path, LogUnwritable):
                    file = file or _File(self.path, create=self._create, check=failed)
                    self._write(file, batch)
            except Exception as error:  # noqa: BLE001 - a silent thread would leave all waiting for ever
                # Opened anew for the next: the disk may have room again, the file may be back.
                _close(file)
                file, failed = None, True
                # Both, or SQLite would go on with what it remembers of the old files.
                with self._reading:
                    _close(self._reader)
                    self._reader = None
                if not isinstance(error, LogUnwritable):
                    error = LogUnwritable(f"The public log stopped on a fault: {error!r}.")
                for each in batch:
                    each.written.set_exception(error)
            else:
                failed = False
                for each in batch:
                    each.written.set_result(each.id)
        _close(file)

    def _next_batch(self) -> list[_Waiting]:
        """All who wait, at least one; nothing once the log is closed."""
        batch: list[_Waiting] = []
        item = self._waiting.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _MOST_A_COMMIT:
                return batch
            try:
                item = self._waiting.get_nowait()
            except Empty:
                return batch
        if batch:
            self._waiting.put(None)  # the end is met again, behind this batch
        return batch

    def _write(self, file: _File, batch: list[_Waiting]) -> None:
        self._refuse_moved(file)
        connection = file.connection
        day = int(self._clock.now().timestamp() // _SECONDS_A_DAY)
        with _transaction(connection):
            seq = _last(connection)
            head = _head_at(connection, seq)
            assert head is not None
            for each in batch:
                known = connection.execute("SELECT 1 FROM entry WHERE id = ?", (each.id,))
                if known.fetchone():
                    continue
                seq, head = seq + 1, next_head(head, each.id, each.box)
                connection.execute(
                    "INSERT INTO entry VALUES (?, ?, ?, ?, ?)",
                    (seq, each.id, each.box, head, day),
                )
        self._refuse_moved(file)

    def _refuse_moved(self, file: _File) -> None:
        # SQLite would go on writing to a file that was removed or cut, and all of it would be lost.
        if not file.is_in_place():
            raise LogUnwritable(
                "The public log was removed, replaced or cut.", where=Where(self.path)
            )


def forget_synced(log: PublicLog, seq: int, keep_days: int, clock: Clock) -> None:
    """Let entries up to ``seq`` leave that are older than ``keep_days``.

    Raises:
        LogUnwritable: it cannot be written.
    """
    log.note_synced(seq)
    log.drop_synced(int(clock.now().timestamp() // _SECONDS_A_DAY) - keep_days)


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: bytes
    box: bytes
    written: Future[bytes]


class _File:
    """A connection to a public log, and which files it was made to.

    Args:
        path: the log.
        create: whether a missing one is made.
        check: whether all of it is looked through for damage.

    Raises:
        OSError, sqlite3.Error, LedgerRefused: it cannot be used.
    """

    def __init__(self, path: Path, *, create: bool, check: bool = False) -> None:
        self._path = path
        # Two that switch a new file to WAL at once get SQLITE_BUSY, without any wait.
        with one_at_a_time(path.parent):
            if not path.exists():
                if not create:
                    raise FileNotFoundError(errno.ENOENT, "there is none", str(path))
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                sync_folder(path.parent)
            self.connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_WAIT_S
            )
            try:
                self._prepare()
                if check:
                    self._check()
            except BaseException:
                self.connection.close()
                raise
        self._known = self._look()

    def _prepare(self) -> None:
        run = self.connection.execute
        kind, version = (run(f"PRAGMA {name}").fetchone()[0] for name in _NAMES)
        (tables,) = run("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if tables and (kind, version) != _NAMES_ARE:
            raise LedgerRefused(
                "This file is not a public log, or was written by a newer version of this program.",
                where=Where(self._path),
                next="Name another file, or update the program; nothing was changed.",
            )
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        # On macOS fsync(2) stops at the drive's own memory; elsewhere these two do nothing.
        run("PRAGMA fullfsync = ON")
        run("PRAGMA checkpoint_fullfsync = ON")
        run("PRAGMA secure_delete = ON")
        if not tables:
            with _transaction(self.connection):
                for statement in _SCHEMA:
                    run(statement)
                _note(self.connection, "log_id", secrets.token_hex(ID_BYTES))
                _note(self.connection, "form_key", secrets.token_hex(32))
                for name, value in zip(_NAMES, _NAMES_ARE, strict=True):
                    run(f"PRAGMA {name} = {value}")

    def _check(self) -> None:
        if self.connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            what, following = _ADVICE[sqlite3.SQLITE_CORRUPT]
            raise LedgerRefused(what, where=Where(self._path), next=following)

    def is_in_place(self) -> bool:
        """Whether the files have their names still, and nobody cut them."""
        before, self._known = self._known, self._look()
        return bool(before and self._known and self._known.follows(before))

    def _look(self) -> _Look | None:
        try:
            log, wal = Path(self._path), Path(f"{self._path}-wal")
            # The log itself is not opened: closing it would drop SQLite's locks (F_SETLK).
            with wal.open("rb") as file:
                header = file.read(_WAL_HEADER_BYTES)
            return _Look(log.stat(), wal.stat(), header)
        except OSError:
            return None


@dataclass(frozen=True, slots=True)
class _Look:
    """How a log's files look.

    Attributes:
        log: the file.
        wal: its -wal file.
        header: how that one begins; empty after a checkpoint that emptied it.
    """

    log: os.stat_result
    wal: os.stat_result
    header: bytes

    def follows(self, before: _Look) -> bool:
        """Whether SQLite alone changed them since."""
        pairs = ((before.log, self.log), (before.wal, self.wal))
        if any((a.st_dev, a.st_ino) != (b.st_dev, b.st_ino) for a, b in pairs):
            return False
        if self.log.st_size < before.log.st_size:
            return False
        if not self.header:
            return True
        cut = self.header == before.header and self.wal.st_size < before.wal.st_size
        return self.header.startswith(_WAL_MAGIC) and not cut


def _as_many_as_fit(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The first entries, as far as a page has room for their boxes; one at least."""
    size = 0
    for entry in entries:
        size += len(entry.box)
        if size > _MOST_PAGE_BYTES and size > len(entry.box):
            return
        yield entry


def _close(file: _File | None) -> None:
    if file is not None:
        with suppress(sqlite3.Error):
            file.connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """All or nothing, and on disk when the block ends."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _meta(connection: sqlite3.Connection, key: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else "0"


def _note(connection: sqlite3.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _last(connection: sqlite3.Connection) -> int:
    """The place of the newest entry, even if it left."""
    (last,) = connection.execute("SELECT MAX(seq) FROM entry").fetchone()
    return int(_meta(connection, "left")) if last is None else int(last)


def _head_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """The chain's end at a place; None where it is not known."""
    row = connection.execute("SELECT head FROM entry WHERE seq = ?", (seq,)).fetchone()
    if row:
        return bytes(row[0])
    if seq != int(_meta(connection, "left")):
        return None
    if seq == 0:
        return first_head(_meta(connection, "log_id"))
    return bytes.fromhex(_meta(connection, "left_head"))


@contextmanager
def _in_our_words(path: Path, refusal: type[LedgerRefused]) -> Iterator[None]:
    try:
        yield
    except LedgerRefused as error:
        raise refusal(error.what, where=error.where, next=error.next) from None
    except OSError as error:
        raise refusal(
            f"The public log cannot be opened: {error.strerror}.",
            where=Where(path),
            next="Look at the permissions of the file and its folder.",
        ) from None
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None
        what, following = _ADVICE.get(primary, (f"The public log cannot be used: {error}.", ""))
        raise refusal(what, where=Where(path), next=following) from None


_ADVICE: dict[int | None, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("The disk is full, so the public log takes no entry.",
                          "Free some space; it then continues."),
    sqlite3.SQLITE_IOERR: ("The disk refuses the public log's writes.",
                           "Check the disk and its free space; it then continues."),
    sqlite3.SQLITE_READONLY: ("The public log is read-only.",
                              "Give the server's user write permission for it and its folder."),
    sqlite3.SQLITE_CANTOPEN: ("The public log cannot be opened.",
                              "Look at the permissions of the file and its folder."),
    sqlite3.SQLITE_BUSY: ("Another program keeps the public log locked.",
                          "Close that program; the log then continues."),
    sqlite3.SQLITE_CORRUPT: ("The public log is damaged.",
                             "Move the file away and keep it; the server then begins "
                                 "a new one. “newsletter docs public” says more."),
    sqlite3.SQLITE_NOTADB: ("This file is not a public log.", "Name another file."),
}  # fmt: skip
