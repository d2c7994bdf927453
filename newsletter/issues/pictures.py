"""Pictures of an issue: each exists below issues/images/ and is what mail can show.

Reads the first bytes of each picture and the names in its folder. What only the
whole picture can tell, :mod:`newsletter.issues.image_prepare` finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from newsletter.errors import Problem
from newsletter.issues.document import YamlDocument
from newsletter.issues.files import Unusable, file_below, start_of

_SHOWN = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
"""PNG, JPEG, GIF: what every mail program shows."""
_OTHERS = {
    b"ftypheic": "a HEIC picture, as iPhones take them",
    b"ftypheix": "a HEIC picture, as iPhones take them",
    b"ftypmif1": "a HEIF picture",
    b"ftypavif": "an AVIF picture",
    b"WEBP": "a WebP picture",
    b"<svg": "an SVG drawing",
    b"<?xml": "an SVG drawing or another XML file",
    b"%PDF-": "a PDF",
    b"II*\0": "a TIFF or raw picture",
    b"MM\0*": "a TIFF or raw picture",
    b"8BPS": "a Photoshop file",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
}
"""What people put in place of a picture, by what stands in its first 16 bytes."""


def picture_problems(document: YamlDocument, images: Path) -> Iterator[Problem]:
    """Pictures that are missing, outside the folder, or of a kind mail cannot show."""
    for path, name in document.scalars():
        if path[-2:] == ("image", "file") and name.strip():
            try:
                file = file_below(images, name.strip(), noun="picture")
                check_kind(name.strip(), start_of(file))
            except Unusable as error:
                yield Problem(error.what, document.where(path), error.advice)


def check_kind(name: str, start: bytes) -> None:
    """Whether a file that starts like this is a picture that mail can show.

    Raises:
        Unusable: it is not; says what it is, if that is known.
    """
    if start.startswith(_SHOWN):
        return
    kind = next((f"{kind}, " for mark, kind in _OTHERS.items() if mark in start), "")
    raise Unusable(
        f"“{name}” is {kind}no PNG, JPEG or GIF.",
        "Save it as one of these; mail programs show no other kind reliably.",
    )
