import quopri
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.message.mime import content, encode, fill
from newsletter.render.edition import Edition
from newsletter.render.slots import TOKEN

from tests.message.samples import PLAIN_SUBJECT, token

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


@given(texts)
def test_no_text_holds_the_start_of_a_boundary(text: str) -> None:
    assert b"=_" not in encode(f"=_{text}=_")


def edition(*, text: str, html: str) -> Edition:
    return replace(PLAIN_SUBJECT, text=text, html=html)


def test_values_stand_in_their_places() -> None:
    made = edition(text=f"Dear {token(0)}!\n", html=f"<b>{token(1)}</b>{token(0)}\n")
    body = content(made, place={token(0): 1, token(1): 0}).body
    assert [bytes, 1, bytes, 0, bytes, 1, bytes] == [
        piece if isinstance(piece, int) else bytes for piece in body
    ]
    whole = b"Head: 1\r\n" + b"".join(fill(body, [encode("first"), encode("second")]))
    assert not TOKEN.search(whole.decode())
    assert b"Dear=20=\r\nsecond=\r\n!\r\n" in whole
    end = f"\r\n\r\n--=_{made.fingerprint[:32]}--\r\n".encode()
    assert whole.endswith(b"<b>=\r\nfirst=\r\n</b>=\r\nsecond=\r\n" + end)


def test_a_token_without_a_slot_is_a_fault_of_the_edition() -> None:
    with pytest.raises(KeyError):
        content(edition(text=token(7), html=""), place={})
