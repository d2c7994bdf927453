"""Pictures made to break what reads them: each is refused with a sentence, or shown."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from newsletter.issues.files import Unusable
from newsletter.issues.image_prepare import prepare
from PIL import Image

from tests.issues.originals import chart, gif, jpeg, photograph, png
from tests.support.alarm import alarm


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png_of(width: int, height: int, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(b"\0" * ((width + 7) // 8 + 1) * min(height, 1000))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def in_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = jpeg(photograph(200, 150), progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * count + whole[-2:]


def with_exif(block: bytes) -> bytes:
    whole = jpeg(chart())
    body = b"Exif\0\0" + block
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + whole[2:]


LOOP = (
    b"II*\0"
    + struct.pack("<I", 8)
    + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8)
    + struct.pack("<I", 8)
)
"""An IFD that says that it follows itself, and that it is inside of itself."""

REFUSED = {
    "a picture of one column and 60,000,000 rows": (png_of(1, 60_000_000), "no side may have more"),
    "a picture of 60,000,000 columns": (png_of(60_000_000, 1), "no side may have more"),
    "a picture of no rows": (png_of(9, 0), "damaged"),
    "a JPEG in 200 scans": (in_scans(200), "over 100 steps"),
    "a PNG with a text that unpacks to 50 MB": (
        png_of(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 50_000_000))),
        "damaged",
    ),
}
SHOWN = {
    "an EXIF block that goes in a circle": with_exif(LOOP),
    "an EXIF block of a million entries": with_exif(b"II*\0\x08\0\0\0" + b"\xff" * 60_000),
    "a colour profile of 8 MB": jpeg(chart(), icc_profile=b"\0" * 8_000_000),
    "an animation of 20,000 frames": gif(
        chart(8, 8), *(Image.new("1", (8, 8), number % 2) for number in range(20_000))
    ),
    "an animation that says that it has four billion frames": png_of(
        9, 9, chunk(b"acTL", b"\xff\xff\xff\xff" * 2)
    ),
    "100,000 chunks that nobody knows": png_of(9, 9, chunk(b"aaAa", b"") * 100_000),
    "10 MB behind the end": png_of(9, 9) + b"\0" * 10_000_000,
    "a comment of 8 MB in pieces": gif(chart(8, 8)) + b"!\xfe" + (b"\xff" + b"a" * 255) * 32_000,
}


@pytest.mark.fault(
    "Input",
    "a picture made to break what reads it: sides, scans, packed texts",
    state="refused with a sentence; exit 2, nothing is sent",
)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_picture_beyond_all_bounds_is_refused(tmp_path: Path, kind: str) -> None:
    content, why = REFUSED[kind]
    with alarm(30), pytest.raises(Unusable) as caught:
        shown(tmp_path, content)
    assert why in caught.value.what
    assert caught.value.advice


@pytest.mark.parametrize("kind", SHOWN)
def test_what_a_picture_carries_costs_no_minutes(tmp_path: Path, kind: str) -> None:
    with alarm(30):
        content = shown(tmp_path, SHOWN[kind])
    Image.open(io.BytesIO(content)).load()


def shown(folder: Path, content: bytes) -> bytes:
    path = folder / "picture.jpg"
    path.write_bytes(content)
    return prepare(path, shown=100, caption="Us").content


def test_a_picture_whose_sides_are_just_short_enough_is_shown(tmp_path: Path) -> None:
    assert shown(tmp_path, png(Image.new("1", (1, 65_000))))
