"""Pictures of an issue: each exists below issues/images/ and is what mail can show.

Reads the first bytes of each picture and the names in its folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from newsletter.errors import Problem
from newsletter.issues.document import Document
from newsletter.issues.hints import nearest

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
"""PNG, JPEG, GIF: what every mail program shows (not WebP, AVIF or SVG)."""


def picture_problems(document: Document, images: Path) -> Iterator[Problem]:
    """Pictures that are missing, outside the folder, or of a kind mail cannot show."""
    for path, name in document.scalars():
        if path[-2:] != ("image", "file") or not name.strip():
            continue
        what, advice = _fault(images, name.strip())
        if what:
            yield Problem(what, document.where(path), advice)


def _fault(images: Path, name: str) -> tuple[str, str]:
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\\" in name or ":" in name:
        return (
            f"The picture “{name}” is not named by its place below {images}.",
            f"Put the file into {images} and write its name alone, with / between folders.",
        )
    file = images / relative
    try:
        if not file.is_file():
            return f"There is no picture “{name}” in {images}.", _nearest(images, name)
        # A link inside the folder must not publish a file outside it.
        if not file.resolve().is_relative_to(images.resolve()):
            return f"The picture “{name}” is a link to outside {images}.", "Copy the file there."
        with file.open("rb") as stream:
            start = stream.read(8)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go in a circle
        return f"The picture “{name}” cannot be opened: {error}.", "Check its name and rights."
    if not start.startswith(_SIGNATURES):
        return (
            f"“{name}” is no PNG, JPEG or GIF.",
            "Save it as one of these; mail programs show no other kind reliably.",
        )
    return "", ""


def _nearest(images: Path, name: str) -> str:
    names = sorted(
        file.relative_to(images).as_posix() for file in images.rglob("*") if file.is_file()
    )
    near = nearest(name, names)
    return f"Did you mean “{near}”?" if near else "Put the file there, or correct the name."
