import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from newsletter.addresses import Address
from newsletter.message.model import Message
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.api_result import ApiResult, FaultKind
from newsletter.transports.http_values import Response
from newsletter.transports.protocol import Accepted, Call, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage
from newsletter.transports.providers.mailjet import Mailjet

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support import http_server as misbehaviours
from tests.support.http_server import Reply, says
from tests.support.mailjet_side import MailjetSide, error, failure
from tests.transports.contract import ANNA, BOB, CLAIRE
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


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("mailjet", MailjetSide()) as harness:
        yield harness


class TestMailjet(ProviderContract):
    """Passes the contract with the fixture above; a reader's campaign is the key."""

    @staticmethod
    def _one_call_at_most(harness: ProviderHarness, outcomes: object, stopped: object) -> None:
        assert isinstance(outcomes, list)
        assert [Accepted] * 3 == [type(outcome) for outcome in outcomes]
        assert None is stopped
        assert 3 == sum(harness.taken().values())
        first, second = harness.server.requests
        assert first.body in {b"", second.body}


def payload(message: Message, **settings: Any) -> dict[str, Any]:
    request = provider_of("mailjet", **settings).request([api_message(message, "mailjet")], "k")
    value: dict[str, Any] = json.loads(request.body)
    return value


def read(status: int, value: object, *messages: Message) -> ApiResult:
    answer = Response(status, {"content-type": "application/json"}, json.dumps(value).encode())
    return provider_of("mailjet").read(answer, [api_message(each, "mailjet") for each in messages])


def test_the_whole_letter_travels(harness: ProviderHarness) -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    deliver(harness, [message])
    (request,) = harness.server.requests
    assert "/v3.1/send" == request.path
    assert {
        "Messages": [
            {
                "From": {"Email": "newsletter@news.example", "Name": "News"},
                "To": [{"Email": "anna@xn--mnchen-3ya.example", "Name": 'Lind, "Annä"'}],
                "ReplyTo": {"Email": "editors@news.example"},
                "Subject": "The news",
                "HTMLPart": "<p>Good morning.\n</p>",
                "TextPart": "Good morning.\n",
                "TemplateLanguage": False,
                "Headers": {
                    "List-Unsubscribe": "<https://news.example/u/token>",
                    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                },
                "CustomID": message.message_id[1:].partition("@")[0],
                "CustomCampaign": ApiMessage(message).campaign,
                "DeduplicateCampaign": True,
                "TrackOpens": "disabled",
                "TrackClicks": "disabled",
            }
        ]
    } == request.json()


FILES = (
    Enclosure("map.png", "image/png", b"png", "map.png@news.example"),
    Enclosure("report.pdf", "application/pdf", b"%PDF", None),
)


def test_anymail_would_send_the_same() -> None:
    message = composer(replace(EDITION, enclosures=FILES)).compose(reader(), date=DATE)
    theirs = anymail_payload("mailjet", message, api_key="a", secret_key="b")
    (to,) = theirs["Messages"]
    headers = theirs["Globals"].pop("Headers")
    (ours,) = normalised(payload(message))["Messages"]
    # What is ours alone: the campaign, tracking switched off, their template language too.
    for field in ("CustomID", "CustomCampaign", "DeduplicateCampaign", "TrackOpens", "TrackClicks"):
        assert ours.pop(field)
    assert ours.pop("TemplateLanguage") is False
    # Mailjet refuses these two in a request (send-0011); anymail leaves that to its user.
    assert {"message-id", "list-id"} == headers.keys() - ours["Headers"].keys()
    assert ours.pop("Headers").items() <= headers.items()
    assert {**theirs["Globals"], **to} == ours


@pytest.mark.parametrize(
    ("code", "related"),
    [
        (code, [])
        for code, fault in sorted(Mailjet.errors.items())
        if fault.kind is FaultKind.MESSAGE
    ]
    + [("mj-0013", ["From.Email"]), ("mj-0013", ["ReplyTo"])],
)
def test_a_letter_that_mailjet_does_not_take_is_nobodys_fault(
    harness: ProviderHarness, code: str, related: list[str]
) -> None:
    harness.server.always = says(Reply(400, {"Messages": [failure(code, related)] * 3}))
    outcomes, stopped = deliver(harness, crowd(3))
    assert [Rejected(f"400 {code}: This is {code}.", Scope.CAMPAIGN)] * 3 == outcomes
    assert None is stopped
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize(
    "code", ["mj-0001", "mj-0015", "send-0006", "send-0007", "send-0008", "something-new"]
)
@pytest.mark.parametrize("whole", [False, True])
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, code: str, whole: bool
) -> None:
    each = Reply(400, {"Messages": [failure(code)] * 5})
    harness.server.always = says(error(400, code) if whole else each)
    outcomes, stopped = deliver(harness, crowd(5))
    reply = f"400 {code}: This is {code}."
    assert [Deferred(reply, Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None
    assert reply == stopped.what
    assert 1 == len(harness.server.requests)


def test_every_code_means_what_mailjets_table_says() -> None:
    """https://dev.mailjet.com/email/guides/send-api-v31/#send-api-errors."""
    by_meaning = {
        "ACCOUNT": {"send-0006", "send-0007", "send-0008", "mj-0001", "mj-0015"},
        "RECIPIENT": {"mj-0013"},
        "MESSAGE": {
            "send-0003", "send-0004", "send-0010", "send-0011", "send-0012", "send-0013",
            "send-0015", "send-0016", "mj-0002", "mj-0003", "mj-0004", "mj-0005", "mj-0006",
            "mj-0007", "mj-0008", "mj-0011", "mj-0012",
        },
    }  # fmt: skip
    assert by_meaning == {
        name: {code for code, fault in Mailjet.errors.items() if fault.kind.name == name}
        for name in by_meaning
    }


def test_a_refused_reader_costs_nobody_else_the_mail(harness: ProviderHarness) -> None:
    harness.refuse(BOB)
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert [
        Accepted("success", "id-0"),
        Rejected("400 mj-0013: This is mj-0013."),
        Accepted("success", "id-1"),
    ] == outcomes
    assert None is stopped
    assert 1 == len(harness.server.requests)


def test_mailjets_numbers_become_ids() -> None:
    row = {"Status": "success", "To": [{"Email": ANNA, "MessageID": 20547681647433001}]}
    sandboxed = {"Status": "success", "To": [{"Email": BOB, "MessageID": 0}]}
    verdict = read(200, {"Messages": [row, sandboxed]}, *fake_messages(ANNA, BOB))
    assert Accepted("success", "20547681647433001") == verdict.results[0]  # type: ignore[union-attr]
    assert isinstance(verdict.results[1], InDoubt)  # type: ignore[union-attr]


def test_the_worst_of_several_errors_counts() -> None:
    both = failure("mj-0013", ["To"])["Errors"] + failure("send-0008", ["From"])["Errors"]
    ok = {"Status": "success", "To": [{"MessageID": 1}]}
    rows = [{"Status": "error", "Errors": both}, ok]
    verdict = read(400, {"Messages": rows}, *fake_messages(ANNA, BOB))
    assert [
        Deferred("400 send-0008: This is send-0008.", Scope.ACCOUNT),
        Accepted("success", "1"),
    ] == verdict.results  # type: ignore[union-attr]


def test_a_duplicate_in_the_campaign_was_taken_before() -> None:
    told = failure("mj-0099", message="Duplicate in campaign.")
    verdict = read(400, {"Messages": [told]}, *fake_messages(ANNA))
    assert [Accepted("400 mj-0099: Duplicate in campaign.")] == verdict.results  # type: ignore[union-attr]


@pytest.mark.parametrize("row", [{}, 1, {"Status": "error"}, {"Status": "error", "Errors": [1]}])
def test_a_result_that_cannot_be_read_is_in_doubt(row: object) -> None:
    verdict = read(200, {"Messages": [row]}, *fake_messages(ANNA))
    (outcome,) = verdict.results  # type: ignore[union-attr]
    assert isinstance(outcome, InDoubt)


def test_a_batch_refused_as_a_whole_is_halved(harness: ProviderHarness) -> None:
    harness.server.script.append(says(error(400, "mj-0011")))
    outcomes, _ = deliver(harness, crowd(4))
    assert [Accepted] * 4 == [type(outcome) for outcome in outcomes]
    sizes = [len(request.json()["Messages"]) for request in harness.server.requests]
    assert [4, 2, 2] == sizes


def test_the_same_letters_may_go_again_and_nobody_has_two(harness: ProviderHarness) -> None:
    journal, messages = RecordingJournal(), fake_messages(ANNA, BOB)
    through(harness, messages, journal)
    call = Call(journal.calls_recorded[0].key, journal.calls_recorded[0].digest)
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert inquiry.replay_for_s > 24 * 3600
    assert {message.message_id for message in messages} == set(inquiry.replay(messages, call))
    inquiry.close()
    # In other company, too.
    through(harness, fake_messages(BOB, CLAIRE), RecordingJournal())
    assert Counter([ANNA, BOB, CLAIRE]) == harness.taken()


def test_whom_a_person_has_mailed_again_is_no_duplicate(harness: ProviderHarness) -> None:
    (anna,) = fake_messages(ANNA)
    for message in (anna, replace(anna, resends=1), replace(anna, resends=2)):
        through(harness, [message], RecordingJournal())
    assert Counter({ANNA: 3}) == harness.taken()
    names = {
        message["CustomCampaign"]
        for request in harness.server.requests
        for message in request.json()["Messages"]
    }
    assert 3 == len(names)
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)


@pytest.mark.parametrize("resends", [0, 2])
def test_a_message_is_found_again_by_our_reference_and_no_other(
    harness: ProviderHarness, resends: int
) -> None:
    anna, bob = FakeMessage(Address.parse(ANNA), resends=resends), *fake_messages(BOB)
    deliver(harness, [anna])
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert {} == inquiry.search([replace(anna, resends=resends + 1), bob])
    found = {anna.message_id: Accepted("found at Mailjet: sent", "id-0")}
    assert found == inquiry.search([anna])
    inquiry.close()
    assert harness.server.requests[-1].path.startswith("/v3/REST/message?CustomID=")


@pytest.mark.parametrize(
    "row", [{"CustomID": "x"}, {"Status": "blocked"}, {"Status": None}, {"CustomID": ""}]
)
def test_another_message_or_one_that_was_held_back_proves_nothing(row: dict[str, object]) -> None:
    letter = api_message(fake_messages(ANNA)[0], "mailjet")
    base = {"CustomID": letter.content.reference, "Status": "queued", "ID": 7}

    def told(*rows: object) -> Response:
        body = json.dumps({"Data": list(rows)}).encode()
        return Response(200, {"content-type": "application/json"}, body)

    provider = provider_of("mailjet")
    assert None is provider.found(told({**base, **row}, 1), letter)
    proof = provider.found(told({**base, **row}, base), letter)
    assert Accepted("found at Mailjet: queued", "7") == proof


def test_the_sandbox_is_asked_for_in_the_request() -> None:
    assert payload(fake_messages(ANNA)[0], sandbox=True)["SandboxMode"] is True
    assert "SandboxMode" not in payload(fake_messages(ANNA)[0])


def test_words_of_mailjets_languages_are_shown_and_not_filled_in() -> None:
    words = "{{var:name}} [[data:firstname]] [[UNSUB_LINK_EN]]"
    (message,) = payload(FakeMessage(Address.parse(ANNA), f"{words}\n"))["Messages"]
    assert message["TemplateLanguage"] is False
    for text in (message["HTMLPart"], message["TextPart"]):
        assert "{{" not in text
        assert "[[" not in text


def test_addresses_with_non_ascii_letters_are_fine(harness: ProviderHarness) -> None:
    outcomes, _ = deliver(harness, fake_messages("почта@a.example"))
    assert [Accepted("success", "id-0")] == outcomes


def test_a_success_that_breaks_off_goes_again(harness: ProviderHarness) -> None:
    harness.server.script.append(misbehaviours.truncated_after_taking)
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert [Accepted("success", "id-0")] == outcomes
    assert None is stopped
