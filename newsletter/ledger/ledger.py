"""The ledger as a whole: one file, and an object for each kind of record in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import LedgerRefused, Where
from newsletter.ledger.buckets import Buckets
from newsletter.ledger.calls import Calls
from newsletter.ledger.campaigns import Campaigns
from newsletter.ledger.controls import Controls
from newsletter.ledger.database import Database
from newsletter.ledger.deliveries import Deliveries
from newsletter.ledger.events import Events
from newsletter.ledger.record import SendRecord
from newsletter.ledger.recovery import Recovery
from newsletter.ledger.runs import Runs
from newsletter.ledger.statement import Statement
from newsletter.ledger.suppressions import Suppressions
from newsletter.message.keys import KeyRing


class Ledger:
    """An open ledger; used by one thread at a time.

    Args:
        path: newsletter.db.
        key_check: a digest of the key file's pepper. Suppressions are keyed by
            that pepper: with another key file nobody who left would be
            recognised, so the ledger refuses it.
        seal_key: with which what is frozen is sealed; secret, and always the same.
        create: whether a missing file is created.

    Raises:
        LedgerRefused: it cannot be opened, or belongs to another key file.
    """

    def __init__(self, path: Path, *, key_check: str, seal_key: bytes, create: bool = True) -> None:
        self._database = Database(path, create=create, seal_key=seal_key)
        self.path = path
        self.campaigns = Campaigns(self._database)
        self.controls = Controls(self._database)
        self.deliveries = Deliveries(self._database)
        self.calls = Calls(self._database)
        self.buckets = Buckets(self._database)
        self.runs = Runs(self._database)
        self.events = Events(self._database)
        self.statement = Statement(self._database)
        self.suppressions = Suppressions(self._database)
        self.record: SendRecord | None = None
        try:
            self._begin(key_check)
        except LedgerRefused:
            self.close()
            raise

    @property
    def identity(self) -> str:
        """A random name, given when the ledger was made; a copy of the file has the same."""
        return self._meta("identity") or ""

    @property
    def epoch(self) -> int:
        """How often the ledger was written since it has a send record; 0 before.

        The larger of two copies' epochs belongs to the one that is in use.
        """
        return int(self._meta("epoch") or "0")

    @property
    def record_id(self) -> str:
        """The name of the send record that follows this ledger; empty: none does."""
        return self._meta("record") or ""

    def open_record(self, path: Path) -> SendRecord:
        """Open the list's send record beside this ledger; made if it is missing.

        Raises:
            LedgerRefused: it cannot be used.
        """
        if self.record is None:
            self.record = SendRecord(self._database, path)
        return self.record

    def recovery(self, record: SendRecord) -> Recovery:
        """What brings this ledger up to date from its record."""
        return Recovery(self._database, record)

    def note_record(self, record: str, *, epoch: int) -> None:
        """Note which send record follows, from which epoch on; inside the caller's transaction."""
        self._put_meta("record", record)
        self._put_meta("epoch", str(epoch))

    @property
    def adopted_at(self) -> float:
        """When it was last taken on from a backup or another machine; 0: never.

        In seconds since the epoch. What it knows of earlier calls may not be all there was.
        """
        return float(self._meta("adopted_at") or "0")

    def note_adoption(self, now: float) -> None:
        """Note that it is taken on; inside the caller's transaction."""
        self._put_meta("adopted_at", repr(now))

    def _begin(self, key_check: str) -> None:
        """Give a new ledger, or one of an older version, what names it; check whose it is."""
        known = self._meta("key_check")
        if known is None or self._meta("identity") is None:
            with self._database.transaction():
                for key, value in (
                    ("key_check", key_check),
                    ("identity", secrets.token_hex(16)),
                ):
                    self._database.execute(
                        "INSERT INTO meta SELECT ?, ?"
                        " WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = ?)",
                        (key, value, key),
                    )
            known = self._meta("key_check")
        if known != key_check:
            raise LedgerRefused(
                "The key file is not the one this ledger was written with, so those who "
                "unsubscribed would not be recognised.",
                where=Where(self.path),
                next="Restore newsletter.key from your backup; “newsletter docs keys” tells more.",
            )

    def _meta(self, key: str) -> str | None:
        with self._database.errors():
            row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _put_meta(self, key: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when the block ends."""
        with self._database.transaction():
            yield

    def copy_to(self, ledger: Path, record: Path) -> None:
        """Write a copy of the ledger as it is at this moment, and of its record if it follows.

        Afterwards both are a transaction further, so that the copy can be told
        from the original, whatever happens to that.

        Raises:
            LedgerRefused: they cannot be written.
        """
        self._database.copy_to(ledger, of="main")
        if self.record is not None and self.record.follows:
            self._database.copy_to(record, of="record")
        with self._database.transaction():
            pass  # with which the epoch grows

    def check_files(self) -> None:
        """Make sure that nobody removed or replaced the ledger's files meanwhile.

        Raises:
            LedgerRefused: somebody did.
        """
        self._database.check_files()

    def check(self) -> None:
        """Read the whole file before a run trusts it; takes seconds where it is large.

        Raises:
            LedgerRefused: the file is damaged.
        """
        self._database.check()

    def close(self) -> None:
        """Close the file. Never raises."""
        self._database.close()


def open_ledger(path: Path, keys: KeyRing, *, create: bool = True) -> Ledger:
    """Open the ledger that belongs to a key ring.

    Raises:
        LedgerRefused: as :class:`Ledger`.
    """
    return Ledger(path, key_check=keys.pepper_id, seal_key=keys.seal_key, create=create)
