"""What the ledger holds of a campaign, read for a report: counts by time, domain and reply."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.reading import HELD_BACK
from newsletter.ledger.states import State, Step, listed


class ReportQueries:
    """Reads one ledger; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def span(self, campaign: str) -> tuple[datetime, datetime] | None:
        """When the first attempt ended and when the last; None if there was none."""
        first, last = self._rows(
            "SELECT MIN(ended_at), MAX(ended_at) FROM attempt"
            " JOIN delivery ON delivery.id = attempt.delivery WHERE campaign = ?",
            campaign,
        )[0]
        return None if first is None else (moment_at(first), moment_at(last))

    def outcomes(self, campaign: str, *, span_s: float) -> dict[datetime, Counter[Step | None]]:
        """How many attempts ended with which outcome, by spans of ``span_s`` seconds.

        By the beginning of each span, in their order.
        """
        rows = self._rows(
            f"SELECT CAST(ended_at / {float(span_s)} AS INTEGER) AS span,"
            f" REPLACE(outcome, '{HELD_BACK}', '{Step.DEFER}') AS what, COUNT(*)"
            " FROM attempt JOIN delivery ON delivery.id = attempt.delivery"
            " WHERE campaign = ? AND ended_at IS NOT NULL GROUP BY span, what ORDER BY span",
            campaign,
        )
        counts: dict[datetime, Counter[Step | None]] = {}
        for span, outcome, count in rows:
            in_span = counts.setdefault(moment_at(span * span_s), Counter())
            in_span[Step(outcome) if outcome else None] += count
        return counts

    def domains(self, campaign: str) -> dict[str, int]:
        """How many were planned at each domain."""
        return dict(
            self._rows(
                "SELECT domain, COUNT(*) FROM delivery WHERE campaign = ? GROUP BY domain", campaign
            )
        )

    def domains_in(self, campaign: str, *states: State) -> dict[str, int]:
        """How many at each domain are in ``states``."""
        return self._counts("domain", campaign, states)

    def replies(self, campaign: str, *states: State) -> dict[str, int]:
        """How many of those in ``states`` were told what."""
        return self._counts("reply", campaign, states)

    def _counts(self, column: str, campaign: str, states: tuple[State, ...]) -> dict[str, int]:
        return dict(
            self._rows(
                f"SELECT {column}, COUNT(*) FROM delivery WHERE campaign = ?"
                f" AND state IN {listed(states)} GROUP BY {column}",
                campaign,
            )
        )

    def attempts(self, campaign: str) -> dict[int, int]:
        """How many of the accepted needed how many attempts."""
        return dict(
            self._rows(
                "SELECT attempts, COUNT(*) FROM delivery WHERE campaign = ?"
                f" AND state = '{State.ACCEPTED}' GROUP BY attempts ORDER BY attempts",
                campaign,
            )
        )

    def versions(self, campaign: str) -> dict[int, int]:
        """How many were attempted with which version of the edition."""
        return dict(
            self._rows(
                "SELECT version, COUNT(*) FROM delivery WHERE campaign = ?"
                " AND version IS NOT NULL GROUP BY version ORDER BY version",
                campaign,
            )
        )

    def settled_doubts(self, campaign: str) -> int:
        """How many attempts ended in doubt although their reader is not in doubt any more."""
        ((count,),) = self._rows(
            "SELECT COUNT(DISTINCT delivery.id) FROM attempt JOIN delivery"
            f" ON delivery.id = attempt.delivery WHERE campaign = ? AND state != '{State.IN_DOUBT}'"
            f" AND (outcome = '{Step.DOUBT}' OR outcome IS NULL)"
            f" AND state != '{State.ATTEMPTING}'",
            campaign,
        )
        return int(count)

    def events(self, campaign: str) -> dict[str, int]:
        """What was learned later, by kind."""
        return dict(
            self._rows(
                "SELECT kind, COUNT(*) FROM event JOIN delivery ON delivery.id = event.delivery"
                " WHERE campaign = ? GROUP BY kind ORDER BY kind",
                campaign,
            )
        )

    def _rows(self, sql: str, campaign: str) -> list[Any]:
        return self._database.rows(sql, (campaign,))
