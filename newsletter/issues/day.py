"""The day of an issue that may be half-written: one line of its file. Reads only."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

_DATE = re.compile(r"""^date:\s*["']?(\d{4}-\d{2}-\d{2})\b""", re.MULTILINE)


def day_of(file: Path) -> dt.date | None:
    """The date that a file tells, whatever else is wrong with it; None if it tells none."""
    try:
        found = _DATE.search(file.read_text(encoding="utf-8"))
        return dt.date.fromisoformat(found[1]) if found else None
    except (OSError, ValueError):
        return None
