"""The ledger as a whole: one file, three tables' worth of rooms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.delivery.ledger.campaigns import Campaigns
from newsletter.delivery.ledger.database import Database
from newsletter.delivery.ledger.deliveries import Deliveries
from newsletter.delivery.ledger.suppressions import Suppressions
from newsletter.errors import LedgerRefused, Where


class Ledger:
    """An open ledger; used by one thread at a time.

    Args:
        path: newsletter.db.
        key_check: a digest of the key file's pepper. Suppressions are keyed by
            that pepper: with another key file nobody who left would be
            recognised, so the ledger refuses it.
        create: whether a missing file is created.

    Raises:
        LedgerRefused: it cannot be opened, or belongs to another key file.
    """

    def __init__(self, path: Path, *, key_check: str, create: bool = True) -> None:
        self._database = Database(path, create=create)
        self.path = path
        self.campaigns = Campaigns(self._database)
        self.deliveries = Deliveries(self._database)
        self.suppressions = Suppressions(self._database)
        self._check_key(key_check)

    def _check_key(self, key_check: str) -> None:
        with self._database.errors():
            row = self._database.execute(
                "SELECT value FROM meta WHERE key = 'key_check'"
            ).fetchone()
        if row is None:
            with self._database.transaction():
                self._database.execute(
                    "INSERT OR IGNORE INTO meta VALUES ('key_check', ?)", (key_check,)
                )
        elif row != (key_check,):
            self.close()
            raise LedgerRefused(
                "The key file is not the one this ledger was written with, so those who "
                "unsubscribed would not be recognised.",
                where=Where(self.path),
                next="Restore newsletter.key from your backup; docs/keys.md tells more.",
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when the block ends."""
        with self._database.transaction():
            yield

    def close(self) -> None:
        """Close the file. Never raises."""
        self._database.close()
