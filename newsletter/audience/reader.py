"""Reads a subscriber list: every row of the CSV file, judged. Reads that one file.

Nothing is dropped in silence: every row with anything in it is a subscriber,
refused with a reason, or a repeat of an earlier row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from newsletter.addresses import Address, AddressError
from newsletter.audience.cells import addresses_of_leavers, read_address, read_line, trim
from newsletter.audience.columns import (
    MAX_COLUMNS,
    Columns,
    find_columns,
    fold,
    ignored_warning,
    listed,
)
from newsletter.audience.exports import Leavers, leavers_in, missing_leavers
from newsletter.audience.header import as_exported, holds_address, take_header
from newsletter.audience.joined import joined_column, read_day
from newsletter.audience.languages import read_language
from newsletter.audience.list_file import open_list
from newsletter.audience.model import Roster, Subscriber
from newsletter.audience.placeholders import says_nothing, what_is_wrong
from newsletter.audience.records import Record, read_records
from newsletter.audience.shape import RowError, check_shape
from newsletter.audience.standing import (
    MOST_UNCLEAR,
    Standing,
    Unclear,
    as_problems,
    questions,
)
from newsletter.config import Audience
from newsletter.errors import Problem, RosterError, Where
from newsletter.invisible import visible

MAX_ROWS = 2_000_000
_LONGEST_NAME = 300
"""Characters of a name that are looked at for what is no name."""
_AS_USUAL = Audience()


def read_roster(
    path: Path,
    settings: Audience = _AS_USUAL,
    *,
    language: str = "en",
    may_be_empty: bool = False,
    part: str = "",
) -> Roster:
    """Read a file of the list.

    Rows are numbered as a spreadsheet numbers them: the header is row 1, empty
    rows count, and a record whose cells hold line breaks is one row.

    Args:
        path: the CSV file: comma, semicolon or tab; see :mod:`.charset` for
            encodings and :mod:`.columns` for the names of columns.
        settings: newsletter.toml's [audience]: further columns, the values that let a row be
            mailed or stop it, the row of the header, the column of addresses. The file that
            they name is not asked for.
        language: the newsletter's own, which readers get whose row names none.
        may_be_empty: whether it is right that nobody on it can be mailed.
        part: how newsletter.toml names the file, where it names several. Then this one may
            lack some of the further columns.

    Raises:
        RosterError: the file as a whole cannot be used, nobody is on it, it holds people
            who must not be mailed, or a value may mean that and nobody has decided about it.
    """
    table = _open(path, settings, part)
    if leavers := leavers_in(path.name, table.header):
        raise _no_list(path, leavers)
    standing = Standing.of(table.header, table.columns.used, settings.mail, settings.no_mail)
    reading = _Reading(path, table, standing, language)
    for record in table.rows:
        reading.take(*record)
    heard = {*standing.heard, *reading.heard}
    warnings = [*table.warnings, *ignored_warning(table.columns, heard, path)]
    if table.lacking:
        warnings.append(_lacking(path, table.lacking))
    if elsewhere := missing_leavers(path.name, table.header):
        what, look_for = elsewhere
        warnings.insert(0, Problem(what, Where(path), f"{look_for} {_NEVER_MAIL}"))
    return reading.roster(warnings, may_be_empty=may_be_empty)


@dataclass(frozen=True, slots=True)
class Suppressible:
    """A file of people who must not be mailed, as read.

    Attributes:
        addresses: of those people, each once.
        active: how many rows say by themselves that their reader may be mailed; left out.
        refused: rows without a usable address.
    """

    addresses: tuple[Address, ...]
    active: int
    refused: tuple[Problem, ...]


def read_leavers(path: Path) -> Suppressible:
    """Read a file of people who must not be mailed, such as an export of unsubscribes.

    Without a header it is read if its addresses stand in one column.

    Raises:
        RosterError: the file as a whole cannot be used.
    """
    table = _open(path, _AS_USUAL, bare=True)
    standing = Standing.of(table.header, table.columns.used, (), ())
    found: dict[str, Address] = {}
    refused, active = [], 0
    for number, cells, fault in table.rows:
        filled = [*cells, *[""] * (len(table.header) - len(cells))]
        try:
            named = [read_address(filled[table.columns.email])[0]]
        except AddressError as error:
            named = addresses_of_leavers(filled, table.columns.email)
            if not named:
                refused.append(Problem(fault or str(error), Where(path, row=number)))
                continue
        if standing.says_active(filled):
            active += 1
        else:
            for each in named:
                found.setdefault(each.suppression_key, each)
    return Suppressible(tuple(found.values()), active, tuple(refused))


@dataclass(frozen=True, slots=True)
class _Table:
    """A list, opened: its header, and the rows below it."""

    header: list[str]
    columns: Columns
    delimiter: str
    rows: Iterable[Record]
    warnings: list[Problem]
    lacking: tuple[str, ...]


def _open(path: Path, settings: Audience, part: str = "", *, bare: bool = False) -> _Table:
    """Open a list; ``bare``: a file of others, without a header a plain column of addresses."""
    own = f'[audience.layout."{part}"]' if part else "[audience]"
    text = open_list(path)
    delimiter, records = read_records(text)
    header_row = settings.header_row
    if bare:
        first = next(records, (0, [], ""))
        records = chain([first], records) if first[0] else records
        header_row = 0 if any(map(holds_address, first[1])) else None
    number, header, rows = take_header(
        path,
        records,
        header_row=header_row,
        address_column=settings.address_column,
        table="" if bare else own,
    )
    there = {fold(name) for name in header} if part else {*map(fold, settings.fields)}
    columns = find_columns(
        header,
        fields=[name for name in settings.fields if fold(name) in there],
        address_column=settings.address_column,
        where=Where(path, row=number or 1),
        table=own,
    )
    lacking = tuple(name for name in settings.fields if name not in columns.fields)
    return _Table(header, columns, delimiter, as_exported(header, rows), [*text.notes], lacking)


def _lacking(path: Path, names: Sequence[str]) -> Problem:
    return Problem(
        f"There is no column {listed(names)} in this file; for its readers it is empty.",
        Where(path),
        "Add the column to the file if its readers have such a value.",
    )


_NEVER_MAIL = "Then: newsletter suppress add FILE"


def _no_list(path: Path, leavers: Leavers) -> RosterError:
    """Says that a file holds people who must not be mailed."""
    if leavers.reason:
        advice = (
            f"Suppress them with “newsletter suppress add {path} --reason "
            f"{leavers.reason}”, and mail the file of the active readers."
        )
    else:
        advice = "Use the file of readers who asked for it and confirmed."
    return RosterError(
        f"This list must not be mailed: by {leavers.told_by}, it holds {leavers.what}.",
        where=Where(path),
        next=f"{advice} If they did ask for the newsletter, rename the file"
        + (" or column." if "columns" in leavers.told_by else "."),
    )


class _Reading:
    """The rows taken so far."""

    def __init__(self, path: Path, table: _Table, standing: Standing, language: str) -> None:
        self._path = path
        self._header = table.header
        self._default_language = language
        self._columns = table.columns
        self._joined = joined_column(table.header[:MAX_COLUMNS])
        self._blank = dict.fromkeys(table.lacking, "")
        self._delimiter = table.delimiter
        self._standing = standing
        self._left: list[Problem] = []
        self._left_rows: dict[str, int] = {}
        self._unclear: dict[Unclear, list[int]] = {}
        self._subscribers: list[Subscriber] = []
        self._refused: list[Problem] = []
        self._repeated: list[Problem] = []
        self._warnings: list[Problem] = []
        self._rows = 0
        self._first: dict[str, int] = {}

    @property
    def heard(self) -> tuple[str, ...]:
        """The column that says since when readers are on the list, if there is one."""
        return () if self._joined is None else (self._header[self._joined].strip(),)

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
                next="Split it, and send the issue to each part separately.",
            )
        if fault:
            self._refused.append(self._problem(number, fault))
            return
        try:
            check_shape(cells, self._columns, self._delimiter)
            cells = [*cells, *[""] * (self._columns.width - len(cells))]
            address, written_name = read_address(cells[self._columns.email])
        except RowError as error:
            self._refused.append(self._problem(number, str(error)))
            return
        except AddressError as error:
            self._refused.append(self._problem(number, str(error)))
            why, unclear = self._standing.judge(cells)
            found = addresses_of_leavers(cells, self._columns.email) if why or unclear else []
            if found and not why:
                self._ask_about(unclear, number)
            for each in found if why else ():
                self._left_rows.setdefault(each.suppression_key, number)
            return
        why, unclear = self._standing.judge(cells)
        if why:
            self._left_rows.setdefault(address.suppression_key, number)
            self._left.append(self._problem(number, f"Not mailed: the list says “{why}”."))
            return
        first = self._first.setdefault(address.suppression_key, number)
        if first != number:
            what = f"The address is in row {first} already; that row counts."
            self._repeated.append(self._problem(number, what))
            return
        self._ask_about(unclear, number)
        self._subscribers.append(
            Subscriber(
                address=address,
                name=self._name(number, cells, written_name),
                language=self._language(number, cells),
                fields={
                    field: self._value(number, cells, index)
                    for field, index in self._columns.fields.items()
                }
                | self._blank,
                row=number,
                file=self._path,
                joined=None if self._joined is None else read_day(cells[self._joined]),
            )
        )

    def _name(self, number: int, cells: list[str], written: str) -> str:
        """The name that a mail greets with, or "" if what stands there is none."""
        index = self._columns.email if self._columns.name is None else self._columns.name
        cell = "" if self._columns.name is None else trim(cells[index])
        text = " ".join((cell or written)[:_LONGEST_NAME].split())
        if why := what_is_wrong(text):
            self._leave_out(number, index, text, why)
            return ""
        return self._line(number, cells, self._columns.name) or written

    def _value(self, number: int, cells: list[str], index: int) -> str:
        text = self._line(number, cells, index)
        if text and says_nothing(text):
            self._leave_out(number, index, text, "means nothing")
            return ""
        return text

    def _leave_out(self, number: int, index: int, text: str, why: str) -> None:
        """Warn of a value that the mail does without; an address is not repeated."""
        shown = "The value" if "@" in text and "*" not in text else f"“{visible(text[:60])}”"
        what = f"{shown} {why}, so the mail leaves it out."
        where = Where(self._path, row=number, item=f"column “{trim(self._header[index])}”")
        advice = "Correct the cell, or empty it."
        self._warnings.append(Problem(what, where, advice))

    def _line(self, number: int, cells: list[str], index: int | None) -> str:
        if index is None:
            return ""
        text, changed = read_line(cells[index])
        if changed:
            self._warn(number, "Invisible control characters were removed from a cell.")
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
                f"“{visible(cell[:40])}” is not a known language, so the reader gets the "
                f"edition in “{self._default_language}”, the newsletter's own language.",
                "Write a code such as en, fr, ar or pt-BR, or a language's name.",
            )
        return tag

    def _warn(self, number: int, what: str, advice: str = "") -> None:
        self._warnings.append(self._problem(number, what, advice))

    def _problem(self, number: int, what: str, advice: str = "") -> Problem:
        return Problem(what, Where(self._path, row=number), advice)

    def _ask_about(self, unclear: Iterable[Unclear], number: int) -> None:
        for value in unclear:
            self._unclear.setdefault(value, []).append(number)
        if len(self._unclear) > MOST_UNCLEAR:
            self._refuse_unclear()

    def _refuse_unclear(self) -> None:
        """Ask about values of which nobody can tell whether their readers left."""
        asked = questions(self._unclear, self._standing.answered)
        if not asked:
            return
        raise RosterError(
            "The list may say that some rows must not be mailed, so it was not read.",
            where=Where(self._path),
            problems=as_problems(asked, self._path),
            next="Under [audience] in newsletter.toml name each in “mail” or in “no_mail”, "
            f"e.g. mail = [{json.dumps(next(iter(asked)), ensure_ascii=False)}]; "
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
                what = f"Not mailed: row {row} of the same reader says so."
                self._left.append(self._problem(subscriber.row, what))
        self._subscribers = kept

    def _judge_none(self) -> None:
        """“None” is a name, and what Python writes for nothing: several on a list mean nothing."""
        places = [n for n, each in enumerate(self._subscribers) if each.name == "None"]
        for place in places:
            one = self._subscribers[place]
            index = self._columns.email if self._columns.name is None else self._columns.name
            if len(places) > 1:
                self._subscribers[place] = replace(one, name="")
                self._leave_out(one.row, index, one.name, "means nothing")
            else:
                self._warn(
                    one.row,
                    "The mail greets this reader as “None”; many programs write that for an empty "
                    "value.",
                    "Empty the cell if it is not a name.",
                )

    def roster(self, warnings: Sequence[Problem], *, may_be_empty: bool) -> Roster:
        """All that was taken.

        Raises:
            RosterError: nobody can be mailed.
        """
        if not self._rows and not may_be_empty:
            raise RosterError(
                "The list has a header but no readers.",
                where=Where(self._path),
                next="Write one row for each reader below the header.",
            )
        self._refuse_unclear()
        self._drop_left()
        self._judge_none()
        if not self._subscribers and not may_be_empty:
            raise RosterError(
                f"None of the list's {self._rows} rows can be used.",
                where=Where(self._path),
                problems=[*self._refused, *self._left],
                next=(
                    "It says that every reader unsubscribed: did you mean “newsletter suppress "
                    f"add {self._path}”?"
                )
                if self._left and not self._refused
                else "“newsletter docs subscribers” shows what a list looks like.",
            )
        return Roster(
            files=(self._path,),
            subscribers=tuple(self._subscribers),
            refused=tuple(self._refused),
            repeated=tuple(self._repeated),
            left=tuple(self._left),
            left_keys=frozenset(self._left_rows),
            warnings=(*warnings, *self._warnings),
            rows=self._rows,
            lacking=tuple(self._blank),
        )
