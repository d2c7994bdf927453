"""The credit in a picture's metadata: reads IPTC-IIM and XMP, writes a minimal packet. No I/O.

IPTC-IIM 4.2 is what photographers' software has written since 1995, XMP (ISO
16684-1) what it writes beside it; the IPTC Photo Metadata Standard says which
property of one is which of the other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from xml.sax.saxutils import escape

from newsletter.issues.credit import Credit

_DC = "http://purl.org/dc/elements/1.1/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

_BY_LINE, _CREDIT, _COPYRIGHT = 80, 110, 116
"""Datasets of IIM's application record (IIM 4.2, section 6)."""
_LONGEST = {_BY_LINE: 32, _CREDIT: 32, _COPYRIGHT: 128}
"""Octets that IIM allows each of them."""
_MOST_XMP = 1_000_000
"""Bytes of a packet that is read; what is longer holds edits or a film, and takes long."""
_MOST = 20
"""Names, or pieces of one, that are looked at."""
_UTF8 = b"\x1b%G"
"""Coded character set (1:90) that says UTF-8."""


def read_iim(block: bytes) -> Credit:
    """The credit in an IPTC-IIM block; what cannot be read counts as absent."""
    found: dict[int, list[str]] = {}
    for record, dataset, value in _datasets(block):
        if record == 2:
            found.setdefault(dataset, []).append(_decoded(value))
    line, rights = (" ".join(found.get(dataset, ())) for dataset in (_CREDIT, _COPYRIGHT))
    return Credit.of(found.get(_BY_LINE, ()), line, rights)


def _datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while len(block) >= at + 5 and block[at] == 0x1C:
        record, dataset, length = struct.unpack_from(">BBH", block, at + 1)
        if length & 0x8000:
            return  # an extended dataset holds a picture or a film, never a name
        yield record, dataset, block[at + 5 : at + 5 + length]
        at += 5 + length


def _decoded(value: bytes) -> str:
    # Few programs say which character set they wrote; UTF-8 is never mistaken for another.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def read_xmp(packet: bytes) -> Credit:
    """The credit in an XMP packet; what cannot be read counts as absent."""
    from lxml import etree

    if len(packet) > _MOST_XMP:
        return Credit()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root = etree.fromstring(packet.strip(b"\0 \r\n\t"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return Credit()
    if root is None:
        return Credit()

    def texts(namespace: str, name: str) -> list[str]:
        tag = f"{{{namespace}}}{name}"
        described = islice(root.iter("{*}Description"), _MOST)
        found = [value for node in described if (value := node.get(tag))]
        for node in islice(root.iter(tag), _MOST):
            items = list(islice(node.iter(f"{{{_RDF}}}li"), _MOST)) or [node]
            found += ["".join(islice(item.itertext(), _MOST)) for item in items]
        return found

    # The first of several languages is the default (ISO 16684-1, language alternatives).
    line, rights = texts(_PHOTOSHOP, "Credit"), texts(_DC, "rights")
    return Credit.of(texts(_DC, "creator"), (line or [""])[0], (rights or [""])[0])


def xmp_packet(credit: Credit) -> bytes:
    """An XMP packet that holds the credit and nothing else."""
    parts = []
    if credit.creators:
        names = "".join(f"<rdf:li>{escape(name)}</rdf:li>" for name in credit.creators)
        parts.append(f"<dc:creator><rdf:Seq>{names}</rdf:Seq></dc:creator>")
    if credit.line:
        parts.append(f"<photoshop:Credit>{escape(credit.line)}</photoshop:Credit>")
    if credit.rights:
        notice = f'<rdf:li xml:lang="x-default">{escape(credit.rights)}</rdf:li>'
        parts.append(f"<dc:rights><rdf:Alt>{notice}</rdf:Alt></dc:rights>")
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about="" xmlns:dc="{_DC}" xmlns:photoshop="{_PHOTOSHOP}">'
        f'{"".join(parts)}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def iim_block(credit: Credit) -> bytes:
    """An IPTC-IIM block that holds the credit and nothing else, cut to IIM's lengths."""
    values = [(1, 90, _UTF8), (2, 0, b"\0\4")]
    values += [(2, _BY_LINE, _cut(name, _BY_LINE)) for name in credit.creators]
    values += [
        (2, dataset, _cut(text, dataset))
        for dataset, text in ((_CREDIT, credit.line), (_COPYRIGHT, credit.rights))
        if text
    ]
    return b"".join(
        struct.pack(">BBBH", 0x1C, record, dataset, len(value)) + value
        for record, dataset, value in values
    )


def _cut(text: str, dataset: int) -> bytes:
    return text.encode()[: _LONGEST[dataset]].decode(errors="ignore").encode()


def with_credit(picture: bytes, credit: Credit) -> bytes:
    """A JPEG or PNG that had no metadata, with the credit in it; the same one if there is none.

    JPEG: XMP in an APP1 segment (XMP part 3, 1.1.3) and IIM in Photoshop's APP13;
    PNG: XMP in an iTXt chunk (XMP part 3, 1.1.5).
    """
    if not credit.texts:
        return picture
    xmp = xmp_packet(credit)
    if picture.startswith(b"\xff\xd8"):
        iim = iim_block(credit)
        resource = (
            struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(iim)) + iim + b"\0" * (len(iim) % 2)
        )
        segments = _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp)
        segments += _segment(0xED, b"Photoshop 3.0\0" + resource)
        # Behind JFIF's own segment, which must come first.
        at = 4 + int.from_bytes(picture[4:6], "big")
        return picture[:at] + segments + picture[at:]
    chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + xmp
    packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    at = 8 + 25  # behind the signature and IHDR, which must come first
    return picture[:at] + packed + picture[at:]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
