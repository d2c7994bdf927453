import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from newsletter.addresses import Address
from newsletter.message.model import Message
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, fake_messages
from newsletter.transports.http_values import Response
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.providers.postmark import Postmark

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support.http_server import Reply, says, says_after_taking
from tests.support.postmark_side import INACTIVE, PostmarkSide, error, row
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


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("postmark", PostmarkSide()) as harness:
        yield harness


class TestPostmark(ProviderContract):
    """Passes the contract with the fixture above."""


def payload(message: Message, **settings: Any) -> dict[str, Any]:
    (mail,) = json.loads(
        provider_of("postmark", **settings).request([api_message(message, "postmark")], "k").body
    )
    assert isinstance(mail, dict)
    return mail


def test_the_whole_letter_travels(harness: ProviderHarness) -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    deliver(harness, [message])
    (request,) = harness.server.requests
    assert "/email/batch" == request.path
    (mail,) = request.json()
    assert {
        "MessageStream": "broadcast",
        "From": "News <newsletter@news.example>",
        "To": '"Lind, \\"Annä\\"" <anna@xn--mnchen-3ya.example>',
        "ReplyTo": "editors@news.example",
        "Subject": "The news",
        "HtmlBody": "<p>Good morning.\n</p>",
        "TextBody": "Good morning.\n",
        "Headers": [
            {"Name": "List-ID", "Value": "News <list.news.example>"},
            {"Name": "List-Unsubscribe", "Value": "<https://news.example/u/token>"},
            {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
            {"Name": "Message-ID", "Value": message.message_id},
            {"Name": "X-PM-KeepID", "Value": "true"},
        ],
        "Metadata": {"reference": message.message_id[1:].partition("@")[0]},
        "TrackOpens": False,
        "TrackLinks": "None",
    } == mail


FILES = (
    Enclosure("map.png", "image/png", b"png", "map.png@news.example"),
    Enclosure("report.pdf", "application/pdf", b"%PDF", None),
)


def test_anymail_would_send_the_same() -> None:
    edition = replace(EDITION, enclosures=FILES)
    message = composer(edition).compose(reader(), date=DATE)
    reference = {"reference": message.as_content().reference}
    theirs = anymail_payload(
        "postmark", message, server_token="t", message_stream="news", metadata=reference
    )
    headers = {**theirs["Headers"], "x-pm-keepid": "true"}
    tracking = {"TrackOpens": False, "TrackLinks": "None"}
    assert {**theirs, **tracking, "Headers": headers} == normalised(payload(message, stream="news"))


@pytest.mark.parametrize("code", [10, 400, 401, 405, 412, 413, 1235, 1236, 9999])
@pytest.mark.parametrize("status", [200, 422])
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, status: int, code: int
) -> None:
    said = row(code, "Something\nof the account.")
    harness.server.always = says(Reply(status, [said] * 5 if status == 200 else said))
    outcomes, stopped = deliver(harness, crowd(5))
    reply = f"{code} Something of the account."
    assert [Deferred(reply, Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None
    assert reply == stopped.what
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize("code", [100, 429])
@pytest.mark.parametrize("status", [200, 422])
def test_maintenance_and_haste_wait(harness: ProviderHarness, status: int, code: int) -> None:
    said = row(code, "Later.")
    answer = Reply(status, [said] * 3 if status == 200 else said, {"Retry-After": "30"})
    harness.server.always = says(answer)
    outcomes, stopped = deliver(harness, crowd(3))
    assert [Deferred(f"{code} Later.", Scope.ACCOUNT, 30.0)] * 3 == outcomes
    assert None is stopped


READERS = [
    (406, INACTIVE.format(address=BOB)),
    (300, f"Invalid 'To' address: '{BOB}'."),
    (300, f"Error parsing 'To': Illegal email domain 'b' in address '{BOB}'."),
]


@pytest.mark.parametrize(("code", "message"), READERS)
def test_a_reader_whom_postmark_does_not_mail_is_rejected_alone(
    harness: ProviderHarness, code: int, message: str
) -> None:
    ok = {**row(0, "OK"), "MessageID": "b7bc2f4a"}
    harness.server.script.append(says(Reply(200, [row(code, message)])))
    assert [Rejected(f"{code} {message}")] == deliver(harness, fake_messages(BOB))[0]
    verdict = harness.provider().read(
        Response(
            200, {"content-type": "application/json"}, json.dumps([row(code, message), ok]).encode()
        ),
        [api_message(each, "postmark") for each in fake_messages(BOB, CLAIRE)],
    )
    assert [Rejected(f"{code} {message}"), Accepted("0 OK", "b7bc2f4a")] == verdict.results  # type: ignore[union-attr]


@pytest.mark.parametrize("code", [300, 402, 403, 409, 410, 411])
def test_a_letter_that_postmark_does_not_take_is_nobodys_fault(
    harness: ProviderHarness, code: int
) -> None:
    harness.server.always = says(Reply(200, [row(code, "Invalid 'From' address.")] * 3))
    outcomes, stopped = deliver(harness, crowd(3))
    assert [Rejected(f"{code} Invalid 'From' address.", Scope.CAMPAIGN)] * 3 == outcomes
    assert None is stopped
    assert 1 == len(harness.server.requests)


def test_every_code_of_the_table_is_tried_above() -> None:
    assert set(Postmark.errors) == {10, 400, 401, 405, 412, 413, 1235, 1236} | {100, 429} | {
        300, 402, 403, 406, 409, 410, 411
    }  # fmt: skip


def test_a_batch_refused_as_a_whole_is_halved_until_who_is_meant_is_found(
    harness: ProviderHarness,
) -> None:
    whole = says(Reply(422, row(300, "Invalid 'To' address: 'x'.")))
    harness.server.script.extend([whole, whole])
    outcomes, _ = deliver(harness, crowd(4))
    assert [Accepted] * 4 == [type(outcome) for outcome in outcomes]
    assert [4, 2, 1, 1, 2] == [len(request.json()) for request in harness.server.requests]


def test_one_account_error_among_acceptances_keeps_what_was_taken(
    harness: ProviderHarness,
) -> None:
    """The credits ran out on the way through the batch."""
    rows: Sequence[Any] = [{**row(0, "OK"), "MessageID": "a"}, row(405, "No credits.")]
    verdict = harness.provider().read(
        Response(200, {"content-type": "application/json"}, json.dumps(rows).encode()),
        [api_message(each, "postmark") for each in fake_messages(ANNA, BOB)],
    )
    assert [
        Accepted("0 OK", "a"),
        Deferred("405 No credits.", Scope.ACCOUNT),
    ] == verdict.results  # type: ignore[union-attr]


def test_a_row_without_a_code_is_accepted_if_it_has_an_id(harness: ProviderHarness) -> None:
    """As in a service delay (github.com/anymail/django-anymail/issues/392)."""
    delayed = {"Message": "Accepted, but delivery may be delayed.", "MessageID": "a"}
    harness.server.always = says_after_taking(Reply(200, [delayed, {"Message": "?"}, "?"]))
    outcomes, _ = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert Accepted("0 Accepted, but delivery may be delayed.", "a") == outcomes[0]
    assert [InDoubt, InDoubt] == [type(outcome) for outcome in outcomes[1:]]


@pytest.mark.parametrize("status", [500, 503])
def test_a_message_that_postmark_says_is_usually_lost_is_in_doubt(
    harness: ProviderHarness, status: int
) -> None:
    harness.server.always = says(error(status, 100))
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)
    assert stopped is not None


@pytest.mark.parametrize("resends", [0, 2])
def test_a_message_is_found_again_by_our_reference_and_no_other(
    harness: ProviderHarness, resends: int
) -> None:
    anna, bob = FakeMessage(Address.parse(ANNA), resends=resends), *fake_messages(BOB)
    deliver(harness, [anna])
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert 0 == inquiry.replay_for_s
    assert inquiry.can_search
    again = replace(anna, resends=resends + 1)
    assert {} == inquiry.search([again, bob])
    assert {anna.message_id: Accepted("found at Postmark: Sent", "id-0")} == inquiry.search([anna])
    inquiry.close()
    asked = harness.server.requests[-1]
    assert asked.path.startswith("/messages/outbound?count=10&offset=0&recipient=anna%40a.example&")


@pytest.mark.parametrize(
    "value", [None, {}, {"Messages": {}}, {"Messages": [1, {"Metadata": 1}, {"Metadata": {}}]}]
)
def test_what_a_search_cannot_show_proves_nothing(value: object) -> None:
    answer = Response(200, {"content-type": "application/json"}, json.dumps(value).encode())
    assert None is provider_of("postmark").found(
        answer, api_message(fake_messages(ANNA)[0], "postmark")
    )


def test_the_sandbox_uses_postmarks_own_token() -> None:
    request = provider_of("postmark", sandbox=True).request(
        [api_message(fake_messages(ANNA)[0], "postmark")], "k"
    )
    assert "POSTMARK_API_TEST" == request.headers["X-Postmark-Server-Token"]


def test_postmarks_own_placeholders_are_shown_and_not_filled_in() -> None:
    mail = payload(FakeMessage(Address.parse(ANNA), "Leave: {{{ pm:unsubscribe }}}\n"))
    assert "<p>Leave: &#123;&#123;{ pm:unsubscribe }}}\n</p>" == mail["HtmlBody"]
    assert "{{" not in mail["TextBody"]
