"""Documents that an issue offers: each exists below issues/files/ and is what mail lets through.

Reads the documents. Their names, kinds and sizes are checked when the issue is
loaded; their content is taken as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from newsletter.errors import Problem
from newsletter.issues import document
from newsletter.issues.authors import authors_in
from newsletter.issues.files import Unusable, content_of, file_below, start_of
from newsletter.material import Document

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
_ZIP = b"PK\x03\x04"
KINDS = {
    ".pdf": ("application/pdf", b"%PDF-"),
    ".docx": (f"{_OFFICE}wordprocessingml.document", _ZIP),
    ".xlsx": (f"{_OFFICE}spreadsheetml.sheet", _ZIP),
    ".pptx": (f"{_OFFICE}presentationml.presentation", _ZIP),
    ".odt": (f"{_OPEN}text", _ZIP),
    ".ods": (f"{_OPEN}spreadsheet", _ZIP),
    ".odp": (f"{_OPEN}presentation", _ZIP),
    ".epub": ("application/epub+zip", _ZIP),
    ".rtf": ("application/rtf", b"{\\rtf"),
    ".ics": ("text/calendar", b"BEGIN:VCALENDAR"),
    ".csv": ("text/csv", b""),
    ".txt": ("text/plain", b""),
}
"""What may go out, by the end of its name: its media type and how it starts.

A list of what is fit to read and not of what is dangerous, since mail filters
block programs, scripts, archives and documents with macros under ever more names.
"""
_LONGEST_NAME = 100
_NOT_IN_NAMES = frozenset('\\/:*?"<>|')
"""What some system refuses in the name of a file."""


def download_problems(issue: document.YamlDocument, files: Path) -> Iterator[Problem]:
    """Documents that are missing, outside the folder, or of a kind that mail filters block."""
    for path, name in issue.scalars():
        if path[-2:] == ("download", "file") and name.strip():
            try:
                _check_kind(file_below(files, name.strip(), noun="document"))
            except Unusable as error:
                yield Problem(error.what, issue.where(path), error.advice)


def _check_kind(file: Path) -> None:
    name = file.name
    if not name.isprintable() or _NOT_IN_NAMES & set(name) or len(name) > _LONGEST_NAME:
        raise Unusable(
            f"“{name}” is not a file name that all systems can store.",
            f"Rename the file: letters, digits, hyphens, at most {_LONGEST_NAME} of them.",
        )
    if file.suffix.lower() not in KINDS:
        raise Unusable(
            f"“{name}” is of a kind that mail filters may block.",
            f"Offer a PDF; possible are {', '.join(KINDS)}. Link anything else by its url.",
        )
    start = start_of(file)
    _, mark = KINDS[file.suffix.lower()]
    if not start.startswith(mark) or not start:
        raise Unusable(
            f"“{name}” is empty." if not start else f"“{name}” is not what its name says.",
            "Open it; if that works, save it again under this name.",
        )


def load_document(path: Path) -> Document:
    """Read a document.

    Raises:
        Unusable: it cannot be read.
    """
    content = content_of(path)
    return Document(
        path.name,
        hashlib.sha256(content).hexdigest()[:8],
        KINDS[path.suffix.lower()][0],
        content,
        authors=authors_in(content),
    )
