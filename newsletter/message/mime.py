"""The body: multipart/alternative whose static parts are encoded once. No I/O.

RFC 2045 (quoted-printable), RFC 2046 5.1.4 (text first, HTML last). The text
between two slots is encoded when an edition is loaded, a recipient's values
when their message is made. Soft line breaks join them, so that every line
stays within 76 characters and decoding gives the plain text with its values.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence

from newsletter.render.slots import TOKEN

Pieces = tuple[bytes | int, ...]
"""A body to be joined: bytes as they stand, and numbers of values to put in between."""

_LINE = 76


def boundary(fingerprint: str) -> str:
    """The line that divides the parts of an edition's messages.

    ``=_`` cannot occur in quoted-printable (RFC 2045 6.7), so no text holds it.
    """
    return f"=_{fingerprint[:32]}"


def alternative(*, text: str, html: str, boundary: str, place: Mapping[str, int]) -> Pieces:
    """Take the two parts apart at their slots and encode what lies between.

    ``place`` gives the number of the value that replaces each token.

    Raises:
        KeyError: a part holds a token that is not in ``place``.
    """
    return (
        _part("plain", boundary),
        *_pieces(text, place),
        _part("html", boundary),
        *_pieces(html, place),
        f"\r\n--{boundary}--\r\n".encode(),
    )


def encode(text: str) -> bytes:
    """``text`` in quoted-printable that ends at the start of a line, for more to follow.

    Raises:
        UnicodeEncodeError: it holds half of a surrogate pair, which is no character.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode().split(b"\n")
    # Line by line: given several, binascii writes a space before a line's end
    # as =20 without looking whether the line has room for it.
    encoded = b"\n".join([binascii.b2a_qp(line) for line in lines]).replace(b"\n", b"\r\n")
    if not encoded or encoded.endswith(b"\n"):
        return encoded
    if len(encoded) - (encoded.rfind(b"\n") + 1) == _LINE:
        # No room for the soft break: the line's last character, which may be
        # written as =XX, moves to a line of its own.
        cut = -3 if encoded[-3:-2] == b"=" else -1
        encoded = encoded[:cut] + b"=\r\n" + encoded[cut:]
    return encoded + b"=\r\n"


def fill(pieces: Pieces, values: Sequence[bytes]) -> list[bytes]:
    """The body's pieces with the values, as :func:`encode` wrote them, in their places."""
    return [values[piece] if isinstance(piece, int) else piece for piece in pieces]


def stuffed(piece: bytes) -> bytes:
    """``piece``, which starts at the start of a line, with its dots doubled (RFC 5321 4.5.2)."""
    doubled = piece.replace(b"\r\n.", b"\r\n..") if b"\r\n." in piece else piece
    return b"." + doubled if doubled.startswith(b".") else doubled


def _part(subtype: str, boundary: str) -> bytes:
    return (
        f"\r\n--{boundary}\r\n"
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()


def _pieces(text: str, place: Mapping[str, int]) -> Pieces:
    pieces: list[bytes | int] = []
    end = 0
    for found in TOKEN.finditer(text):
        pieces += [encode(text[end : found.start()]), place[found.group()]]
        end = found.end()
    pieces.append(encode(text[end:]))
    return tuple(pieces)
