import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.message.mime import alternative, boundary, encode, fill
from newsletter.render.slots import TOKEN

from tests.message.samples import token

texts = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
        st.integers(70, 80).map(lambda length: "x" * length),
        st.integers(70, 80).map(lambda length: "x" * length + "é"),
        st.integers(70, 80).map(lambda length: "x" * length + "= "),
        st.sampled_from(["\n", " \n", "\t\n", ".\n", "From here\n", "=\n", "\0"]),
    ),
    max_size=6,
).map("".join)


@given(texts)
def test_what_is_encoded_ends_at_the_start_of_a_line_and_decodes_to_itself(text: str) -> None:
    encoded = encode(text)
    assert encoded == b"" or encoded.endswith(b"\r\n")
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))
    assert encoded.isascii()
    assert text == quopri.decodestring(encoded).replace(b"\r\n", b"\n").decode()


@given(texts, texts, texts)
def test_pieces_decode_to_their_sum(before: str, value: str, after: str) -> None:
    joined = encode(before) + encode(value) + encode(after)
    assert before + value + after == quopri.decodestring(joined).replace(b"\r\n", b"\n").decode()


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_ending_becomes_crlf(ending: str) -> None:
    assert b"a\r\nb\r\n" == encode(f"a{ending}b{ending}")


def test_a_full_last_line_makes_room_for_the_soft_break() -> None:
    assert b"x" * 75 + b"=\r\nx=\r\n" == encode("x" * 76)
    assert b"x" * 73 + b"=\r\n=3D=\r\n" == encode("x" * 73 + "=")


@given(st.text("0123456789abcdef", min_size=64, max_size=64), texts)
def test_no_text_holds_the_boundary(fingerprint: str, text: str) -> None:
    mark = boundary(fingerprint)
    assert mark.encode() not in encode(text + mark + text)


def test_values_stand_in_their_places() -> None:
    text, html = f"Dear {token(0)}!\n", f"<b>{token(1)}</b>{token(0)}\n"
    place = {token(0): 1, token(1): 0}
    pieces = alternative(text=text, html=html, boundary="=_x", place=place)
    assert [1, 0, 1] == [piece for piece in pieces if isinstance(piece, int)]
    whole = b"Head: 1\r\n" + b"".join(fill(pieces, [encode("first"), encode("second")]))
    assert not TOKEN.search(whole.decode())
    assert b"Dear=20=\r\nsecond=\r\n!\r\n" in whole
    assert b"<b>=\r\nfirst=\r\n</b>=\r\nsecond=\r\n\r\n\r\n--=_x--\r\n" in whole


def test_a_token_without_a_slot_is_a_fault_of_the_edition() -> None:
    with pytest.raises(KeyError):
        alternative(text=token(7), html="", boundary="=_x", place={})
