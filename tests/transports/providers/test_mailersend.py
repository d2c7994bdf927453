import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from newsletter.addresses import Address
from newsletter.config import Public
from newsletter.errors import ConfigError
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, fake_messages
from newsletter.transports.api_result import Ambiguous, Later, Refused, Stop, Taken
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, Rejected, Scope
from newsletter.transports.provider import ApiMessage

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.http_server import Item, Provider, Reply, Request, Row, says
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

JSON = {"content-type": "application/json"}
FILES = (
    Enclosure("map.png", "image/png", b"\x89PNG map", "map@news.example"),
    Enclosure("report.pdf", "application/pdf", b"%PDF-1.7", None),
)


def error(
    status: int, message: str, field: str = "", headers: Mapping[str, str] | None = None
) -> Reply:
    errors = {"errors": {field: [message]}} if field else {}
    return Reply(status, {"message": message, **errors}, headers or {})


def suppressed(address: str, kind: str = "ALL_SUPPRESSED") -> dict[str, Any]:
    return {
        "message": "There are some warnings for your request.",
        "warnings": [
            {
                "type": kind,
                "warning": "All the recipients have been suppressed.",
                "recipients": [{"email": address, "name": "", "reasons": ["hard_bounced"]}],
            }
        ],
    }


class MailerSendSide(Provider):
    """https://developers.mailersend.com/api/v1/email.html."""

    def knows(self, request: Request) -> bool:
        return request.headers.get("authorization") == "Bearer api_token-0123456789"

    def items(self, request: Request) -> Sequence[Item]:
        assert request.path == "/v1/email"
        return [Item(to["email"]) for to in request.json()["to"]]

    def answer(self, rows: Sequence[Row]) -> Reply:
        if any(row.id is None for row in rows):
            return error(422, "The to.0.email must be valid. #MS42208", "to.0.email")
        known = {"X-Message-Id": str(rows[-1].id)} if rows else {}
        return Reply(202, b"", {**known, "Content-Type": "text/html; charset=UTF-8"})

    def locked_out(self) -> Reply:
        return error(401, "Unauthenticated.")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "Your account reached its rate limit. #MS42903", headers=headers)

    def broken(self, status: int) -> Reply:
        return error(status, "Server Error")


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("mailersend", MailerSendSide()) as harness:
        yield harness


class TestMailerSend(ProviderContract):
    """Passes the contract with the fixture above."""


def payload(message: Any, **more: Any) -> Any:
    letter = api_message(message, "mailersend")
    return json.loads(provider_of("mailersend", **more).request([letter], "k").body)


def test_the_whole_letter_travels() -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    assert {
        "from": {"email": "newsletter@news.example", "name": "News"},
        "to": [{"email": "anna@xn--mnchen-3ya.example", "name": 'Lind "Annä"'}],
        "reply_to": {"email": "editors@news.example"},
        "subject": "The news",
        "text": "Good morning.\n",
        "html": "<p>Good morning.\n</p>",
        "tags": [message.message_id[1:].partition("@")[0]],
        "settings": {"track_clicks": False, "track_opens": False, "track_content": False},
        "precedence_bulk": True,
        "list_unsubscribe": "<https://news.example/u/token>",
    } == payload(message)


def test_headers_of_ones_own_travel_where_the_plan_takes_them() -> None:
    (message,) = fake_messages(ANNA)
    assert [
        {"name": "List-ID", "value": "News <list.news.example>"},
        {"name": "Message-ID", "value": message.message_id},
    ] == payload(message, plan="enterprise")["headers"]


def test_of_two_ways_to_leave_it_takes_the_first_alone() -> None:
    public = Public(url="https://news.example", mailto="leave@news.example")
    message = composer(public=public).compose(reader(), date=DATE)
    header = message.as_content().headers["List-Unsubscribe"]
    https, mailto = header.split(", ")
    assert mailto.startswith("<mailto:leave@news.example?subject=")
    assert https == payload(message)["list_unsubscribe"]


def test_anymail_would_send_the_same() -> None:
    edition = replace(EDITION, enclosures=FILES)
    message = composer(edition).compose(reader(), date=DATE)
    ours = normalised(payload(message, plan="enterprise"))
    theirs = anymail_payload("mailersend", message, api_token="t")
    # anymail knows no field for it and sends it among the headers.
    unsubscribe = theirs["headers"].pop("list-unsubscribe")
    assert "List-Unsubscribe=One-Click" == theirs["headers"].pop("list-unsubscribe-post")
    assert (
        theirs
        | {
            "list_unsubscribe": unsubscribe,
            "settings": ours["settings"],
            "tags": ours["tags"],
        }
        == ours
    )


@pytest.mark.parametrize(
    ("status", "code", "field", "verdict"),
    [
        (401, "", "", Stop),
        (402, "", "", Stop),
        (403, "MS40301", "", Stop),
        (403, "MS40302", "", Stop),
        (403, "MS40303", "", Stop),
        (403, "MS40304", "", Stop),
        (403, "MS40305", "", Stop),
        (404, "", "", Stop),
        (405, "", "", Stop),
        (422, "MS42204", "", Stop),
        (422, "MS42207", "from.email", Stop),
        (422, "MS42216", "list_unsubscribe", Stop),
        (422, "MS42222", "", Stop),
        (422, "MS42225", "to", Stop),
        (429, "MS42901", "", Stop),
        (422, "MS42208", "to.0.email", Refused("", of_recipient=True)),
        (422, "MS42208", "from.email", Refused("")),
        (422, "MS42208", "reply_to.email", Refused("")),
        (422, "", "to.0.name", Refused("", of_recipient=True)),
        (422, "", "subject", Refused("")),
        *(
            (422, code, "html", Refused(""))
            for code in (
                "MS42201", "MS42202", "MS42205", "MS42206", "MS42209", "MS42210", "MS42211",
                "MS42213", "MS42214", "MS42215", "MS42217", "MS42220", "MS42221", "MS42227",
                "MS42228",
            )
        ),
        (400, "", "", Refused("")),
        (413, "", "", Refused("")),
        (429, "MS42903", "", Later("", None)),
        (429, "", "", Later("", None)),
        (421, "", "", Later("", None)),
        (408, "", "", Ambiguous),
        (500, "", "", Ambiguous),
        (503, "", "", Ambiguous),
    ],
)  # fmt: skip
def test_each_code_has_its_meaning(status: int, code: str, field: str, verdict: Any) -> None:
    reply = error(status, f"What it says. #{code}", field)
    answer = Response(status, JSON, canonical_json(reply.value))
    found = provider_of("mailersend").read(answer, [ApiMessage(fake_messages(ANNA)[0])])
    if isinstance(verdict, type):
        assert isinstance(found, verdict)
        assert not isinstance(found, Stop) or found.reply.startswith(f"{status} What it says.")
    else:
        assert replace(verdict, reply=getattr(found, "reply", "")) == found


@pytest.mark.fault(
    "HTTP",
    "MailerSend accepts, and says that the reader is suppressed",
    state="rejected; all others accepted",
)
def test_who_is_on_its_suppression_list_is_refused_with_the_reason(
    harness: ProviderHarness,
) -> None:
    reply = Reply(202, suppressed(BOB))
    harness.server.script.extend([harness.server.always, says(reply)])
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert None is stopped
    assert Rejected("202 suppressed at MailerSend: hard_bounced") == outcomes[1]
    assert [Accepted, Rejected, Accepted] == [type(outcome) for outcome in outcomes]


@pytest.mark.parametrize("kind", ["ALL_SUPPRESSED", "SOME_SUPPRESSED"])
def test_a_warning_is_about_whom_it_names(kind: str) -> None:
    letter = ApiMessage(fake_messages(ANNA)[0])
    provider = provider_of("mailersend")
    headers = {**JSON, "x-message-id": "x"}
    about_another = Response(202, headers, canonical_json(suppressed(BOB, kind)))
    assert Taken("202 accepted", ("x",)) == provider.read(about_another, [letter])
    about_anna = Response(202, headers, canonical_json(suppressed(ANNA.upper(), kind)))
    assert not isinstance(provider.read(about_anna, [letter]), Taken)


def test_an_acceptance_without_its_id_is_no_acceptance() -> None:
    letter = ApiMessage(fake_messages(ANNA)[0])
    provider = provider_of("mailersend")
    assert isinstance(provider.read(Response(202, {}, b""), [letter]), Ambiguous)
    assert isinstance(provider.read(Response(200, {"x-message-id": "x"}, b""), [letter]), Ambiguous)


def test_a_plan_that_lacks_one_click_is_told_which_it_needs(harness: ProviderHarness) -> None:
    said = "This feature requires a Hobby plan or higher. #MS42216"
    harness.server.always = says(error(422, said, "list_unsubscribe"))
    outcomes, stopped = deliver(harness, crowd(3))
    assert isinstance(outcomes[0], Deferred)
    assert stopped is not None
    assert "Professional" in stopped.next


def test_a_letter_that_all_are_refused_for_is_the_letter(harness: ProviderHarness) -> None:
    harness.server.always = says(error(422, "Failed to compile. #MS42213", "html"))
    outcomes, _ = deliver(harness, crowd(10))
    assert [Scope.RECIPIENT, Scope.RECIPIENT, Scope.CAMPAIGN] == [
        getattr(outcome, "scope", None) for outcome in outcomes if outcome
    ]
    assert all(isinstance(outcome, Deferred) for outcome in outcomes[:2])
    assert len(harness.server.requests) <= 3


def test_words_of_its_template_language_reach_readers_as_they_were_written() -> None:
    (message,) = fake_messages(ANNA, text="Write {{ name }} or {$name}.\n")
    found = payload(message)
    assert "{{" not in found["text"] + found["html"]
    assert "{$" not in found["text"] + found["html"]
    assert "Write {{ name }} or {$name}.\n" == found["text"].replace("\N{WORD JOINER}", "")


def test_there_is_no_sandbox_and_it_says_what_there_is_instead() -> None:
    with pytest.raises(ConfigError, match="no sandbox"):
        provider_of("mailersend", sandbox=True)
