import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from newsletter.addresses import Address
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, FrozenClock, fake_messages
from newsletter.transports.api import ApiTransport
from newsletter.transports.api_result import Ambiguous, Later, Refused, Stop, Taken
from newsletter.transports.http import HttpClient
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, Scope
from newsletter.transports.provider import ApiMessage

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, says
from tests.support.prism import prism
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.providers.anymail import anymail_payload, normalised
from tests.transports.providers.contract import ProviderContract
from tests.transports.providers.harness import (
    ProviderHarness,
    api_message,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)

FORBIDDEN = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
    "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
}  # fmt: skip
FILES = (
    Enclosure("map.png", "image/png", b"\x89PNG map", "map@news.example"),
    Enclosure("report.pdf", "application/pdf", b"%PDF-1.7", None),
)


def error(
    status: int, message: str = "no", field: str = "null", headers: Mapping[str, str] | None = None
) -> Reply:
    return Reply(status, {"errors": [{"message": message, "field": field}]}, headers or {})


class SendGridSide(Provider):
    """https://www.twilio.com/docs/sendgrid/api-reference/mail-send."""

    def knows(self, request: Request) -> bool:
        return request.headers.get("authorization") == "Bearer api_key-0123456789"

    def items(self, request: Request) -> Sequence[Item]:
        return [
            Item(to["email"])
            for personalization in request.json()["personalizations"]
            for to in personalization["to"]
        ]

    def answer(self, rows: Sequence[Row]) -> Reply:
        if any(row.id is None for row in rows):
            return error(400, "Does not contain a valid address.", "personalizations.0.to.0.email")
        known = {"X-Message-Id": str(rows[-1].id)} if rows else {}
        return Reply(202, b"", {**known, "Content-Type": "text/plain; charset=utf-8"})

    def locked_out(self) -> Reply:
        return error(401, "The provided authorization grant is invalid, expired, or revoked")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "too many requests", headers=headers)

    def broken(self, status: int) -> Reply:
        return error(status, "internal server error")

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        query = parse_qs(urlsplit(request.path).query)["query"][0]
        rows = []
        for mail in mails:
            (sent,) = mail.request.json()["personalizations"]
            if query == f"unique_args['reference']=\"{sent['custom_args']['reference']}\"":
                rows.append({"msg_id": mail.id, "to_email": mail.address, "status": "processed"})
        return Reply(200, {"messages": rows})


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("sendgrid", SendGridSide()) as harness:
        yield harness


class TestSendGrid(ProviderContract):
    """Passes the contract with the fixture above."""


def payload(message: FakeMessage | None = None, **more: Any) -> Any:
    given = message or fake_messages(ANNA)[0]
    return json.loads(
        provider_of("sendgrid", **more).request([api_message(given, "sendgrid")], "k").body
    )


def test_the_whole_letter_travels() -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    assert {
        "personalizations": [
            {
                "to": [{"email": "anna@xn--mnchen-3ya.example", "name": 'Lind, "Annä"'}],
                "custom_args": {"reference": message.message_id[1:].partition("@")[0]},
            }
        ],
        "from": {"email": "newsletter@news.example", "name": "News"},
        "reply_to": {"email": "editors@news.example"},
        "subject": "The news",
        "content": [
            {"type": "text/plain", "value": "Good morning.\n"},
            {"type": "text/html", "value": "<p>Good morning.\n</p>"},
        ],
        "headers": {
            "List-ID": "News <list.news.example>",
            "List-Unsubscribe": "<https://news.example/u/token>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Message-ID": message.message_id,
        },
        "mail_settings": {"footer": {"enable": False}, "sandbox_mode": {"enable": False}},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    } == payload(message)


def test_anymail_would_send_the_same() -> None:
    edition = replace(EDITION, enclosures=FILES)
    message = composer(edition).compose(reader(), date=DATE)
    letter = api_message(message, "sendgrid")
    ours = normalised(json.loads(provider_of("sendgrid").request([letter], "k").body))
    theirs = anymail_payload(
        "sendgrid",
        message,
        api_key="k",
        generate_message_id=False,
        metadata={"reference": letter.content.reference},
    )
    # The provider's own file takes custom_args with each recipient alone.
    theirs["personalizations"][0]["custom_args"] = theirs.pop("custom_args")
    theirs["reply_to"] = theirs.pop("reply_to_list")[0]
    theirs["attachments"][1]["disposition"] = "attachment"
    for named in ("mail_settings", "tracking_settings"):
        theirs[named] = ours[named]
    assert theirs == ours


def test_no_header_is_one_that_sendgrid_refuses() -> None:
    content = composer().compose(reader(), date=DATE).as_content()
    assert set() == FORBIDDEN & {name.lower() for name in content.headers}


@pytest.mark.parametrize(
    ("status", "field", "verdict"),
    [
        (400, "personalizations.0.to.0.email", Refused("{}", of_recipient=True)),
        (400, "from.email", Refused("{}")),
        (400, "null", Refused("{}")),
        (413, "null", Refused("{}")),
        (401, "null", Stop),
        (403, "null", Stop),
        (404, "null", Stop),
        (405, "null", Stop),
        (406, "null", Stop),
        (415, "null", Stop),
        (451, "null", Stop),
        (429, "null", Later("{}", None)),
        (408, "null", Ambiguous),
        (500, "null", Ambiguous),
        (503, "null", Ambiguous),
    ],
)
def test_each_error_has_its_meaning(status: int, field: str, verdict: Any) -> None:
    reply = error(status, "What it says.", field)
    answer = Response(status, {"content-type": "application/json"}, canonical_json(reply.value))
    found = provider_of("sendgrid").read(answer, [ApiMessage(fake_messages(ANNA)[0])])
    if isinstance(verdict, type):
        assert isinstance(found, verdict)
        assert not isinstance(found, Stop) or found.reply == f"{status} What it says."
    else:
        assert replace(verdict, reply=f"{status} What it says.") == found


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"x-ratelimit-reset": "{in_90_s}"}, 90.0),
        ({"x-ratelimit-reset": "{in_90_s}", "retry-after": "5"}, 5.0),
        ({}, None),
    ],
)
def test_the_pause_is_the_moment_that_sendgrid_names(
    headers: dict[str, str], pause_s: float | None
) -> None:
    clock = FrozenClock()
    then = str(int(clock.now().timestamp()) + 90)
    told = {name: value.format(in_90_s=then) for name, value in headers.items()}
    body = canonical_json({"errors": [{"message": "slow down", "field": None}]})
    answer = Response(429, {"content-type": "application/json", **told}, body)
    verdict = provider_of("sendgrid", clock=clock).read(
        answer, [ApiMessage(fake_messages(ANNA)[0])]
    )
    assert Later("429 slow down", pause_s) == verdict


@pytest.mark.fault("HTTP", "SendGrid accepts without an id", state="in_doubt")
def test_an_acceptance_without_its_id_is_no_acceptance() -> None:
    letter = ApiMessage(fake_messages(ANNA)[0])
    provider = provider_of("sendgrid")
    assert Taken("202 accepted", ("x",)) == provider.read(
        Response(202, {"x-message-id": "x"}, b""), [letter]
    )
    assert isinstance(provider.read(Response(202, {}, b""), [letter]), Ambiguous)
    assert isinstance(provider.read(Response(200, {}, b""), [letter]), Ambiguous)


def test_the_sandbox_checks_and_sends_nothing() -> None:
    assert {"enable": True} == payload(sandbox=True)["mail_settings"]["sandbox_mode"]
    verdict = provider_of("sendgrid", sandbox=True).read(Response(200, {}, b""), [])
    assert isinstance(verdict, Taken)


@pytest.mark.parametrize(
    ("region", "host"), [("global", "api.sendgrid.com"), ("eu", "api.eu.sendgrid.com")]
)
def test_each_region_has_its_address(region: str, host: str) -> None:
    provider = provider_of("sendgrid", url="", region=region)
    assert f"https://{host}" == provider.base_url
    assert provider.can_search is (region == "global")


def test_a_letter_that_all_are_refused_for_is_the_letter(harness: ProviderHarness) -> None:
    harness.server.always = says(error(400, "The subject is required.", "subject"))
    outcomes, _ = deliver(harness, crowd(10))
    assert [Scope.RECIPIENT, Scope.RECIPIENT, Scope.CAMPAIGN] == [
        getattr(outcome, "scope", None) for outcome in outcomes if outcome
    ]
    assert all(isinstance(outcome, Deferred) for outcome in outcomes[:2])
    assert len(harness.server.requests) <= 3


def test_a_refused_account_stops_after_one_call(harness: ProviderHarness) -> None:
    harness.server.always = says(error(403, "too many bad requests"))
    outcomes, stopped = deliver(harness, crowd(5))
    assert [Deferred("403 too many bad requests", Scope.ACCOUNT), *[None] * 4] == outcomes
    assert stopped is not None
    assert "SendGrid" in stopped.next


def test_email_activity_proves_what_was_taken(harness: ProviderHarness) -> None:
    taken, other = fake_messages(ANNA, BOB)
    deliver(harness, [taken])
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert {taken.message_id: Accepted("Found at SendGrid: processed", "id-0")} == inquiry.search(
        [taken, other, replace(taken, resends=1)]
    )
    inquiry.close()


def test_activity_of_somebody_else_proves_nothing() -> None:
    row = {"msg_id": "x", "to_email": BOB, "status": "delivered"}
    answer = Response(
        200, {"content-type": "application/json"}, canonical_json({"messages": [row]})
    )
    assert (
        provider_of("sendgrid").found(answer, api_message(fake_messages(ANNA)[0], "sendgrid"))
        is None
    )


@pytest.mark.needs_prism
def test_the_providers_own_specification_takes_our_request() -> None:
    edition = replace(EDITION, enclosures=FILES)
    with prism("sendgrid_mail.json") as url:
        provider = provider_of("sendgrid", url=url)
        client = HttpClient(url, timeout_s=30, clock=FrozenClock())
        for message in [
            *fake_messages(ANNA, CLAIRE),
            composer(edition).compose(reader(), date=DATE),
        ]:
            answer = client.send(provider.request([api_message(message, "sendgrid")], "k"))
            assert 202 == answer.status, answer.body
        client.close()
        # The judge is awake: without its “from” the same letter is refused.
        broken = payload()
        del broken["from"]
        refused = requests.post(
            f"{url}/v3/mail/send", json=broken, headers={"Authorization": "Bearer x"}, timeout=30
        )
        assert refused.status_code in {400, 422}


def test_a_transport_that_never_searches_says_so() -> None:
    provider = provider_of("sendgrid", region="eu")
    assert (
        None is ApiTransport(provider, timeout_s=1, clock=FrozenClock(), secrets=()).status_lookup()
    )
