"""In which encoding the text of a list or an export is, told by all of its bytes. Reads that file.

A byte order mark decides, then UTF-8 if all of it is, or most. Else charset-normalizer looks at
the cells that are not ASCII, wherever in the file they stand, and the whole file must decode. A
guess is always said, with a word to judge it by.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from newsletter.audience.source_file import Source
from newsletter.errors import Problem, RosterError

_MARKS = (  # UTF-32 first: its mark begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and what Python calls the encoding."""
# The commonest first: where several read the same, it is named.
_CANDIDATES = (
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1256", "iso8859_15", "mac_roman"),
    *("shift_jis", "cp1253", "cp1254", "cp1255", "cp1257", "gb18030", "euc_kr", "big5"),
)
_LATIN = ("cp1252", "iso8859_15", "cp1250")
_SIMILAR = ("cp1254", "cp1257")
_SIGNS = re.compile(
    "[^\\W\\d_][\xa1-\xbf\u0080-\u009f\ufffd˘˙˛˝¸¨´]|[\xa1-\xbf\u0080-\u009f\ufffd˘˙˛˝¸¨´][^\\W\\d_]|¤"
)
_CHUNK = 1 << 20
_SAMPLE = 60_000
"""Bytes of cells that are not ASCII; addresses beside them would hide what they tell."""
_LEAST = 600
"""Bytes that charset-normalizer needs: a smaller sample is said again and again."""
_FEW = 3
"""Bytes that are not UTF-8; fewer tell no encoding but Windows-1252, and are damage."""
_CELL_END = rb'[\r\n,;\t"]'
_NOT_ASCII = re.compile(rb'[\x80-\xff][^\r\n,;\t"]{0,200}')
_WORD = re.compile(r"[^\s,;\"|]*[^\x00-\x7f][^\s,;\"|]{0,40}")
_PAGE = re.compile(r"\s*(?:<[!?]|<[a-z][a-z0-9]*[\s/>]|\{|\[\s*\{)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A text file whose encoding is known."""

    source: Source
    encoding: str
    notes: tuple[Problem, ...]

    def open(self) -> TextIO:
        """Open it from its start, line breaks as they are; damage becomes surrogates."""
        errors = "surrogateescape" if self.encoding.startswith("utf-8") else "replace"
        return io.TextIOWrapper(
            self.source.open(), encoding=self.encoding, errors=errors, newline=""
        )


EMPTY = "If it should hold somebody, export it again; else leave it out."
"""What to do about an empty file."""


def find_text(source: Source) -> Text:
    """Find out how to read a file.

    Raises:
        RosterError: it is a web page or JSON, such as an error that a server sent in place
            of a list, or empty.
    """
    with source.open() as file:
        head = file.read(4096)
    if not head.strip(b"\0 \r\n\t"):
        raise RosterError("The file is empty.", where=source.where, next=EMPTY)
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    if not encoding:
        encoding = _unmarked_utf16(head)
    notes: tuple[Problem, ...] = ()
    if not encoding:
        encoding, notes = _by_content(source)
    text = Text(source, encoding, notes)
    with text.open() as opened:
        start = opened.read(1000)
    if _PAGE.match(start):
        raise RosterError(
            "This is a web page or data for programs (JSON, XML), not a list: maybe an error that "
            "was saved in place of the export.",
            where=source.where,
            next="Open it in a browser to read what it says, and export the list again as CSV. If "
            "it is a table for Excel, open it there and save it as “CSV UTF-8”.",
        )
    return text


def _unmarked_utf16(head: bytes) -> str:
    """UTF-16 without its mark: every other byte of plain letters is NUL."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.4 and even < half * 0.05:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.05:
        return "utf-16-be"
    return ""


def _by_content(source: Source) -> tuple[str, tuple[Problem, ...]]:
    if decodes(source, "utf-8"):
        return "utf-8", ()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    damaged, letters = 0, 0
    cells: dict[bytes, None] = {}
    size = 0
    for chunk in _chunks(source):
        if chunk.isascii() and not damaged:
            decoder.decode(chunk)
            continue
        text = decoder.decode(chunk)
        wrong = len(re.findall(r"[\udc80-\udcff]", text))
        damaged += wrong
        letters += len(re.findall(r"[\x80-\ud7ff\ue000-\U0010ffff]", text))
        for found in _NOT_ASCII.finditer(chunk) if size < _SAMPLE else ():
            before = chunk[max(0, found.start() - 200) : found.start()]
            cell = re.split(_CELL_END, before)[-1] + found.group()
            cells[cell] = None
            size += len(cell)
            if size >= _SAMPLE:
                break
    few = damaged < _FEW and not decodes(source, "cp1252")
    if not damaged or few or letters >= damaged:
        return "utf-8", ()
    sample = b"\n".join(cells)
    guess = _guess(b"\n".join([sample] * -(-_LEAST // len(sample))))
    encoding = guess if decodes(source, guess) else "cp1252"
    shown = _WORD.search(sample.decode(encoding, "replace"))
    return encoding, (
        Problem(
            f"The file is not UTF-8; it was read as {_title(encoding)}, "
            f"e.g. “{shown.group() if shown else ''}”.",
            source.where,
            "If that looks wrong, names will be wrong: export it again as UTF-8.",
        ),
    )


def _chunks(source: Source) -> Iterator[bytes]:
    with source.open() as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(
        sample, cp_isolation=[*_CANDIDATES], enable_fallback=False, explain=False
    ).best()
    if best is None or best.encoding in {*_LATIN, *_SIMILAR}:
        # Neighbours that differ in a few letters: the one that puts fewest signs into words.
        first = [best.encoding] if best and best.encoding in _SIMILAR else []
        return min((*first, *_LATIN), key=lambda name: _signs(sample, name))
    text = str(best)
    for name in _CANDIDATES:
        try:
            if sample.decode(name) == text:
                return name
        except UnicodeDecodeError:
            continue
    return best.encoding


def _signs(sample: bytes, encoding: str) -> int:
    """How many signs that nobody writes into words an encoding makes of a sample."""
    return len(_SIGNS.findall(sample.decode(encoding, "replace")))


def decodes(source: Source, encoding: str) -> bool:
    """Whether all of a file can be read so."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in _chunks(source):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _title(encoding: str) -> str:
    if encoding.startswith("cp125"):
        return f"Windows-{encoding[2:]}"
    return encoding.replace("iso8859_", "ISO 8859-").replace("_", "-").upper()
