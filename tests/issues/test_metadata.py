"""What a prepared picture says besides its pixels: nothing but who made it.

Each original says all that its format can. Its words are looked for in the
bytes, by Pillow and by exiftool, which knows hundreds of kinds of metadata.
"""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from newsletter.issues.credit import Credit
from newsletter.issues.credit_metadata import iim_block, read_iim, read_xmp, with_credit, xmp_packet
from newsletter.issues.image_prepare import prepare
from newsletter.material import PreparedPicture
from PIL import Image, ImageDraw, IptcImagePlugin

from tests.issues.originals import (
    CREATOR,
    LINE,
    RIGHTS,
    SECRET,
    XMP,
    chart,
    exif,
    full_gif,
    full_jpeg,
    full_png,
    iim,
    jpeg,
    photograph,
    photoshop,
    png,
    segment,
    write,
)
from tests.support.tools import examples, program

CAPTION = "Photo: Ana López / Front Line"


def glass(picture: Image.Image) -> Image.Image:
    """The picture with a hole in it, so that it stays a PNG."""
    seen_through = picture.convert("RGBA")
    ImageDraw.Draw(seen_through).rectangle((10, 10, 100, 100), (0, 0, 0, 0))
    return seen_through


ORIGINALS = {
    "photo.jpg": full_jpeg(photograph(1600, 1067)),
    "small.jpg": full_jpeg(chart()),
    "photo.png": full_png(photograph(1600, 1067)),
    "glass.png": full_png(glass(chart())),
    "chart.png": full_png(chart()),
    "chart.gif": full_gif(chart()),
}
SPELLINGS = (SECRET, SECRET.decode().encode("utf-16-le"), SECRET.decode().encode("utf-16-be"))
LEFT_OVERS = (
    b"Exif",
    b"GPS",
    b"ICC",
    b"MPF",
    b"Ducky",
    b"tEXt",
    b"zTXt",
    b"eXIf",
    b"iCCP",
    b"tIME",
)
PACKET_PARTS = (b"ns.adobe.com", b"8BIM", b"iTXt", b"Photoshop")


def prepared(folder: Path, name: str, content: bytes, caption: str = CAPTION) -> PreparedPicture:
    return prepare(write(folder, name, content), shown=560, caption=caption)


def says(content: bytes, words: tuple[bytes, ...]) -> list[bytes]:
    return [word for word in words if word in content]


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_bytes_hold_nothing_that_the_original_said(tmp_path: Path, name: str) -> None:
    assert ORIGINALS[name].count(SECRET) >= 3
    for caption in (CAPTION, "Somebody else"):
        picture = prepared(tmp_path, name, ORIGINALS[name], caption)
        assert [] == says(picture.content, (*SPELLINGS, *LEFT_OVERS))


@pytest.mark.parametrize("name", ORIGINALS)
def test_without_a_credit_to_keep_there_is_no_packet(tmp_path: Path, name: str) -> None:
    picture = prepared(tmp_path, name, ORIGINALS[name], "Somebody else")

    assert () == picture.credit
    assert [] == says(picture.content, PACKET_PARTS)


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_parts_of_the_file_are_those_it_must_have(tmp_path: Path, name: str) -> None:
    picture = prepared(tmp_path, name, ORIGINALS[name], "Somebody else")
    content = picture.content

    if picture.media_type == "image/png":
        assert {b"IHDR", b"IDAT", b"IEND"} == set(kinds_of_chunks(content))
        assert content.endswith(b"IEND\xaeB`\x82")
    else:
        found, end = markers(content)
        # APP0, tables, frame and scans.
        assert {0xE0, 0xDB, 0xC2, 0xC4, 0xDA} == set(found)
        assert len(content) == end


def kinds_of_chunks(content: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(content):
        found.append(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    return found


def markers(content: bytes) -> tuple[list[int], int]:
    """The kinds of segments in a JPEG, and where it ends."""
    found, at = [], 2
    while content[at + 1] != 0xD9:
        assert content[at] == 0xFF
        found.append(content[at + 1])
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if found[-1] == 0xDA:
            while content[at] != 0xFF or content[at + 1] in {0, *range(0xD0, 0xD8)}:
                at += 1
    return found, at + 2


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*range(0xE0, 0xF0), 0xFE]),
            st.sampled_from(
                [
                    b"", b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0", b"http://ns.adobe.com/xap/1.0/\0",
                    b"http://ns.adobe.com/xap/1.0/\0<x>", b"ICC_PROFILE\0\1\1", b"MPF\0MM\0*",
                    b"Photoshop 3.0\0008BIM", b"Adobe\0d\0\0\0\0\1", b"JFXX\0\x10", b"FPXR\0",
                ]
            ),
            st.binary(max_size=60),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_no_segment_of_any_kind_comes_through(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[int, bytes, bytes]]
) -> None:
    plain = jpeg(chart(60, 40))
    segments = b"".join(segment(kind, start + SECRET + rest) for kind, start, rest in found)
    folder = tmp_path_factory.getbasetemp()
    picture = prepared(folder, "any.jpg", plain[:2] + segments + plain[2:] + SECRET)

    assert [] == says(picture.content, (*SPELLINGS, *LEFT_OVERS, *PACKET_PARTS))


# By exiftool

ALLOWED = {
    "ExifTool:ExifToolVersion",
    *(f"System:{tag}" for tag in ("FileName", "Directory", "FileSize", "FileModifyDate",
                                  "FileAccessDate", "FileInodeChangeDate", "FilePermissions")),
    *(f"File:{tag}" for tag in ("FileType", "FileTypeExtension", "MIMEType", "ImageWidth",
                                "ImageHeight", "EncodingProcess", "BitsPerSample",
                                "ColorComponents", "YCbCrSubSampling", "CurrentIPTCDigest")),
    *(f"JFIF:{tag}" for tag in ("JFIFVersion", "ResolutionUnit", "XResolution", "YResolution")),
    *(f"PNG:{tag}" for tag in ("ImageWidth", "ImageHeight", "BitDepth", "ColorType",
                               "Compression", "Filter", "Interlace")),
    "Composite:ImageSize", "Composite:Megapixels",
    "XMP-dc:Creator", "XMP-dc:Rights", "XMP-photoshop:Credit",
    "IPTC:CodedCharacterSet", "IPTC:ApplicationRecordVersion", "IPTC:By-line", "IPTC:Credit",
    "IPTC:CopyrightNotice",
}  # fmt: skip
"""What exiftool may tell of a prepared picture: size, encoding, the credit."""


def exiftool(file: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [program("exiftool"), "-a", "-u", "-ee3", "-G1", "-s", "-j", *options, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    (told,) = json.loads(done.stdout)
    assert isinstance(told, dict)
    return {tag: value for tag, value in told.items() if tag != "SourceFile"}


@pytest.mark.parametrize("name", ORIGINALS)
@pytest.mark.parametrize("caption", [CAPTION, "Somebody else"])
def test_exiftool_finds_what_is_allowed_and_nothing_else(
    tmp_path: Path, name: str, caption: str
) -> None:
    picture = prepared(tmp_path, name, ORIGINALS[name], caption)
    file = write(tmp_path, f"out/{picture.name}", picture.content)

    assert set() == exiftool(file).keys() - ALLOWED
    checked = exiftool(file, "-validate", "-warning", "-error")
    assert "OK" == checked.get("ExifTool:Validate"), checked


def test_exiftool_finds_all_of_it_in_the_original(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    told = exiftool(write(tmp_path, "photo.jpg", ORIGINALS["photo.jpg"]))

    assert {
        "GPS:GPSLatitude", "ExifIFD:SerialNumber", "ExifIFD:MakerNoteUnknownText",
        "ExifIFD:LensSerialNumber", "ExifIFD:OwnerName", "ExifIFD:UserComment", "IFD0:Model",
        "IFD0:ModifyDate", "IFD0:XPTitle", "File:Comment", "IPTC:City", "XMP-exif:GPSLatitude",
        "Photoshop:PhotoshopThumbnail", "ICC_Profile:ProfileDescription",
    } <= told.keys()  # fmt: skip


def test_what_exiftool_writes_into_a_picture_is_gone(tmp_path: Path) -> None:
    """The same with blocks that we did not make, a thumbnail in EXIF among them."""
    secret = SECRET.decode()
    thumb = write(tmp_path, "thumb.jpg", jpeg(chart(60, 40), comment=SECRET))
    names = ("Make", "Model", "SerialNumber", "OwnerName", "ImageUniqueID", "Software")
    for name, content in (("x.jpg", jpeg(photograph())), ("x.png", png(glass(chart())))):
        file = write(tmp_path, name, content)
        subprocess.run(
            [
                program("exiftool"), "-q", "-overwrite_original",
                *(f"-{tag}={secret}" for tag in names),
                f"-ThumbnailImage<={thumb}", "-GPSLatitude=52.37", "-GPSLatitudeRef=N",
                f"-XMP-xmpMM:DocumentID={secret}", f"-XMP-photoshop:City={secret}",
                f"-XMP-iptcCore:CreatorWorkEmail={secret}", f"-IPTC:Writer-Editor={secret}",
                f"-Comment={secret}", f"-XMP-dc:Creator={CREATOR}", str(file),
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        assert SECRET in file.read_bytes()
        picture = prepare(file, shown=560, caption=CAPTION)
        out = write(tmp_path, f"out/{picture.name}", picture.content)
        assert (CREATOR,) == picture.credit
        assert [] == says(picture.content, (*SPELLINGS, *LEFT_OVERS))
        assert set() == exiftool(out).keys() - ALLOWED


# The credit


@pytest.mark.parametrize("name", [name for name in ORIGINALS if name != "chart.gif"])
def test_strangers_read_the_credit_back(tmp_path: Path, name: str) -> None:
    picture = prepared(tmp_path, name, ORIGINALS[name])
    told = exiftool(write(tmp_path, f"out/{picture.name}", picture.content))
    # PNG's own “Author” is there, too, but XMP says more.
    assert (CREATOR, LINE, RIGHTS) == (
        told["XMP-dc:Creator"], told["XMP-photoshop:Credit"], told["XMP-dc:Rights"]
    )  # fmt: skip
    if picture.media_type == "image/jpeg":
        assert (CREATOR, LINE, RIGHTS) == (
            told["IPTC:By-line"], told["IPTC:Credit"], told["IPTC:CopyrightNotice"]
        )  # fmt: skip
        with Image.open(io.BytesIO(picture.content)) as opened:
            block = IptcImagePlugin.getiptcinfo(opened)
        assert block is not None
        assert {(2, 80): CREATOR, (2, 110): LINE, (2, 116): RIGHTS} == {
            key: value.decode() for key, value in block.items() if key[1] in {80, 110, 116}
            if isinstance(value, bytes)
        }  # fmt: skip


def iptc(creator: bytes = b"", line: bytes = b"", rights: bytes = b"") -> bytes:
    return segment(0xED, photoshop(iim(creator, line, rights)))


ONE_SOURCE = {
    "XMP": (
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp_packet(Credit((CREATOR,)))),
        CREATOR,
    ),
    "IPTC in UTF-8": (iptc(creator=CREATOR.encode()), CREATOR),
    "IPTC in Latin-1": (iptc(creator=CREATOR.encode("latin-1")), CREATOR),
    "IPTC's credit": (iptc(line=LINE.encode()), LINE),
    "IPTC's copyright": (iptc(rights=RIGHTS.encode()), RIGHTS),
    "EXIF's artist": (segment(0xE1, exif(artist="Ana Lopez")), "Ana Lopez"),
    "EXIF's copyright": (segment(0xE1, exif(copyright="(c) Front Line")), "(c) Front Line"),
}


@pytest.mark.parametrize("source", ONE_SOURCE)
def test_the_credit_is_found_wherever_programs_write_it(tmp_path: Path, source: str) -> None:
    block, wanted = ONE_SOURCE[source]
    plain = jpeg(chart())
    picture = prepared(tmp_path, "x.jpg", plain[:2] + block + plain[2:])

    assert ((wanted,), ()) == (picture.credit, picture.withheld)


def test_a_credit_that_the_issue_does_not_give_stays_out(tmp_path: Path) -> None:
    picture = prepared(
        tmp_path, "x.jpg", ORIGINALS["photo.jpg"], "Photo: name withheld / Front Line"
    )

    assert (LINE,) == picture.credit
    assert (CREATOR, RIGHTS) == picture.withheld
    assert [] == says(picture.content, ("López".encode(), b"Ana"))


NASTY = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("<>&\"'\0\n\x7f\u202e\ufffe]]>"),
    ),
    max_size=60,
)


@given(st.lists(NASTY, max_size=12), NASTY, NASTY)
def test_any_credit_comes_back_as_it_was(creators: list[str], line: str, rights: str) -> None:
    credit = Credit.of(creators, line, rights)

    assert credit == read_xmp(xmp_packet(credit))
    back = read_iim(iim_block(credit))
    assert len(credit.creators) >= len(back.creators)
    for long, short in ((credit.line, back.line), (credit.rights, back.rights)):
        assert long.startswith(short)


def test_iptc_is_cut_to_its_lengths_between_letters() -> None:
    credit = Credit(("a" + "é" * 20,), "é" * 20, "é" * 100)

    assert Credit(("a" + "é" * 15,), "é" * 16, "é" * 64) == read_iim(iim_block(credit))


def test_an_extended_dataset_of_iptc_is_no_name() -> None:
    assert Credit() == read_iim(b"\x1c\2\x50\x80\4\0\0\0\3Ana")


def test_a_packet_that_breaks_off_still_tells_what_it_told_till_then() -> None:
    assert (CREATOR,) == read_xmp(XMP[: XMP.index(b"<dc:rights>") + 5]).creators


@given(st.binary(max_size=300))
def test_blocks_that_cannot_be_read_count_as_absent(block: bytes) -> None:
    assert isinstance(read_iim(block), Credit)
    assert isinstance(read_xmp(block), Credit)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<x",
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
        b"<x xmlns:d='http://purl.org/dc/elements/1.1/'><d:creator>&a;</d:creator></x>",
        b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;'>]>"
        b"<x xmlns:d='http://purl.org/dc/elements/1.1/'><d:creator>&c;</d:creator></x>",
        b"<a>" * 5000,
    ],
)
def test_a_hostile_packet_reads_no_file_and_blows_nothing_up(packet: bytes) -> None:
    assert len("".join(read_xmp(packet).texts)) <= len("&a;")


def test_a_picture_without_credit_is_left_as_it_is() -> None:
    content = jpeg(chart())

    assert content is with_credit(content, Credit())


def test_the_packet_is_well_formed_and_small() -> None:
    packet = xmp_packet(Credit(("Ana & <López>",), "Front Line", RIGHTS))

    assert etree.fromstring(packet) is not None
    assert len(packet) < 900
