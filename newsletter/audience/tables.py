"""A file of a move as rows of cells: CSV, sheets, contacts, addresses, a dump. Reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.audience.cells import trim
from newsletter.audience.charset import Text, find_text
from newsletter.audience.exports import leavers_in
from newsletter.audience.records import MAX_LINE, Record, read_records
from newsletter.audience.source_file import SPREADSHEETS, Source
from newsletter.audience.spreadsheets import read_sheets
from newsletter.audience.vcards import read_cards
from newsletter.errors import Problem

_HEAD = 20_000
"""Characters by which the kind of a file is told."""
_SAMPLE = 50
_MAILBOX = re.compile(
    r'"[^"<>]{0,200}"\s{0,9}<[^<>\s]{1,320}>'
    r'|(?:(?<![^\s,;<>])(?=\S)[^<>"@]{0,200}+)?+<[^<>\s]{1,320}>'
    r'|(?<![^\s,;<>"])[^\s,;<>"@]+@[^\s,;<>"]+'
)
"""An address as mail programs show it, with or without a name (RFC 5322, section 3.4).

A match begins where a word does, and nothing is tried twice: the time grows with the line alone.
"""
_STANZA = re.compile(r"(?:[a-z_]+ .*\n)*email \S+@\S+\n", re.IGNORECASE)
_NOBODY = re.compile(r"\S+ has no members")
"""What Mailman 3 prints in place of an empty list."""
_DUMP = ("email", "name", "date", "reception", "visibility")


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table, opened.

    Attributes:
        source: its file.
        records: its rows with anything in them, the header among them.
        delimiter: what separates cells.
        notes: what is odd about it.
        bare: whether each row is an address, with or without a name, and there is no header.
        program: what wrote it, if that shows already.
    """

    source: Source
    records: Iterator[Record]
    delimiter: str = ","
    notes: tuple[Problem, ...] = ()
    bare: bool = False
    program: str = ""


def open_tables(source: Source) -> Iterator[FileTable]:
    """The tables in a file.

    Raises:
        RosterError: it is no list.
    """
    with source.open() as file:
        start = file.read(8)
    if start.startswith(SPREADSHEETS):
        for sheet, records, notes in read_sheets(source):
            yield FileTable(sheet, records, "\t", tuple(notes))
        return
    text = find_text(source)
    with text.open() as opened:
        head = opened.read(_HEAD)
    lines = [line for each in head.splitlines()[:-1] or [head] if (line := trim(each))][:_SAMPLE]
    if len(lines) == 1 and _NOBODY.fullmatch(lines[0]):
        yield FileTable(source, iter([(1, ["email"], "")]), program="a member list")
        return
    pasted = len(lines) == 1 and len(_MAILBOX.findall(lines[0])) > 1
    if lines and (pasted or any("<" in line for line in lines)) and all(map(_is_line, lines)):
        yield FileTable(source, _lines(text), notes=text.notes, bare=True, program="a member list")
    elif head.lstrip("\ufeff\r\n\t ")[:11].upper() == "BEGIN:VCARD":
        yield FileTable(source, _cards(text), notes=text.notes, program="vCard")
    elif _STANZA.match(head.lstrip("\ufeff\n")):
        yield FileTable(source, _stanzas(text), notes=text.notes, program="Sympa")
    else:
        delimiter, records = read_records(text)
        yield FileTable(source, records, delimiter, text.notes)


def _is_line(line: str) -> bool:
    return line.startswith("#") or not _MAILBOX.sub("", line).strip(" ,;\t")


def _lines(text: Text) -> Iterator[Record]:
    """Addresses such as ``Name <address>``, one or several a line.

    Mailman prints its members so, and mail programs show who a mail went to.
    """
    with text.open() as opened:
        number = 0
        while line := opened.readline(MAX_LINE):
            number += 1
            shown = trim(line)
            if shown.startswith("#"):
                shown = shown.strip("# ")
                if leavers_in(shown, ()):  # a title of those below it
                    yield number, [shown], ""
                continue
            if not shown:
                continue
            rest = _MAILBOX.sub("", shown).strip(" ,;\t")
            for found in [] if rest else _MAILBOX.findall(shown):
                yield number, [found.strip(" ,;\t")], ""
            if rest:
                yield number, [shown.rstrip(",;")], ""


def _cards(text: Text) -> Iterator[Record]:
    with text.open() as opened:
        yield from read_cards(opened)


def _stanzas(text: Text) -> Iterator[Record]:
    """Sympa's member.dump: a line “key value” each, and an empty line between members."""
    yield 1, [*_DUMP], ""
    values: dict[str, str] = {}
    start = number = 0
    with text.open() as opened:
        while line := opened.readline(MAX_LINE):
            number += 1
            if not trim(line):
                if values:
                    yield start, _member(values), ""
                values = {}
                continue
            if not values:
                start = number
            key, _, value = trim(line).partition(" ")
            values[key.lower()] = value
    if values:
        yield start, _member(values), ""


def _member(values: dict[str, str]) -> list[str]:
    named = {**values, "name": values.get("gecos", "")}
    return [named.get(column, "") for column in _DUMP]
