"""Takes the text of a list apart into its rows (RFC 4180, as spreadsheets write it). No I/O."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, TextIO

from newsletter.audience.cells import trim
from newsletter.audience.charset import Text
from newsletter.audience.columns import fold, has_email
from newsletter.audience.source_file import MAX_BYTES
from newsletter.errors import RosterError, Where

_SEP_LINE = re.compile(r"\"?sep=(?P<sep>[!#-/:-@\[-`{-~]|\t)\"?\r?\n?", re.IGNORECASE)
_DELIMITERS = ",;\t|"

SAMPLE = 30
"""Rows in which a header is looked for: titles and notes may stand above it."""
MAX_LINE = 1_000_000
"""Characters of a line of the file."""
_BLOCK = 1 << 18
_HEAD = 20_000
"""Characters by which the delimiter is told."""
_ENDS = ("\n", "\r")

Record = tuple[int, list[str], str]
"""The row's number, its cells, and why it cannot be used, if it cannot."""


def _find_delimiter(text: str) -> tuple[str, str]:
    """What separates the cells of a list by its beginning, and that without Excel's ``sep=`` line.

    Excel takes that line for no row, so neither do the row numbers.
    """
    told = _SEP_LINE.match(text)
    if told:
        return told["sep"], text[told.end() :]
    headers = {delimiter: _header(text, delimiter) for delimiter in _DELIMITERS}
    with_email = [delimiter for delimiter in _DELIMITERS if has_email(headers[delimiter])]
    return max(with_email or _DELIMITERS, key=lambda each: len(headers[each])), text


def _header(text: str, delimiter: str) -> list[str]:
    """The first row that names a column of addresses; else the widest of the first rows."""
    rows: list[list[str]] = []
    reader = _reader(io.StringIO(text, newline=""), delimiter)
    while len(rows) < SAMPLE:
        try:
            cells = next(reader)
        except csv.Error:
            continue
        except StopIteration:
            break
        if any(map(fold, cells)):
            rows.append(cells)
    return next(filter(has_email, rows), max(rows, key=len, default=[]))


class _Lines:
    """The lines of a list as csv takes them; ``fault`` is set by one that spoils its row."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.fault = ""

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[Iterable[str]]:
        """A few thousand lines at a time: a block without any damage is not looked at again."""
        while block := self._text.read(_BLOCK):
            block += self._text.readline(MAX_LINE + 1)
            lines = io.StringIO(block, newline="")
            sound = len(block) <= MAX_LINE and "\0" not in block and _is_utf8(block)
            yield lines if sound else self._judged(lines)

    def _judged(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            if len(line) <= MAX_LINE:
                self.fault = self.fault or _damage(line)
                yield line
                continue
            if not line.endswith(_ENDS):
                while (rest := self._text.readline(MAX_LINE)) and not rest.endswith(_ENDS):
                    pass
            # Not taken apart: it might have as many cells as characters.
            self.fault = f"The row is a line of more than {MAX_LINE:,} characters."
            yield "\n"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _damage(line: str) -> str:
    if "\0" in line:
        return "The row holds NUL characters, so it is not text, or damaged."
    if not _is_utf8(line):
        return "The row is not UTF-8 text like the rest of the list; retype it."
    return ""


def _reader(lines: Iterable[str], delimiter: str) -> Any:
    # A cell that runs over other rows, for want of a quotation mark, is told from what it
    # holds. strict: an open quotation mark would otherwise swallow all that follows.
    csv.field_size_limit(MAX_BYTES)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def read_records(text: Text) -> tuple[str, Iterator[Record]]:
    """What separates the cells, and the records with anything in them.

    Raises:
        RosterError: while they are read; see :func:`_records`.
    """
    with text.open() as opened:
        head = opened.read(_HEAD)
    delimiter, rest = _find_delimiter(head)

    def records() -> Iterator[Record]:
        with text.open() as opened:
            opened.read(len(head) - len(rest))
            yield from _records(text.source.place, opened, delimiter)

    return delimiter, records()


def _records(place: str, text: TextIO, delimiter: str) -> Iterator[Record]:
    """The records with anything in them.

    Raises:
        RosterError: a quotation mark is never closed, or a record of several lines ends
            amid a cell, so that nobody can tell which rows are in it.
    """
    lines = _Lines(text)
    reader = _reader(lines, delimiter)
    number = line = 0
    while True:
        try:
            for cells in reader:
                number, line = number + 1, reader.line_num
                if lines.fault:
                    fault, lines.fault = lines.fault, ""
                    yield number, cells, fault
                elif any(map(trim, cells)):
                    yield number, cells, ""
        except csv.Error as error:
            number += 1
            if "unexpected end" in str(error) or reader.line_num > line + 1:
                raise _broken(error, Where(place, row=number)) from None
            lines.fault, line = "", reader.line_num
            yield number, [], _STRAY_MARK + " Take the mark out, or write it twice."
        else:
            return


_STRAY_MARK = "There is a quotation mark inside a cell, so its end cannot be found."


def _broken(error: csv.Error, where: Where) -> RosterError:
    """The list ends, or runs over several lines, before its row is told apart from others."""
    if "unexpected end" in str(error):
        what = "A quotation mark opens a cell here and is never closed."
    else:
        what = _STRAY_MARK
    return RosterError(
        what,
        where=where,
        next='Remove the mark ("), or write it twice (""). The list was not read.',
    )
