"""Secrets in what the other side says, and words too long or odd to be shown."""

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsletter.transports.redaction import LONGEST, Redactor

SECRET = 'p4ss+w/rd&"Zy-9'
SECRETS = Redactor([SECRET])


def left_of(words: str, *, form: str) -> int:
    """How many characters in a row of ``form`` are still to be read, at the most."""
    squeezed, form = "".join(words.split()).lower(), "".join(form.split()).lower()
    sizes = range(len(form), 0, -1)
    return next(
        (n for n in sizes for at in range(len(form) - n + 1) if form[at : at + n] in squeezed), 0
    )


FORMS = {
    "as it is": SECRET,
    "Base64": base64.b64encode(SECRET.encode()).decode(),
    "AUTH PLAIN": base64.b64encode(f"\0u\0{SECRET}".encode()).decode(),
    "AUTH PLAIN, shifted": base64.b64encode(f"\0us\0{SECRET}".encode()).decode(),
    "Basic": base64.b64encode(f"api:{SECRET}:x".encode()).decode(),
    "Base64 for addresses": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "hexadecimal": SECRET.encode().hex().upper(),
    "in an address": quote(SECRET, safe=""),
    "in JSON": json.dumps(SECRET),
    "in HTML": html.escape(SECRET),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("how", ["{}", "user {} was refused", "{}{}"])
def test_a_secret_is_hidden_however_it_comes_back(form: str, how: str) -> None:
    redact = SECRETS.redact(how.format(form, form))
    assert "[secret]" in redact
    assert left_of(redact, form=SECRET) < 3
    # What stands around it in Base64 is no secret, but for the octet that they share.
    assert left_of(redact, form=form) < 8


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("seam", [" ", "\n", "\r\n 5.7.8 ", "  "])
def test_a_secret_is_hidden_across_the_lines_of_a_reply(form: str, seam: str) -> None:
    for at in range(1, len(form)):
        assert left_of(SECRETS.redact(f"5.7.8 no {form[:at]}{seam}{form[at:]}"), form=form) < 8


@pytest.mark.parametrize("name", ["as it is", "Base64", "hexadecimal", "in an address", "in HTML"])
def test_a_secret_that_is_cut_off_is_hidden_as_far_as_it_goes(name: str) -> None:
    form = FORMS[name].rstrip("=")
    for length in range(8, len(form)):
        assert left_of(SECRETS.redact(f"no {form[:length]}"), form=form) < 8
        assert left_of(SECRETS.redact(f"{form[-length:]} no"), form=form) < 8


@given(
    before=st.text(max_size=30), after=st.text(max_size=30), secret=st.text("abz0/+", min_size=8)
)
def test_whatever_stands_around_it(before: str, after: str, secret: str) -> None:
    redact = Redactor([secret]).redact(f"{before} {secret} {after}")
    assert secret not in redact


def test_words_without_secrets_stay_as_they_are() -> None:
    words = "550 5.7.1 <anna@a.example>: not today, see https://a.example/why?x=1"
    for secrets in (Redactor(), SECRETS, Redactor(["", "a", "abc"])):
        assert words == secrets.redact(words)


def test_words_are_one_short_line_that_steers_no_terminal() -> None:
    assert "a b [2J c" == Redactor().redact("a\r\n  b \x1b[2J\t\u202ec\ud800")
    assert LONGEST == len(SECRETS.redact("x" * 1_000_000))
    assert SECRET[:3] not in SECRETS.redact("x" * (LONGEST - 5) + SECRET * 3)
