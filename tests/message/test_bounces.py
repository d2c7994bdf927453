"""Envelope senders that tell readers apart (VERP): who gets which, and whose a bounce is."""

import re
from collections import Counter
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.config import Sender, Smtp
from newsletter.message.model import Message
from newsletter.testing import FrozenClock, RecordingJournal
from newsletter.transports.protocol import Accepted
from newsletter.transports.smtp import SmtpTransport
from pydantic import ValidationError

from tests.message.receiver import receiver
from tests.message.samples import CAMPAIGN, DATE, KEYS, SENDER, composer, reader
from tests.support.smtp_server import SmtpServer
from tests.support.smtp_sink import smtp_sink

PEOPLE = ("anna@reader.example.org", "Anna@reader.example.org", "ben@else.example")
TEMPLATE = "bounces+{token}@defenders.example"


def sender(bounces: str) -> Sender:
    return Sender.model_validate({**SENDER.model_dump(), "bounces": bounces})


def letters(*, campaign_id: str = CAMPAIGN) -> list[Message]:
    compose = composer(sender=sender(TEMPLATE), campaign_id=campaign_id).compose
    return [compose(reader(address=address), date=DATE) for address in PEOPLE]


def tag_in(envelope_from: str) -> str:
    found = re.fullmatch(r"bounces\+([0-9a-f]{24})@defenders\.example", envelope_from)
    assert found
    return found[1]


def test_a_bounce_leads_back_to_the_one_letter_whose_it_is() -> None:
    campaigns = (CAMPAIGN, "2017-04.1")
    sent = [message for name in campaigns for message in letters(campaign_id=name)]
    assert 6 == len({message.envelope_from for message in sent})
    whose = {
        KEYS.message_tag(name, Address.parse(address)): (name, address)
        for name in campaigns
        for address in PEOPLE
    }
    found = [whose[tag_in(message.envelope_from)] for message in sent]
    assert [(name, address) for name in campaigns for address in PEOPLE] == found


def test_the_address_names_nobody_and_stays_the_same_on_every_attempt() -> None:
    first, again = letters(), letters()
    assert [m.envelope_from for m in first] == [m.envelope_from for m in again]
    for message in first:
        assert "anna" not in message.envelope_from
        assert tag_in(message.envelope_from) in message.message_id


def test_nothing_but_the_envelope_differs() -> None:
    plain = composer().compose(reader(address=PEOPLE[0]), date=DATE)
    assert "bounces@defenders.example" == plain.envelope_from
    assert plain.as_bytes() == letters()[0].as_bytes()


def deliver(port: int) -> list[Message]:
    messages, journal = letters(), RecordingJournal()
    settings = Smtp(host="127.0.0.1", port=port, security="none", timeout_s=5)
    session = SmtpTransport(
        settings, credentials=[None], client_name="news.example", clock=FrozenClock()
    ).open()
    session.deliver(messages, journal)
    session.close()
    assert all(isinstance(journal.outcome(message), Accepted) for message in messages)
    return messages


def test_each_reader_has_their_own_on_one_pipelined_connection() -> None:
    with SmtpServer() as server:
        messages = deliver(server.port)
    expected = [(m.envelope_from, str(m.envelope_to), m.as_bytes()) for m in messages]
    assert expected == [(mail.sender, mail.recipient, mail.content) for mail in server.accepted]
    assert 1 == server.connections


def test_aiosmtpd_reads_the_same_envelopes() -> None:
    with receiver() as (port, received):
        messages = deliver(port)
    expected = [(m.envelope_from, str(m.envelope_to), m.as_bytes()) for m in messages]
    assert expected == received


@pytest.mark.needs_smtp_sink
def test_postfix_reads_the_same_envelopes(tmp_path: Path) -> None:
    with smtp_sink(tmp_path / "sink") as sink:
        messages = deliver(sink.port)
        kept = [path.read_text() for path in (tmp_path / "sink").iterdir()]
    found = re.findall(r"(?m)^X-Mail-Args: <(.*?)>", "\n".join(kept))
    assert Counter(message.envelope_from for message in messages) == Counter(found)


@pytest.mark.parametrize("bounces", ["b{token}@x.example", "{token}@x.example"])
def test_the_token_may_stand_anywhere_before_the_at(bounces: str) -> None:
    tag = KEYS.message_tag(CAMPAIGN, reader().address)
    message = composer(sender=sender(bounces)).compose(reader(), date=DATE)
    assert bounces.replace("{token}", tag) == message.envelope_from


@pytest.mark.parametrize(
    ("bounces", "why"),
    [
        ("b+{token}+{token}@x.example", "may hold {token} once, and no other braces"),
        ("b+{tokn}@x.example", "may hold {token} once, and no other braces"),
        ("b@{token}.example", "invalid characters"),
        (f"{'b' * 41}{{token}}@x.example", "has 65 octets before the @ when {token} is filled in"),
    ],
)
def test_a_place_for_bounces_that_cannot_work_is_refused_with_the_reason(
    bounces: str, why: str
) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        sender(bounces)


def test_64_octets_before_the_at_are_taken_and_kept() -> None:
    bounces = f"{'b' * 40}{{token}}@x.example"
    message = composer(sender=sender(bounces)).compose(reader(), date=DATE)
    assert 64 == len(message.envelope_from.partition("@")[0])
    assert message.envelope_from == str(Address.parse(message.envelope_from))
