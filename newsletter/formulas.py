"""Cells of a CSV that no spreadsheet runs as a formula (OWASP, CSV injection).

OWASP names the characters that begin a formula, and puts an apostrophe before such a cell. Here
also before one that has apostrophes there already, so that the cell can be had back as it was.
"""

from __future__ import annotations

import re

_BEGINS = re.compile("'*[ \u00a0]*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")


def defused(cell: str) -> str:
    """The cell, with an apostrophe before it if a spreadsheet may take it for a formula."""
    return f"'{cell}" if _BEGINS.match(cell) else cell


def undefused(cell: str) -> str:
    """What :func:`defused` was given."""
    return cell[1:] if cell[:1] == "'" and _BEGINS.match(cell) else cell
