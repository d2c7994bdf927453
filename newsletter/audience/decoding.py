"""The bytes of a subscriber list as text. Reads that one file.

UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one, and what
Excel writes as plain “CSV” on a western Windows, Windows-1252, which is said.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from newsletter.errors import Problem, RosterError, Where

_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_CELL_ENDS = re.compile(r"[\s,;\"]", re.ASCII)
_SAVE_AS = "In Excel choose File, Save as, “CSV UTF-8 (comma delimited)”."


def read_text(path: Path) -> tuple[str, list[Problem]]:
    """The list's text, and a warning where its encoding had to be guessed.

    Raises:
        RosterError: the file cannot be opened, is no text, or mixes encodings.
    """
    raw = _read(path)
    if raw.startswith(_SPREADSHEETS):
        raise RosterError(
            "The list is a spreadsheet file, not CSV.", where=Where(path), next=_SAVE_AS
        )
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    warnings: list[Problem] = []
    try:
        if encoding is None:
            text, warnings = _without_mark(path, raw)
        else:
            text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise RosterError(
            f"The list is not the {error.encoding.upper()} text that it says it is.",
            where=Where(path, _line_at(raw, error.start)),
            next=_SAVE_AS,
        ) from None
    if "\0" in text:
        raise RosterError(
            "The list holds NUL characters, so it is no CSV text, or a damaged one.",
            where=Where(path, text.count("\n", 0, text.index("\0")) + 1),
            next=_SAVE_AS,
        )
    return text, warnings


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RosterError(
            "There is no such list.",
            where=Where(path),
            next="Put your list there, or set “file” under [audience] in newsletter.toml.",
        ) from None
    except IsADirectoryError:
        raise RosterError(
            "This is a folder, not a list.",
            where=Where(path),
            next="Set “file” under [audience] in newsletter.toml to the CSV file itself.",
        ) from None
    except OSError as error:
        raise RosterError(
            f"The list cannot be opened: {error.strerror}.",
            where=Where(path),
            next="Make sure that you may read the file.",
        ) from None


def _without_mark(path: Path, raw: bytes) -> tuple[str, list[Problem]]:
    """UTF-8 if it is; else Windows-1252, which is then said."""
    try:
        return raw.decode(), []
    except UnicodeDecodeError as error:
        broken = error
    kept = raw.decode("utf-8", "surrogateescape")
    if any("\x7f" < char < "\ud800" or char > "\udfff" for char in kept):
        # Mostly UTF-8: read as Windows-1252, every accent in it would turn to rubbish.
        raise RosterError(
            "The list is UTF-8 text, but this line holds something else.",
            where=Where(path, _line_at(raw, broken.start)),
            next="Retype the line, or save the list anew. " + _SAVE_AS,
        )
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError as error:
        raise RosterError(
            "The list is neither UTF-8 text nor the Windows-1252 that Excel writes.",
            where=Where(path, _line_at(raw, error.start)),
            next=_SAVE_AS,
        ) from None
    word = next(word for word in _CELL_ENDS.split(text) if not word.isascii())
    return text, [
        Problem(
            f"The list is not UTF-8; it was read as Windows-1252, e.g. “{word[:40]}”.",
            Where(path),
            "If that looks wrong, names will be wrong. " + _SAVE_AS,
        )
    ]


def _line_at(raw: bytes, offset: int) -> int:
    return raw.count(b"\n", 0, offset) + 1
