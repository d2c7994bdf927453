"""Opens an XLS file in a process of its own, with bounded memory: it may die of it, alone.

The format says row and column of each cell in binary records, and a sheet is made as large as its
farthest one when it is opened.
"""

from __future__ import annotations

import io
import subprocess
import sys

from newsletter.system import limit_memory

_MOST_MEMORY = 3_000_000_000
"""Bytes: what 20 million cells take, and the program beside them."""
_LONGEST_S = 120.0


def is_bearable(raw: bytes) -> bool:
    """Whether a process can open an XLS file, sound or damaged, within bounded memory and time."""
    try:
        # -P: no module of the folder that the command runs in.
        done = subprocess.run(  # noqa: S603 - this module, by this Python
            [sys.executable, "-P", "-m", __name__],
            input=raw,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _open(raw: bytes) -> None:
    from python_calamine import CalamineError, load_workbook

    try:
        workbook = load_workbook(io.BytesIO(raw))
        for name in workbook.sheet_names:
            workbook.get_sheet_by_name(name)
    except (CalamineError, OSError, ValueError):
        return  # it is damaged, which the reader says better


if __name__ == "__main__":
    limit_memory(_MOST_MEMORY)
    with open(0, "rb") as given:
        _open(given.read())
