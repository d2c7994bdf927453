"""Opens the file of the list. Reads that one file, once."""

from __future__ import annotations

import io
from pathlib import Path

from newsletter.audience.charset import Text, decodes, find_text
from newsletter.audience.source_file import MAX_BYTES, SPREADSHEETS, Source
from newsletter.errors import RosterError, Where
from newsletter.regular_file import read_regular

_SAVE_AS = (
    "Import it: “newsletter docs moving-from-a-spreadsheet”. Or in Excel choose File, Save as, "
    "“CSV UTF-8 (comma delimited)”."
)


def open_list(path: Path) -> Text:
    """The list's text, and a note where its encoding had to be guessed.

    Raises:
        RosterError: the file cannot be opened, is too large, or is no text.
    """
    raw = _read(path)
    if raw.startswith(SPREADSHEETS):
        raise RosterError(
            "The list is a spreadsheet file, not CSV.", where=Where(path), next=_SAVE_AS
        )
    text = find_text(Source(path.name, str(path), lambda: io.BytesIO(raw), len(raw)))
    if not text.encoding.startswith("utf-8") and not decodes(text.source, text.encoding):
        raise RosterError(
            f"The list is not valid {text.encoding.upper()}, although its first bytes say so.",
            where=Where(path),
            next=_SAVE_AS,
        )
    return text


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
