"""Takes the text of a list apart into its rows (RFC 4180, as spreadsheets write it). No I/O."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from newsletter.audience.cells import trim
from newsletter.audience.columns import fold, has_email
from newsletter.audience.decoding import MAX_BYTES
from newsletter.errors import RosterError, Where

_SEP_LINE = re.compile(r"\"?sep=(?P<sep>[!#-/:-@\[-`{-~]|\t)\"?\r?\n?", re.IGNORECASE)
_DELIMITERS = ",;\t|"

SAMPLE = 30
"""Rows in which a header is looked for: titles and notes may stand above it."""
MAX_LINE = 1_000_000
"""Characters of a line of the file."""
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")

Record = tuple[int, list[str], str]
"""The row's number, its cells, and why it cannot be used, if it cannot."""


def find_delimiter(text: str) -> tuple[str, str]:
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

    def __init__(self, text: str | TextIO) -> None:
        self._damaged = True
        if isinstance(text, str):
            self._damaged = "\0" in text or _NOT_UTF8.search(text) is not None
            text = io.StringIO(text, newline="")
        self._lines = text
        self.fault = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._lines.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        if len(line) > MAX_LINE:
            while (rest := self._lines.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
                pass
            # Not taken apart: it might have as many cells as characters.
            self.fault = f"The row is a line of more than {MAX_LINE:,} characters."
            return "\n"
        if self._damaged:
            self.fault = self.fault or _damage(line)
        return line


def _damage(line: str) -> str:
    if "\0" in line:
        return "The row holds NUL characters, so it is not text, or damaged."
    if _NOT_UTF8.search(line):
        return "The row is not UTF-8 text like the rest of the list; retype it."
    return ""


def _reader(lines: Iterable[str], delimiter: str) -> Any:
    # A cell that runs over other rows, for want of a quotation mark, is told from what it
    # holds. strict: an open quotation mark would otherwise swallow all that follows.
    csv.field_size_limit(MAX_BYTES)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)


def read_records(path: Path | str, text: str | TextIO, delimiter: str) -> Iterator[Record]:
    """The records with anything in them.

    Raises:
        RosterError: a quotation mark is never closed, or a record of several lines ends
            amid a cell, so that nobody can tell which rows are in it.
    """
    lines = _Lines(text)
    reader = _reader(lines, delimiter)
    number = 0
    while True:
        number += 1
        before = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or reader.line_num > before + 1:
                raise _broken(error, Where(path, row=number)) from None
            yield number, [], _STRAY_MARK + " Take the mark out, or write it twice."
            continue
        fault, lines.fault = lines.fault, ""
        if fault or (any(cells) and any(map(trim, cells))):
            yield number, cells, fault


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
