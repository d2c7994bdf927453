"""Pictures made to break what reads them: each is refused with a sentence, or shown."""

import io
import struct
import zlib
from collections.abc import Callable
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


def animation(frames: int) -> bytes:
    """A GIF whose third frame comes again and again."""
    two, three = (
        gif(*(Image.new("1", (8, 8), number % 2) for number in range(count))) for count in (2, 3)
    )
    frame = three[len(two) - 1 : -1]
    return two[:-1] + frame * (frames - 2) + two[-1:]


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

# Made when asked for: some take seconds, and every process that collects tests reads this.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a picture of one column and 60,000,000 rows": (
        lambda: png_of(1, 60_000_000),
        "no side may have more",
    ),
    "a picture of 60,000,000 columns": (lambda: png_of(60_000_000, 1), "no side may have more"),
    "a picture of no rows": (lambda: png_of(9, 0), "damaged"),
    "a JPEG in 200 scans": (lambda: in_scans(200), "more than 100 progressive scans"),
    "a PNG with a text that unpacks to 50 MB": (
        lambda: png_of(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 50_000_000))),
        "damaged",
    ),
}
SHOWN: dict[str, Callable[[], bytes]] = {
    "an EXIF block that goes in a circle": lambda: with_exif(LOOP),
    "an EXIF block of a million entries": lambda: with_exif(b"II*\0\x08\0\0\0" + b"\xff" * 60_000),
    "a colour profile of 8 MB": lambda: jpeg(chart(), icc_profile=b"\0" * 8_000_000),
    "an animation of 20,000 frames": lambda: animation(20_000),
    "an animation that says that it has four billion frames": lambda: png_of(
        9, 9, chunk(b"acTL", b"\xff\xff\xff\xff" * 2)
    ),
    "100,000 chunks that nobody knows": lambda: png_of(9, 9, chunk(b"aaAa", b"") * 100_000),
    "10 MB behind the end": lambda: png_of(9, 9) + b"\0" * 10_000_000,
    "a comment of 8 MB in pieces": lambda: (
        gif(chart(8, 8)) + b"!\xfe" + (b"\xff" + b"a" * 255) * 32_000
    ),
}


@pytest.mark.fault(
    "Input",
    "a picture made to break what reads it: sides, scans, packed texts",
    state="refused with a sentence; exit 2, nothing is sent",
)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_picture_beyond_all_bounds_is_refused(tmp_path: Path, kind: str) -> None:
    made, why = REFUSED[kind]
    content = made()
    with alarm(30), pytest.raises(Unusable) as caught:
        shown(tmp_path, content)
    assert why in caught.value.what
    assert caught.value.advice


@pytest.mark.parametrize("kind", SHOWN)
def test_what_a_picture_carries_costs_no_minutes(tmp_path: Path, kind: str) -> None:
    original = SHOWN[kind]()
    with alarm(30):
        content = shown(tmp_path, original)
    Image.open(io.BytesIO(content)).load()


def shown(folder: Path, content: bytes) -> bytes:
    path = folder / "picture.jpg"
    path.write_bytes(content)
    return prepare(path, shown=100, caption="Us").content


def test_a_picture_whose_sides_are_just_short_enough_is_shown(tmp_path: Path) -> None:
    assert shown(tmp_path, png(Image.new("1", (1, 65_000))))


def around(kind: bytes, content: bytes) -> bytes:
    """A sound PNG with one more chunk behind its head."""
    whole = png(chart())
    return whole[:33] + chunk(kind, content) + whole[33:]


@pytest.mark.parametrize("place", [20, 60, -20])
def test_pixels_with_a_wrong_checksum_are_damaged(tmp_path: Path, place: int) -> None:
    """Pillow would show them, distorted."""
    whole = bytearray(png(chart()))
    whole[place] ^= 1
    path = tmp_path / "a.png"
    path.write_bytes(whole)
    with pytest.raises(Unusable, match="is damaged"):
        prepare(path, shown=100, caption="x")


def segment(marker: int, content: bytes) -> bytes:
    """A sound JPEG with one more segment at its start."""
    whole = jpeg(chart())
    head = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2)
    return whole[:2] + head + content + whole[2:]


HISTORY = zlib.compress(b"x" * 5_000_000)
DROPPED_ANYWAY = {
    "a long compressed text": around(b"zTXt", b"a\0\0" + HISTORY),
    "a long international text": around(b"iTXt", b"a\0\1\0\0\0" + HISTORY),
    "a long profile": around(b"iCCP", b"a\0\0" + HISTORY),
    "a long packet of XMP": around(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + HISTORY),
    "a text that cannot be unpacked": around(b"zTXt", b"a\0\0nothing packed"),
    "a text with a wrong checksum": around(b"tEXt", b"a\0b").replace(
        chunk(b"tEXt", b"a\0b"), chunk(b"tEXt", b"a\0b")[:-4] + b"1234"
    ),
    "a resolution of two octets": around(b"pHYs", b"12"),
    "no time": around(b"tIME", b""),
    "brightness of one octet": around(b"gAMA", b"1"),
    "no kind of sRGB": around(b"sRGB", b""),
    "broken colours": around(b"cHRM", b"1"),
    "EXIF that leads nowhere": segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
    "half a profile": segment(0xE2, b"ICC_PROFILE\0\1\3garbage"),
    "a profile of no parts": segment(0xE2, b"ICC_PROFILE\0"),
    "half of JFIF": segment(0xE0, b"JFIF\0\1"),
    "half of Adobe's": segment(0xEE, b"Adobe"),
    "half of Photoshop's": segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff"),
    "pictures that are not there": segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", DROPPED_ANYWAY)
def test_metadata_that_is_dropped_anyway_does_no_harm(name: str, tmp_path: Path) -> None:
    content = DROPPED_ANYWAY[name]
    path = tmp_path / ("a.jpg" if content.startswith(b"\xff\xd8") else "a.png")
    path.write_bytes(content)
    assert prepare(path, shown=100, caption="x").width == 200
