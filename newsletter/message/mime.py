"""The content: parts whose static pieces are encoded once for all messages. No I/O.

RFC 2045 (quoted-printable, base64), RFC 2046 5.1.4 (text first, HTML last),
RFC 2387 (HTML with its pictures), RFC 2183 (attachments). The text between two
slots is encoded when an edition is loaded, a recipient's values when their
message is made, so that every line stays within 76 characters and decoding gives
the plain text with its values. Soft line breaks join them in quoted-printable;
base64 writes three octets at a time, so the text behind a value is encoded three
times, once for each place where such a group can begin.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from newsletter.message.headers import field, parameter
from newsletter.render.edition import Edition, Enclosure
from newsletter.render.slots import TOKEN

Pieces = tuple[bytes | int, ...]
"""A body to be joined: bytes as they stand, and numbers of values to put in between."""

_LINE = 76
_LONGEST_STEM = 40
# RFC 2046 5.2.1 and 5.1 allow no base64 for the other two kinds.
_MEDIA_TYPE = re.compile(r"(?!message/|multipart/)[a-z0-9+.-]+/[A-Za-z0-9+._-]+")
# What stands in a URL as it is, so that cid: and Content-ID are alike (RFC 2392).
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+", re.ASCII)
_UNFIT_FOR_OLD_PROGRAMS = re.compile(r'[^ -~]|["*/:<>?\\|]')


@dataclass(frozen=True, slots=True)
class Entity:
    """A message's content, or a part of it.

    Attributes:
        fields: the header fields that say what it is, each with its CRLF.
        body: pieces of whole lines, from the empty line below the fields on.
        in_base64: its texts in base64 that have values; the number of each one's first
            piece follows on the values, then on the text before it.
    """

    fields: str
    body: Pieces
    in_base64: tuple[Base64Text, ...] = ()

    def encoded(self, values: Sequence[str]) -> list[bytes]:
        """What fills the body for a recipient with these values.

        Raises:
            UnicodeEncodeError: one holds half of a surrogate pair, which is no character.
        """
        filled = [encode(value) for value in values]
        octets = [value.encode() for value in values] if self.in_base64 else []
        for text in self.in_base64:
            filled += text.filled(octets)
        return filled


class Base64Text:
    """A text in base64 (RFC 2045 6.8), ready for the values in it.

    Args:
        text: the text, with tokens.
        place: the number of the value that replaces each token.

    Attributes:
        start: the lines up to the first value.
        pieces: how many pieces fill it: for each value its lines, and the text behind it.
    """

    def __init__(self, text: str, place: Mapping[str, int]) -> None:
        texts = [_crlf(piece).encode() for piece in TOKEN.split(text)]
        self._numbers = [place[token] for token in TOKEN.findall(text)]
        self.pieces = 2 * len(self._numbers)
        self.start, self._tail = self._cut(texts[0], last=not self._numbers)
        self._behind = [
            (piece, [self._cut(piece[skip:], last=at == len(self._numbers)) for skip in range(3)])
            for at, piece in enumerate(texts[1:], start=1)
        ]

    def filled(self, values: Sequence[bytes]) -> Iterator[bytes]:
        """Its pieces for a recipient; the texts are not copied, since they are long."""
        octets = self._tail
        for at, (piece, cuts) in enumerate(self._behind, start=1):
            octets += values[self._numbers[at - 1]]
            missing = -len(octets) % 3
            lines, tail = cuts[missing]
            if len(piece) >= missing:
                yield _base64(octets + piece[:missing])
                octets = tail
            elif at == len(self._behind):
                yield _base64(octets + piece)
            else:
                yield b""
                octets += piece
            yield lines

    @staticmethod
    def _cut(octets: bytes, *, last: bool) -> tuple[bytes, bytes]:
        """The lines of whole groups, and the octets that are left for the next."""
        end = len(octets) if last else len(octets) - len(octets) % 3
        return _base64(octets[:end]), octets[end:]


def content(edition: Edition, *, place: Mapping[str, int]) -> Entity:
    """What all messages of an edition hold, but for the values in it.

    The same edition gives the same bytes. ``place`` gives the number of the
    value that replaces each token. Each text is in quoted-printable or base64,
    whichever is shorter without the values: so it is the same for all readers.

    Raises:
        KeyError: the edition holds a token that is not in ``place``.
        ValueError: a picture's content id cannot stand in a message.
    """
    # “=_” cannot occur in quoted-printable (RFC 2045 6.7) nor in base64, so no part holds a
    # boundary, and none is the start of another (RFC 2046 5.1.2).
    mark = edition.fingerprint[:32]
    pictures = [each for each in edition.enclosures if each.content_id is not None]
    documents = [each for each in edition.enclosures if each.content_id is None]
    text = _text("plain", edition.text, place, first=len(place))
    taken = sum(each.pieces for each in text.in_base64)
    html = _text("html", edition.html, place, first=len(place) + taken)
    if pictures:
        parts = [html, *map(_file, pictures)]
        html = _multipart("related", f"=_related_{mark}", parts, 'type="text/html";')
    whole = _multipart("alternative", f"=_{mark}", [text, html])
    if documents:
        whole = _multipart("mixed", f"=_mixed_{mark}", [whole, *map(_file, documents)])
    return replace(whole, body=_merged(whole.body))


def two_ways(*, text: str, html: str, mark: str) -> Entity:
    """The content of a mail that is the same in text and HTML, without slots and files.

    Args:
        text: the text part.
        html: the HTML part.
        mark: letters and digits for the boundary.
    """
    parts = [_text("plain", text, {}, first=0), _text("html", html, {}, first=0)]
    return _multipart("alternative", f"=_{mark}", parts)


def encode(text: str) -> bytes:
    """``text`` in quoted-printable that ends at the start of a line, for more to follow.

    Raises:
        UnicodeEncodeError: it holds half of a surrogate pair, which is no character.
    """
    lines = _crlf(text).encode().split(b"\r\n")
    # Line by line: given several, binascii writes a space before a line's end
    # as =20 without looking whether the line has room for it.
    encoded = b"\n".join([binascii.b2a_qp(line) for line in lines])
    if b"From " in encoded:
        encoded = b"\n".join(map(_not_from, encoded.split(b"\n")))
    encoded = encoded.replace(b"\n", b"\r\n")
    if not encoded or encoded.endswith(b"\n"):
        return encoded
    if len(encoded) - (encoded.rfind(b"\n") + 1) == _LINE:
        # No room for the soft break: the line's last character, which may be
        # written as =XX, moves to a line of its own.
        cut = -3 if encoded[-3:-2] == b"=" else -1
        encoded = encoded[:cut] + b"=\r\n" + encoded[cut:]
    return encoded + b"=\r\n"


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _not_from(line: bytes) -> bytes:
    """A line of quoted-printable that does not start with ``From `` (RFC 2049 section 3).

    Where mail is kept in one file, that starts the next message, so programs write a ``>``
    before it, which breaks signatures.
    """
    if not line.startswith(b"From "):
        return line
    line = b"=46" + line[1:]
    if len(line) <= _LINE:
        return line
    # The first two of a line's last three octets may be half of an =XX.
    cut = _LINE - 1 - next((back for back in (1, 2) if line[_LINE - 1 - back] == ord("=")), 0)
    return line[:cut] + b"=\n" + line[cut:]


def fill(pieces: Pieces, values: Sequence[bytes]) -> list[bytes]:
    """The body's pieces with the values, as :meth:`Entity.encoded` wrote them, in their places."""
    return [values[piece] if isinstance(piece, int) else piece for piece in pieces]


def stuffed(piece: bytes) -> bytes:
    """``piece``, which starts at the start of a line, with its dots doubled (RFC 5321 4.5.2)."""
    doubled = piece.replace(b"\r\n.", b"\r\n..") if b"\r\n." in piece else piece
    return b"." + doubled if doubled.startswith(b".") else doubled


def _multipart(subtype: str, boundary: str, parts: Sequence[Entity], *parameters: str) -> Entity:
    body: list[bytes | int] = []
    for part in parts:
        body += [f"\r\n--{boundary}\r\n{part.fields}".encode(), *part.body]
    body.append(f"\r\n--{boundary}--\r\n".encode())
    kind = f"multipart/{subtype};"
    fields = field("Content-Type", kind, *parameters, f'boundary="{boundary}"')
    return Entity(fields, tuple(body), tuple(each for part in parts for each in part.in_base64))


def _text(subtype: str, text: str, place: Mapping[str, int], *, first: int) -> Entity:
    """A text in the shorter encoding; ``first`` numbers its first piece if that is base64."""
    fields = field("Content-Type", f"text/{subtype};", "charset=utf-8")
    bare = TOKEN.sub("", text)
    if len(encode(bare)) <= len(_base64(_crlf(bare).encode())):
        fields += field("Content-Transfer-Encoding", "quoted-printable")
        return Entity(fields, (b"\r\n", *_pieces(text, place)))
    fields += field("Content-Transfer-Encoding", "base64")
    made = Base64Text(text, place)
    pieces = range(first, first + made.pieces)
    return Entity(fields, (b"\r\n", made.start, *pieces), (made,) if made.pieces else ())


def _file(enclosure: Enclosure) -> Entity:
    kind = enclosure.media_type
    if not _MEDIA_TYPE.fullmatch(kind):
        kind = "application/octet-stream"
    fields = field("Content-Type", f"{kind};", f'name="{_plain_name(enclosure.name)}"')
    fields += field("Content-Transfer-Encoding", "base64")
    disposition = "attachment" if enclosure.content_id is None else "inline"
    name = parameter("filename", enclosure.name)
    fields += field("Content-Disposition", f"{disposition};", *name)
    if enclosure.content_id is not None:
        if not _CONTENT_ID.fullmatch(enclosure.content_id):
            raise ValueError(f"{enclosure.content_id!r} is no content id")
        fields += field("Content-ID", f"<{enclosure.content_id}>")
    return Entity(fields, (b"\r\n" + _base64(enclosure.content),))


def _plain_name(name: str) -> str:
    """A file name for programs that do not know RFC 2231: ASCII, short, its ending kept."""
    letters = [
        each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)
    ]
    plain = PurePosixPath(_UNFIT_FOR_OLD_PROGRAMS.sub("_", "".join(letters)))
    return f"{plain.stem[:_LONGEST_STEM]}{plain.suffix[:10]}"


def _merged(body: Pieces) -> Pieces:
    """The same, with what stands between two values in one piece: there is less to join."""
    merged: list[bytes | int] = []
    static = b""
    for piece in body:
        if isinstance(piece, int):
            merged += [static, piece]
            static = b""
        else:
            static += piece
    return (*merged, static)


def _pieces(text: str, place: Mapping[str, int]) -> Pieces:
    pieces: list[bytes | int] = []
    end = 0
    for found in TOKEN.finditer(text):
        pieces += [encode(text[end : found.start()]), place[found.group()]]
        end = found.end()
    pieces.append(encode(text[end:]))
    return tuple(pieces)
