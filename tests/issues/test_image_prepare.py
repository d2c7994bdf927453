"""What becomes of a picture: its size, its colours, its name, and what cannot be used."""

import io
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.issues import image_prepare
from newsletter.issues.files import Unusable
from newsletter.issues.image_prepare import MOST_MEGAPIXELS, prepare
from newsletter.material import PreparedPicture
from PIL import Image, ImageOps

from tests.issues.originals import (
    chart,
    chunk,
    exif,
    full_gif,
    full_jpeg,
    full_png,
    gif,
    jpeg,
    photograph,
    png,
    profile,
    write,
)
from tests.support.tools import examples

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def prepared(
    folder: Path, content: bytes, *, name: str = "x.jpg", shown: int = 560, caption: str = "Us"
) -> PreparedPicture:
    return prepare(write(folder, name, content), shown=shown, caption=caption)


def seen(picture: PreparedPicture) -> Image.Image:
    """The picture as another program opens it."""
    opened = Image.open(io.BytesIO(picture.content))
    assert (picture.width, picture.height) == opened.size
    return opened


def close(wanted: tuple[int, ...], pixel: object) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= 6 for one, other in zip(wanted, pixel, strict=True))


# Size


@pytest.mark.parametrize(
    ("size", "shown", "wanted"),
    [
        ((4000, 3000), 560, (1120, 840)),
        ((4000, 3000), 640, (1280, 960)),
        ((1120, 560), 560, (1120, 560)),
        ((1121, 560), 560, (1120, 560)),
        ((700, 500), 560, (700, 500)),
        ((40, 30), 560, (40, 30)),
        ((4000, 10), 560, (1120, 3)),
        ((9000, 1), 560, (1120, 1)),
        ((1, 3000), 560, (1, 3000)),
    ],
)
def test_a_picture_gets_twice_the_width_shown_and_is_never_enlarged(
    tmp_path: Path, size: tuple[int, int], shown: int, wanted: tuple[int, int]
) -> None:
    picture = prepared(tmp_path, jpeg(Image.new("RGB", size, "navy")), shown=shown)

    assert wanted == (picture.width, picture.height) == seen(picture).size
    assert shown == picture.shown


def test_a_large_photograph_gets_lighter_and_comes_in_steps(tmp_path: Path) -> None:
    original = jpeg(photograph(3000, 2000))
    picture = prepared(tmp_path, original)

    assert "image/jpeg" == picture.media_type
    assert len(picture.content) < len(original) / 4
    assert seen(picture).info["progressive"] == 1


def test_small_print_stays_readable(tmp_path: Path) -> None:
    """Lines of two pixels: resized badly, some are gone and others grey."""
    lines = Image.new("L", (3360, 300), 255)
    for left in range(0, 3360, 12):
        lines.paste(0, (left, 0, left + 6, 300))
    found = seen(prepared(tmp_path, png(lines), name="x.png")).convert("L")
    row = found.crop((0, 50, 1120, 51)).tobytes()

    assert 1120 == len(row)
    assert all(min(row[at : at + 4]) < 40 and max(row[at : at + 4]) > 215 for at in range(1116))


def test_what_is_too_fine_for_the_screen_becomes_an_even_tone(tmp_path: Path) -> None:
    """Taking every second pixel would make this black or white."""
    lines = Image.new("L", (2240, 300), 255)
    for left in range(0, 2240, 2):
        lines.paste(0, (left, 0, left + 1, 300))
    found = seen(prepared(tmp_path, png(lines), name="x.png")).convert("L")
    tones = found.crop((20, 20, 1100, 130)).tobytes()

    assert 110 < min(tones) <= max(tones) < 145


# Upright


def corners(picture: Image.Image) -> list[object]:
    right, low = picture.width - 10, picture.height - 10
    return [picture.getpixel(at) for at in ((9, 9), (right, 9), (9, low), (right, low))]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_taken_on_its_side_stands_upright(tmp_path: Path, orientation: int) -> None:
    picture = Image.new("RGB", (1600, 1200), "white")
    for colour, box in (
        ("red", (0, 0, 400, 300)),
        ("green", (1200, 0, 1600, 300)),
        ("blue", (0, 900, 400, 1200)),
    ):
        picture.paste(colour, box)
    original = jpeg(picture, exif=exif(orientation))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
    found = seen(prepared(tmp_path, original))

    assert 1120 == found.width
    assert round(1120 * upright.height / upright.width) == found.height
    for wanted, pixel in zip(corners(upright), corners(found), strict=True):
        assert isinstance(wanted, tuple)
        assert close(wanted, pixel)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_means_nothing_turns_nothing(tmp_path: Path, orientation: int) -> None:
    original = jpeg(Image.new("RGB", (60, 40), "navy"), exif=exif(orientation))

    assert (60, 40) == seen(prepared(tmp_path, original)).size


# Colours


def test_a_profile_is_applied_and_then_gone(tmp_path: Path) -> None:
    changed = profile(red_is_blue=True)
    for original in (
        jpeg(Image.new("RGB", (50, 50), RED), icc_profile=changed, subsampling=0),
        png(Image.new("RGB", (50, 50), RED), icc_profile=changed),
        png(Image.new("P", (50, 50), 0).convert("RGBA"), icc_profile=changed),
    ):
        found = seen(prepared(tmp_path, original))
        assert "icc_profile" not in found.info
    found = seen(prepared(tmp_path, jpeg(Image.new("RGB", (50, 50), RED), icc_profile=changed)))
    assert close(BLUE, found.convert("RGB").getpixel((25, 25)))


def test_a_profile_leaves_transparency_alone(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (50, 50), (*RED, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 25, 50))
    found = seen(
        prepared(tmp_path, png(picture, icc_profile=profile(red_is_blue=True)), name="x.png")
    )

    pixels = found.getpixel((40, 25)), found.getpixel((5, 25))
    assert close((*BLUE, 255), pixels[0])
    assert isinstance(pixels[1], tuple)
    assert 0 == pixels[1][3]


@pytest.mark.parametrize("broken", [b"", b"x", b"\0" * 200, profile()[:300]])
def test_a_profile_that_cannot_be_read_is_left_out(tmp_path: Path, broken: bytes) -> None:
    original = jpeg(Image.new("RGB", (50, 50), GREEN), icc_profile=broken, subsampling=0)
    found = seen(prepared(tmp_path, original))

    assert close(GREEN, found.getpixel((25, 25)))
    assert "icc_profile" not in found.info


def with_palette() -> Image.Image:
    picture = Image.new("P", (50, 50), 3)
    picture.putpalette(list(range(256)) * 3)
    return picture


@pytest.mark.parametrize(
    ("original", "colour"),
    [
        (jpeg(Image.new("CMYK", (50, 50), (0, 255, 255, 0))), RED),
        (jpeg(Image.new("CMYK", (50, 50), (0, 0, 0, 255))), (0, 0, 0)),
        (jpeg(Image.new("L", (50, 50), 200)), (200, 200, 200)),
        (jpeg(Image.new("L", (50, 50), 200), icc_profile=profile()), (200, 200, 200)),
        (png(Image.new("I;16", (50, 50), 0x8000)), (128, 128, 128)),
        (png(Image.new("1", (50, 50), 1)), (255, 255, 255)),
        (png(Image.new("LA", (50, 50), (200, 255))), (200, 200, 200)),
        (png(Image.new("RGB", (50, 50), RED).convert("P")), RED),
        (png(Image.new("RGBA", (50, 50), (*RED, 255))), RED),
        (gif(Image.new("RGB", (50, 50), RED)), RED),
    ],
)
def test_every_kind_of_pixel_becomes_what_mail_programs_show(
    tmp_path: Path, original: bytes, colour: tuple[int, ...]
) -> None:
    found = seen(prepared(tmp_path, original))

    assert found.mode in {"L", "RGB"}
    assert close(colour, found.convert("RGB").getpixel((25, 25)))


@pytest.mark.parametrize(
    "original",
    [
        png(Image.new("RGBA", (50, 50), (*RED, 0))),
        png(Image.new("LA", (50, 50), (200, 0))),
        png(with_palette(), transparency=3),
        png(Image.new("RGB", (50, 50), RED), transparency=RED),
        gif(with_palette(), transparency=3),
    ],
)
def test_what_is_transparent_stays_transparent(tmp_path: Path, original: bytes) -> None:
    picture = prepared(tmp_path, original)
    pixel = seen(picture).getpixel((25, 25))

    assert "image/png" == picture.media_type
    assert picture.name.endswith(".png")
    assert isinstance(pixel, tuple)
    assert 0 == pixel[3]


@pytest.mark.parametrize("size", [(300, 200), (3000, 2000)])
def test_what_was_rubbed_out_cannot_be_brought_back(tmp_path: Path, size: tuple[int, int]) -> None:
    """A face made transparent is still in the file, for whoever takes the transparency off."""
    picture = photograph(*size).convert("RGBA")
    alpha = Image.new("L", size, 255)
    wide, high = size[0] // 4, size[1] // 4
    alpha.paste(0, (wide, high, 3 * wide, 3 * high))
    picture.putalpha(alpha)
    found = seen(prepared(tmp_path, png(picture), name="x.png"))
    wide, high = found.width // 4, found.height // 4
    inside = found.crop((wide + 8, high + 8, 3 * wide - 8, 3 * high - 8))

    assert "RGBA" == found.mode
    assert {(0, 0, 0, 0)} == set(inside.get_flattened_data())


def test_a_chart_stays_sharp_as_png_and_a_photograph_becomes_jpeg(tmp_path: Path) -> None:
    drawn = prepared(tmp_path, png(chart()), name="x.png")
    taken = prepared(tmp_path, png(photograph()), name="x.png")

    assert ("image/png", "image/jpeg") == (drawn.media_type, taken.media_type)
    assert list(chart().get_flattened_data()) == list(seen(drawn).get_flattened_data())


def test_of_an_animation_the_first_picture_stays_and_it_is_told(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "green", "blue")]
    for original in (gif(*frames), png(frames[0], save_all=True, append_images=frames[1:])):
        picture = prepared(tmp_path, original)
        assert picture.moves
        found = seen(picture)
        assert close(RED, found.convert("RGB").getpixel((25, 25)))
        assert not getattr(found, "is_animated", False)
    assert not prepared(tmp_path, gif(frames[0])).moves


# Names


@pytest.mark.parametrize(
    "stem",
    [
        "bangkok",
        "Łódź é ñ",
        "WhatsApp Image 2017-03-02 at 10.12.33",
        "صورة",
        "hiding place of Ali",
        "x" * 200,
        "..%2e%2e",
    ],
)
def test_the_public_name_tells_nothing_of_the_editors(tmp_path: Path, stem: str) -> None:
    picture = prepared(tmp_path, jpeg(chart()), name=f"{stem}.jpg")

    assert re.fullmatch(r"[0-9a-f]{16}\.jpg", picture.name)
    assert prepared(tmp_path, jpeg(chart()), name="other.jpg").name == picture.name


def test_a_name_changes_with_the_picture_the_width_and_the_credit_inside(tmp_path: Path) -> None:
    original = full_jpeg(photograph(300, 200))
    pictures = [
        prepared(tmp_path, original),
        prepared(tmp_path, original, shown=100),
        prepared(tmp_path, original, caption="Ana López"),
        prepared(tmp_path, full_jpeg(photograph(300, 201))),
    ]
    assert 4 == len({picture.name for picture in pictures})
    assert 4 == len({picture.content for picture in pictures})


def test_the_same_original_is_prepared_once(tmp_path: Path) -> None:
    first = prepared(tmp_path, jpeg(chart()), name="one.jpg")
    again = prepared(tmp_path, jpeg(chart()), name="march/two.jpg", caption="Others")

    assert first.content is again.content


def test_an_issue_s_pictures_are_kept_and_no_archive_of_them(tmp_path: Path) -> None:
    for number in range(80):
        prepared(tmp_path, png(Image.new("RGB", (2, 2), (number, 0, 0))), name="x.png")

    assert 64 == len(image_prepare._prints)


# What cannot be used


def header_of_png(width: int, height: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"x\x9c\3\0\0\0\0\1") + chunk(b"IEND", b"")


def header_of_jpeg(width: int, height: int) -> bytes:
    plain = jpeg(Image.new("RGB", (8, 8)))
    at = plain.index(b"\xff\xc0") + 5
    return plain[:at] + struct.pack(">HH", height, width) + plain[at + 4 :]


def header_of_gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + gif(chart(8, 8))[10:]


@pytest.mark.parametrize("header", [header_of_png, header_of_jpeg, header_of_gif])
@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000), (65_000, 1_000)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(
    tmp_path: Path, header: object, size: tuple[int, int]
) -> None:
    assert callable(header)
    with pytest.raises(Unusable) as caught:
        prepared(tmp_path, header(*size), name="huge.png")

    width, height = size
    assert (
        f"“huge.png” has {width * height / 1_000_000:,.0f} megapixels ({width} × {height}); "
        f"{MOST_MEGAPIXELS} are the most." == caught.value.what
    )
    assert caught.value.advice.startswith("Make it smaller")


def test_a_frame_larger_than_its_gif_says_is_refused(tmp_path: Path) -> None:
    frame = b"," + struct.pack("<HHHH", 0, 0, 60_000, 60_000) + b"\0"
    original = b"GIF89a" + struct.pack("<HH", 8, 8) + b"\0\0\0" + frame
    with pytest.raises(Unusable) as caught:
        prepared(tmp_path, original, name="bomb.gif")

    assert "“bomb.gif” has over 100 megapixels; 64 are the most." == caught.value.what


ORIGINALS = {
    "jpeg": full_jpeg(photograph(200, 150)),
    "png": full_png(photograph(200, 150)),
    "gif": full_gif(chart(200, 150)),
}


@pytest.mark.parametrize("kind", ORIGINALS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6])
def test_a_picture_that_breaks_off_is_told(tmp_path: Path, kind: str, share: float) -> None:
    content = ORIGINALS[kind]
    with pytest.raises(Unusable) as caught:
        prepared(tmp_path, content[: 12 + int(len(content) * share)], name="half.jpg")

    assert "“half.jpg” is damaged: it cannot be read to its end." == caught.value.what


@settings(max_examples=examples(300), deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(ORIGINALS)))
def test_a_damaged_picture_is_shown_or_refused_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    """Bytes changed anywhere; a warning of Pillow's would fail the test as well."""
    content = bytearray(ORIGINALS[kind])
    places = st.integers(0, len(content) - 1)
    for at in data.draw(st.lists(places, min_size=1, max_size=8)):
        content[at] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.getbasetemp()
    try:
        picture = prepared(folder, bytes(content[: data.draw(places)]), name="damaged.jpg")
    except Unusable as error:
        assert "“damaged.jpg”" in error.what
    else:
        seen(picture).load()


@settings(max_examples=examples(200), deadline=None)
@given(
    start=st.sampled_from([b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"GIF87a"]),
    rest=st.binary(max_size=400),
)
def test_anything_that_only_starts_like_a_picture_is_refused(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes
) -> None:
    with pytest.raises(Unusable):
        prepared(tmp_path_factory.getbasetemp(), start + rest, name="no-picture.jpg")


def test_what_is_no_picture_at_all_is_refused_by_its_kind(tmp_path: Path) -> None:
    with pytest.raises(Unusable) as caught:
        prepared(tmp_path, b"%PDF-1.7", name="x.jpg")

    assert "“x.jpg” is a PDF, no PNG, JPEG or GIF." == caught.value.what


def test_a_picture_that_vanished_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unusable) as caught:
        prepare(tmp_path / "gone.jpg", shown=560, caption="")

    assert "“gone.jpg” cannot be opened: No such file or directory." == caught.value.what


def test_a_telephones_picture_with_a_second_one_behind_it_is_one_picture(tmp_path: Path) -> None:
    """Multi-Picture Format: phones put a smaller picture or a map of depths behind the first."""
    out = io.BytesIO()
    photograph(400, 300).save(
        out, "MPO", save_all=True, append_images=[Image.new("RGB", (100, 75), "red")]
    )
    found = prepared(tmp_path, out.getvalue())

    assert not found.moves
    assert "JPEG" == seen(found).format
    assert b"MPF" not in found.content
