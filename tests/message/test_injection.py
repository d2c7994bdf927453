"""Hostile settings, issues and addresses: none starts a header of its own."""

from dataclasses import replace

import pytest
from newsletter.addresses import Address
from newsletter.config import ListIdentity, Sender
from newsletter.errors import ConfigError, IssueError
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Recipient
from pydantic import ValidationError

from tests.message.samples import DATE, EDITION, LIST, SENDER, composer, reader

ATTACK = "x\r\nBcc: victim@evil.example"


@pytest.mark.parametrize("field", ["name", "address", "reply_to", "bounces"])
def test_a_sender_with_a_line_break_is_refused_twice(field: str) -> None:
    with pytest.raises(ValidationError):
        Sender.model_validate({**SENDER.model_dump(), field: ATTACK})
    # Unvalidated, as if the first check had a hole.
    hostile = SENDER.model_copy(update={field: ATTACK})
    with pytest.raises(ConfigError) as refusal:
        composer(sender=hostile)
    assert f"[sender] {field}" in str(refusal.value)
    assert "evil" not in str(refusal.value)


@pytest.mark.parametrize("field", ["id", "name"])
def test_a_list_with_a_line_break_is_refused_twice(field: str) -> None:
    with pytest.raises(ValidationError):
        ListIdentity.model_validate({**LIST.model_dump(), field: ATTACK})
    with pytest.raises(ConfigError) as refusal:
        composer(list_identity=LIST.model_copy(update={field: ATTACK}))
    assert f"[list] {field}" in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://news.example/{token}\r\nBcc: x@evil.example",
        "https://news.example/ {token}",
        "https://news.example/{token}>,<mailto:x@evil.example",
        "https://défenseurs.example/{token}",
        "https://news.example/" + "x" * 900 + "{token}",
    ],
)
def test_an_unsubscribe_address_that_no_header_can_carry_is_refused(url: str) -> None:
    hostile = LIST.model_copy(update={"unsubscribe_url": url})
    with pytest.raises(ConfigError, match="unsubscribe_url"):
        composer(list_identity=hostile)


def test_a_sender_address_with_accents_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="plain letters"):
        composer(sender=SENDER.model_copy(update={"address": "rédaction@defenders.example"}))


def test_several_wrong_settings_are_told_together() -> None:
    sender = SENDER.model_copy(update={"name": ATTACK, "bounces": "é@defenders.example"})
    with pytest.raises(ConfigError) as refusal:
        composer(
            sender=sender, list_identity=LIST.model_copy(update={"name": ATTACK}), archive_url="é"
        )
    assert 4 == len(refusal.value.problems)


@pytest.mark.parametrize("url", ["https://défenseurs.example/", "https://défenseurs.example"])
def test_an_archive_whose_domain_has_accents_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[archive\] url.*xn--"):
        composer(archive_url=url)


def test_an_archive_with_a_line_break_is_percent_encoded() -> None:
    message = composer(archive_url=f"https://news.example/{ATTACK}").compose(reader(), date=DATE)
    assert b"\r\nBcc:" not in message.as_bytes()


@pytest.mark.parametrize("field", ["subject", "language"])
def test_an_edition_with_a_line_break_is_refused(field: str) -> None:
    with pytest.raises(IssueError):
        composer(replace(EDITION, **{field: ATTACK}))  # type: ignore[arg-type] # both are str


@pytest.mark.parametrize("campaign", ["", "a b", "a\r\nBcc: x", "a..b", ".a", "ä", "a@b", "a>"])
def test_a_campaign_id_that_fits_no_message_id_is_refused(campaign: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        composer(campaign_id=campaign)


@pytest.mark.parametrize("local", [ATTACK, "evil\ud800"])
def test_an_address_that_nobody_parsed_is_refused(local: str) -> None:
    hostile = Recipient(Address(local, "reader.example"), "Anna", "en", {"city": ""})
    with pytest.raises(Uncomposable) as refusal:
        composer().compose(hostile, date=DATE)
    assert "evil" not in str(refusal.value)
