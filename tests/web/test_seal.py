"""Sealed boxes: who opens them, how long they are, and what is no box."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey
from newsletter.web.seal import ENTRY_BYTES, FORM_BYTES, seal, unseal

PRIVATE = {1: b"1" * 32, 2: b"2" * 32, 3: b"3" * 32}
PUBLIC = {number: bytes(PrivateKey(key).public_key) for number, key in PRIVATE.items()}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.dictionaries(words, words, max_size=3), st.sampled_from(sorted(PRIVATE)))
def test_the_officer_reads_what_was_sealed(content: dict[str, str], number: int) -> None:
    assert content == unseal(seal(content, PUBLIC[number], number), PRIVATE)


@given(st.dictionaries(words, words, max_size=3))
def test_all_boxes_are_equally_long_and_each_is_new(content: dict[str, str]) -> None:
    one, other = (seal(content, PUBLIC[1], 1) for _ in range(2))
    assert len(one) == len(other) == ENTRY_BYTES + 50
    assert one[2:40] != other[2:40]


def test_a_box_made_under_an_earlier_key_opens_and_one_that_names_the_wrong_key_too() -> None:
    for named in (1, 2, 3, 65_535):
        assert {"v": 1} == unseal(seal({"v": 1}, PUBLIC[2], named), PRIVATE)


def test_nobody_else_reads_it() -> None:
    box = seal({"tag": "c0ffee"}, PUBLIC[1], 1)
    assert b"c0ffee" not in box
    assert unseal(box, {1: PRIVATE[2], 2: PRIVATE[3]}) is None
    assert unseal(box, {}) is None


@pytest.mark.parametrize("place", [0, 2, 33, 34, 600, -1])
def test_a_changed_box_opens_for_nobody_but_for_the_number(place: int) -> None:
    box = bytearray(seal({"v": 1}, PUBLIC[1], 1))
    box[place] ^= 1
    assert ({"v": 1} if place == 0 else None) == unseal(bytes(box), PRIVATE)


@given(st.binary(max_size=2_000))
def test_what_is_no_box_is_none(junk: bytes) -> None:
    assert unseal(junk, PRIVATE) is None
    assert unseal(junk.ljust(ENTRY_BYTES + 50, b"x")[: ENTRY_BYTES + 50], PRIVATE) is None


@pytest.mark.parametrize("content", ["[1]", "null", "{", '{"a": NaN}', '{"a": 1, "a": 2}', ""])
def test_what_somebody_else_sealed_and_is_no_json_object_is_none(
    content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "dumps", lambda *_, **__: content)
    box = seal({}, PUBLIC[1], 1)
    monkeypatch.undo()
    assert unseal(box, PRIVATE) is None


def test_too_much_does_not_fit() -> None:
    full = {"words": "x" * (ENTRY_BYTES - len('{"words":""}'))}
    assert full == unseal(seal(full, PUBLIC[1], 1), PRIVATE)
    with pytest.raises(ValueError, match="1024 bytes"):
        seal({"words": full["words"] + "x"}, PUBLIC[1], 1)


def test_the_box_of_a_form_fits_into_an_entry() -> None:
    form = seal({"address": "a" * 300}, PUBLIC[1], 1, size=FORM_BYTES)
    assert {"address": "a" * 300} == unseal(form, PRIVATE)
    inner = {"v": 1, "kind": "signup", "box": "A" * (4 * -(-len(form) // 3)), "page": "x" * 100}
    assert inner == unseal(seal(inner, PUBLIC[1], 1), PRIVATE)
