"""Backups: what a project cannot get from anywhere else, in one file, and back.

The file is a tar archive without compression, mode 0600: ledger, send record,
key file, settings and the files of the list. It is as secret as they are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from newsletter.errors import InputError, Where
from newsletter.ledger.ledger import Ledger
from newsletter.message.keys import KeyRing
from newsletter.regular_file import open_regular
from newsletter.system import sync_file

ABOUT, LEDGER, RECORD, KEY, SETTINGS, LIST = (
    "backup.json", "newsletter.db", "sent.db", "newsletter.key", "newsletter.toml", "list",
)  # fmt: skip
_PARTS = (ABOUT, LEDGER, RECORD, KEY, SETTINGS, LIST)
_PART = re.compile(f"{LIST}(\\.[0-9]{{1,3}})?")
_LARGEST_ABOUT = 200_000


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself.

    Attributes:
        made_at: when.
        list_id: of which list.
        list_files: the files of the list that are in it, from the project's folder.
    """

    made_at: datetime
    list_id: str
    list_files: tuple[str, ...]


def list_part(number: int) -> str:
    """The name of the part that holds a file of the list, counted from 0."""
    return f"{LIST}.{number + 1}" if number else LIST


def write_backup(
    file: Path, *, ledger: Ledger | None, others: Mapping[str, Path], about: About
) -> None:
    """Write a backup, whole or not at all.

    A send may go on meanwhile; the copy is of one moment, and the ledger goes
    one epoch further after it, so that a restored copy is known as one.

    Args:
        file: must not exist.
        ledger: open; None if nothing was ever sent.
        others: further files, by the name of their part.
        about: the backup.

    Raises:
        InputError: the file exists, or cannot be written.
        LedgerRefused: the ledger cannot be read.
    """
    if file.exists() or file.is_symlink():
        raise InputError(
            "A file of this name exists already; it was not changed.",
            where=Where(file),
            next="Choose another name, for example with today's date.",
        )
    with _explained(file), tempfile.TemporaryDirectory(prefix=".backup-", dir=file.parent) as name:
        folder = Path(name)
        parts = dict(others)
        if ledger is not None:
            ledger.copy_to(folder / LEDGER, folder / RECORD)
            parts |= {part: folder / part for part in (LEDGER, RECORD)}
        told = {
            "made_at": about.made_at.isoformat(timespec="seconds"),
            "list_id": about.list_id,
            "list_files": about.list_files,
        }
        (folder / ABOUT).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        draft = folder / "draft"
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_RDWR, 0o600), "w+b") as stream:
            with tarfile.open(fileobj=stream, mode="w") as archive:
                for part in (*_PARTS, *(name for name in parts if name not in _PARTS)):
                    path = folder / ABOUT if part == ABOUT else parts.get(part)
                    if path is not None and path.is_file():
                        archive.add(path, arcname=part, recursive=False)
            stream.flush()
            sync_file(stream.fileno())
        os.link(draft, file)  # never over a file that came meanwhile


@contextmanager
def opened(file: Path) -> Iterator[tuple[About, Mapping[str, Path]]]:
    """The parts of a backup as files in a folder of their own, which goes with the block.

    Raises:
        InputError: it is no backup, damaged, or cannot be read.
        LedgerRefused: the ledger in it is damaged.
    """
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=Path.cwd()) as name:
        try:
            with (
                _explained(file),
                open_regular(file) as stream,
                tarfile.open(fileobj=stream, mode="r:") as archive,
            ):
                parts = dict(_extracted(archive, Path(name)))
            about = _about(parts[ABOUT])
        except (tarfile.TarError, KeyError, ValueError, EOFError, RecursionError):
            raise InputError(
                "This is not a backup of a newsletter, or it is damaged.",
                where=Where(file),
                next="Name a file that “newsletter backup” wrote, unchanged.",
            ) from None
        if LEDGER in parts:
            _verify(parts)
        yield about, parts


def _verify(parts: Mapping[str, Path]) -> None:
    """Make sure that ledger and key file can be used, and together.

    Raises:
        InputError: the key file is missing or damaged.
        LedgerRefused: the ledger is damaged, or was written with another key file.
    """
    keys = KeyRing.load(parts.get(KEY, Path(KEY)))
    with closing(Ledger(parts[LEDGER], keys, create=False)) as ledger:
        ledger.check()


def put_in_place(source: Path, target: Path) -> Path | None:
    """Put a part where it belongs, for its owner alone.

    Returns:
        Where a file that was there is now; None if there was none.
    """
    aside = None
    if target.exists():
        aside = next(
            free
            for number in count(1)
            if not (free := target.with_name(f"{target.name}.{number}")).exists()
        )
        target.rename(aside)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source.chmod(0o600)
    shutil.move(source, target)
    return aside


def _extracted(archive: tarfile.TarFile, folder: Path) -> Iterator[tuple[str, Path]]:
    for member in archive:
        # A sparse file is regular to tarfile, and as large as its header says.
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or not (
            member.name in _PARTS or _PART.fullmatch(member.name)
        ):
            raise ValueError
        stream = archive.extractfile(member)
        if stream is None:
            raise ValueError
        path = folder / member.name
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as copy:
            shutil.copyfileobj(stream, copy)
        yield member.name, path


def _about(file: Path) -> About:
    if file.stat().st_size > _LARGEST_ABOUT:
        raise ValueError
    match json.loads(file.read_bytes()):
        case {"made_at": str(made_at), "list_id": str(list_id), "list_files": list(names)}:
            if not all(isinstance(name, str) and _is_inside(name) for name in names):
                raise ValueError
            return About(datetime.fromisoformat(made_at), list_id, tuple(names))
    raise ValueError


def _is_inside(name: str) -> bool:
    """Whether a file's name leads nowhere but into the folder that it is meant from."""
    path = Path(name)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise InputError(f"It exists already: {error.filename}.", where=Where(file)) from None
    except OSError as error:
        raise InputError(
            f"The backup cannot be read or written: {error.strerror or error}.",
            where=Where(file),
            next="Look at the path, the disk's free space and the permissions.",
        ) from None
