"""Prepares pictures for mail: resizes them and takes out what cameras write in. Reads only."""

from __future__ import annotations

import functools
import hashlib
import io
from pathlib import Path

from newsletter.material import PreparedPicture

_RECIPE = "1"
"""Changes with what is done to a picture, so that its name does, too."""


class Unusable(ValueError):
    """A file that cannot go out: what is wrong with it, and what to do."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


def prepare(path: Path, *, shown: int) -> PreparedPicture:
    """One picture, at twice the width at which it is shown.

    Args:
        path: the original.
        shown: width in the mail, in CSS pixels.

    Raises:
        Unusable: it is no picture that can be shown.
    """
    try:
        original = path.read_bytes()
    except OSError as error:
        raise Unusable(f"“{path.name}” cannot be read: {error.strerror}.", "Check it.") from None
    return _developed(path.stem, original, shown)


@functools.lru_cache(maxsize=128)
def _developed(stem: str, original: bytes, shown: int) -> PreparedPicture:
    from PIL import Image

    with Image.open(io.BytesIO(original)) as opened:
        picture = opened.convert("RGB")
    if picture.width > 2 * shown:
        picture = picture.resize((2 * shown, round(picture.height * 2 * shown / picture.width)))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82, optimize=True, progressive=True)
    digest = hashlib.sha256(f"{_RECIPE} {shown} ".encode() + original).hexdigest()[:8]
    return PreparedPicture(
        f"{stem}-{digest}.jpg", "image/jpeg", picture.width, picture.height, shown, out.getvalue()
    )
