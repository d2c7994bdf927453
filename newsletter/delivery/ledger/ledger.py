"""The ledger as a whole: one file, and a room for each kind of thing it keeps."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.delivery.ledger.buckets import Buckets
from newsletter.delivery.ledger.calls import Calls
from newsletter.delivery.ledger.campaigns import Campaigns
from newsletter.delivery.ledger.controls import Controls
from newsletter.delivery.ledger.database import Database
from newsletter.delivery.ledger.deliveries import Deliveries
from newsletter.delivery.ledger.events import Events
from newsletter.delivery.ledger.runs import Runs
from newsletter.delivery.ledger.statement import Statement
from newsletter.delivery.ledger.suppressions import Suppressions
from newsletter.errors import LedgerRefused, Where


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
        """How far the ledger was used: 0 at first, more with each run and its every beat.

        The larger of two copies' epochs belongs to the one that is in use.
        """
        return int(self._meta("epoch") or "0")

    def advance_epoch(self, *, beyond: int = 0) -> int:
        """Begin a new epoch, later than ``beyond``; inside the caller's transaction.

        Returns:
            Its number.
        """
        epoch = max(self.epoch, beyond) + 1
        self._put_meta("epoch", str(epoch))
        return epoch

    @property
    def machine(self) -> str | None:
        """Which machine sends from this ledger; None: none has yet."""
        return self._meta("machine")

    @machine.setter
    def machine(self, machine: str) -> None:
        with self._database.transaction():
            self._put_meta("machine", machine)

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
                next="Restore newsletter.key from your backup; docs/keys.md tells more.",
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

    def check(self) -> None:
        """Read the whole file before a run trusts it; takes seconds where it is large.

        Raises:
            LedgerRefused: the file is damaged.
        """
        self._database.check()

    def close(self) -> None:
        """Close the file. Never raises."""
        self._database.close()
