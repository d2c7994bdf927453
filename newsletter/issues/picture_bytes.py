"""A picture's bytes without its metadata, for a reader that stumbles over what is dropped. No I/O.

PNG 3rd edition (chunks), ITU-T T.81 annex B (JPEG markers), GIF89a (extensions).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_SHOWS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"})
"""The chunks of a PNG that say how it looks."""
_SIZES = {b"gAMA": 4, b"sRGB": 1}
"""Chunks that say how colours look, and how long they are."""
_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT"})
MOST_UNPACKED = 32_000_000
"""Octets that a PNG's compressed texts may unpack to: a history of edits has a few million, and
what has more is made to fill a machine's memory."""
_ADOBE = 16
"""Octets of Adobe's segment, with its marker."""
_APP0, _APP14, _APP15, _COMMENT, _SCAN = 0xE0, 0xEE, 0xEF, 0xFE, 0xDA


def without_metadata(original: bytes) -> bytes | None:
    """A PNG, JPEG or GIF without texts, profiles and what cameras write.

    None if its texts unpack to more than :data:`MOST_UNPACKED`. Whatever cannot be
    taken apart stays as it is.
    """
    if original.startswith(_PNG):
        return None if _unpacks_too_far(original) else _png(original)
    return _jpeg(original) if original.startswith(b"\xff\xd8") else _gif(original)


def pixels_are_whole(original: bytes) -> bool:
    """Whether the chunks of a PNG that hold its pixels have the checksums that they name."""
    return not original.startswith(_PNG) or all(
        zlib.crc32(original[start + 4 : end - 4]).to_bytes(4) == original[end - 4 : end]
        for kind, start, end in _chunks(original)
        if kind in _PIXELS
    )


def _chunks(original: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each whole chunk of a PNG."""
    place = len(_PNG)
    while place + 12 <= len(original):
        size = struct.unpack_from(">I", original, place)[0]
        end = place + 12 + size
        if end > len(original):
            return
        yield original[place + 4 : place + 8], place, end
        place = end


def _unpacks_too_far(original: bytes) -> bool:
    left = MOST_UNPACKED
    for kind, start, end in _chunks(original):
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            content = original[start + 8 : end - 4]
            packed = content.find(b"\x78", content.find(b"\0") + 1)
            try:
                left -= len(zlib.decompressobj().decompress(content[packed:], left + 1))
            except zlib.error:
                continue
            if left < 0:
                return True
    return False


def _png(original: bytes) -> bytes:
    kept, last = [_PNG], len(_PNG)
    for kind, start, end in _chunks(original):
        # A critical chunk, whose name begins with a capital, is never left out.
        if kind in _SHOWS or kind[:1].isupper() or _SIZES.get(kind) == end - start - 12:
            kept.append(original[start:end])
        last = end
    return b"".join([*kept, original[last:]])


def _jpeg(original: bytes) -> bytes:
    kept, place = [original[:2]], 2
    while place + 4 <= len(original) and original[place] == 0xFF:
        marker = original[place + 1]
        if marker == _SCAN:
            break
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        end = place + 2 + struct.unpack_from(">H", original, place + 2)[0]
        # Adobe's says which colours the picture is in.
        colours = marker == _APP14 and end - place >= _ADOBE
        metadata = _APP0 <= marker <= _APP15 and not colours
        if not metadata and marker != _COMMENT:
            kept.append(original[place:end])
        place = end
    return b"".join([*kept, original[place:]])


def _gif(original: bytes) -> bytes:
    if len(original) < 13:
        return original
    place = 13 + _table(original[10])
    kept = [original[:place]]
    while place + 2 < len(original) and original[place] in b"!,":
        head = 2
        if original[place] == 0x2C:
            if place + 10 > len(original):
                break
            head = 11 + _table(original[place + 9])
        end = _behind_blocks(original, place + head)
        # Of the extensions only the one that tells how a frame is shown is kept.
        if original[place] == 0x2C or original[place + 1] == 0xF9:
            kept.append(original[place:end])
        place = end
    return b"".join([*kept, original[place:]])


def _table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _behind_blocks(original: bytes, place: int) -> int:
    while place < len(original) and original[place]:
        place += original[place] + 1
    return min(place + 1, len(original))
