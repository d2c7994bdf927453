"""Events: what was learned after the attempt, from a provider, a bounce or a complaint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import moment_at
from newsletter.ledger.database import Database


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One piece of news about a delivery: of what ``kind``, and from what ``source``."""

    delivery: int
    kind: str
    source: str
    at: datetime
    detail: str


class Events:
    """The table of events. Rows are added, never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, delivery: int, kind: str, source: str, at: datetime, detail: str, mark: str
    ) -> bool:
        """Add one; inside the caller's transaction.

        Args:
            delivery: whose, by id.
            kind: what happened, in a word.
            source: who said so.
            at: when it happened.
            detail: their words.
            mark: names the news: the same mark again is the same news.

        Returns:
            Whether it was new.

        Raises:
            LedgerRefused: there is no such delivery, or it cannot be written.
        """
        cursor = self._database.execute(
            "INSERT INTO event (delivery, kind, source, at, detail, mark)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (mark) DO NOTHING",
            (delivery, kind, source, at, detail, mark),
        )
        return cursor.rowcount == 1

    def about(self, delivery: int) -> tuple[EventRecord, ...]:
        """The events of one delivery, oldest first."""
        return self._records("WHERE delivery = ? ORDER BY at, event.id", delivery)

    def of(self, campaign: str) -> tuple[EventRecord, ...]:
        """A campaign's events, oldest first."""
        return self._records(
            "JOIN delivery ON delivery.id = event.delivery"
            " WHERE delivery.campaign = ? ORDER BY at, event.id",
            campaign,
        )

    def _records(self, which: str, of: object) -> tuple[EventRecord, ...]:
        rows = self._database.rows(
            f"SELECT event.delivery, kind, source, at, detail FROM event {which}", (of,)
        )
        return tuple(
            EventRecord(delivery, kind, source, moment_at(at), detail)
            for delivery, kind, source, at, detail in rows
        )
