"""The files of a move: each that was named, and each inside a ZIP. Reads them, bounded.

A ZIP may hold more than any disk: it is counted, member by member, while it is read.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from newsletter.audience.exports import leavers_in
from newsletter.audience.source_file import MAX_BYTES, SPREADSHEETS, Source
from newsletter.errors import RosterError, Where
from newsletter.invisible import visible
from newsletter.regular_file import open_regular

MOST_MEMBERS = 1_000
"""Files in a ZIP."""
_MOST_LISTED = 10_000
"""Files that the directory of a ZIP may list at all: it is read as a whole."""
MOST_UNPACKED = 1_000_000_000
"""Bytes of all files in a ZIP, unpacked."""
MOST_RATIO = 200
"""How many times smaller than its text a file in a ZIP can be; text seldom packs to a fiftieth."""
_FREE = 1_000_000
"""Bytes up to which no ratio is asked for."""
_LISTS = (".csv", ".tsv", ".txt", ".tab", ".dump", ".vcf", ".xlsx", ".xlsm", ".xls", ".ods", "")
_NO_LISTS_WORDS = (
    ".md .pdf .png .jpg .jpeg .gif .webp .svg .html .htm .css .js .json .xml .log .ini .db "
    ".yml .yaml .doc .docx .rtf .eml .ics"
)
_NO_LISTS = frozenset(_NO_LISTS_WORDS.split())
"""What may lie in a ZIP beside the lists and is passed over, unless its name says more."""
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_ZIP = SPREADSHEETS[0]
_LISTED = b"PK\x01\x02"
"""Before each file in the directory of a ZIP."""
_SHEET_MARKS = ("[Content_Types].xml", "mimetype")
"""Names inside of XLSX and ODS, which are ZIPs as well."""
_NUMBERS = ".iwa"


def sources_of(path: Path) -> Iterator[Source]:
    """A file as it is; of a ZIP, the lists in it.

    Raises:
        RosterError: it cannot be opened, is too large, is a ZIP that cannot be read safely, or
            was changed before all of it was read.
    """
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            packed = file.read(4) == _ZIP
            size = file.seek(0, io.SEEK_END)
    except OSError as error:
        raise RosterError(
            f"The file cannot be opened: {error.strerror}.",
            where=Where(path),
            next="Name a file that you may read.",
        ) from None
    if size > MAX_BYTES:
        raise RosterError(
            f"The file holds more than {MAX_BYTES / 1e6:,.0f} MB.",
            where=Where(path),
            next="Split it, and import its parts together.",
        )
    if packed:
        try:
            with open_regular(path) as file:
                if lists_too_many(file):
                    raise _unsafe(path, f"it holds more than {_MOST_LISTED:,} files")
            members = _members(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, EOFError) as error:
            raise RosterError(
                f"The ZIP cannot be read: {visible(str(error))[:200]}.",
                where=Where(path),
                next="Download it again, or unpack it and import the files in it.",
            ) from None
        if members is not None:
            yield from members
            _refuse_changed(path, before)
            return
    yield Source(path.name, str(path), lambda: open_regular(path), size)
    _refuse_changed(path, before)


def _refuse_changed(path: Path, before: os.stat_result) -> None:
    """Make sure that a file, which is read several times, was the same each time.

    Raises:
        RosterError: it was not.
    """
    try:
        now = path.stat()
    except OSError:
        now = None
    same = now and (now.st_ino, now.st_size, now.st_mtime_ns) == (
        *(before.st_ino, before.st_size, before.st_mtime_ns),
    )
    if not same:
        raise RosterError(
            "The file was changed while it was read.",
            where=Where(path),
            next="Wait until it is whole, and import it again.",
        )


def lists_too_many(file: IO[bytes]) -> bool:
    """Whether a ZIP lists more files than its directory can be read with; reads it to its end."""
    number, before = 0, b""
    while chunk := file.read(_CHUNK):
        number += (before + chunk).count(_LISTED)
        before = chunk[1 - len(_LISTED) :]
    return number > _MOST_LISTED


def _members(path: Path) -> list[Source] | None:
    """The lists in a ZIP; None if it is a spreadsheet."""
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if info.filename.rpartition("/")[2]]
        if {info.filename for info in infos} & {*_SHEET_MARKS}:
            return None
    if any(info.filename.endswith(_NUMBERS) for info in infos):
        raise RosterError(
            "The file is a Numbers document, which only Numbers can read.",
            where=Where(path),
            next="In Numbers choose File, Export To, “CSV…”, and import that.",
        )
    if len(infos) > MOST_MEMBERS:
        raise _unsafe(path, f"it holds {len(infos):,} files; {MOST_MEMBERS:,} are the most")
    if sum(info.file_size for info in infos) > MOST_UNPACKED:
        raise _unsafe(path, f"it unpacks to more than {MOST_UNPACKED / 1e9:g} GB")
    sources, unread = [], []
    for info in infos:
        name = info.filename.replace("\\", "/").rpartition("/")[2]
        if name.startswith((".", "__MACOSX")) or "__MACOSX/" in info.filename:
            continue
        if info.flag_bits & _ENCRYPTED:
            raise RosterError(
                f"“{visible(name)[:100]}” in the ZIP is encrypted.",
                where=Where(path),
                next="Unpack the ZIP with its password, and import the files in it.",
            )
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise _unsafe(path, f"“{visible(name)[:100]}” is packed by a method other than deflate")
        if info.file_size > max(_FREE, MOST_RATIO * info.compress_size):
            raise _unsafe(path, f"“{visible(name)[:100]}” unpacks to {info.file_size:,} bytes from "
                          f"{info.compress_size:,}")  # fmt: skip
        ending = Path(name).suffix.lower()
        if ending in _LISTS:
            sources.append(_member(path, info, name))
        elif ending not in _NO_LISTS or leavers_in(name, ()):
            unread.append(name)
    _refuse_unread(path, sources, unread)
    return sources


def _refuse_unread(path: Path, sources: Sequence[Source], unread: Sequence[str]) -> None:
    if not sources or unread:
        raise RosterError(
            f"“{visible(unread[0])[:100]}” in the ZIP cannot be read there, and may say who left."
            if sources
            else "The ZIP holds no list.",
            where=Where(path),
            next="Unpack it, and import the files with readers in it together.",
        )


def _member(path: Path, info: zipfile.ZipInfo, name: str) -> Source:
    def opened() -> IO[bytes]:
        try:
            # The archive is closed when its member is: ZipFile counts who has it open.
            with zipfile.ZipFile(path) as archive:
                return io.BufferedReader(_Checked(archive.open(info), path, name))
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
            raise _damaged(path, name, error) from None

    return Source(name, f"{path}: {visible(name)[:100]}", opened, info.file_size)


class _Checked(io.RawIOBase):
    """A file in a ZIP whose damage is told in our words, wherever it is read."""

    def __init__(self, file: IO[bytes], path: Path, name: str) -> None:
        self._file, self._path, self._name = file, path, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
            raise _damaged(self._path, self._name, error) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _unsafe(path: Path, why: str) -> RosterError:
    return RosterError(
        f"The ZIP was not unpacked: {why}.",
        where=Where(path),
        next="Unpack it by hand if you trust it, and import the files in it.",
    )


def _damaged(path: Path, name: str, error: Exception) -> RosterError:
    return RosterError(
        f"“{visible(name)[:100]}” in the ZIP is damaged: {visible(str(error))[:200]}.",
        where=Where(path),
        next="Download the ZIP again.",
    )
