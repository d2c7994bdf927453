"""Whom a document names as its author, in what office programs write into it. No I/O.

Finds what PDF (ISO 32000-1 14.3), Office Open XML and OpenDocument keep where
they should. A name that an encrypted or odd file hides is not found.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain, islice

_MOST = 1_000_000
"""Bytes that are unpacked of one part of a document."""
_MOST_STREAMS = 500
"""Packed parts of a PDF that are looked into."""
_MOST_NAMES = 100
_LONGEST = 2000
"""Bytes of one name, as it stands in the file."""
_DIRECTORY = 5_000_000
"""Bytes of a ZIP archive's list of its files, of which a document has a few dozen."""
_PDF_AUTHOR = re.compile(
    rb"/Author\s*+(?:\(((?:\\.|[^\\()]){0,2000}+)\)|<([0-9A-Fa-f\s]{0,2000}+)>)", re.DOTALL
)
_PDF_OBJECTS = re.compile(rb"/Type\s*+/ObjStm\b[^\0]{0,300}?stream\r?\n")
_NAMING = re.compile(
    rb"<(?P<tag>dc:creator|cp:lastModifiedBy|meta:initial-creator)\b[^<>]{0,200}+>"
)
_TAG = re.compile(rb"<[^<>]*+>")
_ESCAPED = re.compile(rb"\\(?:([0-7]{1,3})|(.))", re.DOTALL)


def authors_in(content: bytes) -> tuple[str, ...]:
    """The names that a PDF or office document gives for its authors and last editor."""
    if content.startswith(b"%PDF-"):
        found = _in_pdf(content)
    elif content.startswith(b"PK\x03\x04"):
        found = _in_office(content)
    else:
        return ()
    names = islice(found, _MOST_NAMES)
    cleaned = (" ".join(name.replace("\0", " ").split())[:100] for name in names)
    return tuple(dict.fromkeys(name for name in cleaned if name.isprintable() and name))


def _in_pdf(content: bytes) -> Iterator[str]:
    if b"/Encrypt" in content:
        return
    view = memoryview(content)  # slices of bytes would be copies
    unpacked = (
        _unpack(view[objects.end() : objects.end() + _MOST])
        for objects in islice(_PDF_OBJECTS.finditer(content), _MOST_STREAMS)
    )
    for part in chain([content], unpacked):
        for found in _PDF_AUTHOR.finditer(part):
            literal, digits = found.groups(b"")
            yield _pdf_text(_ESCAPED.sub(_unescaped, literal) or _from_hex(digits))
    yield from _tagged(content)


def _unpack(stream: bytes | memoryview) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream, _MOST)
    except zlib.error:
        return b""


def _unescaped(found: re.Match[bytes]) -> bytes:
    return found[2] if found[1] is None else bytes([int(found[1], 8) & 255])


def _from_hex(digits: bytes) -> bytes:
    plain = b"".join(digits.split()).decode("ascii")
    return bytes.fromhex(plain + "0" * (len(plain) % 2))


def _pdf_text(raw: bytes) -> str:
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "replace")
    return _text(raw.removeprefix(b"\xef\xbb\xbf"))


def _in_office(content: bytes) -> Iterator[str]:
    # Before Python makes an object for each of a million files.
    end = content.rfind(b"PK\5\6")
    if end < 0 or int.from_bytes(content[end + 12 : end + 16], "little") > _DIRECTORY:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for name in {"docProps/core.xml", "meta.xml"} & set(packed.namelist()):
                with packed.open(name) as part:
                    yield from _tagged(part.read(_MOST))
    except Exception:  # noqa: BLE001 - zipfile raises anything over damage, by where it is
        return  # damaged or locked; that is for its reader's program to tell


def _tagged(xml: bytes) -> Iterator[str]:
    for found in islice(_NAMING.finditer(xml), _MOST_NAMES):
        end = xml.find(b"</" + found["tag"] + b">", found.end(), found.end() + _LONGEST)
        if end >= 0:
            yield html.unescape(_text(_TAG.sub(b" ", xml[found.end() : end])))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
