"""Reads a file of a move: what it was exported by, and what each row says of its reader.

Nothing is guessed. Where the column of addresses, the meaning of a value or the state of a whole
file is not known, the file is refused with what stands there and the option that answers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from shlex import quote
from typing import NamedTuple
from urllib.parse import unquote

from newsletter.addresses import Address, AddressError
from newsletter.audience.cells import addresses_of_leavers, read_address, read_line, trim
from newsletter.audience.charset import EMPTY
from newsletter.audience.columns import Columns, find_columns, fold, has_email, listed
from newsletter.audience.dates import Span
from newsletter.audience.exporters import (
    Exporter,
    phplist_in_translation,
    recognise,
)
from newsletter.audience.exports import leavers_in, missing_leavers
from newsletter.audience.header import (
    address_columns,
    as_exported,
    holds_address,
    is_usual_header,
)
from newsletter.audience.import_judge import OF_FILE, ImportOptions, Judge
from newsletter.audience.languages import read_language
from newsletter.audience.placeholders import diagnose, is_usual, reread, says_nothing
from newsletter.audience.records import SAMPLE, Record
from newsletter.audience.shape import MAX_CELL, RowError, check_shape
from newsletter.audience.source_file import Source
from newsletter.audience.standing import (
    MOST_UNCLEAR,
    Kept,
    Kind,
    Unclear,
    as_problems,
    may_mail,
    questions,
)
from newsletter.audience.tables import FileTable, open_tables
from newsletter.errors import Problem, RosterError, Where
from newsletter.invisible import visible
from newsletter.reader_states import ReaderState

_MAILMAN = {"bybounce": ReaderState.DEAD, "byuser": ReaderState.NEVER, "byadmin": ReaderState.NEVER}
_SEVERAL = " ::: "
"""Between several values in a cell, as Google writes them."""
_LEFT = "It says that its reader left: find the address, and name it to “newsletter suppress add”."
_LONGEST_NAME = 300
_MOST_PROPOSED = 1_000
A_LIST = "a list"
"""What a file is whose program is not known."""
SHEET_ROWS = 1_048_576
"""Rows of a sheet in Excel: a list that has as many may have been cut there."""


class ImportedRow(NamedTuple):
    """What a row says of its reader. A tuple, since a file may hold a million.

    Attributes:
        address: the reader's.
        name: may be empty.
        language: empty: none is named.
        fields: further columns.
        state: the strongest that the row and its file say.
        at: since when they left, if they did.
        confirmed: when they confirmed, by a program's export: only there a leave may be older.
        consent: in the file's own words, by column.
    """

    address: Address
    name: str
    language: str
    fields: Mapping[str, str]
    state: ReaderState
    at: Span | None
    confirmed: Span | None
    consent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that cannot be used: the name of its file, its number, why, and its cells."""

    file: str
    row: int
    why: str
    cells: Sequence[str]


_Said = tuple[ReaderState, Span | None, tuple[Unclear, ...]]
"""The strongest state, since when, and what to ask about."""


class ImportFile:
    """One table of a move, recognised; its rows are read once.

    Attributes:
        source: the file.
        program: what exported it; empty: not known.
        state: what all of it says by name or header; None: each row for itself.
        missing: why those who left may be elsewhere, and where; None: they are not.
        notes: what is odd about it.
        odd: how many names and values are odd, by words.
        damaged: texts in a wrong encoding, and what they seem to have been.
    """

    def __init__(self, table: FileTable, options: ImportOptions) -> None:
        self.source = table.source
        self.notes: list[Problem] = list(table.notes)
        self.odd: Counter[str] = Counter()
        self.damaged: dict[str, str] = {}
        self._mend = options.mend
        self._delimiter = table.delimiter
        header, records, exporter, above = _find_header(table, options)
        self._records = as_exported(header, records)
        self._exporter = exporter
        self.program = exporter.program if exporter else table.program
        self.header = header
        name = self.source.name
        self._columns = _columns(header, exporter, options, self.source)
        self._width = max(self._columns.width, self._columns.email + 1)
        self.state, self._certain = _state_of_file(name, header, options)
        _refuse_above(self.source, above, self.state, options)
        if exporter and exporter.state_in_name and self.state is None:
            if not name.lower().startswith("subscribed"):
                raise _no_state(self.source, exporter)
            self.state, self._certain = ReaderState.IN, True
        self.missing = None
        if self.state is None or self.state is ReaderState.IN:
            self.missing = missing_leavers(name, header)
        self._judge = Judge(header, self._columns, exporter, options)
        self._languages = Kept(_language)
        self._unclear: dict[Unclear, list[int]] = {}

    @property
    def what(self) -> str:
        """What it was recognised as."""
        return self.program or A_LIST

    def rows(self) -> Iterator[ImportedRow | RejectedRow]:
        """Each row with anything in it, read and judged.

        Raises:
            RosterError: a value may mean that a row must not be mailed, and nobody has decided
                about it; or the file is damaged so that rows cannot be told apart.
        """
        header, number, section = [trim(cell) for cell in self.header], 0, (0, "")
        for number, cells, fault in self._records:
            try:
                row = self._row(number, cells, fault)
                if section[0] and row.state is ReaderState.IN:
                    raise _below_section(self.source, number, *section)
                yield row
            except (AddressError, RowError) as error:
                in_place = isinstance(error, AddressError)
                state, at, unclear = self._not_mailed_by(cells, in_place=in_place)
                stays = state is ReaderState.IN
                told = unclear or not stays
                found = addresses_of_leavers(cells, self._columns.email) if told else []
                if found and stays:
                    self._ask_about(unclear, number)
                elif found:
                    for each in found:
                        yield ImportedRow(each, "", "", {}, state, at, None, {})
                    continue
                names = [trim(cell) for cell in cells]
                section = _section(number, names) or section
                if names == header:
                    why = "This is the header once more."
                else:
                    self._refuse_other_header(number, names)
                    why = fault or str(error)
                    why = f"{why} {_LEFT}" if state.suppresses else why
                yield RejectedRow(self.source.name, number, why, cells)
        if number >= SHEET_ROWS:
            self.notes.append(
                Problem(
                    f"The file has {number:,} rows, as many as a sheet in Excel can hold: the rest "
                    "may have been cut off.",
                    self.source.where,
                    "Export it again, and do not open it in Excel.",
                )
            )
        self._refuse_unclear()

    def _not_mailed_by(self, cells: Sequence[str], *, in_place: bool) -> _Said:
        """As :meth:`_state_of`, of a row that cannot be used.

        Args:
            cells: of the row.
            in_place: whether each stands in its column.
        """
        said: _Said = (self.state or ReaderState.IN, None, ())
        if in_place:
            said = self._state_of(self._filled(cells))
        doubtful = said[0] is ReaderState.IN or not (in_place or said[0].suppresses)
        if doubtful and not all(may_mail(Kind.OTHER, cell) for cell in cells):
            return ReaderState.LEFT, None, ()
        return said

    def _refuse_other_header(self, number: int, names: list[str]) -> None:
        """Refuse files joined into one whose columns differ: who left would stand in any of them.

        Raises:
            RosterError: a row names columns, and others than the header does.
        """
        while names and not names[-1]:
            names.pop()
        here = {fold(cell) for cell in self.header}
        known = sum(fold(name) in here for name in names)
        # A contact without an address may prefer “Email”, and is no header for that.
        if known < 2 or known * 2 < len(names) or not all(names):
            return
        if not has_email(names) or any(map(holds_address, names)):
            return
        if [*map(fold, names)] == [fold(cell) for cell in self.header if trim(cell)]:
            return
        raise RosterError(
            f"Row {number:,} names other columns than the header: {listed(names)}. Several files "
            "seem to be joined into one.",
            where=Where(self.source.place, row=number),
            next="Take them apart there, and import them together.",
        )

    def _row(self, number: int, cells: Sequence[str], fault: str) -> ImportedRow:
        if fault:
            raise RowError(fault)
        columns = self._columns
        # In a file of those who left only the address counts, so a stray cell changes nothing.
        if self.state is None or not self.state.suppresses:
            check_shape(cells, columns, self._delimiter)
        filled = self._filled(cells)
        address, written = _read_address(filled[columns.email])
        state, at, unclear = self._state_of(filled)
        if state is ReaderState.IN:
            self._ask_about(unclear, number)
        else:
            if state.suppresses and _SEVERAL in filled[columns.email]:
                raise AddressError("The cell holds several addresses; give each a row of its own.")
            return ImportedRow(address, "", "", {}, state, at, None, {})
        return ImportedRow(
            address,
            self._name(filled, written),
            self._language(filled),
            {name: self._value(filled[index]) for name, index in columns.fields.items()},
            state,
            None,
            self._judge.confirmed(filled) if self.program else None,
            self._judge.consent(filled),
        )

    def _filled(self, cells: Sequence[str]) -> Sequence[str]:
        """The cells, with those that are missing at the row's end."""
        if len(cells) < self._width:
            return [*cells, *[""] * (self._width - len(cells))]
        return cells

    def _state_of(self, cells: Sequence[str]) -> _Said:
        """The strongest state that a row or its file says, since when, and what to ask about."""
        state, at, unclear = self._judge.row(cells)
        if self.state is not None and (self._certain or not state.suppresses):
            if self.state.rank > state.rank:
                state = self.state
            at = at or self._judge.since(cells)
        return state, at, unclear

    def _name(self, cells: Sequence[str], written: str) -> str:
        cell = "" if self._columns.name is None else cells[self._columns.name]
        name = (cell or written)[:_LONGEST_NAME]
        if is_usual(name):
            return name
        if not (name.isascii() and name.isprintable()):
            name, _ = read_line(name)
        name = " ".join(name.split())
        if not name:
            return ""
        why, meant = diagnose(name)
        if meant:
            return self._mended(name, meant, "")
        if why:
            self.odd["Names that mean nothing, left out"] += 1
            return ""
        return name

    def _mended(self, text: str, meant: str, otherwise: str) -> str:
        """What a damaged text seems to have been, if a person saw that and said yes."""
        if len(self.damaged) < _MOST_PROPOSED:
            self.damaged[text] = meant
        if self._mend:
            self.odd["Damaged names and values, taken for what they seem to have been"] += 1
            return meant
        said = "Values that look damaged, imported as they are"
        self.odd[said if otherwise else "Names that look damaged, left out"] += 1
        return otherwise

    def _language(self, cells: Sequence[str]) -> str:
        if self._columns.language is None:
            return ""
        tag = self._languages[cells[self._columns.language]]
        if tag is None:
            self.odd["Languages that are not known, left out"] += 1
        return tag or ""

    def _value(self, cell: str) -> str:
        text, _ = read_line(cell[:MAX_CELL])
        if meant := reread(text):
            return self._mended(text, meant, text)
        return "" if text and says_nothing(text) else text

    def _ask_about(self, unclear: Iterable[Unclear], number: int) -> None:
        for value in unclear:
            self._unclear.setdefault(value, []).append(number)
        if len(self._unclear) > MOST_UNCLEAR:
            self._refuse_unclear()

    def _refuse_unclear(self) -> None:
        if asked := questions(self._unclear, self._judge.answered):
            raise UnclearValues(self.source, asked)


class UnclearValues(RosterError):
    """Values of which nobody can tell whether their readers may be mailed.

    Attributes:
        values: each “Column=value”, with the rows that have it.
    """

    def __init__(self, source: Source, values: Mapping[str, tuple[int, ...]]) -> None:
        self.values = values
        first = quote(next(iter(values)))
        super().__init__(
            "The file may say that some rows must not be mailed, so it was not imported.",
            where=source.where,
            problems=as_problems(values, source.place),
            next=f"Say of each whether it may be mailed: --mail {first} or --no-mail {first}; "
            "“Column=*” is any value of a column.",
        )


class UnclearColumn(RosterError):
    """Nobody can tell which column holds the addresses.

    Attributes:
        columns: how ``--column`` names each, with what a person knows it by.
    """

    def __init__(self, error: RosterError, columns: Mapping[str, str]) -> None:
        self.columns = columns
        super().__init__(error.what, where=error.where, problems=error.problems, next=error.next)


def _state_of_file(
    name: str, header: Sequence[str], options: ImportOptions
) -> tuple[ReaderState | None, bool]:
    """What all rows of a file say, and whether it counts beside what a row says by itself."""
    if (told := options.state.get(name)) is not None:
        return told, True
    for word, state in _MAILMAN.items():
        if word in fold(name):
            return state, True
    if found := leavers_in(name, header):
        return OF_FILE[found.reason], found.reason != "manual"
    return None, False


def _language(cell: str) -> str | None:
    """The language that a cell names; None: an unknown one."""
    text = trim(cell)
    return read_language(text) if text else ""


def _read_address(cell: str) -> tuple[Address, str]:
    """The address in a cell, and the name in front of it.

    Raises:
        AddressError: there is none, or more than one.
        RowError: the cell is too long.
    """
    if cell[:1] != "'" and (plain := Address.plain(cell)):
        return plain, ""
    if len(cell) > MAX_CELL:
        raise RowError(f"A cell holds more than {MAX_CELL:,} characters.")
    return read_address(_cleaned(cell))


def _cleaned(cell: str) -> str:
    """A cell with what other programs write around an address taken off."""
    text = trim(cell.split(_SEVERAL, 1)[0])
    if text[:7].lower() == "mailto:":
        text = unquote(text[7:])  # RFC 6068 2
    return text.rstrip(",;").strip()


def _no_state(source: Source, exporter: Exporter) -> RosterError:
    return RosterError(
        f"{exporter.program} says in the name of a file who its readers are, and this one has "
        "another name.",
        where=source.where,
        next=f"Give it its name back (subscribed_…, unsubscribed_…, cleaned_…), or say it: "
        f"--state {quote(f'{source.name}=in')}, or left, dead, spam, wait, never.",
    )


def _columns(
    header: Sequence[str], exporter: Exporter | None, options: ImportOptions, source: Source
) -> Columns:
    there = {fold(name) for name in header}
    address = options.column if options.column and fold(options.column) in there else None
    if address is None and exporter and exporter.address and fold(exporter.address) in there:
        address = exporter.address
    try:
        return find_columns(
            header,
            fields=[name for name in options.fields if fold(name) in there],
            address_column=address,
            where=source.where,
        )
    except RosterError as error:
        told = RosterError(
            error.what,
            where=source.where,
            problems=error.problems,
            next=f"Its columns are: {listed(header)}. Name the one of addresses: --column NAME, "
            "or rename all but one in the file.",
        )
        if address is not None:
            raise told from None
        raise UnclearColumn(told, {name: name for name in header if name.strip()}) from None


def _find_header(
    table: FileTable, options: ImportOptions
) -> tuple[list[str], Iterable[Record], Exporter | None, list[Record]]:
    """The header, the rows below it, the program, and the rows above it.

    A file of addresses alone has no header.

    Raises:
        RosterError: nobody can tell which column holds the addresses.
    """
    first = list(islice(table.records, SAMPLE))
    if not first:
        raise RosterError("The file is empty.", where=table.source.where, next=EMPTY)
    rows = chain(first, table.records)
    if table.bare:
        return ["email"], rows, None, []
    for place, (_, cells, fault) in enumerate(first):
        if fault:
            continue
        above, below = first[:place], chain(first[place + 1 :], table.records)
        if exporter := recognise(cells):
            return cells, below, exporter, above
        if options.column and fold(options.column) in {fold(cell) for cell in cells}:
            return cells, below, None, above
        if is_usual_header(first, place):
            named = first[place + 1 : place + 2]
            if named and (known := phplist_in_translation(cells, named[0][1])):
                return known, below, recognise(known), above
            return cells, below, None, above
    return _without_header(table, first, options), rows, None, []


def _refuse_above(
    source: Source, above: Sequence[Record], state: ReaderState | None, options: ImportOptions
) -> None:
    """Refuse a file whose rows above the header name readers, or say who stands below.

    Raises:
        RosterError: they do.
    """
    for number, cells, _ in above:
        where = Where(source.place, row=number)
        if any(map(holds_address, cells)) and not options.column:
            raise RosterError(
                "An address stands above the row that names the columns.",
                where=where,
                next="Move that row to the top; or, if the address is of no reader, delete it.",
            )
        told = next((cell for cell in map(trim, cells) if leavers_in(cell, ())), "")
        if told and state is None:
            raise RosterError(
                f"Above the columns stands “{visible(told[:60])}”: the rows below may be of "
                "readers who left.",
                where=where,
                next=f"Say what they are: --state “{source.name}=left”, or in.",
            )


def _section(number: int, cells: Sequence[str]) -> tuple[int, str] | None:
    """The number and text of a row that holds nothing but a title of readers who left."""
    told = [cell for cell in cells if cell]
    return (number, told[0]) if len(told) == 1 and leavers_in(told[0], ()) else None


def _below_section(source: Source, number: int, above: int, title: str) -> RosterError:
    return RosterError(
        f"Row {above:,} is a title, “{visible(title[:60])}”: row {number:,} and others below it "
        "may be of readers who left.",
        where=Where(source.place, row=above),
        next="Put them into a file of their own, and import both.",
    )


def _without_header(table: FileTable, first: Sequence[Record], options: ImportOptions) -> list[str]:
    """Names for the columns of a file without a header.

    Raises:
        RosterError: nobody can tell which holds the addresses.
    """
    found = address_columns(first)
    width = max(len(cells) for _, cells, _ in first)
    number = int(options.column) - 1 if options.column and options.column.isdecimal() else None
    if number is None and len(found) == 1 and width <= 2 and any(map(holds_address, first[0][1])):
        number = found[0]
    if number is None or not 0 <= number < width:
        cells = first[0][1]
        where = f" Addresses seem to stand in column {found[0] + 1}." if found else ""
        told = RosterError(
            f"Nobody can tell which column holds the addresses; the first row is: {listed(cells)}."
            f"{where}",
            where=table.source.where,
            next="Name it: --column NAME, or --column NUMBER in a file without a header.",
        )
        raise UnclearColumn(told, {str(n): cell for n, cell in enumerate(cells, start=1)})
    names = [str(index) for index in range(1, width + 1)]
    names[number] = "email"
    if width == 2:
        names[1 - number] = "name"
    return names


def read_import_files(source: Source, options: ImportOptions) -> Iterator[ImportFile]:
    """The tables in a file, recognised.

    Raises:
        RosterError: one cannot be used, or is not recognised.
    """
    for table in open_tables(source):
        yield ImportFile(table, options)
