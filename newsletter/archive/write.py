"""Writes the archive's files: each whole or not at all, and only those that differ. Writes only.

Nothing is ever deleted: mails sent long ago load their pictures from here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import InputError, Where


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


def write_files(folder: Path, files: Mapping[str, bytes]) -> Written:
    """Bring a folder up to date.

    A file is written beside its place and moved there, so nobody sees half of
    one. What is the same already keeps its time of change, so that copying the
    folder stays quick.

    Args:
        folder: made if it does not exist.
        files: what it shall hold, content by path, in the order of writing.

    Raises:
        InputError: something cannot be written; what was written before is whole.
    """
    became: dict[str, list[str]] = {"new": [], "changed": [], "unchanged": []}
    for name, content in files.items():
        path = folder / name
        try:
            there = path.read_bytes() if path.is_file() else None
            if there == content:
                became["unchanged"].append(name)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
        except OSError as error:
            raise InputError(
                f"The archive cannot be written: {error.strerror}.",
                where=Where(path),
                next=(
                    "Free some space or get write permission, and run the command again; no file "
                    "is half-written."
                ),
            ) from None
        became["new" if there is None else "changed"].append(name)
    return Written(*(tuple(names) for names in became.values()))


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
