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

from newsletter.audience import sheet_probe
from newsletter.audience.exports import leavers_in
from newsletter.audience.records import Record
from newsletter.audience.source_file import Source
from newsletter.audience.sources import lists_too_many
from newsletter.errors import Problem, RosterError
from newsletter.invisible import visible

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

MOST_BYTES = 50_000_000
"""Of a spreadsheet file."""
MOST_UNPACKED = 400_000_000
MOST_CELLS = 20_000_000
"""Cells that a sheet spans: a million rows of twenty columns."""
_MOST_COLUMNS = 16_384
_BEARABLE = 1_000_000_000
"""Bytes that the cells of a file may take at most to be opened at once: their number, each as long
as the longest part of the file. XLSX writes a text once for all cells that have it, ODS a row."""
_CHUNK = 1 << 20
_REFERENCE = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{0,3})(\d{1,7})["']""")
_CELL = re.compile(rb"<(?:[\w.-]{1,50}:)?c[\s/>]")
_COUNT = re.compile(rb"""ount\s*=\s*["'](\d{8,30})["']""")
"""How many texts or cells follow, for which room is made beforehand."""
_ODS_TAG = re.compile(
    rb"""<(/?)table:(table-row|table-cell|covered-table-cell|table)\b((?:[^>"']|"[^"]*"|'[^']*')*)>"""
)
_REPEATED = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']([^"']*)["']""")
_SAVE_AS = "In Excel choose File, Save as, “CSV UTF-8 (comma delimited)”, and import that."


def read_sheets(source: Source) -> Iterator[tuple[Source, Iterator[Record], list[Problem]]]:
    """The sheets with addresses in them: each as a file, its rows, and what is odd.

    A hidden sheet is read only if its name says that its readers left: it may be what somebody
    put away, and it can only keep readers off.

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
        read = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.visible is SheetVisibleEnum.Visible or leavers_in(sheet.name, ())
        ]
        sheets = [(name, workbook.get_sheet_by_name(name)) for name in read]
    except PasswordError:
        raise _refusal(source, "a password protects it") from None
    except (CalamineError, OSError, ValueError) as error:
        raise _refusal(source, f"it is damaged: {visible(str(error))[:200]}") from None
    hidden = len(workbook.sheets_metadata) - len(read)
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
        _refuse_merged(source, name, sheet)
        # A sheet's name tells who is in it, as a file's does.
        named = len(listed) > 1 or leavers_in(name, ()) is not None
        title = f"{visible(name)[:60]} ({source.name})" if named else source.name
        place = f"{source.place}: {visible(name)[:60]}" if named else source.place
        yield replace(source, name=title, place=place), _records(sheet), notes
        notes = []


def _refuse_merged(source: Source, name: str, sheet: CalamineSheet) -> None:
    """Refuse a sheet where a value stands for several rows: only the first of them has it.

    Raises:
        RosterError: cells of several rows are merged below the first row.
    """
    for (top, _), (bottom, _) in sheet.merged_cell_ranges or ():
        if 0 < top < bottom:
            raise RosterError(
                f"On the sheet “{visible(name)[:60]}” cells of rows {top + 1} to {bottom + 1} are "
                "merged, so only the first of these rows has their value.",
                where=source.where,
                next="Take them apart, and write the value into each of the rows.",
            )


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
    sound = raw.startswith(b"PK") and _bytes_at_most(source, raw) <= _BEARABLE
    if not sound and not sheet_probe.is_bearable(raw):
        raise _refusal(source, "its cells take more memory than a list can")


def _bytes_at_most(source: Source, raw: bytes) -> int:
    """How much the cells of an XLSX or ODS file can take, at most.

    Raises:
        RosterError: it spans too many, or is no sound ZIP.
    """
    if lists_too_many(io.BytesIO(raw)):
        raise _refusal(source, "it is a ZIP of too many files")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > MOST_UNPACKED:
                raise _refusal(source, f"it unpacks to more than {MOST_UNPACKED / 1e6:g} MB")
            if any(info.filename.lower().endswith("workbook.bin") for info in infos):
                raise _refusal(source, "it is of a kind that is not read, such as XLSB")
            span = 0
            for info in infos:
                if info.filename == "content.xml":
                    span += _repeated_cells(source, archive.read(info))
                with archive.open(info) as part:
                    span += _span_of(source, part)
            if span > MOST_CELLS:
                raise _refusal(source, f"its sheets span {span:,} cells")
            return span * max((info.file_size for info in infos), default=0)
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, ValueError, EOFError,
            RuntimeError) as error:  # fmt: skip
        raise _refusal(source, f"it is damaged: {visible(str(error))[:200]}") from None


def _span_of(source: Source, part: IO[bytes]) -> int:
    """Cells that a sheet of XLSX spans, whatever folder and namespace it is in.

    Raises:
        RosterError: it spans more than a list can, or says so.
    """
    columns = rows = cells = referred = 0
    before = b""
    while chunk := part.read(_CHUNK):
        text = before + chunk
        end = max(text.rfind(b">") + 1, len(text) - _CHUNK)
        for letters, digits in _REFERENCE.findall(text, 0, end):
            rows = max(rows, int(digits))
            columns = max(columns, _column(letters.upper()))
            referred += letters != b""
        if any(int(number) > MOST_CELLS for number in _COUNT.findall(text, 0, end)):
            raise _refusal(source, "it says that it holds more than a list can")
        cells += len(_CELL.findall(text, 0, end))
        before = text[end:]
    if cells > referred:  # cells that do not say where they stand follow one another
        columns = max(columns, min(cells, _MOST_COLUMNS))
    span = rows * columns
    if span > MOST_CELLS:
        raise _refusal(source, f"a sheet spans {rows:,} rows and {columns:,} columns")
    return max(span, cells)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _repeated_cells(source: Source, content: bytes) -> int:
    """Cells that an ODS file spans. It says “as before, a million times”, usually of empty ones.

    Raises:
        RosterError: its sheets span more cells than a list can.
    """
    before = rows = top = width = widest = columns = times = 0
    for end, kind, told in _ODS_TAG.findall(content):
        number = max((_number(source, each) for each in _REPEATED.findall(told)), default=1)
        if kind == b"table":
            before += rows * widest if end else 0
            rows = widest = top = 0
        elif kind != b"table-row":
            columns += number
            if not told.endswith(b"/") or b"value" in told:
                width = columns
        elif not end and not told.endswith(b"/"):
            times, columns, width = number, 0, 0
        else:
            top += times if end else number
            if width:
                rows, widest = top, max(widest, width)
            width = 0
        if before + rows * widest > MOST_CELLS or columns > MOST_CELLS:
            raise _refusal(source, "it repeats cells more often than a list can")
    return before + rows * widest


def _number(source: Source, written: bytes) -> int:
    if not written.isdigit():  # such as &#50;, which a reader takes for 2
        raise _refusal(source, "it does not say how often it repeats a cell")
    return int(written[:12])


def _refusal(source: Source, why: str) -> RosterError:
    return RosterError(
        f"The spreadsheet file cannot be read: {why}.", where=source.where, next=_SAVE_AS
    )
