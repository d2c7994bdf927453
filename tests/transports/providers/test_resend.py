import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from newsletter.addresses import Address
from newsletter.config import load_settings
from newsletter.errors import ConfigError, TransportStopped
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.api import ApiTransport
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import ApiMessage

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support import http_server as misbehaviours
from tests.support.http_server import says
from tests.support.prism import prism
from tests.support.project import SETTINGS
from tests.support.resend_side import API_KEY, ResendSide, error
from tests.transports.contract import ANNA, BOB
from tests.transports.providers.anymail import anymail_payload, normalised
from tests.transports.providers.contract import ProviderContract
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("resend", ResendSide(), secrets={"api_key": API_KEY}) as harness:
        yield harness


class TestResend(ProviderContract):
    """Passes the contract with the fixture above."""


def test_the_whole_letter_travels(harness: ProviderHarness) -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    deliver(harness, [message])
    (request,) = harness.server.requests
    (mail,) = request.json()
    assert {
        "from": "News <newsletter@news.example>",
        "to": ['"Lind, \\"Annä\\"" <anna@xn--mnchen-3ya.example>'],
        "reply_to": ["editors@news.example"],
        "subject": "The news",
        "html": "<p>Good morning.\n</p>",
        "text": "Good morning.\n",
        "headers": {
            "List-ID": "News <list.news.example>",
            "List-Unsubscribe": "<https://news.example/u/token>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Message-ID": message.message_id,
        },
        "tags": [{"name": "reference", "value": ApiMessage(message).reference}],
    } == mail
    assert "/emails/batch" == request.path
    assert "strict" == request.headers["x-batch-validation"]
    assert request.headers["user-agent"].startswith("newsletter/")


def test_anymail_writes_the_same_letter() -> None:
    letter = composer().compose(reader(), date=DATE)
    theirs = anymail_payload("resend", letter, api_key=API_KEY)
    (ours,) = json.loads(provider_of("resend").request([ApiMessage(letter)], "k").body)
    # In each webhook it comes back; the webhook is matched by it.
    assert "2017-03_1_" in ours.pop("tags")[0]["value"]
    assert theirs == normalised(ours)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "missing_api_key"),
        (401, "restricted_api_key"),
        (403, "invalid_api_key"),
        (403, "validation_error"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (422, "invalid_access"),
        (429, "daily_quota_exceeded"),
        (429, "monthly_quota_exceeded"),
        (451, "security_error"),
        (400, "invalid_idempotency_key"),
    ],
)
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ProviderHarness, status: int, name: str
) -> None:
    harness.server.always = says(error(status, name))
    outcomes, stopped = deliver(harness, crowd(5))
    reply = f"{status} {name}: This is {name}."
    assert [Deferred(reply, Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None
    assert reply == stopped.what
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "validation_error"),
        (413, "payload_too_large"),
        (422, "missing_required_field"),
        (422, "invalid_attachment"),
    ],
)
def test_refused_content_is_rejected(harness: ProviderHarness, status: int, name: str) -> None:
    harness.server.always = says(error(status, name))
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert [Rejected(f"{status} {name}: This is {name}.")] == outcomes
    assert None is stopped


def test_a_key_still_at_work_is_asked_for_again(harness: ProviderHarness) -> None:
    harness.server.script.append(misbehaviours.cut_after_taking)
    harness.server.script.append(says(error(409, "concurrent_idempotent_requests")))
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB))
    assert [Accepted("200 accepted", "id-0"), Accepted("200 accepted", "id-1")] == outcomes
    assert None is stopped


def test_a_key_used_for_another_payload_is_in_doubt_at_once(harness: ProviderHarness) -> None:
    harness.server.always = says(error(409, "invalid_idempotent_request"))
    outcomes, stopped = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)
    assert stopped is not None
    assert 1 == len(harness.server.requests)


def test_a_success_without_ids_is_no_success(harness: ProviderHarness) -> None:
    harness.server.always = says(misbehaviours.Reply(200, {"error": "something"}))
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)


def test_addresses_with_non_ascii_letters_are_refused_without_asking(
    harness: ProviderHarness,
) -> None:
    outcomes, _ = deliver(harness, fake_messages("почта@a.example", ANNA))
    assert [
        Rejected("Resend takes no addresses with non-ASCII letters."),
        Accepted("200 accepted", "id-0"),
    ] == outcomes


def test_letters_with_files_are_refused_before_anything_is_asked_for(
    harness: ProviderHarness,
) -> None:
    """A batch would lose them, and say nothing (github.com/resend/resend-node/issues/409)."""
    picture = Enclosure("map.png", "image/png", b"png", "map.png@news.example")
    letter = composer(replace(EDITION, enclosures=(picture,))).compose(reader(), date=DATE)
    journal, session = RecordingJournal(), harness.transport().open()
    with pytest.raises(ConfigError, match=r"\[delivery\] transport.*takes no files"):
        session.deliver([letter], journal)
    session.close()
    assert not journal.waiting.is_set()
    assert not journal.outcomes
    assert not harness.server.requests


@pytest.mark.parametrize("inside", ['pictures = "inline"', 'downloads = "attach"'])
def test_settings_that_would_lose_files_are_refused_with_the_remedy(
    tmp_path: Path, inside: str
) -> None:
    file = tmp_path / "newsletter.toml"
    resend = 'transport = "resend"\n[resend]\napi_key = { env = "RESEND_API_KEY" }'
    file.write_text(f"{SETTINGS}{resend}\n[mail]\n{inside}\n")
    with pytest.raises(
        ConfigError, match=r'takes no .*write (pictures|downloads) = "(hosted|link)'
    ):
        load_settings(file)
    file.write_text(f"{SETTINGS}[mail]\n{inside}\n")
    assert "mailbox" == load_settings(file).delivery.transport


def test_there_is_no_sandbox_and_it_says_what_there_is_instead() -> None:
    with pytest.raises(ConfigError, match=r"no sandbox.*delivered@resend\.dev"):
        provider_of("resend", sandbox=True)


@pytest.mark.needs_prism
def test_the_providers_own_specification_takes_our_request() -> None:
    messages = [
        *fake_messages(ANNA, BOB),
        FakeMessage(Address.parse("zoe@a.example"), to_name="Zoë, «Зоя»"),
    ]
    with prism("resend.yaml") as url:
        journal = RecordingJournal()
        transport = ApiTransport(
            provider_of("resend", url=url, secrets={"api_key": API_KEY}),
            timeout_s=30,
            clock=FrozenClock(),
            secrets=(),
        )
        session = transport.open()
        # Prism answers with one example id, whatever was asked.
        with pytest.raises(TransportStopped, match="what became of a call"):
            session.deliver(messages, journal)
        session.close()
        kinds = [type(journal.outcome(message)) for message in messages]
        assert [InDoubt] * 3 == kinds
        assert [] == journal.breaches
        # The judge is awake: without its “to” the same letter is refused.
        refused = requests.post(
            f"{url}/emails/batch",
            json=[{"from": "a@a.example", "subject": "x"}],
            headers={"Authorization": "Bearer x"},
            timeout=30,
        )
        assert 422 == refused.status_code
