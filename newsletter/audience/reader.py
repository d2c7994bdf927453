"""Reads a subscriber list: every row of the CSV file, judged. Reads that one file.

Nothing is dropped in silence: every row with anything in it is a subscriber,
refused with a reason, or a repeat of an earlier row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from newsletter.addresses import AddressError
from newsletter.audience.cells import read_address, read_language, read_line, trim
from newsletter.audience.columns import Columns, find_columns, ignored_warning
from newsletter.audience.decoding import read_text
from newsletter.audience.model import Roster, Subscriber
from newsletter.audience.records import find_delimiter, read_records
from newsletter.errors import Problem, RosterError, Where

MAX_ROWS = 2_000_000
MAX_CELL = 10_000
"""Characters of a cell that is used."""


def read_roster(path: Path, *, fields: Sequence[str] = ()) -> Roster:
    """Read a list.

    Rows are numbered as a spreadsheet numbers them: the header is row 1, empty
    rows count, and a record whose cells hold line breaks is one row.

    Args:
        path: the CSV file: comma, semicolon or tab; see :mod:`.decoding` for
            encodings and :mod:`.columns` for the names of columns.
        fields: further columns to keep for merge fields.

    Raises:
        RosterError: the file as a whole cannot be used, or nobody is on it.
    """
    text, warnings = read_text(path)
    delimiter, text = find_delimiter(text)
    records = read_records(path, text, delimiter)
    number, header, fault = next(records, (1, [], ""))
    if fault:
        raise RosterError(
            f"The list's header cannot be read. {fault}",
            where=Where(path, row=number),
            next="Save the list anew as CSV UTF-8 (comma delimited).",
        )
    if not header:
        raise RosterError(
            "The list is empty.",
            where=Where(path),
            next="Write a first row such as email,name,language and one row for each reader.",
        )
    columns = find_columns(header, fields=fields, where=Where(path, row=number))
    reading = _Reading(path, columns, delimiter)
    for record in records:
        reading.take(*record)
    return reading.roster([*warnings, *ignored_warning(columns, path)])


class _Refused(ValueError):
    """The row cannot be used; the message says why."""


class _Reading:
    """The rows taken so far."""

    def __init__(self, path: Path, columns: Columns, delimiter: str) -> None:
        self._path = path
        self._columns = columns
        self._delimiter = delimiter
        self._subscribers: list[Subscriber] = []
        self._refused: list[Problem] = []
        self._repeated: list[Problem] = []
        self._warnings: list[Problem] = []
        self._rows = 0
        self._first: dict[str, int] = {}
        self._first_folded: dict[str, int] = {}

    def take(self, number: int, cells: list[str], fault: str) -> None:
        """Account for one record.

        Raises:
            RosterError: there are too many.
        """
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise RosterError(
                f"The list has more than {MAX_ROWS:,} rows.",
                where=Where(self._path, row=number),
                next="Split it, and send the issue to each part by itself.",
            )
        if fault:
            self._refused.append(self._problem(number, fault))
            return
        try:
            self._check_shape(cells)
            address, written_name = read_address(cells[self._columns.email])
        except (AddressError, _Refused) as error:
            self._refused.append(self._problem(number, str(error)))
            return
        first = self._first.setdefault(address.key, number)
        if first != number:
            what = f"The address stands in row {first} already; that row counts."
            self._repeated.append(self._problem(number, what))
            return
        alike = self._first_folded.setdefault(address.suppression_key, number)
        if alike != number:
            self._warn(
                number,
                f"The address differs from that in row {alike} only in capital letters; "
                "both get the mail.",
                "If it is the same reader, delete one of the rows.",
            )
        name = self._line(number, cells, self._columns.name) or written_name
        self._subscribers.append(
            Subscriber(
                address=address,
                name=name,
                language=self._language(number, cells),
                fields={
                    field: self._line(number, cells, index)
                    for field, index in self._columns.fields.items()
                },
                row=number,
            )
        )

    def _check_shape(self, cells: list[str]) -> None:
        """Refuse a row whose values may stand in the wrong columns."""
        width = self._columns.width
        if len(cells) < width:
            raise _Refused(
                f"The row has {len(cells)} cells where the header has {width}, so a value may "
                "stand in the wrong column."
            )
        if len(cells) > width and any(map(trim, cells[width:])):
            raise _Refused(
                f"The row has {len(cells)} cells where the header has {width}; a cell that holds "
                "a separator must stand in quotation marks."
            )
        if any(len(cells[index]) > MAX_CELL for index in self._columns.used):
            raise _Refused(f"A cell holds more than {MAX_CELL:,} characters.")
        for cell in cells:
            if any("@" in line and self._delimiter in line for line in cell.splitlines()[1:]):
                raise _Refused(
                    f"One cell runs over {len(cell.splitlines())} lines and holds other rows; "
                    "its quotation mark is not closed where it should be."
                )

    def _line(self, number: int, cells: list[str], index: int | None) -> str:
        if index is None:
            return ""
        text, changed = read_line(cells[index])
        if changed:
            self._warn(number, "Invisible control characters were taken out of a cell.")
        return text

    def _language(self, number: int, cells: list[str]) -> str | None:
        index = self._columns.language
        cell = "" if index is None else trim(cells[index])
        if not cell:
            return None
        tag = read_language(cell)
        if tag is None:
            self._warn(
                number,
                f"“{cell[:40]}” is no language code, so the reader gets the default language.",
                "Write a code such as en, fr, ar or pt-BR.",
            )
        return tag

    def _warn(self, number: int, what: str, advice: str = "") -> None:
        self._warnings.append(self._problem(number, what, advice))

    def _problem(self, number: int, what: str, advice: str = "") -> Problem:
        return Problem(what, Where(self._path, row=number), advice)

    def roster(self, warnings: Sequence[Problem]) -> Roster:
        """All that was taken.

        Raises:
            RosterError: nobody can be mailed.
        """
        if not self._rows:
            raise RosterError(
                "The list has a header but no readers.",
                where=Where(self._path),
                next="Write one row for each reader below the header.",
            )
        if not self._subscribers:
            raise RosterError(
                f"None of the list's {self._rows} rows can be used.",
                where=Where(self._path),
                problems=self._refused,
                next="“newsletter docs subscribers” shows what a list looks like.",
            )
        return Roster(
            file=self._path,
            subscribers=tuple(self._subscribers),
            refused=tuple(self._refused),
            repeated=tuple(self._repeated),
            warnings=(*warnings, *self._warnings),
            rows=self._rows,
        )
