"""Whether the cells of a row stand in the columns that they belong to. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.audience.cells import trim
from newsletter.audience.columns import Columns

MAX_CELL = 10_000
"""Characters of a cell that is used."""


class RowError(ValueError):
    """The row cannot be used; the message says why."""


def check_shape(cells: Sequence[str], columns: Columns, delimiter: str) -> None:
    """Refuse a row whose values may stand in the wrong columns.

    Raises:
        RowError: they may.
    """
    width = columns.width
    text = "".join(cells)
    # Then no cell can be too long or hold a line break.
    plain = len(text) <= MAX_CELL and text.isprintable()
    if plain and len(cells) == width:
        return
    email = cells[columns.email] if len(cells) > columns.email else ""
    # Spreadsheets leave out empty cells at a row's end; another separator is no such case.
    if len(cells) < width and re.search("[,;\t]", email):
        raise RowError(
            f"The row has {len(cells)} cells where the header has {width}, so a value may "
            "stand in the wrong column."
        )
    if len(cells) > width and any(map(trim, cells[width:])):
        raise RowError(
            f"The row has {len(cells)} cells where the header has {width}; a cell that holds "
            "a separator must stand in quotation marks."
        )
    if plain:
        return
    if any(len(cells[index]) > MAX_CELL for index in columns.used if index < len(cells)):
        raise RowError(f"A cell holds more than {MAX_CELL:,} characters.")
    for cell in cells:
        if any("@" in line and delimiter in line for line in cell.splitlines()[1:]):
            raise RowError(
                f"One cell runs over {len(cell.splitlines())} lines and holds other rows; "
                "its quotation mark is not closed where it should be."
            )
