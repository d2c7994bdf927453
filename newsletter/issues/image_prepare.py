"""Prepares pictures for mail: resizes them and takes out what cameras write in. Reads only.

A picture is decoded to bare pixels and encoded anew, so nothing of the original
file can remain but what is put back on purpose: the credit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.issues.credit import Credit
from newsletter.issues.credit_metadata import read_iim, read_xmp, with_credit
from newsletter.issues.files import Unusable, content_of
from newsletter.issues.picture_bytes import pixels_are_whole, without_metadata
from newsletter.issues.pictures import check_kind
from newsletter.material import PreparedPicture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

_RECIPE = "1"
"""Changes with what is done to a picture, so that its name does, too."""
MOST_MEGAPIXELS = 64
"""Largest picture that is unpacked: more than phones and cameras take, and 256 MB of memory."""
_LONGEST_SIDE = 65_000
"""Pixels; a JPEG's side has 16 bits."""
_MOST_SCANS = 100
"""Of a JPEG and the small pictures inside it; programs write ten at the most."""
_DENSITY = 2
"""Pixels for each CSS pixel: what phones and good screens show."""
_QUALITY = 75
"""Of JPEG: at twice the pixels nobody sees it, and 80 would weigh a tenth more."""
_MOST_PRINTS = 64
"""Pictures kept for the next time: those of an issue, for its other languages and the preview."""

_ORIENTATION, _ARTIST, _COPYRIGHT = 0x0112, 0x013B, 0x8298
"""Tags of EXIF; the last two mean what IPTC's do (MWG Guidelines 2.0, 5.6 and 5.8)."""
_IPTC_BLOCK = 0x0404


@dataclass(frozen=True, slots=True)
class _Print:
    """A picture developed, without any metadata, and what its original says of its maker."""

    content: bytes
    media_type: str
    width: int
    height: int
    moves: bool
    credit: Credit


_prints: dict[tuple[bytes, int], _Print] = {}
"""By digest of the original and width shown; the oldest goes first."""


def prepare(path: Path, *, shown: int, caption: str) -> PreparedPicture:
    """One picture, at twice the width at which it is shown, and never enlarged.

    Args:
        path: the original, a PNG, JPEG or GIF.
        shown: width in the mail, in CSS pixels.
        caption: the credit in the issue. Of what the original says of who made
            it, that part is kept which names nobody else.

    Raises:
        Unusable: it is no picture that can be shown.
    """
    original = content_of(path)
    key = (hashlib.sha256(original).digest(), shown)
    if key not in _prints:
        while len(_prints) >= _MOST_PRINTS:
            del _prints[next(iter(_prints))]
        _prints[key] = _develop(original, path.name, shown)
    picture = _prints[key]
    kept = picture.credit.told_by(caption)
    recipe = f"{_RECIPE} {shown} {kept}".encode()
    digest = hashlib.sha256(recipe + key[0]).hexdigest()[:16]
    kind = "jpg" if picture.media_type == "image/jpeg" else "png"
    return PreparedPicture(
        # Nothing of the original's name, which may tell who is on it, where or when.
        f"{digest}.{kind}",
        picture.media_type,
        picture.width,
        picture.height,
        shown,
        with_credit(picture.content, kept),
        credit=kept.texts,
        withheld=tuple(text for text in picture.credit.names if text not in kept.texts),
        moves=picture.moves,
    )


def _develop(original: bytes, name: str, shown: int) -> _Print:
    """The picture; one that stumbles over metadata, which is dropped anyway, without it."""
    try:
        return _develop_whole(original, name, shown)
    except _Damaged:
        bare = without_metadata(original)
        if bare is None or bare == original:
            raise
        with contextlib.suppress(Unusable):
            return _develop_whole(bare, name, shown)
        raise


class _Damaged(Unusable):
    """It cannot be read to its end."""


def _damaged(name: str) -> _Damaged:
    return _Damaged(
        f"“{name}” is damaged: it cannot be read to its end.",
        "Copy it again from its source, or open it in an image editor and save it again.",
    )


def _develop_whole(original: bytes, name: str, shown: int) -> _Print:
    from PIL.Image import DecompressionBombError

    # Pillow warns of oddities in metadata that is thrown away all the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = _open(original, name)
            _check_size(opened, name)
            _check_scans(original, name)
            _check_sums(original, name)
            moves = bool(getattr(opened, "is_animated", False))
            exif = _exif(opened)
            credit = _credit(opened, exif)
            picture = _pixels(opened, _DENSITY * shown, exif.get(_ORIENTATION, 1))
            content, media_type = _encode(picture, photograph=opened.format == "JPEG")
        except Unusable:
            raise
        except DecompressionBombError:  # of a GIF's first frame, whatever its header says
            raise _too_large(name, "over 100 megapixels") from None
        except Exception:  # noqa: BLE001 - Pillow raises anything over damage, by where it is
            raise _damaged(name) from None
    return _Print(content, media_type, picture.width, picture.height, moves, credit)


def _open(original: bytes, name: str) -> ImageFile:
    """The picture's header read, its pixels not yet."""
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    check_kind(name, original[:16])

    # Not Image.open(): it raises before one could tell how large the picture is, and
    # takes a telephone's JPEG with a second picture in it for a format of its own.
    if original.startswith(b"\xff\xd8"):
        return JpegImageFile(io.BytesIO(original))
    if original.startswith(b"\x89PNG"):
        return PngImageFile(io.BytesIO(original))
    return GifImageFile(io.BytesIO(original))


def _check_scans(original: bytes, name: str) -> None:
    """Refuse a JPEG with thousands of scans, each of which is unpacked over the whole picture."""
    # In packed pixels an FF is never followed by DA (ITU-T T.81, B.1.1.5).
    if original.startswith(b"\xff\xd8") and original.count(b"\xff\xda") > _MOST_SCANS:
        raise Unusable(
            f"“{name}” is stored in more than {_MOST_SCANS} progressive scans; cameras use far "
            "fewer.",
            "Open it in an image editor and save it again.",
        )


def _check_sums(original: bytes, name: str) -> None:
    """Refuse a PNG whose pixels were changed on the way: Pillow shows them distorted."""
    if not pixels_are_whole(original):
        raise _damaged(name)


def _check_size(opened: ImageFile, name: str) -> None:
    megapixels = opened.width * opened.height / 1_000_000
    size = f"{opened.width} × {opened.height}"
    if megapixels > MOST_MEGAPIXELS:
        raise _too_large(name, f"{megapixels:,.0f} megapixels ({size})")
    if max(opened.size) > _LONGEST_SIDE:
        raise Unusable(
            f"“{name}” has {size} pixels; no side may have more than {_LONGEST_SIDE:,}.",
            "Cut it to the part that matters.",
        )


def _too_large(name: str, found: str) -> Unusable:
    return Unusable(
        f"“{name}” has {found}; {MOST_MEGAPIXELS} are the most.",
        "Make it smaller: 1600 pixels of width are enough for a mail.",
    )


def _exif(opened: ImageFile) -> dict[int, Any]:
    try:
        return dict(opened.getexif())
    except Exception:  # noqa: BLE001 - Pillow raises anything over damage, by where it is
        return {}


def _credit(opened: ImageFile, exif: dict[int, Any]) -> Credit:
    """Who made it: XMP before IPTC before EXIF and PNG's own texts."""
    info = opened.info
    found = read_xmp(xmp) if isinstance(xmp := info.get("xmp"), bytes) else Credit()
    if isinstance(iim := info.get("photoshop", {}).get(_IPTC_BLOCK), bytes):
        found = found.or_else(read_iim(iim))
    found = found.or_else(_plain(exif.get(_ARTIST), exif.get(_COPYRIGHT)))
    return found.or_else(_plain(info.get("Author"), info.get("Copyright")))


def _plain(creators: object, rights: object) -> Credit:
    names = creators.split(";") if isinstance(creators, str) else ()
    return Credit.of(names, "", rights if isinstance(rights, str) else "")


def _pixels(opened: ImageFile, width: int, orientation: object) -> Image:
    """The first frame, upright and at most ``width`` wide, in mode L, RGB or RGBA as sRGB."""
    from PIL.Image import Resampling, Transpose

    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation if isinstance(orientation, int) else 1)
    lies = turn in {
        Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90
    }  # fmt: skip
    scale = min(1.0, width / (opened.height if lies else opened.width))
    size = (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
    # A JPEG can be unpacked at a half, a quarter or an eighth, which saves most of the time.
    opened.draft(None, (2 * size[0], 2 * size[1]))
    picture = _in_eight_bits(opened)
    if picture.size != size:
        picture = picture.resize(size, Resampling.LANCZOS, reducing_gap=2.0)
    picture = _in_srgb(picture, opened.info.get("icc_profile"))
    return picture if turn is None else picture.transpose(turn)


def _in_eight_bits(opened: ImageFile) -> Image:
    """The pixels in mode L, RGB, RGBA or CMYK."""
    opened.load()
    if opened.mode.startswith("I"):  # 16 bits of grey, which convert() would cut off
        return opened.point(lambda value: value / 256).convert("L")
    if opened.has_transparency_data:
        return opened.convert("RGBA")
    if opened.mode in {"L", "RGB", "CMYK"}:
        return opened
    return opened.convert("L" if opened.mode == "1" else "RGB")


def _in_srgb(picture: Image, profile: bytes | None) -> Image:
    """The picture in the colours that mail programs take for granted."""
    from PIL import ImageCms

    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
            picture = converted or picture
        except Exception:  # noqa: BLE001, S110 - damaged, or of another kind of picture: better none
            pass
    if picture.mode not in {"L", "RGB"}:
        picture = picture.convert("RGB")
    if alpha is None or alpha.getextrema() == (255, 255):
        return picture
    return _seen_through(picture.convert("RGB"), alpha)


def _seen_through(picture: Image, alpha: Image) -> Image:
    """The picture with its transparency, and black wherever nothing of it can be seen.

    Who rubs a face out in a picture program leaves its colours there.
    """
    from PIL.Image import composite, new

    visible = alpha.point(lambda value: 255 * (value > 0))
    picture = composite(picture, new("RGB", picture.size), visible)
    picture.putalpha(alpha)
    return picture


def _encode(picture: Image, *, photograph: bool) -> tuple[bytes, str]:
    """PNG where something is transparent, else what is smaller of JPEG and PNG."""
    picture.info = {}  # or Pillow would write some of it
    png, jpeg = io.BytesIO(), io.BytesIO()
    if not photograph:
        picture.save(png, "PNG", compress_level=9)
    if picture.mode != "RGBA":
        picture.save(
            jpeg, "JPEG", quality=_QUALITY, subsampling="4:2:0", progressive=True, optimize=True
        )
    if photograph or 0 < len(jpeg.getvalue()) < len(png.getvalue()):
        return jpeg.getvalue(), "image/jpeg"
    return png.getvalue(), "image/png"
