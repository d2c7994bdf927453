"""What a cell of a list holds: an address, a line of text. No I/O.

RFC 5321 and 6531, see :mod:`newsletter.addresses`.
"""

from __future__ import annotations

import re
import unicodedata

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
