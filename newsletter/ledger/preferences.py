"""What readers chose to get: changes that are only added, by keyed hash.

Of each field the latest change counts, whatever order they were told in. An erased
change keeps its id, so that it is not taken in again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.suppressions import TOMBSTONES

NO_PAUSE = date.min
"""Until when somebody waits who does not."""
LONGEST_PAUSE = timedelta(days=731)
"""Two years; the page takes no later day."""
_MOST_TOPICS = 20
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_TOPIC = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LONGEST_TOPIC = 30


@dataclass(frozen=True, slots=True)
class PreferenceChange:
    """What one reader changed at one time.

    Attributes:
        tag: keyed hash of the address, as in suppressions.
        at: when, aware, in UTC.
        language: of the edition they want; empty: as it was.
        topics: which they want, and which not; the others are as they were.
        pause: the day from which they want mail again; :data:`NO_PAUSE` ends a pause;
            None: as it was.
        id: 16 bytes, the event's.
    """

    tag: bytes
    at: datetime
    language: str
    topics: Mapping[str, bool]
    pause: date | None
    id: bytes

    @classmethod
    def of(
        cls, tag: bytes, at: datetime, changes: Mapping[str, Any], id_: bytes
    ) -> PreferenceChange:
        """A change as the public side writes it, or the ledger.

        Raises:
            KeyError, TypeError, ValueError: it makes no sense.
        """
        language, topics = changes.get("language", ""), dict(changes.get("topics", {}))
        if language != "" and not _LANGUAGE.fullmatch(language):
            raise ValueError("not a language")
        if len(topics) > _MOST_TOPICS or not all(
            _TOPIC.fullmatch(name) and len(name) <= _LONGEST_TOPIC and isinstance(wanted, bool)
            for name, wanted in topics.items()
        ):
            raise ValueError("not topics")
        told = changes.get("pause")
        pause = None if told is None else date.fromisoformat(told) if told else NO_PAUSE
        return cls(tag, at, language, topics, pause, id_)

    def as_changes(self) -> dict[str, Any]:
        """As :meth:`of` takes it."""
        changes: dict[str, Any] = {}
        if self.language:
            changes["language"] = self.language
        if self.topics:
            changes["topics"] = dict(self.topics)
        if self.pause is not None:
            changes["pause"] = "" if self.pause == NO_PAUSE else self.pause.isoformat()
        return changes


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one reader wants now.

    Attributes:
        language: of the edition; empty: as the list has it.
        topics: those they chose or declined.
        pause: the day from which they want mail again.
    """

    language: str = ""
    topics: Mapping[str, bool] = field(default_factory=dict)
    pause: date = NO_PAUSE

    def is_paused(self, day: date) -> bool:
        """Whether they want nothing on that day."""
        return day < self.pause

    def after(self, change: PreferenceChange) -> Preferences:
        """With a later change."""
        return Preferences(
            change.language or self.language,
            {**self.topics, **change.topics},
            self.pause if change.pause is None else change.pause,
        )


class PreferenceChanges:
    """The table of changes. Rows are added, and at most erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, change: PreferenceChange) -> bool:
        """Add one; inside the caller's transaction.

        Returns:
            Whether it was new, and not erased at its reader's wish.

        Raises:
            LedgerRefused: it cannot be written.
        """
        at = change.at.timestamp()
        return (
            self._database.execute(
                "INSERT INTO preference SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
                " (SELECT 1 FROM preference WHERE id = ?1)"
                f" AND NOT EXISTS ({TOMBSTONES} AND leave.tag = ?3 AND leave.at >= ?2)",
                (change.id, at, change.tag, json.dumps(change.as_changes())),
            ).rowcount
            == 1
        )

    def current(self) -> dict[bytes, Preferences]:
        """What each reader who changed anything wants now, by their tag."""
        found: dict[bytes, Preferences] = {}
        for change in self._changes("WHERE tag IS NOT NULL", ()):
            found[change.tag] = found.get(change.tag, Preferences()).after(change)
        return found

    def of(self, tag: bytes) -> tuple[PreferenceChange, ...]:
        """One reader's changes, oldest first."""
        return tuple(self._changes("WHERE tag = ?", (tag,)))

    def erase(self, until: Mapping[bytes, datetime]) -> int:
        """Erase what readers changed; inside the caller's transaction. Ids and times stay.

        Args:
            until: the readers by tag; with each, until when.

        Returns:
            How many changes are erased.
        """
        return sum(
            self._database.execute(
                "UPDATE preference SET tag = NULL, changes = '{}' WHERE tag = ? AND at <= ?", each
            ).rowcount
            for each in until.items()
        )

    def _changes(self, which: str, parameters: tuple[object, ...]) -> Iterable[PreferenceChange]:
        with self._database.errors():
            rows = self._database.execute(
                f"SELECT tag, at, changes, id FROM preference {which} ORDER BY at, id", parameters
            ).fetchall()
        for tag, at, changes, id_ in rows:
            yield PreferenceChange.of(tag, moment_at(at), json.loads(changes), id_)
