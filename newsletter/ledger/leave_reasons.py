"""Why readers left, in their own words, and apart from who they are.

Neither reader nor time is kept, and nothing is shown alone: only once a few wait do they
appear, together. Whoever looks every day cannot tell a reason by the reader who left that day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from newsletter.invisible import without_invisible
from newsletter.ledger.database import Database
from newsletter.refusal_words import without_addresses

TOGETHER = 5
"""The fewest that are shown at a time."""
REASONS = frozenset({"often", "useless", "unasked", "unsafe", "other"})
_MOST_WORDS = 500
_MOST_KEPT = 10_000
"""Whoever has the server could invent any number."""


@dataclass(frozen=True, slots=True)
class LeaveReason:
    """Why somebody left.

    Attributes:
        reason: one of :data:`REASONS`.
        words: their own, in one line, without addresses and invisible characters; may be empty.
        issue: whose mail they left by; empty: not known, or of several issues.
    """

    reason: str
    words: str
    issue: str = ""

    @classmethod
    def of(cls, content: Mapping[str, Any], issue: str = "") -> Self:
        """As the public side tells it, whose every word a stranger may have written.

        Raises:
            KeyError, TypeError: it makes no sense.
        """
        reason, words = content["reason"], content["words"]
        if not isinstance(words, str):
            raise TypeError("not words")
        line = " ".join(words[: 2 * _MOST_WORDS].encode(errors="replace").decode().split())
        plain = without_addresses(without_invisible(line))[:_MOST_WORDS]
        return cls(reason if reason in REASONS else "other", plain, issue)


class LeaveReasons:
    """The table of reasons."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, id_: bytes, reason: LeaveReason) -> None:
        """Keep one, unless it is known or there are too many; inside the caller's transaction.

        Args:
            id_: of the public log's entry.
            reason: what it says.
        """
        self._database.execute(
            "INSERT OR IGNORE INTO leave_reason SELECT ?, ?, ?, ?, 0"
            " WHERE (SELECT COUNT(*) FROM leave_reason) < ?",
            (id_, reason.issue, reason.reason, reason.words, _MOST_KEPT),
        )

    def show_groups(self) -> None:
        """Let those be shown of which enough wait; inside the caller's transaction.

        With their issue, if there are enough of one; the others without it, if they are
        enough together.
        """
        self._database.execute(
            "UPDATE leave_reason SET shown = 1 WHERE shown = 0 AND issue <> '' AND issue IN"
            " (SELECT issue FROM leave_reason WHERE shown = 0 GROUP BY issue HAVING COUNT(*) >= ?)",
            (TOGETHER,),
        )
        self._database.execute(
            "UPDATE leave_reason SET shown = 1, issue = '' WHERE shown = 0"
            " AND (SELECT COUNT(*) FROM leave_reason WHERE shown = 0) >= ?",
            (TOGETHER,),
        )

    def shown(self) -> list[LeaveReason]:
        """All that may be shown, by issue and reason; in the order of their words."""
        return [
            LeaveReason(reason, words, issue)
            for issue, reason, words in self._database.rows(
                "SELECT issue, reason, words FROM leave_reason WHERE shown = 1"
                " ORDER BY issue, reason, words"
            )
        ]
