"""Header fields: encoding, folding and the refusal of injection. No I/O.

RFC 5322 (fields), RFC 2047 (encoded words), RFC 2231 (file names). A field's
body is a list of tokens that a fold may stand between. Written by hand since
the standard library's policies rewrite a long List-Unsubscribe into encoded
words, which no mail program understands there (RFC 8058 3.1).
"""

from __future__ import annotations

import binascii
import re
from urllib.parse import quote

_LINE = 76
"""Characters of a line where it can be folded (RFC 2047 section 2)."""
_LONGEST = 66
"""Characters of a token that can be folded: with ``Subject: `` it fits a line."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTED = str.maketrans({'"': r"\"", "\\": r"\\"})
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = tuple(chr(o) if o in _Q_PLAIN else "_" if o == 0x20 else f"={o:02X}" for o in range(256))


def is_unfit(text: str) -> bool:
    """Whether ``text`` can stand in no header.

    A line break or other control character could start a header of its own,
    and half of a surrogate pair cannot be encoded.
    """
    return _UNFIT.search(text) is not None


def field(name: str, *tokens: str) -> str:
    """One header field with its CRLF, folded between tokens at 76 characters.

    A single token is never broken, whatever its length.
    """
    lines = [f"{name}:"]
    for token in tokens:
        if len(lines[-1]) + 1 + len(token) > _LINE and lines != [f"{name}:"]:
            lines.append("")
        lines[-1] += " " + token
    return "\r\n".join(lines) + "\r\n"


def phrase(text: str) -> list[str]:
    """A display name (RFC 5322 ``phrase``): atoms, a quoted string or encoded words."""
    if not _is_plain(text):
        return encoded_words(text)
    if _ATOMS.fullmatch(text):
        return text.split(" ")
    quoted = f'"{text.translate(_QUOTED)}"'
    return [quoted] if len(quoted) <= _LONGEST else encoded_words(text)


def unstructured(text: str) -> list[str]:
    """Free text, such as a subject: its words, or encoded words."""
    return text.split(" ") if _is_plain(text) else encoded_words(text)


def mailbox(name: str, address: str) -> list[str]:
    """A name and an address; the address alone where there is no name."""
    return [*phrase(name), f"<{address}>"] if name else [address]


def parameter(name: str, value: str) -> list[str]:
    """A field's last parameter, such as a file name (RFC 2231): quoted, or UTF-8 in octets.

    A long value is cut into numbered pieces, none of which splits a character.
    """
    quoted = f'{name}="{value.translate(_QUOTED)}"'
    if _is_plain(value) and len(quoted) <= _LONGEST:
        return [quoted]
    pieces = ["utf-8''"]
    for character in value:
        octets = quote(character, safe="")
        if len(f"{name}*{len(pieces)}*={pieces[-1]}{octets};") > _LONGEST:
            pieces.append("")
        pieces[-1] += octets
    if len(pieces) == 1:
        return [f"{name}*={pieces[0]}"]
    *others, last = [f"{name}*{number}*={piece}" for number, piece in enumerate(pieces)]
    return [*(f"{piece};" for piece in others), last]


def encoded_words(text: str) -> list[str]:
    """``text`` as RFC 2047 encoded words in UTF-8, none of which splits a character."""
    octets = text.encode()
    # Whichever is shorter; Latin letters stay legible in quoted words.
    write = _base64_word if len(_quoted(octets)) > -(-len(octets) // 3) * 4 else _quoted_word
    word = write(octets)
    if len(word) <= _LONGEST:
        return [word]
    words = []
    chunk = b""
    for character in text:
        octets = character.encode()
        if len(write(chunk + octets)) > _LONGEST:
            words.append(write(chunk))
            chunk = b""
        chunk += octets
    return [*words, write(chunk)]


def _base64_word(octets: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode()}?="


def _quoted_word(octets: bytes) -> str:
    return f"=?utf-8?q?{_quoted(octets)}?="


def _quoted(octets: bytes) -> str:
    return "".join(map(_Q.__getitem__, octets))


def _is_plain(text: str) -> bool:
    """Whether ``text`` means the same to a reader when it stands as it is.

    What looks like an encoded word would be decoded; spaces in a row or at an
    end may be lost; what is too long could not be folded.
    """
    return (
        text.isascii()
        and "=?" not in text
        and "  " not in text
        and text == text.strip(" ")
        and all(len(word) <= _LONGEST for word in text.split(" "))
    )
