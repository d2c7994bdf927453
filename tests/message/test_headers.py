import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.message.headers import (
    encoded_words,
    field,
    is_unfit,
    mailbox,
    phrase,
    unstructured,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Anna Muller", ["Anna", "Muller"]),
        ("O'Brien", ["O'Brien"]),
        ("Dr. A. Muller, PhD", ['"Dr. A. Muller, PhD"']),
        ('Anna "Ann" \\', [r'"Anna \"Ann\" \\"']),
        ("Zoë", ["=?utf-8?q?Zo=C3=AB?="]),
        ("Анна", ["=?utf-8?b?0JDQvdC90LA=?="]),
        ("=?utf-8?q?x?=", ["=?utf-8?b?PT91dGYtOD9xP3g/PQ==?="]),
        ("two  spaces", ["=?utf-8?q?two__spaces?="]),
    ],
)
def test_a_name_is_written_as_plainly_as_it_can_be(name: str, expected: list[str]) -> None:
    assert expected == phrase(name)


def test_a_name_that_quoting_makes_too_long_is_encoded() -> None:
    assert phrase('"' * 40)[0].startswith("=?utf-8?")


def test_an_address_stands_alone_where_there_is_no_name() -> None:
    assert ["a@example.org"] == mailbox("", "a@example.org")
    assert ["Anna", "<a@example.org>"] == mailbox("Anna", "a@example.org")


def test_a_long_plain_subject_is_folded_at_its_spaces() -> None:
    subject = " ".join(["defenders"] * 20)
    folded = field("Subject", *unstructured(subject))
    assert all(len(line) <= 76 for line in folded.split("\r\n"))
    assert f"Subject: {subject}\r\n" == folded.replace("\r\n ", " ")


def test_a_token_is_never_broken() -> None:
    assert f"X: {'x' * 900}\r\n" == field("X", "x" * 900)
    assert f"X: a\r\n {'x' * 900}\r\n" == field("X", "a", "x" * 900)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_encoded_words_never_split_a_character(text: str) -> None:
    words = encoded_words(text)
    assert all(len(word) <= 75 for word in words)
    alone = [email.header.decode_header(word) for word in words]
    decoded = [octets.decode(charset) for ((octets, charset),) in alone]
    assert text == "".join(decoded)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300).map(str.strip))
def test_free_text_parses_back(text: str) -> None:
    written = field("Subject", *unstructured(text))
    assert 76 >= max(map(len, written.split("\r\n")))
    parsed = email.message_from_string(written + "\r\n", policy=email.policy.default)
    assert text == str(parsed["Subject"])


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\t", "\x1b", "\x7f", "\x85", "\ud800"])
def test_what_fits_no_header_is_seen(character: str) -> None:
    assert is_unfit(f"a{character}b")
    assert not is_unfit("Defenders’ Newsletter")
