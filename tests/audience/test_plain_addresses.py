"""The quick way through Address.parse agrees with email-validator."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from newsletter.addresses import Address, AddressError

from tests.support.tools import examples


def long_way(text: str) -> Address | None:
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    assert found.ascii_domain
    return Address(local=found.local_part, domain=found.ascii_domain.lower())


WORDS = st.one_of(
    st.sampled_from(["Info", "INFO", "postmaster", "Abuse"]),
    st.from_regex(
        r"[\w!#$%&'*+/=?^`{|}~-]{1,20}", fullmatch=True, alphabet=st.characters(codec="ascii")
    ),
)
LABELS = st.from_regex(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,9}", fullmatch=True)
TOPS = st.one_of(st.just("example"), st.from_regex(r"[a-zA-Z]{2,10}", fullmatch=True))
PLAIN = st.builds(
    lambda words, labels, top: ".".join(words) + "@" + ".".join([*labels, top]),
    st.lists(WORDS, min_size=1, max_size=3),
    st.lists(LABELS, min_size=1, max_size=4),
    TOPS,
)


@settings(max_examples=examples(500), deadline=None)
@given(PLAIN)
@example("Postmaster@a.example")
@example("postmaster@a.example")
@example("a" * 64 + "@" + "b" * 61 + ".example")
@example("_@1.ab")
def test_what_takes_the_quick_way_comes_out_as_by_the_long_way(text: str) -> None:
    found = Address.plain(text)
    assume(found)
    assert long_way(text) == found


NEARLY = st.text("aZ0.-_@+'\u00e9 ", max_size=14)


@settings(max_examples=examples(500), deadline=None)
@given(
    st.tuples(NEARLY, st.sampled_from(["example", "local", "onion", "TEST", "Arpa", "a1", ""])).map(
        lambda parts: f"{parts[0]}.{parts[1]}"
    )
)
@example("a@a.localhost")
@example("a@xn--a.example")
@example("a@ab--c.example")
@example("a@a.example\n")
@example("a" * 65 + "@a.example")
def test_nearly_an_address_is_judged_as_by_the_long_way(text: str) -> None:
    expected = long_way(text.strip())
    if expected is None:
        with pytest.raises(AddressError):
            Address.parse(text)
    else:
        assert expected == Address.parse(text)
