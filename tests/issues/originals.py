"""Pictures as cameras, phones and picture programs leave them: full of what must not go out."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, PngImagePlugin

SECRET = b"GEHEIMNIS"
"""Stands in every place where a file can say something besides its pixels."""
CREATOR, LINE, RIGHTS = "Ana López", "Front Line", "© 2017 Ana López, all rights reserved"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{SECRET.decode()}">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="{SECRET.decode()}" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmp:CreatorTool="{SECRET.decode()}"
 exif:GPSLatitude="52,22.0{SECRET.decode()}N" photoshop:Credit="{LINE}">
<dc:creator><rdf:Seq><rdf:li>{CREATOR}</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{RIGHTS}</rdf:li></rdf:Alt></dc:rights>
<dc:subject><rdf:Bag><rdf:li>{SECRET.decode()}</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def photograph(width: int = 1600, height: int = 1200) -> Image.Image:
    """Soft changes of colour everywhere, as in a photograph."""
    across = Image.linear_gradient("L").resize((width, height))
    down = across.transpose(Image.Transpose.ROTATE_180)
    round_ = Image.radial_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, round_, down))


def chart(width: int = 600, height: int = 400) -> Image.Image:
    """Few colours and sharp edges."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for number in range(8):
        left = 20 + number * width // 9
        draw.rectangle((left, height - 40 * number - 40, left + 40, height - 20), "navy")
    return picture


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", **{"quality": 90, **options})
    return out.getvalue()


def png(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()


def gif(*pictures: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    first, *others = pictures
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, "GIF", **more, **options)
    return out.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def iim(creator: bytes, line: bytes, rights: bytes, *more: tuple[int, bytes]) -> bytes:
    """IPTC as photographers' programs write it; ``more`` are further datasets."""
    sets = [(80, creator), (110, line), (116, rights), *more]
    return b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value for number, value in sets if value
    )


def photoshop(block: bytes) -> bytes:
    """The content of an APP13 segment with IPTC in it, and a thumbnail as Photoshop has them."""
    resources = b""
    for code, data in ((0x0404, block), (0x040C, jpeg(chart(40, 30)) + SECRET), (0x0422, SECRET)):
        resources += (
            struct.pack(">4sHHI", b"8BIM", code, 0, len(data)) + data + b"\0" * (len(data) % 2)
        )
    return b"Photoshop 3.0\0" + resources


def exif(orientation: int = 1, **more: str) -> bytes:
    """EXIF with place, serial numbers, owner, maker's notes and a comment; starts with Exif."""
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010F] = found[0x0110] = found[0x010E] = SECRET.decode()
    found[0x0132] = "2017:03:02 10:12:33"
    found[0x9C9B] = SECRET.decode().encode("utf-16-le")
    for tag, text in more.items():
        found[{"artist": 0x013B, "copyright": 0x8298}[tag]] = text
    camera = found.get_ifd(0x8769)
    camera[0x927C] = b"maker" + SECRET
    camera[0xA430] = camera[0xA431] = camera[0xA435] = SECRET.decode()
    camera[0x9286] = b"ASCII\0\0\0" + SECRET
    place = found.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (52.0, 22.0, 12.0), "E", (4.0, 53.0, 42.0)
    place[27] = SECRET
    return found.tobytes()


def full_jpeg(picture: Image.Image) -> bytes:
    """A JPEG that says all that a JPEG can, ``SECRET`` in every part."""
    more = ((90, SECRET), (120, SECRET), (55, b"20170302"))
    block = iim(CREATOR.encode(), LINE.encode(), RIGHTS.encode(), *more)
    plain = jpeg(picture, icc_profile=profile(SECRET), dpi=(300, 300))
    segments = [
        segment(0xE1, exif()),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + SECRET * 9),
        segment(0xED, photoshop(block)),
        *(segment(marker, b"Samsung\0" + SECRET) for marker in range(0xE2, 0xED)),
        segment(0xEF, SECRET),
        segment(0xFE, SECRET),
    ]
    return plain[:2] + b"".join(segments) + plain[2:] + SECRET + jpeg(chart(30, 20))


def full_png(picture: Image.Image) -> bytes:
    """A PNG that says all that a PNG can, ``SECRET`` in every part."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", CREATOR)
    for key in ("Comment", "Software", "Raw profile type exif"):
        text.add_text(key, SECRET.decode())
        text.add_text(f"{key} z", SECRET.decode(), zip=True)
        text.add_itxt(f"{key} i", SECRET.decode(), "en", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    plain = png(picture, pnginfo=text, exif=exif(), icc_profile=profile(SECRET), dpi=(300, 300))
    more = (
        chunk(b"tIME", b"\x07\xe1\3\2\x0a\x0c\x21")
        + chunk(b"prVt", SECRET)
        + chunk(b"caBX", SECRET)
    )
    return plain[:-12] + more + plain[-12:] + SECRET


def full_gif(picture: Image.Image) -> bytes:
    """A GIF with a comment, an application's block and bytes behind its end."""
    plain = gif(picture, comment=SECRET)
    block = b"!\xff\x0bXMP DataXMP" + bytes([len(SECRET)]) + SECRET + b"\0"
    at = plain.index(b"!\xfe")
    return plain[:at] + block + plain[at:] + SECRET


def profile(name: bytes = b"", *, red_is_blue: bool = False) -> bytes:
    """A colour profile: sRGB, ``name`` in its description; red and blue changed for each other."""
    from PIL import ImageCms

    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if red_is_blue:
        made = made.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
    at = made.index("sRGB".encode("utf-16-be"))
    secret = name.decode().encode("utf-16-be")[: 2 * 4]
    return made[:at] + secret + made[at + len(secret) :] + name


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
