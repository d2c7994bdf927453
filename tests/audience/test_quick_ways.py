"""What is quick in reading a file of a move gives exactly what the slow way gives."""

import csv
import hashlib
import hmac
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.audience import (
    dates,
    import_judge,
    import_reader,
    placeholders,
    records,
    shape,
    standing,
)
from newsletter.audience.columns import Columns, fold
from newsletter.audience.import_judge import ImportOptions
from newsletter.audience.import_reader import read_import_files
from newsletter.audience.shape import RowError, check_shape
from newsletter.audience.source_file import Source
from newsletter.errors import RosterError
from newsletter.invisible import without_invisible
from newsletter.message.keys import KeyRing
from newsletter.project.imports import _json

from tests.support.tools import examples

HEADER = "Email,Name,Language,Status,Confirmed at,Unsubscribed at,City,Notes,No newsletter"
ODD = st.text(
    "aZé09 .-_@'\"=+:;,<>&%\t\n\r\x00\x0b\x1c\x1f\x7f\x85\xa0\xad\u200b\u2028\u3000ӣ\ufeffﬁK",
    max_size=12,
)
ADDRESSES = st.sampled_from(
    ["anna@a.example", "Anna@A.Example", "Postmaster@a.example", "'=anna@a.example", "'a@a.example",
     "mailto:ben@a.example", "ben@a.example;", "Ben <ben@a.example>", "b@ü.example", "a@b",
     "a@a.\u212aom", "x" * 65 + "@a.example", "a" * 200 + "@" + "b" * 60 + ".example", "Email"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["Anna Lind", "Anna Anna", "Null", "Null Null", "NULL", "Anna-Lena Lind", "Zoë", "RenÃ©e",
     "None", "A", "Www", "Undefined", "Not Available", "Nan Nan Nan", "First Name", "Ann  Lind"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["", "active", "Active ", "unsubscribed", "bounced", "pending", "yes", "no", "x", "0", "-",
     "2021-03-04", "2021-03-04 10:11:12", "2021-02-30 10:11:12", "2021-03-04T24:00:00",
     "0000-01-01 00:00:00", "1970-01-01 00:00:00", "3/4/2021", "1614852672", "spam", "Gold"]
)  # fmt: skip
CELLS = st.one_of(WORDS, NAMES, ODD)
ROWS = st.lists(
    st.one_of(
        st.tuples(
            ADDRESSES,
            st.one_of(NAMES, ODD),
            st.sampled_from(["fr", "", "xx", "English"]),
            *[st.one_of(WORDS, ODD)] * 5,
            WORDS,
        ),
        st.lists(CELLS, max_size=11),
        st.just(HEADER.split(",")),
    ),
    max_size=8,
)


def file_of(rows: Iterable[Iterable[str]], junk: bytes) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return f"{HEADER}\r\n".encode() + junk + text.getvalue().encode("utf-8", "replace")


def read(content: bytes) -> list[Any]:
    """All that a file says, or why it is refused."""
    source = Source("list.csv", "list.csv", lambda: io.BytesIO(content), len(content))
    said: list[Any] = []
    try:
        for table in read_import_files(source, ImportOptions(fields=("City",))):
            said += table.rows()
            said += [table.odd, table.notes]
    except RosterError as error:
        said += [str(error), [str(problem) for problem in error.problems]]
    return said


def line_by_line(lines: Any) -> Iterator[Iterator[str]]:
    while line := lines._text.readline(records.MAX_LINE + 1):
        yield lines._judged([line])


@settings(max_examples=examples(160), deadline=None)
@given(ROWS, st.sampled_from([b"", b"\xff\n", b"a\x00@b\n", b'"a\n', b"\r\r\n", b'a "b" c\n']))
def test_a_file_is_read_as_by_the_slow_ways(rows: list[list[str]], junk: bytes) -> None:
    content = file_of(rows, junk)
    quick = read(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Address, "plain", lambda text: None)
        patched.setattr(dates, "_MOMENT", re.compile("(?!)"))
        patched.setattr(placeholders, "is_usual", lambda name: False)
        patched.setattr(import_reader, "is_usual", lambda name: False)
        patched.setattr(standing, "_MOST_KEPT", 0)
        patched.setattr(import_judge, "is_without_letters", lambda cell: False)
        patched.setattr(records._Lines, "_blocks", line_by_line)
        assert read(content) == quick


@settings(max_examples=examples(100), deadline=None)
@given(
    st.one_of(
        st.tuples(st.text("ab\r\n\x00\udc80é,", max_size=60), st.just(60)),
        st.tuples(st.text("ab\n\x00\udc80é,", max_size=60), st.integers(3, 12)),
    ),
    st.integers(1, 9),
)
@example(("aaaa\nb\n", 4), 5)
def test_lines_are_the_same_in_blocks_of_any_size(told: tuple[str, int], block: int) -> None:
    text, longest = told

    def lines() -> list[tuple[str, str]]:
        found, each = [], records._Lines(io.StringIO(text, newline=""))
        for line in each:
            found.append((line, each.fault))
            each.fault = ""
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "MAX_LINE", longest)
        patched.setattr(records, "_BLOCK", block)
        quick = lines()
        patched.setattr(records._Lines, "_blocks", line_by_line)
        assert lines() == quick


@settings(max_examples=examples(200), deadline=None)
@given(st.one_of(ODD, st.text(max_size=20)))
def test_a_name_is_folded_as_by_unicode(name: str) -> None:
    letters = unicodedata.normalize("NFKD", without_invisible(name)).casefold()
    kept = "".join(char for char in letters if not unicodedata.combining(char))
    assert re.sub(r"[\W_]+", "", kept) == fold(name)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(ODD, min_size=3, max_size=3))
@example(["a@b.example", "a\nx,y@z.example", ""])
@example(["a@b.example", "a\u2028x,y@z.example", ""])
def test_a_row_is_refused_by_its_cells_and_not_by_chance(cells: list[str]) -> None:
    wrong = any("@" in line and "," in line for cell in cells for line in cell.splitlines()[1:])
    wrong = wrong or any(len(cell) > 9 for cell in cells[:1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shape, "MAX_CELL", 9)
        try:
            check_shape(cells, Columns(0, None, None, {}, (), 3), ",")
        except RowError:
            assert wrong
        else:
            assert not wrong


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
def test_texts_are_written_as_json_writes_them(values: dict[str, str]) -> None:
    assert json.dumps(values, ensure_ascii=False) == _json(values)


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["anna@a.example", "Б@b.example"]))
def test_a_keyed_hash_is_hmac(pepper: bytes, text: str) -> None:
    address = Address.parse(text)
    digest = hmac.new(pepper, address.suppression_key.encode(), hashlib.sha256).digest()
    assert digest[:12] == KeyRing(pepper, {1: bytes(32)}).address_tag(address)
