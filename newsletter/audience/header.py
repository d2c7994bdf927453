"""Finds the row of a list that names its columns, or asks for it. No I/O.

Titles and notes may stand above the header, it may be missing, and the column of addresses may
have any name. None of that is guessed: a wrong guess mails the wrong people or takes a reader
for a header. The message shows what was found, with the settings that answer it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path

from newsletter.addresses import AddressError
from newsletter.audience.cells import read_address, trim
from newsletter.audience.columns import MAX_COLUMNS, has_email, listed
from newsletter.audience.records import SAMPLE, Record
from newsletter.errors import RosterError, Where
from newsletter.formulas import undefused


def take_header(
    path: Path,
    records: Iterator[Record],
    *,
    header_row: int | None,
    address_column: str | None,
    table: str,
) -> tuple[int, list[str], Iterable[Record]]:
    """The header's row number, its cells, and the rows below it.

    Without a header (``header_row`` 0) the columns are called 1, 2, 3 …, and email if only one
    holds addresses.

    Args:
        path: the list.
        records: all rows with anything in them.
        header_row: newsletter.toml's: the row of the header, 0 for none; None for the first row.
        address_column: newsletter.toml's: the name of the column of addresses.
        table: of newsletter.toml, which can tell about the list; empty: it is not the
            newsletter's own.

    Raises:
        RosterError: the list is empty; the header cannot be read or is not in that row.
    """
    above: list[Record] = []
    if header_row:
        records = _from(path, records, header_row, above, table)
    first = list(islice(records, SAMPLE))
    if not first:
        raise RosterError(
            "The list is empty.",
            where=Where(path),
            next="Write a first row such as email,name,language and one row for each reader.",
        )
    number, header, fault = first[0]
    if header_row == 0:
        width = max(len(cells) for _, cells, _ in first)
        names = [str(index) for index in range(1, min(width, MAX_COLUMNS) + 1)]
        columns = address_columns(first)
        if address_column is None and len(columns) == 1:
            names[columns[0]] = "email"
        return 0, names, chain(first, records)
    if header_row is None and not has_email(header) and address_column is None:
        _ask(path, first, table=table)
    if fault:
        raise RosterError(
            f"The list's header cannot be read. {fault}",
            where=Where(path, row=number),
            next="Save the list again as CSV UTF-8 (comma delimited).",
        )
    return number, header, chain(first[1:], records)


def as_exported(header: Sequence[str], rows: Iterable[Record]) -> Iterable[Record]:
    """The rows; of our own export as they were before formulas were defused.

    In another file an apostrophe may be the reader's own. Addresses are read so in any file.
    """
    if header[:3] != ["email", "name", "language"] or not {*header} >= _OWN:
        return rows
    return ((n, [*cells[:1], *map(undefused, cells[1:])], fault) for n, cells, fault in rows)


_OWN = frozenset(("joined", "source", "status"))
"""Further columns of our own export; see :func:`newsletter.project.listing.as_csv`."""


def address_columns(rows: Sequence[Record]) -> list[int]:
    """Where addresses stand in rows, the column with most of them first."""
    counts: dict[int, int] = {}
    for _, cells, _ in rows:
        for index, cell in enumerate(cells[:MAX_COLUMNS]):
            if holds_address(cell):
                counts[index] = counts.get(index, 0) + 1
    return sorted(counts, key=lambda index: -counts[index])


def holds_address(cell: str) -> bool:
    """Whether a cell holds an address and nothing else."""
    if "@" not in cell:
        return False
    try:
        read_address(cell)
    except AddressError:
        return False
    return True


def _from(
    path: Path, records: Iterator[Record], header_row: int, above: list[Record], table: str
) -> Iterator[Record]:
    for record in records:
        if record[0] < header_row:
            above.append(record)
            continue
        if record[0] == header_row:
            return chain([record], records)
        break
    shown = above[-1][1] if above else []
    raise RosterError(
        f"Row {header_row} of the list, which header_row names, is empty or not there.",
        where=Where(path, row=header_row),
        next=f"Mend header_row under {table} in newsletter.toml."
        + (f" The row before it is: {listed(shown)}." if shown else ""),
    )


def _ask(path: Path, first: Sequence[Record], *, table: str) -> None:
    """Say what the first rows hold, and what to write.

    Raises:
        RosterError: unless the first row cannot be read, which is said elsewhere.
    """
    number, header, fault = first[0]
    if fault or len(header) > MAX_COLUMNS:
        return
    what = f"No column of the list is called “email”; its first row is: {listed(header)}."
    advice = "Add a first row that names the columns, e.g. email, name, language."
    place = _header_place(first)
    if place is None and any(map(holds_address, header)):
        what = f"The list has no header; its first row is: {listed(header)}."
        found = address_columns(first)
        which = f' and address_column = "{found[0] + 1}"' if len(found) > 1 else ""
        if table:
            advice += f" Or write header_row = 0{which} under {table} in newsletter.toml."
    elif place is not None:
        row, names, _ = first[place]
        columns = [
            trim(names[index])
            for index in address_columns(first[place + 1 :])
            if index < len(names) and trim(names[index])
        ]
        settings = [f"header_row = {row}"] if place else []
        changes = [f"Delete what stands above row {row}."] if place else []
        if not has_email(columns[:1]):
            settings.append(f"address_column = {json.dumps(columns[0], ensure_ascii=False)}")
            changes.append("Call that column “email”.")
        if place:
            what += f" Row {row} looks like the header: {listed(names)}."
        what += f" Addresses stand in {listed(columns)}."
        written = f"Write {' and '.join(settings)} under {table} in newsletter.toml."
        advice = written if table else " ".join(changes)
    raise RosterError(what, where=Where(path, row=number), next=advice)


def is_usual_header(first: Sequence[Record], place: int) -> bool:
    """Whether one of the first rows names a column of addresses as usual, and is the header.

    It is the very first row, or an address stands below that name.
    """
    cells = first[place][1]
    if not has_email(cells) or any(map(holds_address, cells)):
        return False
    below = first[place + 1][1] if place + 1 < len(first) else []
    named = (index for index, cell in enumerate(cells) if has_email([cell]))
    return place == 0 or any(index < len(below) and holds_address(below[index]) for index in named)


def _header_place(first: Sequence[Record]) -> int | None:
    """Which of the first rows is the header; else the first that names what stands in the next."""
    known = (place for place in range(len(first)) if is_usual_header(first, place))
    named = (
        place
        for place, ((_, above, _), (_, below, _)) in enumerate(pairwise(first))
        if not any("@" in cell for cell in above) and _names_addresses(above, below)
    )
    return next(known, next(named, None))


def _names_addresses(above: Sequence[str], below: Sequence[str]) -> bool:
    return any(trim(name) and holds_address(cell) for name, cell in zip(above, below, strict=False))
