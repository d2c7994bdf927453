"""A file with readers, wherever it lies: on a disk, in a ZIP, in memory. No I/O of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from newsletter.errors import Where

MAX_BYTES = 200_000_000
"""More than a million readers need."""
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How XLSX and ODS, and XLS begin."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One file with readers.

    Attributes:
        name: the file's own, without folders.
        place: where it is, as a message shows it.
        open: opens it for reading; may be called again.
        size: bytes.
    """

    name: str
    place: str
    open: Callable[[], IO[bytes]]
    size: int

    @property
    def where(self) -> Where:
        """Its place in a message."""
        return Where(self.place)

    def digest(self) -> str:
        """SHA-256 of its content, hex."""
        found = hashlib.sha256()
        with self.open() as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
        return found.hexdigest()
