"""Files that go with an issue: each is found below its folder, and nowhere else. Reads only."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from newsletter.phrases import nearest
from newsletter.regular_file import read_regular, read_start

MOST_MB = 50
"""Largest file that is read, in MB of 1,000,000 bytes: twice what any camera's JPEG has."""


class Unusable(ValueError):
    """A file that cannot go out: what is wrong with it, and what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


def file_below(folder: Path, name: str, *, noun: str) -> Path:
    """The file that ``name`` means.

    Args:
        folder: where it must be, at any depth.
        name: its path from there, with ``/``.
        noun: what it is, for the sentence: ``picture`` or ``document``.

    Raises:
        Unusable: it is not there, or elsewhere.
    """
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\\" in name or ":" in name:
        raise Unusable(
            f"The {noun} “{name}” is not named by its place below {folder}.",
            f"Put the file into {folder} and write its name alone, with / between folders.",
        )
    file = folder / relative
    try:
        if not file.is_file():
            raise Unusable(f"There is no {noun} “{name}” in {folder}.", _nearest(folder, name))
        # A link inside the folder must not publish a file outside it.
        if not file.resolve().is_relative_to(folder.resolve()):
            raise Unusable(
                f"The {noun} “{name}” is a link to outside {folder}.", "Copy the file there."
            )
        size = file.stat().st_size
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go in a circle
        raise _closed(f"The {noun} “{name}”", error) from None
    if size > MOST_MB * 1_000_000:
        raise Unusable(
            f"The {noun} “{name}” has {size / 1_000_000:.0f} MB.",
            f"Make it smaller; {MOST_MB} MB is the most.",
        )
    return file


def start_of(file: Path) -> bytes:
    """The first bytes of a file, enough to know its kind by.

    Raises:
        Unusable: it cannot be read.
    """
    try:
        return read_start(file, max_bytes=16)
    except OSError as error:
        raise _closed(f"“{file.name}”", error) from None


def content_of(file: Path) -> bytes:
    """All of a file.

    Raises:
        Unusable: it cannot be read.
    """
    try:
        return read_regular(file, max_bytes=MOST_MB * 1_000_000)
    except OSError as error:
        raise _closed(f"“{file.name}”", error) from None


def _closed(what: str, error: OSError | RuntimeError) -> Unusable:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Unusable(f"{what} cannot be opened: {reason}.", "Check its name and rights.")


def _nearest(folder: Path, name: str) -> str:
    names = sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    near = nearest(name, names)
    return f"Did you mean “{near}”?" if near else "Put the file there, or correct the name."
