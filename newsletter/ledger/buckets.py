"""Buckets: how fast mail may go through a way out, or to a domain, as learned so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from newsletter.ledger.database import Database


@dataclass(frozen=True, slots=True)
class BucketRow:
    """One bucket as it is kept. Times are seconds since the epoch.

    ``tokens`` is how many may go at ``filled_at``; below zero, so many went
    ahead of their time. ``per_second`` is None where no limit is known.
    """

    name: str
    tokens: float
    filled_at: float
    per_second: float | None = None
    blocked_until: float = 0.0
    learned: str = ""


class Buckets:
    """The table of buckets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, BucketRow]:
        """Every bucket, by its name."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT name, tokens, filled_at, per_second, blocked_until, learned FROM bucket"
            ).fetchall()
        return {row[0]: BucketRow(*row) for row in rows}

    def save(self, rows: Iterable[BucketRow]) -> None:
        """Keep ``rows``; inside the caller's transaction."""
        for row in rows:
            self._database.execute(
                "INSERT OR REPLACE INTO bucket VALUES (?, ?, ?, ?, ?, ?)",
                (
                    row.name,
                    row.tokens,
                    row.filled_at,
                    row.per_second,
                    row.blocked_until,
                    row.learned,
                ),
            )
