import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from newsletter.addresses import Address
from newsletter.errors import ConfigError
from newsletter.message.model import Message
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.http_values import Response
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage
from newsletter.transports.providers.brevo import Brevo

from tests.message.samples import DATE, EDITION, LIST, SENDER, composer, reader
from tests.support import http_server as misbehaviours
from tests.support.brevo_side import BrevoSide, error
from tests.support.http_server import Reply, says
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

KEY = "b52dbf81-dd4a-5a55-8b80-085c00000000"


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("brevo", BrevoSide()) as harness:
        yield harness


class TestBrevo(ProviderContract):
    """Passes the contract with the fixture above.

    A repeated key is refused there, which does not tell what became of the
    first: the call is then in doubt, and a search settles it.
    """

    @staticmethod
    def _one_call_at_most(harness: ProviderHarness, outcomes: object, stopped: object) -> None:
        assert isinstance(outcomes, list)
        kinds = {type(outcome) for outcome in outcomes}
        assert kinds in ({Accepted}, {InDoubt})
        assert (stopped is None) is (kinds == {Accepted})
        assert 2 == len(harness.server.requests)
        first, second = harness.server.requests
        assert harness.side.key(first) == harness.side.key(second)
        assert first.body in {b"", second.body}


def plain() -> Message:
    """A letter whose list has a name in plain letters."""
    made = composer(
        replace(EDITION, enclosures=DOCUMENTS), list_identity=LIST.model_copy(update={"name": "N"})
    )
    return made.compose(reader(), date=DATE)


DOCUMENTS = (Enclosure("report.pdf", "application/pdf", b"%PDF", None),)


def payload(*messages: Message, **settings: Any) -> dict[str, Any]:
    group = [api_message(message, "brevo") for message in messages]
    value: dict[str, Any] = json.loads(provider_of("brevo", **settings).request(group, KEY).body)
    return value


def test_the_whole_letter_travels_and_nothing_of_it_outside_of_its_version(
    harness: ProviderHarness,
) -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name="Lind, Anna")
    deliver(harness, [message])
    (request,) = harness.server.requests
    sent = request.json()
    assert "/v3/smtp/email" == request.path
    assert request.headers["idempotencykey"] == sent["headers"]["idempotencyKey"]
    assert {
        "sender": {"name": "News", "email": "newsletter@news.example"},
        "subject": "News",
        "htmlContent": "<p>News</p>",
        "textContent": "News",
        "headers": {"idempotencyKey": sent["headers"]["idempotencyKey"]},
        "tags": [ApiMessage(message).campaign],
        "messageVersions": [
            {
                "to": [{"name": "Lind, Anna", "email": "anna@xn--mnchen-3ya.example"}],
                "replyTo": {"email": "editors@news.example"},
                "subject": "The news",
                "htmlContent": "<p>Good morning.\n</p>",
                "textContent": "Good morning.\n",
                "headers": {
                    "List-ID": "News <list.news.example>",
                    "List-Unsubscribe": "<https://news.example/u/token>",
                    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                    "X-Mailin-custom": message.message_id[1:].partition("@")[0],
                },
            }
        ],
    } == sent


def test_anymail_would_send_the_same_to_one_reader() -> None:
    message = plain()
    theirs = anymail_payload("brevo", message, api_key="k")
    ours = payload(message)
    (version,) = ours.pop("messageVersions")
    one = normalised({**ours, **version})
    reference = message.as_content().reference
    assert one["headers"].pop("x-mailin-custom") == reference
    assert theirs["headers"].pop("message-id") == message.message_id
    assert one.pop("tags")
    assert theirs == one


def test_no_version_gets_anothers_content() -> None:
    messages = [FakeMessage(Address.parse(each), f"For {each}.\n") for each in (ANNA, BOB)]
    sent = payload(*messages)
    shown = json.dumps({**sent, "messageVersions": None})
    assert "For " not in shown
    assert "example" not in shown.replace("newsletter@news.example", "")
    assert [f"For {ANNA}.\n", f"For {BOB}.\n"] == [
        version["textContent"] for version in sent["messageVersions"]
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "document_not_found"),
        (405, "method_not_allowed"),
        (402, "not_enough_credits"),
        (403, "permission_denied"),
        (403, "reseller_permission_denied"),
        (402, "account_under_validation"),
        (401, "unauthorized"),
        (400, "something_new"),
    ],
)
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, status: int, code: str
) -> None:
    harness.server.always = says(error(status, code))
    outcomes, stopped = deliver(harness, crowd(5))
    reply = f"{status} {code}: This is {code}."
    assert [Deferred(reply, Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None
    assert reply == stopped.what
    assert 1 == len(harness.server.requests)


def test_a_sender_that_is_not_verified_is_the_accounts(harness: ProviderHarness) -> None:
    text = "Sending has been rejected because the sender you used is not valid."
    harness.server.always = says(error(400, "invalid_parameter", text))
    outcomes, stopped = deliver(harness, crowd(5))
    assert [Deferred] * 5 == [type(outcome) for outcome in outcomes]
    assert stopped is not None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_parameter"),
        (400, "missing_parameter"),
        (400, "out_of_range"),
        (400, "bad_request"),
        (406, "not_acceptable"),
    ],
)
def test_refused_content_is_rejected(harness: ProviderHarness, status: int, code: str) -> None:
    harness.server.always = says(error(status, code))
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert [Rejected(f"{status} {code}: This is {code}.")] == outcomes
    assert None is stopped


def test_bad_addresses_are_their_readers_own(harness: ProviderHarness) -> None:
    messages = crowd(4)
    harness.server.refused.update(str(message.envelope_to) for message in messages)
    outcomes, stopped = deliver(harness, messages)
    assert [Rejected("400 invalid_parameter: email is not valid in to")] * 4 == outcomes
    assert None is stopped


def test_nothing_goes_again_once_the_key_may_be_forgotten(harness: ProviderHarness) -> None:
    class Slow(RecordingJournal):
        def acquire_permit(self) -> bool:
            harness.clock.advance(8 * 60)
            return super().acquire_permit()

    harness.server.always = misbehaviours.cut_before_taking
    journal, messages = Slow(), fake_messages(ANNA, BOB)
    through(harness, messages, journal)
    assert [InDoubt, InDoubt] == [type(journal.outcome(message)) for message in messages]
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize("code", ["duplicate_parameter", "duplicate_request"])
def test_a_key_that_is_known_already_is_no_acceptance_and_no_refusal(
    harness: ProviderHarness, code: str
) -> None:
    harness.server.script.append(misbehaviours.cut_after_taking)
    harness.server.always = says(error(400, code))
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB))
    assert [InDoubt, InDoubt] == [type(outcome) for outcome in outcomes]
    assert stopped is not None
    assert 2 == len(harness.server.requests)


def test_every_code_of_the_table_is_tried_above() -> None:
    assert {
        "document_not_found", "method_not_allowed", "not_enough_credits", "permission_denied",
        "reseller_permission_denied", "account_under_validation", "unauthorized",
        "invalid_parameter", "missing_parameter", "out_of_range", "bad_request", "not_acceptable",
        "duplicate_parameter", "duplicate_request",
    } == set(Brevo.errors)  # fmt: skip


def test_brevos_own_header_tells_when_to_come_again(harness: ProviderHarness) -> None:
    headers = {"x-sib-ratelimit-reset": "42"}
    harness.server.always = says(error(429, "too_many_requests", headers=headers))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], Deferred)
    assert 42.0 == outcomes[0].retry_after_s


def test_a_single_id_is_one(harness: ProviderHarness) -> None:
    harness.server.always = misbehaviours.says_after_taking(Reply(201, {"messageId": "<a@b>"}))
    assert [Accepted("201 accepted", "<a@b>")] == deliver(harness, fake_messages(ANNA))[0]


def test_a_success_without_ids_is_no_success(harness: ProviderHarness) -> None:
    harness.server.always = says(Reply(201, {"error": "something"}))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)


def test_a_call_in_doubt_is_settled_by_what_brevo_tells_of_its_mails(
    harness: ProviderHarness,
) -> None:
    harness.server.script.append(misbehaviours.cut_after_taking)
    anna, bob = fake_messages(ANNA, BOB)
    outcomes, _ = deliver(harness, [anna])
    assert isinstance(outcomes[0], InDoubt)
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    assert 7.5 * 60 == inquiry.replay_for_s
    found = {anna.message_id: Accepted("found at Brevo: requests", "id-0")}
    assert found == inquiry.search([anna, bob])
    assert {} == inquiry.search([replace(anna, resends=1)])
    inquiry.close()
    assert harness.server.requests[-1].path.startswith(
        "/v3/smtp/statistics/events?email=anna%40a.example&tags=%5B%22"
    )


@pytest.mark.parametrize(
    "event",
    [
        {"event": "blocked"},
        {"event": "requests", "tag": "another"},
        {"event": "requests", "email": "anna@b.example"},
        {"event": "requests", "tag": None},
        {},
    ],
)
def test_another_mail_or_one_that_was_held_back_proves_nothing(event: dict[str, object]) -> None:
    letter = api_message(fake_messages(ANNA)[0], "brevo")
    base = {"email": ANNA, "tag": letter.campaign, "messageId": "m"}

    def told(row: dict[str, object]) -> Response:
        body = json.dumps({"events": [1, {**base, **row}]}).encode()
        return Response(200, {"content-type": "application/json"}, body)

    provider = provider_of("brevo")
    assert None is provider.found(told(event), letter)
    tags = json.dumps(["other", letter.campaign])
    proof = provider.found(told({"event": "delivered", "tag": tags}), letter)
    assert Accepted("found at Brevo: delivered", "m") == proof


def test_the_sandbox_drops_the_mails() -> None:
    provider = provider_of("brevo", sandbox=True)
    request = provider.request([api_message(fake_messages(ANNA)[0], "brevo")], KEY)
    assert "drop" == request.headers["X-Sib-Sandbox"]
    assert "drop" == json.loads(request.body)["headers"]["X-Sib-Sandbox"]
    assert "X-Sib-Sandbox" not in json.dumps(payload(*fake_messages(ANNA)))


def test_a_name_that_brevo_would_drop_is_encoded() -> None:
    message = FakeMessage(Address.parse(ANNA), to_name="Müller, Anna")
    (version,) = payload(message)["messageVersions"]
    assert "=?utf-8?q?M=C3=BCller=2C_Anna?=" == version["to"][0]["name"]


def test_a_header_that_brevo_would_send_damaged_is_refused() -> None:
    message = composer(EDITION).compose(reader(), date=DATE)
    with pytest.raises(ConfigError, match=r"\[list\] name.*header List-ID has letters"):
        payload(message)
    assert payload(plain())


def test_pictures_inside_the_mail_are_refused() -> None:
    picture = Enclosure("map.png", "image/png", b"png", "map.png@news.example")
    edition = replace(EDITION, enclosures=(picture,))
    made = composer(edition, list_identity=LIST.model_copy(update={"name": "N"}))
    with pytest.raises(ConfigError, match="pictures = “hosted”"):
        payload(made.compose(reader(), date=DATE))


def test_letters_with_different_documents_do_not_go_together() -> None:
    with pytest.raises(ConfigError, match=r"different ones.*downloads = “link”"):
        payload(plain(), *fake_messages(BOB))


def test_words_of_brevos_language_are_shown_and_not_filled_in() -> None:
    message = FakeMessage(Address.parse(CLAIRE), "{{ params.name }} {% if x %}\n")
    (version,) = payload(message)["messageVersions"]
    for text in (version["htmlContent"], version["textContent"]):
        assert "{{" not in text
        assert "{%" not in text


def test_two_senders_that_share_an_account_have_campaigns_of_their_own() -> None:
    made = composer(EDITION).compose(reader(), date=DATE)
    other = SENDER.model_copy(update={"address": "other@defenders.example"})
    theirs = composer(EDITION, sender=other).compose(reader(), date=DATE)
    assert ApiMessage(made).campaign.startswith("2017-03-1_")
    assert ApiMessage(made).campaign != ApiMessage(theirs).campaign
