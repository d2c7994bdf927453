"""Files that tell of readers: written whole or not at all, for their owner alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

from newsletter.errors import InputError, Where
from newsletter.project.project import Project
from newsletter.system import sync_file

_ALIKE = 10
"""So many bytes at its beginning tell a former output of a command from another file."""


def write_private(
    project: Project, path: Path, pieces: Iterable[bytes], *, replaces_any: bool = False
) -> None:
    """Write a file with mode 0600; it appears, or replaces a former one, when all of it is there.

    Args:
        project: none of whose own files is ever written over.
        path: where to; its folder exists.
        pieces: its content.
        replaces_any: whether any file of that name is taken for a former output;
            else one must begin as ``pieces`` do.

    Raises:
        InputError: it cannot be written there, or must not be. Nothing was.
    """
    refuse_own(project, path)
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as device:  # such as /dev/stdout
                device.writelines(pieces)
            return
        rest = iter(pieces)
        first = next(rest, b"")
        if not replaces_any:
            _refuse_stranger(path, first)
        _write(path.resolve(), chain([first], rest))
    except OSError as error:
        raise InputError(
            f"The file cannot be written: {error.strerror}.",
            where=Where(path),
            next="Name a file in a folder that exists and that you may write to.",
        ) from None


def refuse_own(project: Project, path: Path, *, instead: str = "build/report.html") -> None:
    """Make sure that ``path`` is none of what the project consists of; ``instead`` may be named.

    Raises:
        InputError: it is.
    """
    place = path.resolve()
    folder = project.folder.resolve()
    folders = (
        project.issues_folder,
        project.folder / "templates",
        project.folder / project.settings.theme.folder,
        project.outbox,
    )
    if (
        place in {file.resolve() for file in project.list_files}
        or (place.parent == folder and place.name.startswith("newsletter."))
        or any(place.is_relative_to(each.resolve()) for each in folders)
    ):
        raise InputError(
            "The project's own files are there, so nothing was written.",
            where=Where(path),
            next=f"Name another place, such as {instead}.",
        )


def _refuse_stranger(path: Path, first: bytes) -> None:
    if not path.exists():
        return
    with path.open("rb") as file:
        there = file.read(_ALIKE)
    if there and there != first[:_ALIKE]:
        raise InputError(
            "There is a file of another kind already, so nothing was written.",
            where=Where(path),
            next="Name another file, or delete that one first.",
        )


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
            file.flush()
            sync_file(file.fileno())  # else a machine that loses power may keep the name alone
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
