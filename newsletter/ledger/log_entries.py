"""How far the public log was read, and what of it waits to be understood."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import moment_at
from newsletter.ledger.database import Database

MOST_KEPT = 10_000
"""The most entries that wait: whoever has the server could invent any number."""
_CURSOR = ("id", "seq", "head", "latest")
_LOG, _FORMER_LOG = "log", "former_log"
_READ_AT = "log_read_at"
_MISSED = "log_missed"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a public log was read.

    Attributes:
        log_id: which log.
        seq: the place of the last entry that was read; 0 if none was.
        head: the chain's end there.
        latest: the latest time in an entry up to there, in seconds since the epoch.
    """

    log_id: str
    seq: int
    head: bytes
    latest: float = 0.0


class LogEntries:
    """What the ledger knows of the public log. Written inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def cursor(self) -> Cursor | None:
        """How far it was read; None before the first time."""
        return self._cursor(_LOG)

    @property
    def former_cursor(self) -> Cursor | None:
        """The same of the log in the folder, once another one counts."""
        return self._cursor(_FORMER_LOG)

    def _cursor(self, log: str) -> Cursor | None:
        log_id, seq, head, latest = (self._database.meta(f"{log}_{key}") for key in _CURSOR)
        if log_id is None or seq is None or head is None:
            return None
        return Cursor(log_id, int(seq), bytes.fromhex(head), float(latest or 0))

    @property
    def read_at(self) -> datetime | None:
        """When it was last read; None: never."""
        at = self._database.meta(_READ_AT)
        return None if at is None else moment_at(float(at))

    def move(self, cursor: Cursor, *, now: datetime) -> None:
        """Note how far it was read, and when."""
        self._move(_LOG, cursor)
        self._database.put_meta(_READ_AT, repr(now.timestamp()))

    def move_former(self, cursor: Cursor) -> None:
        """Note how far the log in the folder was read, where another one counts."""
        self._move(_FORMER_LOG, cursor)

    def _move(self, log: str, cursor: Cursor) -> None:
        values = (cursor.log_id, str(cursor.seq), cursor.head.hex(), repr(cursor.latest))
        for key, value in zip(_CURSOR, values, strict=True):
            self._database.put_meta(f"{log}_{key}", value)

    @property
    def missed(self) -> int:
        """How many entries left the log before they were read, and nobody gave up since."""
        return int(self._database.meta(_MISSED) or 0)

    def note_missed(self, number: int) -> None:
        """Note that so many more were missed."""
        self._database.put_meta(_MISSED, str(self.missed + number))

    def give_up_missed(self) -> None:
        """Those that were missed are not waited for any more."""
        self._database.put_meta(_MISSED, "0")

    def keep(self, id_: bytes, box: bytes, *, opens: bool) -> bool:
        """Keep an entry that cannot be applied yet.

        Args:
            id_: of the entry.
            box: of the entry.
            opens: whether a key opens it. Anybody can send the server what is sealed and makes
                no sense, so that has half of the room: the rest is for a key that comes later.

        Returns:
            Whether it is kept; False if there are :data:`MOST_KEPT` already.
        """
        most = MOST_KEPT // 2 if opens else MOST_KEPT
        self._database.execute(
            "INSERT INTO log_entry SELECT ?1, ?2"
            " WHERE NOT EXISTS (SELECT 1 FROM log_entry WHERE id = ?1)"
            " AND (SELECT COUNT(*) FROM log_entry) < ?3",
            (id_, box, most),
        )
        found = self._database.execute("SELECT 1 FROM log_entry WHERE id = ?", (id_,))
        return found.fetchone() is not None

    def kept(self) -> list[tuple[bytes, bytes]]:
        """The ids and boxes of all that wait."""
        return self._database.rows("SELECT id, box FROM log_entry")

    def applied(self, id_: bytes) -> None:
        """An entry that waited is applied now."""
        self._database.execute("DELETE FROM log_entry WHERE id = ?", (id_,))
