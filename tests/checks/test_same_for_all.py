"""All readers get the same mail but for the declared slots: real letters, read by the stdlib."""

import email
import functools
import re
from collections.abc import Callable
from email.message import Message as Mail

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.message.compose import Composer
from newsletter.message.model import Recipient
from newsletter.message.shared_headers import Letterhead
from newsletter.render.edition import Edition

from tests.message.samples import ARCHIVE, CAMPAIGN, DATE, EDITION, KEYS, LIST, SENDER
from tests.support.march import march, with_pictures_inside
from tests.support.tools import examples

MARKED = Recipient(
    Address.parse("qq-address-qq@readers.example"), "QqNAMEqQ", "en", {"city": "QqCITYqQ"}
)
"""A reader whose values can be found again in the mail, wherever they stand."""
OWN_HEADERS = {"To", "Subject", "Message-ID", "X-Recipient", "List-Unsubscribe"}
RECEIPTS = {"disposition-notification-to", "return-receipt-to", "x-confirm-reading-to"}

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"]), max_size=60).map(
    str.strip
)
readers = st.builds(
    lambda local, name, city: Recipient(
        Address.parse(f"{local}@readers.example"), name, "en", {"city": city}
    ),
    st.from_regex(r"[a-z0-9]{1,12}(\.[a-z0-9]{1,12})?", fullmatch=True),
    words | st.sampled_from(["<b>", "a & b", '"', "Zq3f9a01c7x0000qZ", "QqCITYqQ", "https://a.b/"]),
    words,
)


def composer(edition: Edition) -> Composer:
    return Composer(
        edition,
        Letterhead(SENDER, LIST, ARCHIVE),
        campaign_id=CAMPAIGN,
        keys=KEYS,
    )


# Compiled when asked for: every process that collects tests reads this.
EDITIONS: dict[str, Callable[[], Edition]] = {
    "every kind of slot": lambda: EDITION,
    "English": lambda: march("en").edition,
    "Arabic": lambda: march("ar").edition,
    "pictures inside": lambda: with_pictures_inside("en").edition,
}


@functools.cache
def composer_of(edition: str) -> Composer:
    return composer(EDITIONS[edition]())


@functools.cache
def fallback(edition: str, field: str) -> str:
    slots = EDITIONS[edition]().slots
    return {slot.field: slot.fallback for slot in slots}.get(field, "")


def mail_to(reader: Recipient, edition: str) -> Mail:
    return email.message_from_bytes(composer_of(edition).compose(reader, date=DATE).as_bytes())


def parts(mail: Mail) -> list[tuple[str, str]]:
    """Type and content of each part; what is no text as it travels."""
    return [
        (each.get_content_type(), _content(each)) for each in mail.walk() if not each.is_multipart()
    ]


def _content(part: Mail) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode() if part.get_content_maintype() == "text" else content.hex()


@functools.cache
def marked(edition: str) -> tuple[Mail, list[tuple[str, str]]]:
    """The marked reader's mail and its parts, taken apart once."""
    mail = mail_to(MARKED, edition)
    return mail, parts(mail)


def way_out(mail: Mail) -> str:
    """The reader's own page, the same in every part; the header's address stands in none."""
    shown = "".join(content for _, content in parts(mail))
    assert str(mail["List-Unsubscribe"]).strip("<>") not in shown
    (link,) = set(re.findall(r"https://news\.defenders\.example/u/[\w-]{60}", shown))
    return str(link)


def readdressed(edition: str, to: Recipient, to_mail: Mail) -> list[tuple[str, str]]:
    """The marked reader's parts with another reader's values in place of the marks."""
    mail, content_of_parts = marked(edition)
    values = {
        MARKED.name: to.name or fallback(edition, "name"),
        MARKED.fields["city"]: to.fields["city"] or fallback(edition, "city"),
        str(MARKED.address): str(to.address),
        way_out(mail): way_out(to_mail),
    }
    marks = re.compile("|".join(map(re.escape, values)))
    escaped = {mark: _escaped(value) for mark, value in values.items()}

    def written(kind: str, content: str) -> str:
        fitting = escaped if kind == "text/html" else values
        return marks.sub(lambda found: fitting[found.group()], content)

    return [(kind, written(kind, content)) for kind, content in content_of_parts]


def _escaped(value: str) -> str:
    for char, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        value = value.replace(char, written)
    return value


@pytest.mark.parametrize("edition", EDITIONS)
@settings(max_examples=examples(200), deadline=None)
@given(readers)
def test_another_readers_values_in_place_of_ones_own_give_their_very_mail(
    edition: str, reader: Recipient
) -> None:
    mail = mail_to(reader, edition)
    assert readdressed(edition, reader, mail) == parts(mail)


@pytest.mark.parametrize("edition", EDITIONS)
@settings(deadline=None)
@given(readers)
def test_headers_differ_only_where_they_say_who_it_is_for(edition: str, reader: Recipient) -> None:
    (one, _), other = marked(edition), mail_to(reader, edition).items()
    assert [name for name, _ in one.items()] == [name for name, _ in other]
    both = zip(one.items(), other, strict=True)
    assert {name for (name, here), (_, there) in both if here != there} <= OWN_HEADERS
    assert set() == RECEIPTS & {name.lower() for name, _ in other}
