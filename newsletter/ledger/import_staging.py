"""The rows of files, put side by side before any of them counts. In temporary tables alone.

The tables are SQLite's, on disk and gone with the connection, so that a million rows need no
memory of their own. Nothing of the ledger changes before :meth:`Staging.write`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from newsletter.ledger.database import Database
from newsletter.ledger.imports import KEPT_OFF, NEWEST, REASONS
from newsletter.ledger.suppressions import COLUMNS, TOMBSTONES
from newsletter.reader_states import ReaderState

_BATCH = 5_000
_LEFT = ReaderState.LEFT.rank
_DEAD = ReaderState.DEAD.rank
_TABLES = (
    # What a row says of its reader. rank NULL: nothing any more, see settle().
    """CREATE TEMP TABLE staged (
         seq INTEGER PRIMARY KEY, tag BLOB, rank INTEGER, at REAL, confirmed REAL, program TEXT,
         gone INTEGER, address TEXT, name TEXT, language TEXT, fields TEXT, consent TEXT)""",
    """CREATE TEMP TABLE reader (
         tag BLOB PRIMARY KEY, first INTEGER, rank INTEGER, at REAL, gone INTEGER,
         shown INTEGER) WITHOUT ROWID""",
    "CREATE TEMP TABLE confirmation (tag BLOB PRIMARY KEY, at REAL)",
)
_ON_LIST = "reader.rank = 0 AND NOT reader.gone"
"""SQL: whether a reader is on the list afterwards, as far as this import and earlier ones say."""


StagedRow = tuple[
    bytearray, int, float | str, float | str, str, int, str, str, str, str, str
]  # fmt: skip
"""A row of a file, in the order of the table. Python's sqlite3 takes these types at once; for
each None, bool or bytes it would look for an adapter, which doubles the time of a row.

- tag: keyed hash of the address
- rank: of the state that the row says
- at: since when, in seconds since the epoch; empty: it does not say
- confirmed: when the reader confirmed, by the row; empty: it does not say
- program: what exported the file; empty: nobody knows
- gone: 1: they are suppressed already, under this tag or a former one; else 0
- address: as an envelope has it; empty, as all that follows, for who must not be mailed: they are
  not named, not even for a while
- name: may be empty
- language: empty: none is named
- fields: further columns, as JSON
- consent: basis and date of it, as JSON
"""


@dataclass(frozen=True, slots=True)
class FileCounts:
    """What becomes of the rows of one file, and what they say."""

    accepted: int
    merged: int
    suppressed: int
    states: Mapping[ReaderState, int]


@dataclass(frozen=True, slots=True)
class Changes:
    """What an import changes, in readers.

    Attributes:
        new: on the list who were not by an earlier import.
        changed: on the list, with another name, language or column.
        unchanged: on the list as they were.
        kept_off: not on the list, by the state that counts; ``known`` of them are suppressed
            already.
        known: see there.
        confirmed_since: said to have left, and confirmed later.
    """

    new: int
    changed: int
    unchanged: int
    kept_off: Mapping[ReaderState, int]
    known: int
    confirmed_since: int


class Staging:
    """Rows of files, and what they would change in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows = 0
        with database.errors():
            for name in ("staged", "reader", "confirmation"):
                database.execute(f"DROP TABLE IF EXISTS temp.{name}")
            for table in _TABLES:
                database.execute(table)

    def add(self, rows: Iterable[StagedRow]) -> range:
        """Take the rows of a file.

        Returns:
            Their numbers.
        """
        first, each = self._rows + 1, iter(rows)
        with self._database.errors():
            while batch := list(islice(each, _BATCH)):
                # Deferred and of temporary tables alone, so it locks nobody out.
                self._database.execute("BEGIN")
                self._database.executemany(
                    "INSERT INTO temp.staged VALUES (NULL, ?, ?, NULLIF(?, ''), NULLIF(?, ''),"
                    " ?, ?, ?, ?, ?, ?, ?)",
                    batch,
                )
                self._database.execute("COMMIT")
                self._rows += len(batch)
        return range(first, self._rows + 1)

    def settle(self, confirmations: Mapping[bytes, float], *, now: datetime) -> int:
        """Drop each leave that its reader's own confirmation came after.

        Such a confirmation is a sign-up here, or a row of the same program's export. One that is
        still to come is a slip of the file, and lifts nothing.

        Args:
            confirmations: when readers last signed up here, by tag, in seconds since the epoch.
            now: the current time.

        Returns:
            How many readers signed up here and are said to have left, nobody knows when.
        """
        run = self._database.execute
        with self._database.errors():
            self._database.executemany(
                "INSERT INTO temp.confirmation VALUES (?, ?)", confirmations.items()
            )
            # With all that merge() asks of each row.
            run("CREATE INDEX temp.staged_of ON staged (tag, rank, seq, gone, at)")
            # UPDATE alone is a write that the ledger's own transactions are for.
            run("BEGIN")
            run(
                f"""UPDATE temp.staged AS this SET rank = NULL
                    WHERE rank = {_LEFT} AND at IS NOT NULL AND (
                      at < (SELECT at FROM temp.confirmation AS c WHERE c.tag = this.tag)
                      OR this.program <> '' AND EXISTS (SELECT 1 FROM temp.staged AS other
                        WHERE other.tag = this.tag AND other.rank = 0
                        AND other.program = this.program AND other.confirmed > this.at
                        AND other.confirmed <= ?))""",
                (now.timestamp(),),
            )
            run("COMMIT")
        ((number,),) = self._database.rows(
            f"SELECT COUNT(DISTINCT tag) FROM temp.staged WHERE rank = {_LEFT} AND at IS NULL"
            " AND tag IN (SELECT tag FROM temp.confirmation)"
        )
        return int(number)

    def merge(self, *, undated_leaves_count: bool) -> None:
        """Let the strongest state count for each reader.

        Args:
            undated_leaves_count: whether a leave without a date counts for a reader who signed
                up here.
        """
        run = self._database.execute
        with self._database.errors():
            run("BEGIN")
            if not undated_leaves_count:
                run(
                    f"UPDATE temp.staged SET rank = NULL WHERE rank = {_LEFT} AND at IS NULL"
                    " AND tag IN (SELECT tag FROM temp.confirmation)"
                )
            run(
                f"""INSERT INTO temp.reader
                    SELECT tag, MIN(seq), MAX(rank), NULL,
                      MAX(gone) OR tag IN ({KEPT_OFF})
                      OR EXISTS ({TOMBSTONES} AND leave.tag = staged.tag),
                      MIN(CASE WHEN rank = 0 THEN seq END)
                    FROM temp.staged WHERE rank IS NOT NULL GROUP BY tag"""
            )
            # Of several leaves the latest counts, and one without a date is as late as can be.
            run(
                f"""UPDATE temp.reader AS this SET at = (
                      SELECT CASE WHEN COUNT(*) = COUNT(at) THEN MAX(at) END FROM temp.staged AS s
                      WHERE s.tag = this.tag AND s.rank = this.rank)
                    WHERE rank >= {_DEAD}"""
            )
            run("COMMIT")

    def counts(self, rows: range) -> FileCounts:
        """What becomes of the rows of one file."""
        within = (rows.start, rows.stop - 1)
        ((readers, accepted),) = self._database.rows(
            f"SELECT COUNT(*), COALESCE(SUM({_ON_LIST}), 0) FROM temp.reader"
            " WHERE first BETWEEN ? AND ?",
            within,
        )
        sums = ", ".join(f"SUM(COALESCE(rank, {_LEFT}) = {state.rank})" for state in ReaderState)
        (said,) = self._database.rows(
            f"SELECT {sums} FROM temp.staged WHERE seq BETWEEN ? AND ?", within
        )
        states = {state: number for state, number in zip(ReaderState, said, strict=True) if number}
        return FileCounts(accepted, len(rows) - readers, readers - accepted, states)

    def addresses(self) -> Iterator[str]:
        """Of the readers who would be on the list."""
        for (address,) in self._database.rows(
            "SELECT staged.address FROM temp.reader JOIN temp.staged AS staged"
            f" ON staged.seq = reader.shown WHERE {_ON_LIST}"
        ):
            yield address

    def changes(self) -> Changes:
        """What it would change."""
        # What is compared is asked for once, and only of readers whom an import knows.
        ((new, changed, unchanged),) = self._database.rows(
            f"""WITH listed AS MATERIALIZED (SELECT
                  (SELECT {_SAME} FROM imported AS one WHERE one.tag = reader.tag AND {NEWEST})
                  AS same FROM temp.reader WHERE {_ON_LIST})
                SELECT COALESCE(SUM(same IS NULL), 0), COALESCE(SUM(same = 0), 0),
                  COALESCE(SUM(same = 1), 0) FROM listed"""
        )
        named = list(ReaderState)
        kept_off = self._database.rows(
            "SELECT rank, COUNT(*) FROM temp.reader WHERE rank > 0 GROUP BY rank"
        )
        ((known,),) = self._database.rows(
            f"SELECT COUNT(*) FROM temp.reader WHERE NOT ({_ON_LIST}) AND gone"
        )
        ((since,),) = self._database.rows(
            "SELECT COUNT(DISTINCT tag) FROM temp.staged WHERE rank IS NULL"
        )
        return Changes(
            *(new, changed, unchanged),
            {named[rank]: number for rank, number in kept_off},
            *(known, since),
        )

    def write(self, files: Sequence[Mapping[str, Any]], *, now: datetime) -> tuple[int, int]:
        """Add the import, with its leaves; inside the caller's transaction.

        Returns:
            The import's id, and how many leaves that suppress it made.
        """
        run = self._database.execute
        ((id_,),) = self._database.rows("SELECT COALESCE(MAX(id), 0) + 1 FROM import")
        told = json.dumps(list(files), ensure_ascii=False)
        run("INSERT INTO import VALUES (?, ?, ?, NULL)", (id_, now.timestamp(), told))
        # An address stays as it was first written: spelled otherwise, it would get an issue twice.
        run(
            f"""INSERT INTO imported
                SELECT ?, ROW_NUMBER() OVER (ORDER BY reader.first), reader.tag,
                  CASE reader.rank {_STATE_OF_RANK} END,
                  CASE WHEN reader.rank > 0 THEN '' ELSE COALESCE(one.address, shown.address) END,
                  CASE WHEN reader.rank > 0 THEN '' ELSE
                    COALESCE(NULLIF({_first("name")}, ''), one.name, '') END,
                  CASE WHEN reader.rank > 0 THEN '' ELSE
                    COALESCE(NULLIF({_first("language")}, ''), one.language, '') END,
                  CASE WHEN reader.rank > 0 THEN '{{}}' ELSE shown.fields END,
                  CASE WHEN reader.rank > 0 THEN '{{}}' ELSE shown.consent END
                FROM temp.reader LEFT JOIN temp.staged AS shown ON shown.seq = reader.shown
                LEFT JOIN (SELECT * FROM imported AS one WHERE {NEWEST}) AS one
                  ON one.tag = reader.tag
                WHERE reader.rank > 0 OR NOT EXISTS ({TOMBSTONES} AND leave.tag = reader.tag)""",
            (id_,),
        )
        # By id, as the table is kept: else each would go to another page of it.
        run(
            f"""INSERT INTO suppression ({COLUMNS})
                SELECT seal_of('import', ?1, ?2, tag), MIN(COALESCE(at, ?2), ?2), 'leave', tag,
                  NULL, CASE rank {_REASON_OF_RANK} END, 'import ' || ?1,
                  '[{{"source": "import ' || ?1 || '", "said": "' ||
                    CASE rank {_STATE_OF_RANK} END || '"}}]'
                FROM temp.reader WHERE rank > 0 ORDER BY 1""",
            (id_, now.timestamp()),
        )
        ((leaves,),) = self._database.rows(
            f"SELECT COUNT(*) FROM temp.reader WHERE rank >= {_DEAD}"
        )
        return int(id_), int(leaves)


_REASON_OF_RANK = " ".join(f"WHEN {at.rank} THEN '{why}'" for at, why in REASONS.items())
_STATE_OF_RANK = " ".join(f"WHEN {state.rank} THEN '{state}'" for state in ReaderState)


def _first(column: str) -> str:
    """SQL: the first value of a column that a row of the reader has, as far as it is on the list.

    Args:
        column: of the table of rows.
    """
    return (
        f"(SELECT {column} FROM temp.staged AS s WHERE s.tag = reader.tag AND s.rank = 0"
        f" AND {column} <> '' ORDER BY seq LIMIT 1)"
    )


_SAME = (
    f"COALESCE(NULLIF({_first('name')}, ''), one.name) = one.name"
    f" AND COALESCE(NULLIF({_first('language')}, ''), one.language) = one.language"
    " AND (SELECT fields FROM temp.staged WHERE seq = reader.shown) = one.fields"
)
