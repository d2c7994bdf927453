import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from newsletter.addresses import Address
from newsletter.config import Secret
from newsletter.errors import ConfigError
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, FrozenClock, fake_messages
from newsletter.transports.api_result import Each
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage
from newsletter.transports.providers.mailtrap import Mailtrap, MailtrapSettings

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, says
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.providers.anymail import anymail_payload, normalised
from tests.transports.providers.contract import ProviderContract
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)

TOKEN = "0123456789abcdef"
JSON = {"content-type": "application/json"}


def error(status: int, *words: str, **headers: str) -> Reply:
    return Reply(status, {"success": False, "errors": list(words)}, headers)


class MailtrapSide(Provider):
    """specs/email-sending-bulk.openapi.yml and email-sending.openapi.yml."""

    whole = False

    def __init__(self) -> None:
        self.refusal = "'to' address is invalid"

    def knows(self, request: Request) -> bool:
        return request.headers.get("api-token") == TOKEN

    def items(self, request: Request) -> Sequence[Item]:
        return [Item(each["to"][0]["email"]) for each in request.json()["requests"]]

    def answer(self, rows: Sequence[Row]) -> Reply:
        results = [
            {"success": False, "errors": [self.refusal]}
            if row.id is None
            else {"success": True, "message_ids": [row.id]}
            for row in rows
        ]
        return Reply(200, {"success": True, "responses": results})

    def locked_out(self) -> Reply:
        return error(401, "Unauthorized")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return Reply(429, {"errors": "Rate limit exceeded"}, headers)

    def broken(self, status: int) -> Reply:
        return error(status, "Internal server error")

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        (to,) = parse_qs(urlsplit(request.path).query)["filters[to][value]"]
        rows = []
        for mail in mails:
            variables = [
                each["custom_variables"]
                for each in mail.request.json()["requests"]
                if each["to"][0]["email"] == mail.address
            ]
            rows += [
                {"message_id": mail.id, "status": "enqueued", "custom_variables": each}
                for each in variables
                if mail.address == to
            ]
        return Reply(200, {"messages": rows, "total_count": len(rows), "next_page_cursor": None})


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    secrets = {"api_token": TOKEN}
    with provider_harness("mailtrap", MailtrapSide(), secrets=secrets) as harness:
        yield harness


class TestMailtrap(ProviderContract):
    """Passes the contract with the fixture above."""


def test_what_all_share_stands_once_and_the_rest_with_each(harness: ProviderHarness) -> None:
    anna = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    (bob,) = fake_messages(BOB)
    deliver(harness, [anna, bob])
    (request,) = harness.server.requests
    body = request.json()
    assert {
        "from": {"email": "newsletter@news.example", "name": "News"},
        "reply_to": {"email": "editors@news.example"},
    } == body["base"]
    assert {
        "to": [{"email": "anna@xn--mnchen-3ya.example", "name": 'Lind, "Annä"'}],
        "subject": "The news",
        "html": "<p>Good morning.\n</p>",
        "text": "Good morning.\n",
        "headers": {
            "List-ID": "News <list.news.example>",
            "List-Unsubscribe": "<https://news.example/u/token>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Message-ID": anna.message_id,
        },
        "custom_variables": {"reference": anna.as_content().reference},
    } == body["requests"][0]
    assert [{"email": BOB}] == body["requests"][1]["to"]
    assert "/api/batch" == request.path


FILES = (
    Enclosure("map.png", "image/png", b"png", "map.png@news.example"),
    Enclosure("report.pdf", "application/pdf", b"%PDF", None),
)


def test_anymail_writes_the_same_letter() -> None:
    letter = composer(replace(EDITION, enclosures=FILES)).compose(reader(), date=DATE)
    reference = letter.as_content().reference
    theirs = anymail_payload("mailtrap", letter, metadata={"reference": reference}, api_token=TOKEN)
    body = json.loads(provider_of("mailtrap").request([ApiMessage(letter)], "k").body)
    (own,) = body["requests"]
    assert theirs == normalised({**body["base"], **own})


def test_letters_of_two_editions_carry_their_own_files() -> None:
    letters = [
        composer(replace(EDITION, enclosures=files)).compose(reader(), date=DATE)
        for files in (FILES, FILES[1:])
    ]
    body = json.loads(
        provider_of("mailtrap").request([ApiMessage(each) for each in letters], "k").body
    )
    assert {} == body["base"]
    assert [2, 1] == [len(each["attachments"]) for each in body["requests"]]
    assert all("from" in each for each in body["requests"])


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        ("'to' address is invalid", Scope.RECIPIENT),
        ("recipient is suppressed", Scope.RECIPIENT),
        ("'subject' is required", Scope.CAMPAIGN),
    ],
)
def test_refused_all_alike_it_is_the_letter_unless_it_is_about_addresses(
    harness: ProviderHarness, words: str, scope: Scope
) -> None:
    messages = crowd(4)
    harness.server.refused.update(str(message.envelope_to) for message in messages)
    assert isinstance(harness.side, MailtrapSide)
    harness.side.refusal = words
    outcomes, _ = deliver(harness, messages)
    assert [Rejected(f"200 {words}", scope)] * 4 == outcomes


def test_once_somebody_got_the_letter_a_refusal_is_about_its_reader(
    harness: ProviderHarness,
) -> None:
    messages = crowd(5)
    harness.server.refused.update(str(message.envelope_to) for message in messages[1:])
    assert isinstance(harness.side, MailtrapSide)
    harness.side.refusal = "no"
    outcomes, _ = deliver(harness, messages)
    assert [Accepted("200 accepted", "id-0"), *[Rejected("200 no")] * 4] == outcomes


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405])
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, status: int
) -> None:
    harness.server.always = says(error(status, "Forbidden"))
    outcomes, stopped = deliver(harness, crowd(5))
    assert [Deferred(f"{status} Forbidden", Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_refused_as_a_whole_is_the_letter(harness: ProviderHarness, status: int) -> None:
    harness.server.always = says(error(status, "'subject' is required", "'from' is required"))
    outcomes, _ = deliver(harness, crowd(4))
    reply = f"{status} 'subject' is required; 'from' is required"
    assert [Rejected(reply, Scope.CAMPAIGN)] * 4 == outcomes


@pytest.mark.parametrize(
    "value",
    [
        {"success": False, "errors": ["something"]},
        {"success": True, "responses": None},
        [],
        {"success": True, "responses": []},
    ],
)
def test_a_success_without_results_is_doubt(harness: ProviderHarness, value: object) -> None:
    harness.server.always = says(Reply(200, value))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)


def test_a_result_that_says_nothing_is_doubt_for_that_one() -> None:
    rows = [{"success": True}, {"success": False}, {}, "x", {"success": True, "message_ids": ["a"]}]
    answer = Response(200, JSON, canonical_json({"success": True, "responses": rows}))
    verdict = provider_of("mailtrap").read(answer, [ApiMessage(each) for each in crowd(5)])
    assert isinstance(verdict, Each)
    kinds = [type(each) for each in verdict.results]
    assert [InDoubt, InDoubt, InDoubt, InDoubt, Accepted] == kinds
    assert Accepted("200 accepted", "a") == verdict.results[4]


def test_what_is_in_doubt_is_found_by_our_reference(harness: ProviderHarness) -> None:
    messages = fake_messages(ANNA, BOB, CLAIRE)
    harness.cut_after_taking()
    outcomes, _ = deliver(harness, messages[:2])
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert inquiry.can_search
    assert 0 == inquiry.replay_for_s
    again = replace(messages[1], resends=1)
    known = inquiry.search([messages[0], again, messages[2]])
    inquiry.close()
    assert {messages[0].message_id: Accepted("Mailtrap has it as enqueued.", "id-0")} == known


def test_logs_are_asked_for_where_they_are_kept() -> None:
    settings = MailtrapSettings(api_token=Secret(env="T"), sandbox_inbox=7)
    secrets = {"api_token": TOKEN}
    provider = Mailtrap(settings, secrets, clock=FrozenClock(), sandbox=False)
    letter = ApiMessage(fake_messages(ANNA)[0])
    assert "https://bulk.api.mailtrap.io" == provider.base_url
    assert provider.search(letter).path.startswith("https://mailtrap.io/api/email_logs?filters")
    trying = Mailtrap(settings, secrets, clock=FrozenClock(), sandbox=True)
    assert "https://sandbox.api.mailtrap.io" == trying.base_url
    assert "/api/batch/7" == trying.request([letter], "k").path


def test_without_an_inbox_there_is_no_sandbox() -> None:
    with pytest.raises(ConfigError, match=r"no sandbox.*sandbox_inbox"):
        provider_of("mailtrap", sandbox=True)
