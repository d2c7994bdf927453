import email
import email.policy
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

ARABIC = "نشرة المدافعين عن حقوق الإنسان " * 40
arabic = st.one_of(st.just(""), st.text("سلاه \n", max_size=40), st.just("x"), st.just("xy"))


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


@given(st.lists(st.tuples(arabic, st.integers(0, 1)), max_size=4), arabic, texts, texts)
def test_a_text_in_base64_decodes_to_itself_with_its_values(
    pieces: list[tuple[str, int]], end: str, first: str, second: str
) -> None:
    values = (first, second)
    text = "".join(f"{piece}{token(number)}" for piece, number in pieces) + end
    made = content(
        edition(text=ARABIC + text, html=text + ARABIC), place={token(0): 0, token(1): 1}
    )
    whole = made.fields.encode() + b"".join(fill(made.body, made.encoded(values)))
    assert all(len(line) <= 76 for line in whole.split(b"\r\n"))
    said = TOKEN.sub(lambda found: values[int(found.group()[-6:-2])], text)
    parts = [*email.message_from_bytes(whole, policy=email.policy.default).iter_parts()]
    assert ["base64", "base64"] == [part["Content-Transfer-Encoding"] for part in parts]
    assert [ARABIC + said, said + ARABIC] == [
        part.get_content().replace("\r\n", "\n") for part in parts
    ]


def test_each_text_has_the_shorter_encoding_whoever_reads_it() -> None:
    made = content(
        edition(text=f"{ARABIC}{token(0)}", html=f"Latin, {token(0)}."), place={token(0): 0}
    )
    for value in ("Ada", "سلام" * 100):
        whole = b"".join(fill(made.body, made.encoded([value]))).decode()
        text, html = whole.split("\r\n--=_")[1:3]
        assert "Content-Transfer-Encoding: base64\r\n" in text
        assert "Content-Transfer-Encoding: quoted-printable\r\n" in html


def test_a_token_without_a_slot_is_a_fault_of_the_edition() -> None:
    with pytest.raises(KeyError):
        content(edition(text=token(7), html=""), place={})
