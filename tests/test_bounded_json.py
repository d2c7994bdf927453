"""JSON from strangers: what is read, and what is refused by a bound instead of a crash."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.bounded_json import MAX_DEPTH, JSONRefused, read_json
from newsletter.clock import EARLIEST, LATEST, moment_at

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_whatever_is_within_the_bounds_is_read_as_it_is(value: object) -> None:
    assert value == read_json(json.dumps(value).encode())
    assert value == read_json(json.dumps(value, ensure_ascii=False))


@pytest.mark.fault(
    "Input",
    "JSON nested 100,000 deep, a number of 400 digits, NaN, a key twice",
    state="refused by a bound, and only the item that holds it",
)
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested"),
        (b"1" * 400, "digits"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"NaN", "no JSON"),
        (b"[Infinity]", "no JSON"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "no JSON"),
        (b"<html>", "no JSON"),
        (b'"' + b"a" * 200 + b'"', "longer than"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(JSONRefused, match=why):
        read_json(data, max_bytes=100 if "longer" in why else 10**7)


def test_brackets_inside_of_texts_nest_nothing() -> None:
    assert ["[" * 1000, '"' + "{" * 1000] == read_json(json.dumps(["[" * 1000, '"' + "{" * 1000]))


@pytest.mark.parametrize("food", ['"' + '\\"' * 500_000, '"' * 1_000_001, "\\" * 1_000_000])
def test_a_text_that_is_never_closed_is_looked_at_once(food: str) -> None:
    with pytest.raises(JSONRefused):
        read_json(food)


def test_half_a_character_becomes_the_sign_for_it() -> None:
    assert {"\ufffd": ["\ufffd", "😀"]} == read_json(r'{"\ud800": ["\udfff", "\ud83d\ude00"]}')


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (math.nan, EARLIEST),
        (-math.inf, EARLIEST),
        (-1e300, EARLIEST),
        (math.inf, LATEST),
        (1e300, LATEST),
        (10**40, LATEST),
        (1490954400, datetime(2017, 3, 31, 10, 0, tzinfo=UTC)),
    ],
)
def test_any_number_is_a_time(seconds: float, moment: datetime) -> None:
    assert moment == moment_at(seconds)
