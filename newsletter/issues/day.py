"""The day of an issue that may be half-written: one line of its file. Reads only."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from newsletter.issues.document import MAX_CHARACTERS
from newsletter.regular_file import read_regular

_DATE = re.compile(r"""^date:\s*["']?(\d{4}-\d{2}-\d{2})\b""", re.MULTILINE)


def day_of(file: Path) -> dt.date | None:
    """The date that a file tells, whatever else is wrong with it; None if it tells none."""
    try:
        found = _DATE.search(read_regular(file, max_bytes=4 * MAX_CHARACTERS).decode())
        return dt.date.fromisoformat(found[1]) if found else None
    except (OSError, ValueError):
        return None
