"""The bytes of a subscriber list as text. Reads that one file.

UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one, and what
Excel writes as plain “CSV” on a western Windows, Windows-1252, which is said.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from newsletter.errors import Problem, RosterError, Where
from newsletter.regular_file import read_regular

MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and what Python calls the encoding."""
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""How XLSX and ODS, and XLS begin."""
MAX_BYTES = 200_000_000
"""More than a million readers need."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LETTERS = re.compile(r"[\x80-\ud7ff\ue000-\U0010ffff]")
_MOST_SHOWN = 40
_CELL_ENDS = re.compile(r"[\s,;\"]", re.ASCII)
_SAVE_AS = "In Excel choose File, Save as, “CSV UTF-8 (comma delimited)”."


def read_text(path: Path) -> tuple[str, list[Problem]]:
    """The list's text, and a warning where its encoding had to be guessed.

    Bytes that are not UTF-8 in a list that is become halves of surrogate pairs
    (``surrogateescape``), so that only their rows need be refused.

    Raises:
        RosterError: the file cannot be opened, is too large, or is no text.
    """
    raw = _read(path)
    if raw.startswith(SPREADSHEETS):
        raise RosterError(
            "The list is a spreadsheet file, not CSV.", where=Where(path), next=_SAVE_AS
        )
    encoding = next((name for mark, name in MARKS if raw.startswith(mark)), None)
    warnings: list[Problem] = []
    try:
        if encoding is None:
            text, warnings = _without_mark(path, raw)
        else:
            text = raw.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "strict")
    except UnicodeDecodeError as error:
        raise RosterError(
            f"The list is not valid {error.encoding.upper()}, although its first bytes say so.",
            where=Where(path, _line_at(raw, error.start)),
            next=_SAVE_AS,
        ) from None
    return text, warnings


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, max_bytes=MAX_BYTES)
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
            next="Name a CSV file that you may read; one with more readers can be split in two.",
        ) from None


def _without_mark(path: Path, raw: bytes) -> tuple[str, list[Problem]]:
    """UTF-8 if it is, or has been; else Windows-1252, which is then said."""
    kept = raw.decode("utf-8", "surrogateescape")
    try:
        # Mostly UTF-8, and read as Windows-1252 every accent in it would turn to rubbish?
        text = kept if raw.isascii() or _LETTERS.search(kept) else raw.decode("cp1252")
    except UnicodeDecodeError:
        return kept, []
    found = None if text is kept else _NOT_ASCII.search(text)
    if found is None:
        return text, []
    return text, [
        Problem(
            f"The list is not UTF-8; it was read as Windows-1252, e.g. “{_word(text, found)}”.",
            Where(path),
            "If that looks wrong, names will be wrong. " + _SAVE_AS,
        )
    ]


def _word(text: str, letter: re.Match[str]) -> str:
    """The word around a letter, or as much of it as is shown."""
    before = _CELL_ENDS.split(text[max(0, letter.start() - _MOST_SHOWN) : letter.start()])[-1]
    after = _CELL_ENDS.split(text[letter.start() : letter.start() + _MOST_SHOWN])[0]
    return (before + after)[:_MOST_SHOWN]


def _line_at(raw: bytes, offset: int) -> int:
    return raw.count(b"\n", 0, offset) + 1
