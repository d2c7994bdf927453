"""Who must not be mailed: events that are only added, by keyed hash.

Who is suppressed follows from the set of events, whatever their order and however
often each was told, so any two ledgers can be joined. Where events disagree about
somebody, or their times are equal, they have left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.seal import seal

COLUMNS = "id, at, kind, tag, about, reason, source, evidence"
"""Of the table, in its order."""
_MOST_PIECES = 10
_LONGEST_VALUE = 500


class Reason(StrEnum):
    """Why an address is suppressed, or kept off the list."""

    UNSUBSCRIBED = "unsubscribed"
    """The reader left."""
    COMPLAINED = "complained"
    """The reader called it spam (RFC 5965)."""
    BOUNCED = "bounced"
    """The mailbox does not exist."""
    MANUAL = "manual"
    """Somebody here said so."""
    UNCONFIRMED = "unconfirmed"
    """An import says that they never confirmed: they wait for their own sign-up."""
    EXCLUDED = "excluded"
    """An import says that whoever kept the list excluded them."""

    @property
    def can_be_lifted(self) -> bool:
        """Whether a person here may undo it; who left or complained decides that alone."""
        return self in _LIFTABLE

    @property
    def suppresses(self) -> bool:
        """Whether it stops each message; the others keep a reader off the list."""
        return self not in _KEEPING_OFF


_KEEPING_OFF = (Reason.UNCONFIRMED, Reason.EXCLUDED)
_KEEPING_OFF_SQL = ", ".join(f"'{reason}'" for reason in _KEEPING_OFF)
_LIFTABLE = (Reason.BOUNCED, Reason.MANUAL, *_KEEPING_OFF)
_LIFTABLE_SQL = ", ".join(f"'{reason}'" for reason in _LIFTABLE)
_STANDS = (
    "leave.kind = 'leave' AND NOT EXISTS (SELECT 1 FROM suppression AS undo"
    " WHERE undo.about = leave.id AND (undo.kind = 'void'"
    f" OR leave.reason IN ({_LIFTABLE_SQL})))"
)
IN_FORCE = (
    f"leave.reason NOT IN ({_KEEPING_OFF_SQL}) AND {_STANDS}"
    " AND NOT EXISTS (SELECT 1 FROM suppression AS back WHERE back.tag = leave.tag"
    " AND back.kind = 'return' AND back.at > leave.at)"
)
"""SQL: whether the row ``leave`` of the table suppresses its reader."""
KEEPS_OFF = f"leave.reason IN ({_KEEPING_OFF_SQL}) AND {_STANDS}"
"""SQL: whether the row ``leave`` keeps its reader off the list without suppressing them."""
_TAGS = (
    f"SELECT tag FROM suppression WHERE kind = 'leave' AND reason NOT IN ({_KEEPING_OFF_SQL})"
    " AND tag NOT IN (SELECT tag FROM"
    " (SELECT tag FROM suppression WHERE kind = 'return' UNION"
    # Of leaves alone: a void that names a void has no tag, and NOT IN a list with NULL is no row.
    " SELECT undone.tag FROM suppression AS undo JOIN suppression AS undone"
    " ON undone.id = undo.about AND undone.kind = 'leave' WHERE undo.about IS NOT NULL) AS reader"
    " WHERE NOT EXISTS (SELECT 1 FROM suppression AS leave"
    f" WHERE leave.tag = reader.tag AND {IN_FORCE}))"
)

ERASURE = "erasure request"
"""The source of a leave by which somebody asked to be forgotten."""
TOMBSTONES = (
    f"SELECT 1 FROM suppression AS leave WHERE leave.kind = 'leave' AND leave.source = '{ERASURE}'"
)
"""SQL: such leaves; the caller names the tag and the time."""

Evidence = Sequence[Mapping[str, str]]
"""What an event rests on, piece by piece: words by their names. No address is in it."""


@dataclass(frozen=True, slots=True)
class Leave:
    """One reason why one address is not mailed, or is kept off the list.

    Attributes:
        tag: keyed hash of the address, see :mod:`newsletter.message.keys`; the list
            of who left names nobody.
        source: how it became known: ``command``, ``mail``, ``bounce report`` …
        at: when, aware, in UTC. Told again with another time, the later one counts.
        evidence: what it rests on.
        id: 16 bytes; empty: made from tag, reason and time. See :meth:`Suppressions.id_of`.
    """

    tag: bytes
    reason: Reason
    source: str
    at: datetime
    evidence: Evidence = ()
    id: bytes = b""


@dataclass(frozen=True, slots=True)
class Void:
    """The reader's own undo of the one leave that ``about`` names by its id."""

    about: bytes
    source: str
    at: datetime
    id: bytes = b""


@dataclass(frozen=True, slots=True)
class Lift:
    """A person's correction, with its ``reason``, of the leave that ``about`` names by its id.

    Without effect on whoever unsubscribed or complained.
    """

    about: bytes
    reason: str
    source: str
    at: datetime
    id: bytes = b""


@dataclass(frozen=True, slots=True)
class Return:
    """A fresh confirmation by the reader. It ends leaves that are older than its form.

    Attributes:
        tag: as of the leave.
        source: how it became known.
        form_at: when the reader filled in the form, not when they confirmed.
        evidence: what it rests on.
        id: 16 bytes; empty: made from tag and time.
    """

    tag: bytes
    source: str
    form_at: datetime
    evidence: Evidence = ()
    id: bytes = b""


Event = Leave | Void | Lift | Return


class Suppressions:
    """The suppression list. Events are added, never changed, never deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: Event) -> bool:
        """Add one; inside the caller's transaction.

        Returns:
            Whether it was new: the same id with the same time is one event.
        """
        return add_to("suppression", event, self._database)

    def add_all(self, events: Iterable[Event]) -> int:
        """Add many, in a third of the time; inside the caller's transaction.

        Returns:
            How many readers must not be mailed for a reason for which they could be before.
        """
        run = self._database.execute
        run(f"CREATE TEMP TABLE IF NOT EXISTS told ({COLUMNS})")
        run("DELETE FROM temp.told")
        seal_key = self._database.seal_key
        self._database.executemany(
            "INSERT INTO temp.told VALUES (?, ?, ?, NULLIF(?, x''), NULLIF(?, x''), ?, ?, ?)",
            (_quick(*_row(event, seal_key)) for event in events),
        )
        ((new,),) = self._database.rows(
            "SELECT COUNT(DISTINCT tag) FROM temp.told WHERE NOT EXISTS (SELECT 1 FROM suppression"
            f" AS leave WHERE leave.tag = told.tag AND leave.reason = told.reason AND {IN_FORCE})"
        )
        run(join_sql("temp.told", "suppression") + " GROUP BY id, at")
        return int(new)

    def id_of(self, *rests_on: bytes | str) -> bytes:
        """16 bytes for what a leave rests on, so that the same news from two sides is one leave."""
        return seal(self._database.seal_key, ("leave", *rests_on))

    def tags(self) -> frozenset[bytes]:
        """The tags of all who must not be mailed.

        To ask of each leave whether it is in force would take four times as long; so that is
        asked only of readers of whom something else than leaves is known.
        """
        return frozenset(tag for (tag,) in self._database.rows(_TAGS))

    def is_suppressed(self, tag: bytes) -> bool:
        """Whether one reader must not be mailed."""
        return bool(self.in_force(tag))

    def knows(self, id_: bytes) -> bool:
        """Whether an event of this id was added, whatever its time."""
        return bool(self._database.rows("SELECT 1 FROM suppression WHERE id = ? LIMIT 1", (id_,)))

    def has_left(self, tag: bytes) -> bool:
        """Whether one reader left, and did not come back."""
        sql = (
            "SELECT 1 FROM suppression AS leave"
            f" WHERE tag = ? AND reason = '{Reason.UNSUBSCRIBED}' AND {IN_FORCE} LIMIT 1"
        )
        return bool(self._database.rows(sql, (tag,)))

    def in_force(self, tag: bytes) -> tuple[Leave, ...]:
        """The leaves by which a reader is suppressed, oldest first; none: they are not."""
        return self._leaves(tag, IN_FORCE)

    def keeping_off(self, tag: bytes) -> tuple[Leave, ...]:
        """The leaves that keep a reader off the list without suppressing them, oldest first."""
        return self._leaves(tag, KEEPS_OFF)

    def _leaves(self, tag: bytes, condition: str) -> tuple[Leave, ...]:
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM suppression AS leave WHERE tag = ? AND {condition}"
            " ORDER BY at, id",
            (tag,),
        )
        return tuple(event for row in rows if isinstance(event := _event(row), Leave))

    def returned(self, tag: bytes) -> bool:
        """Whether a reader ever came back by a second confirmation."""
        sql = "SELECT 1 FROM suppression WHERE tag = ? AND kind = 'return' LIMIT 1"
        return bool(self._database.rows(sql, (tag,)))

    def history(self, tag: bytes) -> tuple[Event, ...]:
        """All that is known of one reader, oldest first."""
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM suppression WHERE tag = ?1 OR about IN"
            " (SELECT id FROM suppression WHERE tag = ?1) ORDER BY at, kind, id",
            (tag,),
        )
        return tuple(map(_event, rows))

    def counts(self) -> dict[str, int]:
        """How many people by reason."""
        return dict(
            self._database.rows(
                "SELECT reason, COUNT(DISTINCT tag) FROM suppression AS leave"
                f" WHERE {IN_FORCE} GROUP BY reason"
            )
        )


def add_to(table: str, event: Event, database: Database) -> bool:
    """Add an event to the ledger's table or to the record's; inside the caller's transaction.

    Returns:
        Whether it was new there.
    """
    return (
        database.execute(
            f"INSERT INTO {table} ({COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
            f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE id = ?1 AND at = ?2)",
            _row(event, database.seal_key),
        ).rowcount
        == 1
    )


_Row = tuple[bytes, float, str, bytes | None, bytes | None, str, str, str]


def _row(event: Event, seal_key: bytes) -> _Row:
    values = _values(event)
    return (event.id or seal(seal_key, values[:-2]), *values)


def _quick(
    id_: bytes,
    at: float,
    kind: str,
    tag: bytes | None,
    about: bytes | None,
    reason: str,
    *more: str,
) -> tuple[object, ...]:
    """A row in types for which Python's sqlite3 does not look for an adapter first."""
    blobs = bytearray(tag or b""), bytearray(about or b"")
    return (bytearray(id_), at, kind, *blobs, str(reason), *more)


def join_sql(there: str, here: str) -> str:
    """SQL that adds to the table ``here`` what ``there`` holds beyond it."""
    return (
        f"INSERT INTO {here} ({COLUMNS}) SELECT {COLUMNS} FROM {there} AS there WHERE NOT EXISTS"
        f" (SELECT 1 FROM {here} AS here WHERE here.id = there.id AND here.at = there.at)"
    )


def _values(event: Event) -> tuple[float, str, bytes | None, bytes | None, str, str, str]:
    match event:
        case Leave(tag, reason, source, at, evidence):
            return _seconds(at), "leave", tag, None, reason, source, _json(evidence)
        case Void(about, source, at):
            return _seconds(at), "void", None, about, "", source, "[]"
        case Lift(about, reason, source, at):
            return _seconds(at), "lift", None, about, _cut(reason), source, "[]"
        case Return(tag, source, form_at, evidence):
            return _seconds(form_at), "return", tag, None, "", source, _json(evidence)


def _seconds(at: datetime) -> float:
    """Since the epoch; a time without its zone could not be ordered among others."""
    if at.tzinfo is None:
        raise ValueError("the time of a suppression must be aware")
    return at.timestamp()


def _event(row: tuple[Any, ...]) -> Event:
    id_, at, kind, tag, about, reason, source, evidence = row
    match kind:
        case "leave":
            return Leave(tag, Reason(reason), source, moment_at(at), _pieces(evidence), id_)
        case "void":
            return Void(about, source, moment_at(at), id_)
        case "lift":
            return Lift(about, reason, source, moment_at(at), id_)
    return Return(tag, source, moment_at(at), _pieces(evidence), id_)


def _pieces(evidence: str) -> Evidence:
    return tuple(json.loads(evidence))


def _json(evidence: Evidence) -> str:
    """The latest pieces, with the empty values left out and long ones cut."""
    if not evidence:
        return "[]"
    pieces: Iterable[Mapping[str, str]] = evidence[-_MOST_PIECES:]
    return json.dumps(
        [{name: _cut(value) for name, value in piece.items() if value} for piece in pieces],
        ensure_ascii=False,
    )


def _cut(words: str) -> str:
    """One printable line of bounded length; half a surrogate pair would stop the ledger."""
    start = words[: 4 * _LONGEST_VALUE]
    printable = "".join(char if char.isprintable() else " " for char in start)
    return " ".join(printable.split())[:_LONGEST_VALUE]
