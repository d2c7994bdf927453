"""Read a subscriber list from CSV (RFC 4180, as spreadsheets write it). Reads that one file.

Nothing is dropped in silence: every row with anything in it is a subscriber,
refused with a reason, or a repeat of an earlier row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from newsletter.addresses import AddressError
from newsletter.audience.cells import read_address, read_language, read_line, trim
from newsletter.audience.columns import Columns, find_columns, fold, has_email, ignored_warning
from newsletter.audience.decoding import read_text
from newsletter.audience.model import Roster, Subscriber
from newsletter.errors import Problem, RosterError, Where

_SEP_LINE = re.compile(r"\"?sep=(?P<sep>[^\w\s\"]|\t)\"?\r?\n?", re.IGNORECASE)
_DELIMITERS = ",;\t"

Record = tuple[int, list[str]]


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
    delimiter, text = _delimiter(text)
    records = _records(path, text, delimiter)
    number, header = next(records, (1, []))
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


def _delimiter(text: str) -> tuple[str, str]:
    """What separates the cells, and the text without Excel's ``sep=`` line.

    Excel takes that line for no row, so neither do the row numbers.
    """
    told = _SEP_LINE.match(text)
    if told:
        return told["sep"], text[told.end() :]
    headers = {delimiter: _header(text[:20_000], delimiter) for delimiter in _DELIMITERS}
    with_email = [delimiter for delimiter in _DELIMITERS if has_email(headers[delimiter])]
    return max(with_email or _DELIMITERS, key=lambda each: len(headers[each])), text


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next((cells for cells in _reader(text, delimiter) if any(map(fold, cells))), [])
    except csv.Error:
        return []


def _reader(text: str, delimiter: str) -> Iterator[list[str]]:
    # strict: an open quotation mark would otherwise swallow all that follows.
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )


def _records(path: Path, text: str, delimiter: str) -> Iterator[Record]:
    """The records with anything in them, each with its row number."""
    reader = _reader(text, delimiter)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _broken(error, Where(path, row=number)) from None
        if any(cells) and any(map(trim, cells)):
            yield number, cells


def _broken(error: csv.Error, where: Where) -> RosterError:
    if "field larger" in str(error):
        what = f"A cell holds more than {csv.field_size_limit():,} characters."
    elif "unexpected end" in str(error):
        what = "A quotation mark opens a cell here and is never closed."
    else:
        what = "A quotation mark stands inside a cell here, so its end cannot be told."
    return RosterError(
        what,
        where=where,
        next='Take the mark (") out, or write it twice (""). Nobody was read from the list.',
    )


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

    def take(self, number: int, cells: list[str]) -> None:
        """Account for one record."""
        self._rows += 1
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
                next="docs/subscribers.md shows what a list looks like.",
            )
        return Roster(
            file=self._path,
            subscribers=tuple(self._subscribers),
            refused=tuple(self._refused),
            repeated=tuple(self._repeated),
            warnings=(*warnings, *self._warnings),
            rows=self._rows,
        )
