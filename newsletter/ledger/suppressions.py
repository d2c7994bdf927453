"""Who must not be mailed: append-only, merge-only, by keyed hash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.ledger.database import Database


class Reason(StrEnum):
    """Why an address is suppressed."""

    UNSUBSCRIBED = "unsubscribed"
    """The reader left."""
    COMPLAINED = "complained"
    """The reader called it spam (RFC 5965)."""
    BOUNCED = "bounced"
    """The mailbox does not exist."""
    MANUAL = "manual"
    """Somebody here said so."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One reason why one address is not mailed; never changed, never taken back by an import.

    Attributes:
        tag: keyed hash of the address, see :mod:`newsletter.message.keys`; the list
            of who left names nobody.
        source: how it became known: ``one-click``, ``import``, ``webhook`` …
        at: when, aware, in UTC.
    """

    tag: bytes
    reason: Reason
    source: str
    at: datetime

    def __post_init__(self) -> None:
        """Refuse a time without its zone: it could not be ordered among others."""
        if self.at.tzinfo is None:
            raise ValueError("the time of a suppression must be aware")


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
