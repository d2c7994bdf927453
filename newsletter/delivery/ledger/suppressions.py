"""Who must not be mailed: append-only, merge-only, by keyed hash."""

from __future__ import annotations

from newsletter.audience.suppression import Suppression
from newsletter.delivery.ledger.database import Database


class Suppressions:
    """The suppression list. Rows are added, never changed, never deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, suppression: Suppression) -> bool:
        """Add one.

        Returns:
            Whether it was new; the same person with the same reason counts once.

        Raises:
            LedgerRefused: it cannot be written.
        """
        with self._database.transaction():
            cursor = self._database.execute(
                "INSERT INTO suppression (tag, reason, source, at) SELECT ?1, ?2, ?3, ?4"
                " WHERE NOT EXISTS (SELECT 1 FROM suppression WHERE tag = ?1 AND reason = ?2)",
                (
                    suppression.tag,
                    suppression.reason,
                    suppression.source,
                    suppression.at.timestamp(),
                ),
            )
            return cursor.rowcount == 1

    def tags(self) -> frozenset[bytes]:
        """The tags of all who must not be mailed."""
        with self._database.errors():
            rows = self._database.execute("SELECT DISTINCT tag FROM suppression")
            return frozenset(tag for (tag,) in rows)

    def counts(self) -> dict[str, int]:
        """How many people by reason."""
        with self._database.errors():
            return dict(
                self._database.execute(
                    "SELECT reason, COUNT(DISTINCT tag) FROM suppression GROUP BY reason"
                ).fetchall()
            )
