"""The sheets of a spreadsheet file as rows of text: XLSX, XLS, ODS. Reads it; runs no formula.

A sheet is read whole, so it is bounded: in bytes, and in the cells that it spans, which a file of
two cells in far corners makes as many as it likes.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import IO, TYPE_CHECKING

from newsletter.audience.exports import leavers_in
from newsletter.audience.records import Record
from newsletter.audience.sources import Source
from newsletter.errors import Problem, RosterError
from newsletter.invisible import visible

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

MOST_BYTES = 50_000_000
"""Of a spreadsheet file."""
MOST_UNPACKED = 400_000_000
MOST_CELLS = 20_000_000
"""Cells that the sheets of a file span: a million rows of twenty columns."""
_CHUNK = 1 << 20
_CELL = re.compile(rb"\br\s*=\s*[\"']([A-Za-z]{1,3})(\d{1,7})[\"']")
"""Where a cell of XLSX stands, such as AB12."""
_NO_PLACE = re.compile(rb"<(?:\w+:)?c(?:\s(?![^<>]*\br\s*=)[^<>]*)?/?>")
"""A cell of XLSX that does not say where it stands: in the row that is open, which may be any."""
_LONGEST_PLACE = 200
_ODS_TAG = re.compile(
    rb"<table:(table|table-row|(?:covered-)?table-cell)(?=[\s/>])"
    rb"((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*+)>"
)
_REPEATED = re.compile(rb"number-(?:rows|columns)-repeated\s*=\s*[\"'](\d{1,12})")
_SAVE_AS = "In Excel choose File, Save as, “CSV UTF-8 (comma delimited)”, and import that."


def read_sheets(source: Source) -> Iterator[tuple[Source, Iterator[Record], list[Problem]]]:
    """The visible sheets with addresses in them: each as a file, its rows, and what is odd.

    Raises:
        RosterError: it is too large, damaged, protected by a password, or holds no address.
    """
    from python_calamine import CalamineError, PasswordError, SheetVisibleEnum, load_workbook

    with source.open() as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise _refusal(source, f"it holds more than {MOST_BYTES / 1e6:g} MB")
    _refuse_unsafe(source, raw)
    try:
        workbook = load_workbook(io.BytesIO(raw))
        visible_ones = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.visible is SheetVisibleEnum.Visible
        ]
        sheets = [(name, _sheet(workbook, name)) for name in visible_ones]
    except PasswordError:
        raise _refusal(source, "a password protects it") from None
    except (CalamineError, OSError, ValueError) as error:
        raise _refusal(source, f"it is damaged: {visible(str(error))[:200]}") from None
    hidden = len(workbook.sheets_metadata) - len(visible_ones)
    notes = [Problem(f"Hidden sheets, not read: {hidden}.", source.where)] if hidden else []
    listed = [(name, sheet) for name, sheet in sheets if _holds_addresses(sheet)]
    notes += [
        Problem(f"The sheet “{visible(name)[:60]}” holds no address.", source.where)
        for name, sheet in sheets
        if (name, sheet) not in listed
    ]
    if not listed:
        raise _refusal(source, "no sheet of it holds an address")
    for name, sheet in listed:
        # A sheet's name tells who is in it, as a file's does.
        named = len(listed) > 1 or leavers_in(name, ()) is not None
        title = f"{visible(name)[:60]} ({source.name})" if named else source.name
        place = f"{source.place}: {visible(name)[:60]}" if named else source.place
        yield replace(source, name=title, place=place), _records(sheet), notes
        notes = []


def _sheet(workbook: CalamineWorkbook, name: str) -> CalamineSheet:
    return workbook.get_sheet_by_name(name)


def _records(sheet: CalamineSheet) -> Iterator[Record]:
    for number, cells in enumerate(sheet.iter_rows(), 1):
        texts = list(map(_text, cells))
        if any(texts):
            yield number, texts, ""


def _holds_addresses(sheet: CalamineSheet) -> bool:
    return any("@" in cell for row in sheet.iter_rows() for cell in row if isinstance(cell, str))


def _text(cell: object) -> str:
    """A cell as CSV would have it."""
    match cell:
        case str():
            return cell
        case bool():
            return str(cell).upper()
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ", "seconds")
        case date():
            return cell.isoformat()
    return "" if cell is None else str(cell)


def _refuse_unsafe(source: Source, raw: bytes) -> None:
    """Refuse a file that spans more cells than memory should hold.

    Raises:
        RosterError: it does, or is no sound ZIP.
    """
    if not raw.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > MOST_UNPACKED:
                raise _refusal(source, f"it unpacks to more than {MOST_UNPACKED / 1e6:g} MB")
            cells = 0
            for info in infos:
                if info.filename == "xl/workbook.bin":
                    raise _refusal(source, "it is a binary workbook (XLSB)")
                if info.filename == "content.xml":
                    cells += _ods_span(archive.read(info))
                elif info.filename.endswith(".xml") and "calcChain" not in info.filename:
                    with archive.open(info) as part:
                        cells += _span(source, part)
                if cells > MOST_CELLS:
                    raise _refusal(source, f"its sheets span more than {MOST_CELLS:,} cells")
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, ValueError, EOFError,
            RuntimeError) as error:  # fmt: skip
        raise _refusal(source, f"it is damaged: {visible(str(error))[:200]}") from None


def _span(source: Source, part: IO[bytes]) -> int:
    """The cells that a sheet of XLSX spans, from its corner to the last in each direction.

    Raises:
        RosterError: nobody can tell.
    """
    columns = rows = 0
    before = b""
    while chunk := part.read(_CHUNK):
        if _NO_PLACE.search(before + chunk):
            raise _refusal(source, "its cells do not say where they stand")
        for letters, digits in _CELL.findall(before + chunk):
            rows = max(rows, int(digits))
            columns = max(columns, _column(letters.upper()))
        before = chunk[-_LONGEST_PLACE:]
    return columns * rows


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _ods_span(content: bytes) -> int:
    """The cells that all sheets of ODS span, each from its corner to the last that is filled.

    The format says “as before, a million times”; of empty cells at an end that is usual.
    """
    spanned = rows = filled_rows = columns = filled_columns = 0
    for tag in _ODS_TAG.finditer(content):
        name, attributes = tag.groups()
        repeated = _REPEATED.search(attributes)
        times = int(repeated[1]) if repeated else 1
        if name == b"table":
            spanned += filled_rows * filled_columns
            rows = filled_rows = filled_columns = 0
        elif name == b"table-row":
            rows, columns = rows + times, 0
        else:
            columns += times
            if not attributes.endswith(b"/") or b"office:" in attributes:
                filled_rows, filled_columns = rows, max(filled_columns, columns)
    return spanned + filled_rows * filled_columns


def _refusal(source: Source, why: str) -> RosterError:
    return RosterError(
        f"The spreadsheet file cannot be read: {why}.", where=source.where, next=_SAVE_AS
    )
