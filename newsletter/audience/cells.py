"""What a cell of a list holds: an address, a line of text. No I/O.

RFC 5321 and 6531, see :mod:`newsletter.addresses`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import unquote

from newsletter.addresses import LONGEST_ADDRESS, Address, AddressError
from newsletter.formulas import undefused
from newsletter.invisible import without_invisible

# White space, control characters and what takes no room at all: soft hyphens,
# zero-width spaces, direction marks. Copying from web pages and Word brings them.
_INVISIBLE = "\ufeff" + "".join(
    char
    for char in map(chr, range(0x3001))
    if char.isspace() or unicodedata.category(char) in {"Cc", "Cf"}
)
_WITHIN = re.compile(f"[{re.escape(_INVISIBLE)}]")
_BREAKS = re.compile(r"[\t\n\r\v\f\x85\u2028\u2029]+ *")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SYNTAX = frozenset('<>"')
_LONGEST_TEXT = 10_000
_MAILTO = re.compile(r"mailto:(\S+)", re.IGNORECASE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*@')
_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]+")
_AT = re.compile(r"\s*(?:[(\[{]at[)\]}]|%40|=40|@)\s*", re.IGNORECASE)
_SUBJECT = re.compile(r"(?<=\w)\?\w+=.*")
_BETWEEN = re.compile(r"[\s,;:|/\\<>()\[\]]+")
_AROUND = ".'\"“”„«»‘’`"


def trim(text: str) -> str:
    """Take white space and invisible characters off both ends; nothing is left of those alone."""
    text = text.strip(_INVISIBLE)
    return text if text.isascii() or without_invisible(text) else ""


def read_address(cell: str) -> tuple[Address, str]:
    """The address in a cell, and the name in front of it in ``Name <address>``.

    Raises:
        AddressError: there is none, or more than one; a sentence without the address.
    """
    if cell[:1] != "'" and (plain := Address.plain(cell)):
        return plain, ""
    text = undefused(trim(cell))
    if not text:
        raise AddressError("There is no address.")
    name, text = _parted(text)
    if len(text) > LONGEST_ADDRESS:
        raise AddressError("The address is longer than mail servers accept.")
    if text.count("@") > 1:
        raise AddressError("The cell holds several addresses; give each a row of its own.")
    hidden = _WITHIN.search(text)
    if hidden:
        raise AddressError(f"The address holds {_name_of(hidden.group())}; retype it.")
    return Address.parse(text), name


def addresses_of_leavers(cells: Sequence[str], place: int) -> list[Address]:
    """Whom a row means that holds no sound address, each once; for those who left alone.

    Of them an address is enough however it is written: ``"anna"@`` (RFC 5321 4.1.2), ``(at)``,
    full-width letters, characters that nobody sees. What is guessed wrongly is nobody's.

    Args:
        cells: of the row.
        place: of the column of addresses; without one there, all cells are looked at.
    """
    own = _spelled_out(cells[place]) if place < len(cells) else ""
    text = own if "@" in own else _spelled_out(" ".join(cells))
    found: dict[str, Address] = {}
    for part in _BETWEEN.split(text):
        with suppress(AddressError):
            address = Address.parse(_SUBJECT.sub("", part).strip(_AROUND))
            found.setdefault(address.suppression_key, address)
    return list(found.values())


def _spelled_out(text: str) -> str:
    """A text with each way to write an address made the usual one."""
    usual = unicodedata.normalize("NFKC", html.unescape(text[:_LONGEST_TEXT]))
    usual = _MAILTO.sub(lambda link: unquote(link[1]), usual)  # RFC 6068 2
    spaced = " ".join(usual.split())
    return _AT.sub("@", _QUOTED.sub(_unquoted, without_invisible(spaced)))


def _unquoted(quoted: re.Match[str]) -> str:
    """A quoted local part as it is without quotes; one that needs them is no part of a word."""
    local = re.sub(r"\\(.)", r"\1", quoted[1])
    return f"{local}@" if _ATOMS.fullmatch(local) else ",@"


def _parted(text: str) -> tuple[str, str]:
    """The name and the address of ``Name <address>``; else no name, and the text as it is."""
    before, opened, inside = text.partition("<")
    name = before.strip().removeprefix('"').removesuffix('"')
    address = inside.removesuffix(">")
    if not opened or address == inside or _SYNTAX & {*name, *address}:
        return "", text
    return trim(name), trim(address)


def _name_of(char: str) -> str:
    if char == " ":
        return "a space"
    if char in "\r\n":
        return "a line break"
    name = unicodedata.name(char, "control character").lower()
    return f"an invisible character (U+{ord(char):04X}, {name})"


def read_line(cell: str) -> tuple[str, bool]:
    """A cell as one line of text, and whether it held characters that had to go.

    Line breaks become spaces. Control characters and those that turn the
    direction of whatever follows are taken out.
    """
    text = trim(cell)
    if text.isascii() and text.isprintable():
        return text, False
    text = _BREAKS.sub(" ", text)
    clean = _CONTROL.sub("", text)
    return clean, clean != text
