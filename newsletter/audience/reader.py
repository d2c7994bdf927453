"""Reads a subscriber list: every row of the CSV file, judged. Reads that one file.

Nothing is dropped in silence: every row with anything in it is a subscriber,
refused with a reason, or a repeat of an earlier row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from newsletter.addresses import AddressError
from newsletter.audience.cells import read_address, read_language, read_line, trim
from newsletter.audience.columns import Columns, find_columns, ignored_warning
from newsletter.audience.decoding import read_text
from newsletter.audience.model import Roster, Subscriber
from newsletter.audience.records import find_delimiter, read_records
from newsletter.audience.standing import Standing
from newsletter.errors import Problem, RosterError, Where

MAX_ROWS = 2_000_000
MAX_CELL = 10_000
"""Characters of a cell that is used."""
_MOST_ASKED = 20


def read_roster(
    path: Path,
    *,
    fields: Sequence[str] = (),
    mail: Sequence[str] = (),
    no_mail: Sequence[str] = (),
) -> Roster:
    """Read a list.

    Rows are numbered as a spreadsheet numbers them: the header is row 1, empty
    rows count, and a record whose cells hold line breaks is one row.

    Args:
        path: the CSV file: comma, semicolon or tab; see :mod:`.decoding` for
            encodings and :mod:`.columns` for the names of columns.
        fields: further columns to keep for merge fields.
        mail: values that let a row be mailed, each “Column=value”, as newsletter.toml has them.
        no_mail: values that stop it.

    Raises:
        RosterError: the file as a whole cannot be used, nobody is on it, or a value may
            mean that readers left and nobody has decided about it.
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
    standing = Standing.of(header, columns.used, mail, no_mail)
    reading = _Reading(path, columns, delimiter, standing)
    for record in records:
        reading.take(*record)
    return reading.roster([*warnings, *ignored_warning(columns, path)])


class _Refused(ValueError):
    """The row cannot be used; the message says why."""


class _Reading:
    """The rows taken so far."""

    def __init__(self, path: Path, columns: Columns, delimiter: str, standing: Standing) -> None:
        self._path = path
        self._columns = columns
        self._delimiter = delimiter
        self._standing = standing
        self._left: list[Problem] = []
        self._left_rows: dict[str, int] = {}
        self._unclear: dict[str, list[int]] = {}
        self._subscribers: list[Subscriber] = []
        self._refused: list[Problem] = []
        self._repeated: list[Problem] = []
        self._warnings: list[Problem] = []
        self._rows = 0
        self._first: dict[str, int] = {}

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
            cells = [*cells, *[""] * (self._columns.width - len(cells))]
            address, written_name = read_address(cells[self._columns.email])
        except (AddressError, _Refused) as error:
            self._refused.append(self._problem(number, str(error)))
            return
        why, unclear = self._standing.judge(cells)
        if why:
            self._left_rows.setdefault(address.suppression_key, number)
            self._left.append(self._problem(number, f"Not mailed: the list says “{why}”."))
            return
        first = self._first.setdefault(address.suppression_key, number)
        if first != number:
            what = f"The address stands in row {first} already; that row counts."
            self._repeated.append(self._problem(number, what))
            return
        for said in unclear:
            self._unclear.setdefault(said, []).append(number)
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
        email = cells[self._columns.email] if len(cells) > self._columns.email else ""
        # Spreadsheets leave out empty cells at a row's end; another separator is no such case.
        if len(cells) < width and re.search("[,;\t]", email):
            raise _Refused(
                f"The row has {len(cells)} cells where the header has {width}, so a value may "
                "stand in the wrong column."
            )
        if len(cells) > width and any(map(trim, cells[width:])):
            raise _Refused(
                f"The row has {len(cells)} cells where the header has {width}; a cell that holds "
                "a separator must stand in quotation marks."
            )
        if any(len(cells[index]) > MAX_CELL for index in self._columns.used if index < len(cells)):
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

    def _refuse_unclear(self) -> None:
        """Ask about values of which nobody can tell whether their readers left."""
        if not self._unclear:
            return
        raise RosterError(
            "The list may say of some rows that they must not be mailed; nobody was read from it.",
            where=Where(self._path),
            problems=[
                Problem(
                    f"“{said}” stands in {len(numbers):,} "
                    f"{'row' if len(numbers) == 1 else 'rows'}, first in row {numbers[0]}.",
                    Where(self._path, row=numbers[0]),
                )
                for said, numbers in list(self._unclear.items())[:_MOST_ASKED]
            ],
            next="Under [audience] in newsletter.toml name each in “mail” or in “no_mail”, "
            f"e.g. mail = [{json.dumps(next(iter(self._unclear)), ensure_ascii=False)}]; "
            "“Column=*” is any value of a column.",
        )

    def _drop_left(self) -> None:
        """Who left by one row is not mailed for another."""
        kept = []
        for subscriber in self._subscribers:
            row = self._left_rows.get(subscriber.address.suppression_key)
            if row is None:
                kept.append(subscriber)
            else:
                what = f"Not mailed: row {row} says that the same reader must not be."
                self._left.append(self._problem(subscriber.row, what))
        self._subscribers = kept

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
        self._refuse_unclear()
        self._drop_left()
        if not self._subscribers:
            raise RosterError(
                f"None of the list's {self._rows} rows can be used.",
                where=Where(self._path),
                problems=[*self._refused, *self._left],
                next="“newsletter docs subscribers” shows what a list looks like.",
            )
        return Roster(
            file=self._path,
            subscribers=tuple(self._subscribers),
            refused=tuple(self._refused),
            repeated=tuple(self._repeated),
            left=tuple(self._left),
            warnings=(*warnings, *self._warnings),
            rows=self._rows,
        )
