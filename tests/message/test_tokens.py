import base64
import hmac
import string
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import NOBODY, PUBLIC, Purpose, Token, Verifier, sign, verify

from tests.message.samples import KEYS

LIST_ID = "news.defenders.example"
OLD_KEY = bytes(range(32, 64))
RING = replace(KEYS, keys={1: OLD_KEY})
ALL = Verifier.of(RING, LIST_ID)
ADDRESS = KEYS.address_tag(Address.parse("anna@example.org"))
CAMPAIGN = KEYS.campaign_tag("2017-03.1")
CLAIM = Token(Purpose.PAGE, ADDRESS, CAMPAIGN, 24_806_970)
TEXT = sign(CLAIM, keys=RING, list_id=LIST_ID)
# Made by the program when it knew version 1 alone.
OLD = "AQAB3BbaxOByTmgGnRBwCgq7wpbdVZx4aeWfLeWq9DXXdCtaiZyV"
OLD_CLAIM = Token(None, ADDRESS, CAMPAIGN, 0, 1)
URL_SAFE = string.ascii_letters + string.digits + "-_"
IN_MAILS = [Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES, Purpose.RETURN]
TAGS = st.binary(min_size=12, max_size=12), st.binary(min_size=8, max_size=8)


def with_mac(claim: bytes, key: bytes) -> str:
    return base64.urlsafe_b64encode(claim + hmac.digest(key, claim, "sha256")[:17]).decode()


def test_a_token_is_short_url_safe_and_names_nobody() -> None:
    assert 60 == len(TEXT)
    assert set(TEXT) <= set(URL_SAFE)
    assert b"anna" not in base64.urlsafe_b64decode(TEXT)


@given(st.sampled_from(IN_MAILS), *TAGS, st.integers(0, 2**32 - 1), st.text("abc.-"))
def test_what_is_signed_verifies(
    purpose: Purpose, address: bytes, campaign: bytes, minute: int, list_id: str
) -> None:
    claim = Token(purpose, address, campaign, minute)
    found = verify(sign(claim, keys=RING, list_id=list_id), Verifier.of(RING, list_id))
    assert claim == found
    assert 1 == found.key_id


@given(st.integers(-(10**12), 10**12))
def test_a_clock_that_is_far_off_makes_a_token_all_the_same(minute: int) -> None:
    found = verify(sign(replace(CLAIM, minute=minute), keys=RING, list_id=LIST_ID), ALL)
    assert found is not None
    assert min(max(minute, 0), 2**32 - 1) == found.minute


@pytest.mark.parametrize("purpose", IN_MAILS)
def test_a_token_is_for_its_purpose_alone(purpose: Purpose) -> None:
    found = verify(sign(replace(CLAIM, purpose=purpose), keys=RING, list_id=LIST_ID), ALL)
    assert found is not None
    assert [purpose] == [each for each in Purpose if found.is_for(each)]


@given(st.sampled_from(IN_MAILS), st.integers(0, 255))
def test_a_token_that_claims_another_purpose_fails(purpose: Purpose, claimed: int) -> None:
    text = sign(replace(CLAIM, purpose=purpose), keys=RING, list_id=LIST_ID)
    data = bytearray(base64.urlsafe_b64decode(text))
    data[3] = claimed
    forged = base64.urlsafe_b64encode(data).decode()
    assert (forged == text) == (verify(forged, ALL) is not None)


def test_a_public_server_makes_no_token_that_brings_back_who_left() -> None:
    public = Verifier.of(RING, LIST_ID, PUBLIC)
    back = sign(replace(CLAIM, purpose=Purpose.RETURN), keys=RING, list_id=LIST_ID)
    assert verify(back, ALL)
    assert verify(back, public) is None
    claim = base64.urlsafe_b64decode(back)[:28]
    for key in [*public.keys.values(), *public.old.values()]:
        assert verify(with_mac(claim, key), ALL) is None


def test_the_keys_of_a_sign_up_make_no_token() -> None:
    claim = bytearray(base64.urlsafe_b64decode(TEXT)[:28])
    for number in range(256):
        claim[3] = number
        assert verify(with_mac(bytes(claim), ALL.keys[1, Purpose.CONFIRM]), ALL) is None
    with pytest.raises(ValueError, match="version 2"):
        sign(replace(CLAIM, purpose=Purpose.CONFIRM), keys=RING, list_id=LIST_ID)


def test_a_token_of_a_proof_stands_for_nobody() -> None:
    found = verify(sign(replace(CLAIM, address_tag=NOBODY), keys=RING, list_id=LIST_ID), ALL)
    assert found is not None
    assert found.inert
    assert not CLAIM.inert
    assert bytes(12) == NOBODY


def test_keys_are_derived_as_rfc_5869_says() -> None:
    for purpose in Purpose:
        info = f"{LIST_ID}\0{purpose.name.lower()}".encode()
        judge = HKDF(algorithm=SHA256(), length=32, salt=None, info=info)
        assert judge.derive(RING.secrets[1]) == ALL.keys[1, purpose]
    assert 5 == len(set(ALL.keys.values()))


def test_a_token_verifies_after_a_rotation_and_the_new_key_signs() -> None:
    rotated = replace(RING, secrets={**RING.secrets, 2: b"n" * 32})
    assert CLAIM == verify(TEXT, Verifier.of(rotated, LIST_ID))
    newer = sign(CLAIM, keys=rotated, list_id=LIST_ID)
    found = verify(newer, Verifier.of(rotated, LIST_ID))
    assert CLAIM == found
    assert 2 == found.key_id
    assert verify(newer, ALL) is None


def test_a_key_that_was_taken_out_verifies_nothing_more() -> None:
    rest = KeyRing(KEYS.pepper, {2: b"n" * 32})
    verifier = Verifier.of(rest, LIST_ID)
    assert verify(TEXT, verifier) is None
    assert verify(OLD, verifier) is None
    assert CLAIM == verify(sign(CLAIM, keys=rest, list_id=LIST_ID), verifier)


@pytest.mark.parametrize("text", [TEXT, OLD])
def test_a_token_is_good_for_its_list_only(text: str) -> None:
    assert verify(text, Verifier.of(RING, "other.defenders.example")) is None


@pytest.mark.parametrize("text", [TEXT, OLD])
def test_a_token_of_another_project_fails(text: str) -> None:
    other = KeyRing(KEYS.pepper, {1: b"o" * 32}, {1: b"o" * 32})
    assert verify(text, Verifier.of(other, LIST_ID)) is None


@pytest.mark.parametrize("text", [TEXT, OLD])
def test_any_flipped_bit_fails(text: str) -> None:
    for bit in range(len(text) // 4 * 3 * 8):
        data = bytearray(base64.urlsafe_b64decode(text))
        data[bit // 8] ^= 1 << bit % 8
        assert verify(base64.urlsafe_b64encode(data).decode(), ALL) is None


@given(st.sampled_from([(TEXT, CLAIM), (OLD, OLD_CLAIM)]), st.integers(0, 51), st.characters())
def test_any_changed_character_fails(token: tuple[str, Token], place: int, character: str) -> None:
    text, claim = token
    changed = text[:place] + character + text[place + 1 :]
    assert (claim if changed == text else None) == verify(changed, ALL)


@given(
    st.one_of(
        st.text(),
        *(st.text(URL_SAFE, min_size=length, max_size=length) for length in (52, 60)),
        # The right version and key in front.
        st.text(URL_SAFE, min_size=56, max_size=56).map("AgAB".__add__),
        st.text(URL_SAFE, min_size=48, max_size=48).map("AQAB".__add__),
    )
)
def test_random_text_never_verifies_and_never_raises(text: str) -> None:
    assert verify(text, ALL) is None


@given(st.sampled_from([TEXT, OLD]), st.integers(0, 60))
def test_a_part_of_a_token_never_verifies(text: str, length: int) -> None:
    assert (length >= len(text)) == (verify(text[:length], ALL) is not None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "=" * 60, "\0" * 60, "é" * 60, "\N{ARABIC-INDIC DIGIT ONE}" * 60, "\ud800" * 60),
        *(TEXT + "=", TEXT + "\n", f" {TEXT}", TEXT * 1000, "A" * 10_000_000, OLD + OLD[:8]),
        *(TEXT.replace("-", "+").replace("_", "/") + "=" * n for n in (1, 2)),
        *(text.replace("A", "\N{FULLWIDTH LATIN CAPITAL LETTER A}", 1) for text in (TEXT, OLD)),
    ],
)
def test_only_the_one_spelling_verifies(text: str) -> None:
    assert verify(text, ALL) is None


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_a_version_that_is_not_known_fails(version: int) -> None:
    claim = bytes([version]) + base64.urlsafe_b64decode(TEXT)[1:28]
    for key in [*ALL.keys.values(), *ALL.old.values()]:
        assert verify(with_mac(claim, key), ALL) is None


def test_a_token_of_version_1_leaves_and_does_nothing_else() -> None:
    found = verify(OLD, ALL)
    assert OLD_CLAIM == found
    assert [Purpose.HEADER, Purpose.PAGE] == [each for each in Purpose if found.is_for(each)]
    assert found == verify(OLD, Verifier.of(RING, LIST_ID, PUBLIC))
    with pytest.raises(ValueError, match="version 2"):
        sign(found, keys=RING, list_id=LIST_ID)


def test_old_keys_make_no_new_tokens_and_new_keys_no_old_ones() -> None:
    claim = base64.urlsafe_b64decode(TEXT)[:28]
    assert verify(with_mac(claim, OLD_KEY), ALL) is None
    old = base64.urlsafe_b64decode(OLD)[:23]
    for key in ALL.keys.values():
        mac = hmac.digest(key, old + LIST_ID.encode(), "sha256")[:16]
        assert verify(base64.urlsafe_b64encode(old + mac).decode(), ALL) is None


def test_a_verifier_shows_no_key() -> None:
    assert f"Verifier({LIST_ID})" == repr(ALL)


def test_the_format_does_not_change() -> None:
    # Links in mail that has left must verify for as long as the list lives.
    assert "AgABAtwW2sTgck5oBp0QcAoKu8KW3VWcAXqGOpKdxQ9h1iOHaQUOkYs8KpGW" == TEXT
