import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from newsletter.addresses import Address
from newsletter.clock import EARLIEST
from newsletter.errors import ConfigError
from newsletter.feedback.event import Kind
from newsletter.feedback.provider_events import read_listed
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.api_result import Ambiguous, Each, Later, Refused, Stop
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.http_server import Item, Mail, Provider, Reply, Request, Row, says
from tests.transports.contract import ANNA, BOB
from tests.transports.contract import deliver as through
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
PROJECT = "3f0c1a52-5d0e-4a7b-9a55-0d7c1b2e4f60"
PATH = "/transactional-email/v1alpha1/regions/fr-par/emails"
REPORT = Enclosure("report.pdf", "application/pdf", b"%PDF-1.7", None)


def error(
    status: int, kind: str, argument: str = "", headers: Mapping[str, str] | None = None
) -> Reply:
    details = [{"argument_name": argument, "reason": "constraint", "help_message": "too short"}]
    value = {"type": kind, "message": "What it says.", "details": details if argument else []}
    return Reply(status, value, headers or {})


class ScalewaySide(Provider):
    """https://www.scaleway.com/en/developers/api/transactional-email."""

    def knows(self, request: Request) -> bool:
        return request.headers.get("x-auth-token") == "secret_key-0123456789"

    def items(self, request: Request) -> Sequence[Item]:
        assert request.path == PATH
        assert request.json()["project_id"] == PROJECT
        return [Item(to["email"]) for to in request.json()["to"]]

    def answer(self, rows: Sequence[Row]) -> Reply:
        if any(row.id is None for row in rows):
            return error(400, "invalid_arguments", "to.0.email")
        emails = [{"id": row.id, "mail_rcpt": row.address, "status": "new"} for row in rows]
        return Reply(200, {"emails": emails})

    def locked_out(self) -> Reply:
        return error(401, "denied_authentication")

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        return error(429, "too_many_requests", headers=headers)

    def broken(self, status: int) -> Reply:
        return error(status, "internal_error")

    def search(self, request: Request, mails: Sequence[Mail]) -> Reply:
        url = urlsplit(request.path)
        query = parse_qs(url.query)
        assert PATH == url.path
        assert [PROJECT] == query["project_id"]
        if "flags" in query:
            flag = query["flags"][0]
            told = [(row, row.get("flags", [])) for row in self.happened]
            rows = [row for row, flags in told if not isinstance(flags, list) or flag in flags]
            return Reply(200, {"emails": rows, "total_count": len(rows)})
        emails = [
            {
                "id": mail.id,
                "mail_rcpt": mail.address,
                "message_id": _header(mail.request.json(), "Message-ID").strip("<>"),
                "status": "sending",
            }
            for mail in mails
            if [mail.address] == query["mail_rcpt"]
        ]
        return Reply(200, {"total_count": len(emails), "emails": emails})


def _header(mail: Any, name: str) -> str:
    (found,) = [each["value"] for each in mail["additional_headers"] if each["key"] == name]
    return str(found)


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("scaleway", ScalewaySide(), project_id=PROJECT) as harness:
        yield harness


class TestScaleway(ProviderContract):
    """Passes the contract with the fixture above."""


def payload(message: Any) -> Any:
    provider = provider_of("scaleway", project_id=PROJECT)
    return json.loads(provider.request([api_message(message, "scaleway")], "k").body)


def test_the_whole_letter_travels() -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    assert {
        "project_id": PROJECT,
        "from": {"email": "newsletter@news.example", "name": "News"},
        "to": [{"email": "anna@xn--mnchen-3ya.example", "name": 'Lind, "Annä"'}],
        "subject": "The news",
        "text": "Good morning.\n",
        "html": "<p>Good morning.\n</p>",
        "additional_headers": [
            {"key": "List-ID", "value": "News <list.news.example>"},
            {"key": "List-Unsubscribe", "value": "<https://news.example/u/token>"},
            {"key": "List-Unsubscribe-Post", "value": "List-Unsubscribe=One-Click"},
            {"key": "Message-ID", "value": message.message_id},
            {"key": "Reply-To", "value": "editors@news.example"},
        ],
    } == payload(message)


def test_anymail_would_send_the_same() -> None:
    message = composer(replace(EDITION, enclosures=(REPORT,))).compose(reader(), date=DATE)
    theirs = anymail_payload("scaleway", message, secret_key="k", project_id=PROJECT)
    assert theirs == normalised(payload(message))


@pytest.mark.parametrize(
    ("status", "kind", "argument", "verdict"),
    [
        (400, "invalid_arguments", "to.0.email", Refused("", of_recipient=True)),
        (400, "invalid_arguments", "to", Refused("", of_recipient=True)),
        (400, "invalid_arguments", "subject", Refused("")),
        (400, "invalid_arguments", "text", Refused("")),
        (400, "unheard_of", "", Refused("")),
        (413, "unheard_of", "", Refused("")),
        (401, "denied_authentication", "", Stop),
        (403, "permissions_denied", "", Stop),
        (403, "quotas_exceeded", "", Stop),
        (404, "not_found", "", Stop),
        (412, "precondition_failed", "", Stop),
        (410, "resource_expired", "", Stop),
        (423, "resource_locked", "", Stop),
        (409, "out_of_stock", "", Stop),
        (451, "unheard_of", "", Stop),
        (409, "transient_state", "", Later("", None)),
        (429, "too_many_requests", "", Later("", None)),
        (429, "unheard_of", "", Later("", None)),
        (408, "unheard_of", "", Ambiguous),
        (500, "internal_error", "", Ambiguous),
        (503, "internal_error", "", Ambiguous),
    ],
)
def test_each_error_has_its_meaning(status: int, kind: str, argument: str, verdict: Any) -> None:
    reply = error(status, kind, argument)
    answer = Response(status, JSON, canonical_json(reply.value))
    provider = provider_of("scaleway", project_id=PROJECT)
    found = provider.read(answer, [ApiMessage(fake_messages(ANNA)[0])])
    if isinstance(verdict, type):
        assert isinstance(found, verdict)
        assert not isinstance(found, Stop) or found.reply == f"{status} {kind}: What it says."
    else:
        assert replace(verdict, reply=getattr(found, "reply", "")) == found


def test_a_refusal_says_which_argument_is_too_short() -> None:
    answer = Response(400, JSON, canonical_json(error(400, "invalid_arguments", "subject").value))
    found = provider_of("scaleway", project_id=PROJECT).read(
        answer, [ApiMessage(fake_messages(ANNA)[0])]
    )
    assert Refused("400 invalid_arguments: What it says.; subject: too short") == found


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("new", Accepted("200 new", "id-7")),
        ("sending", Accepted("200 sending", "id-7")),
        ("sent", Accepted("200 sent", "id-7")),
        ("failed", Rejected("200 failed: blocklisted")),
        ("canceled", Rejected("200 canceled: blocklisted")),
        ("unknown", InDoubt("Scaleway gave the mail the status unknown.")),
    ],
)
def test_each_status_has_its_meaning(status: str, outcome: object) -> None:
    row = {"id": "id-7", "mail_rcpt": ANNA, "status": status, "status_details": "blocklisted"}
    answer = Response(200, JSON, canonical_json({"emails": [row]}))
    provider = provider_of("scaleway", project_id=PROJECT)
    assert Each([outcome]) == provider.read(answer, [ApiMessage(fake_messages(ANNA)[0])])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("flags", "status", "kinds"),
    [
        (["hard_bounce", "mailbox_not_found"], "failed", [Kind.BOUNCED]),
        (["hard_bounce"], "failed", [Kind.BOUNCED]),
        # Scaleway's own filter or the server's, not the reader.
        (["spam"], "failed", [Kind.RETURNED]),
        (["blocklisted"], "failed", [Kind.DROPPED]),
        (["mailbox_full"], "failed", [Kind.RETURNED]),
        (["soft_bounce"], "sent", [Kind.DELAYED]),
        (["soft_bounce"], "failed", [Kind.RETURNED]),
        (["greylisted"], "sent", []),
        ("spam", "failed", []),
        ([["spam"], {}, None], "failed", []),
    ],
)
def test_a_flag_says_what_happened_and_a_filter_is_no_complaint(
    flags: object, status: str, kinds: list[Kind]
) -> None:
    listed = {
        "id": "7", "message_id": f"2017-04.{'a' * 24}@x.example", "flags": flags, "status": status,
        "created_at": "2026-11-01T10:00:00Z",
        "last_tries": [{"code": 550, "message": "5.1.1 user unknown"}],
    }  # fmt: skip
    found = read_listed(provider_of("scaleway", project_id=PROJECT).event(listed))
    assert kinds == [event.kind for event in found]
    assert {EARLIEST} >= {event.at for event in found}, "of when is not told"


@pytest.mark.fault("HTTP", "Scaleway answers for another reader", state="in_doubt")
def test_an_answer_for_somebody_else_is_none() -> None:
    provider = provider_of("scaleway", project_id=PROJECT)
    row = {"id": "id-7", "mail_rcpt": BOB, "status": "new"}
    for rows in ([row], [], None):
        answer = Response(200, JSON, canonical_json({"emails": rows}))
        assert isinstance(provider.read(answer, [ApiMessage(fake_messages(ANNA)[0])]), Ambiguous)


def test_pictures_inside_the_mail_are_refused_with_the_remedy() -> None:
    picture = Enclosure("map.png", "image/png", b"\x89PNG map", "map@news.example")
    message = composer(replace(EDITION, enclosures=(picture,))).compose(reader(), date=DATE)
    with pytest.raises(ConfigError) as caught:
        payload(message)
    assert "pictures = “hosted”" in str(caught.value.next)


def test_each_region_has_its_address(harness: ProviderHarness) -> None:
    provider = provider_of("scaleway", project_id=PROJECT, region="nl-ams")
    assert (
        PATH.replace("fr-par", "nl-ams")
        == provider.request([ApiMessage(fake_messages(ANNA)[0])], "k").path
    )


def test_a_letter_that_all_are_refused_for_is_the_letter(harness: ProviderHarness) -> None:
    harness.server.always = says(error(400, "invalid_arguments", "subject"))
    outcomes, _ = deliver(harness, crowd(10))
    assert [Scope.RECIPIENT, Scope.RECIPIENT, Scope.CAMPAIGN] == [
        getattr(outcome, "scope", None) for outcome in outcomes if outcome
    ]
    assert all(isinstance(outcome, Deferred) for outcome in outcomes[:2])
    assert len(harness.server.requests) <= 3


def test_an_outcome_is_recorded_before_the_next_letter_is_attempted(
    harness: ProviderHarness,
) -> None:
    """Else a program killed meanwhile would leave several letters in doubt."""
    harness.server.always = says(error(400, "invalid_arguments", "subject"))
    known: list[int] = []

    def allow(_: object) -> bool:
        known.append(len(journal.outcomes))
        return True

    journal = RecordingJournal(allow=allow)
    through(harness, crowd(10), journal)
    assert [0, 1, 2] == known


def test_its_list_of_mails_proves_what_was_taken(harness: ProviderHarness) -> None:
    taken, other = fake_messages(ANNA, BOB)
    deliver(harness, [taken])
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    earlier = replace(taken, text="Another letter.\n")
    assert {taken.message_id: Accepted("Found at Scaleway: sending", "id-0")} == inquiry.search(
        [taken, other, earlier]
    )
    inquiry.close()


def test_a_mail_that_failed_is_no_proof() -> None:
    letter = ApiMessage(fake_messages(ANNA)[0])
    row = {"id": "x", "message_id": letter.message.message_id, "status": "failed"}
    answer = Response(200, JSON, canonical_json({"emails": [row]}))
    assert provider_of("scaleway", project_id=PROJECT).found(answer, letter) is None


def test_there_is_no_sandbox_and_it_says_what_there_is_instead() -> None:
    with pytest.raises(ConfigError, match="no sandbox"):
        provider_of("scaleway", project_id=PROJECT, sandbox=True)
