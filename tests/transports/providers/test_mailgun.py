import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP, default
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from newsletter.addresses import Address
from newsletter.errors import ConfigError
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, FrozenClock, fake_messages
from newsletter.transports.api_result import Ambiguous, Later, Refused, Stop, Taken
from newsletter.transports.http_values import Request as Sent
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, Scope

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, says
from tests.transports.contract import ANNA, BOB
from tests.transports.providers.anymail import anymail_payload
from tests.transports.providers.contract import ProviderContract
from tests.transports.providers.harness import (
    ProviderHarness,
    api_message,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)

DOMAIN = "mg.news.example"
JSON = {"content-type": "application/json"}
FILES = (
    Enclosure("map.png", "image/png", b"\x89PNG map", "map@news.example"),
    Enclosure("report.pdf", "application/pdf", b"%PDF-1.7", None),
)


def form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a form, read by the standard library's MIME parser."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
    fields: dict[str, bytes] = {}
    for part in parts:
        name = str(part.get_param("name", header="content-disposition"))
        if part.get_content_type() == "message/rfc822":
            fields[name] = body.split(b"message/rfc822\r\n\r\n")[1].rpartition(b"\r\n--")[0]
        else:
            fields[name] = cast(bytes, part.get_payload(decode=True))
    return fields


class MailgunSide(Provider):
    """https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages."""

    def knows(self, request: Request) -> bool:
        known = base64.b64encode(b"api:api_key-0123456789").decode()
        return request.headers.get("authorization") == f"Basic {known}"

    def items(self, request: Request) -> Sequence[Item]:
        assert request.path == f"/v3/{DOMAIN}/messages.mime"
        return [Item(form(request.headers["content-type"], request.body)["to"].decode())]

    def answer(self, rows: Sequence[Row]) -> Reply:
        if any(row.id is None for row in rows):
            message = "'to' parameter is not a valid address. please check documentation"
            return Reply(400, {"message": message})
        known = {"id": rows[-1].id} if rows else {}
        return Reply(200, {**known, "message": "Queued. Thank you."})

    def locked_out(self) -> Reply:
        return Reply(401, b"Forbidden", {"Content-Type": "text/plain; charset=utf-8"})

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return Reply(429, {"message": "Too many requests"}, headers)

    def broken(self, status: int) -> Reply:
        return Reply(status, {"message": "Internal Server Error"})

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        query = parse_qs(urlsplit(request.path).query)
        if "begin" in query:
            link = f"{request.server.url}/v3/{DOMAIN}/events/next-page"
            return Reply(200, {"items": list(self.happened), "paging": {"next": link}})
        if request.path.endswith("/events/next-page"):
            return Reply(200, {"items": [], "paging": {}})
        items = []
        for mail in mails:
            fields = form(mail.request.headers["content-type"], mail.request.body)
            message = BytesParser(policy=default).parsebytes(fields["message"])
            known = str(message["Message-ID"]).strip("<>")
            if [known] == query["message-id"] and [mail.address] == query["recipient"]:
                items.append(
                    {
                        "event": "accepted",
                        "recipient": mail.address,
                        "message": {"headers": {"message-id": known}},
                        "user-variables": {"reference": fields["v:reference"].decode()},
                    }
                )
        return Reply(200, {"items": items, "paging": {}})


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("mailgun", MailgunSide(), domain=DOMAIN) as harness:
        yield harness


class TestMailgun(ProviderContract):
    """Passes the contract with the fixture above."""


def request(message: Any, **more: Any) -> Sent:
    return provider_of("mailgun", domain=DOMAIN, **more).request(
        [api_message(message, "mailgun")], "k"
    )


def fields_of(sent: Sent) -> dict[str, bytes]:
    return form(sent.headers["Content-Type"], sent.body)


def test_the_approved_message_travels_byte_for_byte() -> None:
    edition = replace(EDITION, enclosures=FILES)
    message = composer(edition).compose(reader("Müller, Anna"), date=DATE)
    fields = fields_of(request(message))
    assert message.as_bytes() == fields.pop("message")
    assert {
        "to": b"anna@reader.example.org",
        "o:tracking": b"no",
        "o:tracking-clicks": b"no",
        "o:tracking-opens": b"no",
        "v:reference": message.as_content().reference.encode(),
    } == fields


def test_anymail_would_say_the_same() -> None:
    edition = replace(EDITION, enclosures=FILES)
    message = composer(edition).compose(reader(), date=DATE)
    theirs = anymail_payload(
        "mailgun",
        message,
        api_key="k",
        sender_domain=DOMAIN,
        metadata={"reference": message.as_content().reference},
    )
    fields = fields_of(request(message))
    mime = BytesParser(policy=default).parsebytes(fields["message"])
    parts = {part.get_content_type(): part for part in mime.walk()}
    ours = {
        "from": [str(mime["From"])],
        "to": [str(mime["To"])],
        "subject": [str(mime["Subject"])],
        "text": [parts["text/plain"].get_content().replace("\r\n", "\n")],
        "html": [parts["text/html"].get_content().replace("\r\n", "\n")],
        "v:reference": [fields["v:reference"].decode()],
        "files": {part.get_payload(decode=True) for part in mime.walk() if part.get_filename()},
    }
    # Headers that anymail asks for, as a reader's program decodes them.
    for name in [name for name in theirs if name.startswith("h:")]:
        (wanted,) = theirs.pop(name)
        probe = BytesParser(policy=default).parsebytes(f"{name[2:]}: {wanted}\r\n\r\n".encode())
        assert str(probe[name[2:]]) == str(mime[name[2:]])
    theirs["files"] = {content for _, _, content, _ in theirs["files"]}
    assert theirs.keys() == ours.keys()
    for name in ("from", "to"):
        (found,) = theirs[name]
        probe = BytesParser(policy=default).parsebytes(f"To: {found}\r\n\r\n".encode())
        theirs[name] = [str(probe["To"])]
    assert theirs == ours


@pytest.mark.parametrize(
    ("status", "message", "verdict"),
    [
        (400, "'to' parameter is not a valid address.", Refused("{}", of_recipient=True)),
        (400, "'from' parameter is missing", Refused("{}")),
        (413, "Request Entity Too Large", Refused("{}")),
        (401, "Invalid private key", Stop),
        (402, "Request Failed", Stop),
        (403, "Sandbox subdomains are for test purposes only.", Stop),
        (404, "Domain not found: mg.news.example", Stop),
        (406, "Not Acceptable", Stop),
        (420, "Recipient limit exceeded", Stop),
        (429, "Too many requests", Later("{}", None)),
        (408, "Request Timeout", Ambiguous),
        (500, "Internal Server Error", Ambiguous),
        (502, "Bad Gateway", Ambiguous),
    ],
)
def test_each_error_has_its_meaning(status: int, message: str, verdict: Any) -> None:
    answer = Response(status, JSON, canonical_json({"message": message}))
    found = provider_of("mailgun", domain=DOMAIN).read(answer, [])
    if isinstance(verdict, type):
        assert isinstance(found, verdict)
        assert not isinstance(found, Stop) or found.reply == f"{status} {message}"
    else:
        assert replace(verdict, reply=f"{status} {message}") == found


def test_a_wrong_key_is_told_in_one_word_and_a_gateways_word_is_not_believed() -> None:
    provider = provider_of("mailgun", domain=DOMAIN)
    text = {"content-type": "text/plain"}
    assert isinstance(provider.read(Response(401, text, b"Forbidden"), []), Stop)
    assert isinstance(
        provider.read(Response(401, text, b"Log in at the hotel's page"), []), Ambiguous
    )


@pytest.mark.fault(
    "HTTP", "Mailgun greets instead of taking the message (200)", state="deferred; the run stops"
)
def test_a_greeting_means_a_wrong_address_and_that_nothing_was_taken(
    harness: ProviderHarness,
) -> None:
    greeting = Reply(200, b"Mailgun Magnificent API", {"Content-Type": "text/html"})
    harness.server.always = says(greeting)
    outcomes, stopped = deliver(harness, crowd(3))
    reply = "200 Mailgun Magnificent API: nothing was taken."
    assert [Deferred(reply, Scope.ACCOUNT), None, None] == outcomes
    assert stopped is not None
    assert "region" in stopped.next


def test_only_what_says_queued_is_accepted() -> None:
    provider = provider_of("mailgun", domain=DOMAIN)
    queued = canonical_json({"id": "<a@b>", "message": "Queued. Thank you."})
    assert Taken("200 Queued. Thank you.", ("<a@b>",)) == provider.read(
        Response(200, JSON, queued), []
    )
    for body in (b'{"message":"Hello"}', b"[]", b"Queued. Thank you.", None):
        assert isinstance(provider.read(Response(200, JSON, body), []), Ambiguous)


def test_the_region_of_the_domain_tells_the_address() -> None:
    default_one = provider_of("mailgun", url="", domain=DOMAIN)
    assert "https://api.eu.mailgun.net" == default_one.base_url
    american = provider_of("mailgun", url="", domain=DOMAIN, region="us")
    assert "https://api.mailgun.net" == american.base_url


def test_the_sandbox_is_mailguns_test_mode() -> None:
    assert "o:testmode" not in fields_of(request(fake_messages(ANNA)[0]))
    assert b"yes" == fields_of(request(fake_messages(ANNA)[0], sandbox=True))["o:testmode"]


@pytest.mark.parametrize("word", ["%unsubscribe_url%", "%recipient.name%"])
def test_an_authors_word_that_mailgun_would_replace_is_refused(word: str) -> None:
    (message,) = fake_messages(ANNA, text=f"Write {word} here.\n")
    with pytest.raises(ConfigError, match="percent signs"):
        request(message)


def test_a_readers_name_stops_nobodys_mail() -> None:
    message = FakeMessage(Address.parse("eve@e.example"), to_name="%unsubscribe_url%")
    assert request(message).body


def test_a_letter_that_all_are_refused_for_is_the_letter(harness: ProviderHarness) -> None:
    harness.server.always = says(Reply(400, {"message": "'from' parameter is not valid"}))
    outcomes, _ = deliver(harness, crowd(10))
    assert [Scope.RECIPIENT, Scope.RECIPIENT, Scope.CAMPAIGN] == [
        getattr(outcome, "scope", None) for outcome in outcomes if outcome
    ]
    assert all(isinstance(outcome, Deferred) for outcome in outcomes[:2])
    assert len(harness.server.requests) <= 3


def test_events_prove_what_was_taken(harness: ProviderHarness) -> None:
    taken, other = fake_messages(ANNA, BOB)
    deliver(harness, [taken])
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert {
        taken.message_id: Accepted("Found at Mailgun: accepted", taken.message_id)
    } == inquiry.search([taken, other, replace(taken, resends=1)])
    inquiry.close()


def test_an_event_of_a_mail_that_was_not_taken_proves_nothing() -> None:
    letter = api_message(fake_messages(ANNA)[0], "mailgun")
    ours = {"reference": letter.content.reference}
    provider = provider_of("mailgun", domain=DOMAIN, clock=FrozenClock())
    for item in (
        {"event": "rejected", "user-variables": ours},
        {"event": "delivered", "user-variables": {"reference": "another"}},
        {"event": "delivered"},
    ):
        answer = Response(200, JSON, canonical_json({"items": [item]}))
        assert provider.found(answer, letter) is None
