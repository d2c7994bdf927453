"""Takes a file of JSON objects apart, however large it is. No I/O but the stream it is given.

Providers send or export one event, a list of them, or one on each line. All
three are read the same way: an item is an object that stands in no other.
Only one item is in memory at a time, so no file fills it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from newsletter.bounded_json import MAX_BYTES, JSONRefused, read_json

_CHUNK = 65_536
_BOM = b"\xef\xbb\xbf"
_MARK = re.compile(rb'[\[\]{},"\\\n]')


@dataclass(frozen=True, slots=True)
class Item:
    """A value and its number in the file, from 1."""

    number: int
    value: Any


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item that cannot be read: its number in the file, from 1, and why."""

    number: int
    why: str


def json_items(stream: BinaryIO) -> Iterator[Item | UnreadableItem]:
    """The items of a file in order, and in the place of what cannot be read a refusal.

    An object that is never closed swallows what follows it, so the lines of an
    item that cannot be read are tried one by one.
    """
    number = 0
    for piece in _Splitter().pieces(stream):
        number += 1
        try:
            yield Item(number, read_json(piece))
            continue
        except JSONRefused as error:
            yield UnreadableItem(number, str(error))
        for line in piece.splitlines()[1:]:
            value = _object_alone(line)
            if value is not None:
                number += 1
                yield Item(number, value)


def _object_alone(line: bytes) -> Any:
    """The object that a line holds and nothing else but what ends it in a list, or None."""
    line = line.strip().rstrip(b",] ")
    if not line.startswith(b"{"):
        return None
    try:
        return read_json(line)
    except JSONRefused:
        return None


class _Splitter:
    """Finds where items end, by brackets and quotation marks alone."""

    def __init__(self) -> None:
        self._item = bytearray()
        self._depth = 0
        """Brackets open since the item's own."""
        self._in_text = False
        self._escaped = -1
        """Place in the stream of the character behind a backslash."""

    def pieces(self, stream: BinaryIO) -> Iterator[bytes]:
        """The bytes of each item, or more than :data:`MAX_BYTES` of one that has more."""
        before = 0
        while chunk := stream.read(_CHUNK):
            start = len(_BOM) if before == 0 and chunk.startswith(_BOM) else 0
            for found in _MARK.finditer(chunk, start):
                end = self._end_at(found.group(), found.start(), before)
                if end is not None:
                    yield from self._taken(chunk[start:end])
                    start = found.end()
            before += len(chunk)
            if len(self._item) <= MAX_BYTES:
                self._item += chunk[start:]
        yield from self._taken(b"")

    def _taken(self, rest: bytes) -> Iterator[bytes]:
        piece = bytes(self._item + rest).strip()
        self._item.clear()
        if piece:
            yield piece

    def _end_at(self, mark: bytes, at: int, before: int) -> int | None:
        """Where in the chunk the item ends, if a mark ends it: before or behind the mark."""
        if mark == b"\n":
            self._in_text = False  # no text of JSON goes over a line's end
            if len(self._item) > MAX_BYTES:
                self._depth = 0  # perhaps it is never closed; what follows shall be read
            return at if self._depth == 0 else None
        if self._in_text:
            if before + at != self._escaped:
                self._in_text = mark != b'"'
                self._escaped = before + at + 1 if mark == b"\\" else -1
            return None
        return self._end_outside(mark, at)

    def _end_outside(self, mark: bytes, at: int) -> int | None:
        """The same, for a mark that stands in no text."""
        if mark == b'"':
            self._in_text = True
        elif mark in b"{[" and (self._depth or mark == b"{"):
            self._depth += 1
        elif mark in b"}]" and self._depth:
            self._depth -= 1
            return at + 1 if self._depth == 0 else None
        elif self._depth == 0 and mark != b"\\":
            return at  # a comma, or a bracket of a list around the items
        return None
