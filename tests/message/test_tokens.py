import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import UnsubscribeToken, sign, unsubscribe_url, verify

from tests.message.samples import KEYS

LIST_ID = "news.defenders.example"
CLAIM = UnsubscribeToken(
    KEYS.address_tag(Address.parse("anna@example.org")), KEYS.campaign_tag("2017-03.1")
)
TEXT = sign(CLAIM, keys=KEYS, list_id=LIST_ID)
URL_SAFE = string.ascii_letters + string.digits + "-_"


def test_a_token_is_short_url_safe_and_names_nobody() -> None:
    assert 52 == len(TEXT)
    assert set(TEXT) <= set(URL_SAFE)
    assert b"anna" not in base64.urlsafe_b64decode(TEXT)


@given(st.binary(min_size=12, max_size=12), st.binary(min_size=8, max_size=8), st.text("abc.-"))
def test_what_is_signed_verifies(address: bytes, campaign: bytes, list_id: str) -> None:
    claim = UnsubscribeToken(address, campaign)
    assert claim == verify(sign(claim, keys=KEYS, list_id=list_id), keys=KEYS, list_id=list_id)


def test_a_token_verifies_after_a_rotation_and_the_new_key_signs() -> None:
    rotated = KeyRing(KEYS.pepper, {**KEYS.keys, 2: b"n" * 32})
    assert CLAIM == verify(TEXT, keys=rotated, list_id=LIST_ID)
    newer = sign(CLAIM, keys=rotated, list_id=LIST_ID)
    assert CLAIM == verify(newer, keys=rotated, list_id=LIST_ID)
    assert verify(newer, keys=KEYS, list_id=LIST_ID) is None


def test_a_key_that_was_taken_out_verifies_nothing_more() -> None:
    rest = KeyRing(KEYS.pepper, {2: b"n" * 32})
    assert verify(TEXT, keys=rest, list_id=LIST_ID) is None
    assert CLAIM == verify(sign(CLAIM, keys=rest, list_id=LIST_ID), keys=rest, list_id=LIST_ID)


def test_a_token_is_good_for_its_list_only() -> None:
    assert verify(TEXT, keys=KEYS, list_id="other.defenders.example") is None


def test_a_token_of_another_project_fails() -> None:
    assert verify(TEXT, keys=KeyRing(KEYS.pepper, {1: b"o" * 32}), list_id=LIST_ID) is None


@pytest.mark.parametrize("bit", range(39 * 8))
def test_any_flipped_bit_fails(bit: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(TEXT))
    data[bit // 8] ^= 1 << bit % 8
    assert verify(base64.urlsafe_b64encode(data).decode(), keys=KEYS, list_id=LIST_ID) is None


@given(st.integers(0, 51), st.characters())
def test_any_changed_character_fails(place: int, character: str) -> None:
    changed = TEXT[:place] + character + TEXT[place + 1 :]
    assert (CLAIM if changed == TEXT else None) == verify(changed, keys=KEYS, list_id=LIST_ID)


@given(st.one_of(st.text(), st.text(URL_SAFE, min_size=52, max_size=52)))
def test_random_text_never_verifies_and_never_raises(text: str) -> None:
    assert verify(text, keys=KEYS, list_id=LIST_ID) is None


@pytest.mark.parametrize(
    "text",
    ["", "=" * 52, TEXT + "=", TEXT + "\n", f" {TEXT}", TEXT[:-1], TEXT * 1000, "\0" * 52, "é" * 52]
    + [TEXT.replace("-", "+").replace("_", "/") + "=" * n for n in (1, 2)],
)
def test_only_the_one_spelling_verifies(text: str) -> None:
    assert verify(text, keys=KEYS, list_id=LIST_ID) is None


def test_the_format_does_not_change() -> None:
    # Links in mail that has left must verify for as long as the list lives.
    assert "AQAB3BbaxOByTmgGnRBwCgq7wpbdVZx4aeWfLeWq9DXXdCtaiZyV" == TEXT


def test_the_address_is_the_template_with_the_token() -> None:
    assert "https://a.example/u/T?x=1" == unsubscribe_url("https://a.example/u/{token}?x=1", "T")
