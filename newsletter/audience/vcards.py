"""Contacts in a vCard file as rows: versions 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350). No I/O.

Of each card the address that it prefers is taken, the name, the language, the categories and the
notes. Pictures and all else are passed over, however long they are.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from typing import TextIO

from newsletter.audience.records import MAX_LINE, Record

HEADER = ("email", "name", "language", "categories", "vCard version", "note")
_MOST_CHARACTERS = 10_000
"""Of a property that is used."""
_USED = frozenset(("EMAIL", "FN", "N", "LANG", "CATEGORIES", "VERSION", "NOTE"))
_PROPERTY = re.compile(
    r"(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<parameters>(?:;(?:\"[^\"]*\"|[^\":])*)?):"
)
_PREFERRED = re.compile(r";(?:TYPE=[^;:]*)?\bPREF\b(?:=(?P<rank>\d{1,3}))?", re.IGNORECASE)
_QUOTED = re.compile(r"QUOTED-PRINTABLE", re.IGNORECASE)
_CHARSET = re.compile(r"CHARSET=\"?([\w-]{1,40})", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
_LEAST_PREFERRED = 101


def read_cards(lines: TextIO) -> Iterator[Record]:
    """The header, and a row for each card, with the number of its first line."""
    yield 1, [*HEADER], ""
    card: dict[str, tuple[int, str]] = {}
    depth = start = 0
    for number, name, parameters, value in _properties(lines):
        kind = value.strip().upper() if name in {"BEGIN", "END"} else ""
        if name == "BEGIN" and kind == "VCARD":
            depth += 1
            if depth == 1:
                card, start = {}, number
        elif name == "END" and kind == "VCARD":
            depth = max(0, depth - 1)
            if depth == 0 and start:
                yield start, _row(card), ""
                start = 0
        elif depth == 1 and name in _USED:  # within it, 2.1 may hold the card of an agent
            found = _PREFERRED.search(parameters)
            rank = int(found["rank"] or 1) if found else _LEAST_PREFERRED
            if name not in card or rank < card[name][0]:
                card[name] = rank, _decoded(value, parameters)
            elif name == "NOTE":  # any of several may say that they left
                notes = f"{card[name][1]} {_decoded(value, parameters)}"
                card[name] = card[name][0], notes[:_MOST_CHARACTERS]
    if start:
        yield start, _row(card), "The card has no end; the file may be cut off."


def _row(card: dict[str, tuple[int, str]]) -> list[str]:
    told = {name: value for name, (_, value) in card.items()}
    family, given = (*_parts(told.get("N", "")), "", "")[:2]
    name = _plain(told.get("FN", "")).strip() or f"{_plain(given)} {_plain(family)}".strip()
    rest = (_plain(told.get(each, "")) for each in ("LANG", "CATEGORIES", "VERSION", "NOTE"))
    return [_plain(told.get("EMAIL", "")), name, *rest]


def _parts(value: str) -> list[str]:
    """The parts of a value, which an unescaped semicolon separates."""
    return re.split(r"(?<!\\);", value)


def _plain(value: str) -> str:
    """A value without the backslashes before commas, semicolons and line breaks."""
    return _ESCAPE.sub(lambda found: " " if found[1] in "nN" else found[1], value)


def _decoded(value: str, parameters: str) -> str:
    if not _QUOTED.search(parameters):
        return value
    told = _CHARSET.search(parameters)
    raw = quopri.decodestring(value.encode("utf-8", "replace"))
    try:
        return raw.decode(told[1] if told else "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _properties(lines: TextIO) -> Iterator[tuple[int, str, str, str]]:
    """The line, name, parameters and value of each property, unfolded and in reach."""
    held, start = "", 0
    for number, line in _physical(lines):
        if line[:1] in {" ", "\t"} and held:
            held = (held + line[1:])[:_MOST_CHARACTERS]
        elif held.endswith("=") and _is_quoted(held):
            held = (held[:-1] + line)[:_MOST_CHARACTERS]
        else:
            yield from _property(start, held)
            held, start = line[:_MOST_CHARACTERS], number
    yield from _property(start, held)


def _is_quoted(held: str) -> bool:
    found = _PROPERTY.match(held)
    return found is not None and _QUOTED.search(found["parameters"]) is not None


def _property(number: int, text: str) -> Iterator[tuple[int, str, str, str]]:
    if found := _PROPERTY.match(text):
        yield number, found["name"].upper(), found["parameters"], text[found.end() :]


def _physical(lines: TextIO) -> Iterator[tuple[int, str]]:
    number = 0
    while line := lines.readline(MAX_LINE):
        number += 1
        yield number, line.rstrip("\r\n")
