"""Opens a spreadsheet file in a process of its own, with bounded memory: it may die of it, alone.

In XLS a sheet is made as large as its farthest cell when it is opened; in XLSX and ODS a text that
the file holds once stands in as many cells as it says.
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
    """Whether a process can open a file, sound or damaged, within bounded memory and time."""
    try:
        # -P: no module of the folder that the command runs in.
        done = subprocess.run(  # noqa: S603 - this module, by this Python
            [sys.executable, "-P", "-m", __name__, str(_MOST_MEMORY)],
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
        _ = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
    except (CalamineError, OSError, ValueError):
        return  # it is damaged, which the reader says better


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    with open(0, "rb") as given:
        _open(given.read())
