"""Characters that nobody sees, named so that they can be found. No I/O."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from newsletter.errors import Where

# White space but the plain space, controls and format characters (joiners, marks of direction,
# byte order mark, soft hyphen), and letters and signs that are drawn as nothing.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def invisible_in(text: str) -> tuple[int, str] | None:
    """The first such character: its place, and ``U+00A0 (no-break space)``."""
    found = _INVISIBLE.search(text)
    if found is None:
        return None
    name = unicodedata.name(found.group(), "control character").lower()
    return found.start(), f"U+{ord(found.group()):04X} ({name})"


_URL = re.compile(r"https?://[^\s<>\"]*", re.IGNORECASE)
_JOINS = "\u200c\u200d\ufe0e\ufe0f"
"""What words and signs of some scripts are written with, also in addresses."""


def invisible_in_address(text: str) -> str:
    """The first invisible character inside a web address, named; else "".

    One behind an address only parts it from the next word, unless that goes on as addresses do.
    """
    for found in _URL.finditer(text):
        address = found.group()
        for place, char in enumerate(address):
            named = invisible_in(char) if char not in _JOINS else None
            if named and re.match(r"[\w/?#&=%.-]", address[place + 1 : place + 2], re.ASCII):
                return named[1]
    return ""


def visible(text: str) -> str:
    """``text`` with a name in the place of each such character: ``na⟨U+200B⟩me``."""
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)


def without_invisible(text: str) -> str:
    """``text`` without such characters."""
    return _INVISIBLE.sub("", text)


def hidden_in_key(text: str, path: Path) -> tuple[str, Where] | None:
    """The first such character around or in a key or a table's name of TOML, and its place."""
    for number, line in enumerate(text.split("\n"), 1):
        if not _INVISIBLE.search(line):
            continue
        key = line.partition("=")
        # Right behind the sign only a value may stand, so one that hides there counts.
        shown = line if line.lstrip().startswith("[") else f"{key[0]}={key[2][:1]}"
        shown = "" if line.lstrip().startswith("#") or not (key[1] or shown == line) else shown
        if found := invisible_in(shown.removesuffix("\r")):
            return found[1], Where(path, number, found[0] + 1)
    return None
