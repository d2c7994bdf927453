"""Asking again about letters in doubt; Resend repeats under its key, Mailtrap searches."""

from collections.abc import Iterator, Sequence

import pytest
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted

from tests.support import http_server as misbehaviours
from tests.support.http_server import Reply, says
from tests.support.resend_side import API_KEY, ResendSide, error
from tests.transports.contract import ANNA, BOB
from tests.transports.providers.harness import ProviderHarness, provider_harness
from tests.transports.providers.test_mailtrap import TOKEN, MailtrapSide


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("resend", ResendSide(), secrets={"api_key": API_KEY}) as harness:
        yield harness


@pytest.fixture
def keyless() -> Iterator[ProviderHarness]:
    with provider_harness("mailtrap", MailtrapSide(), secrets={"api_token": TOKEN}) as harness:
        yield harness


def inquiry_of(
    harness: ProviderHarness, messages: Sequence[FakeMessage], journal: RecordingJournal
) -> dict[str, Accepted]:
    inquiry = harness.transport().status_lookup()
    assert inquiry is not None
    (call,) = journal.calls_recorded
    try:
        return dict(inquiry.replay(messages, call))
    finally:
        inquiry.close()


def in_doubt(harness: ProviderHarness, messages: Sequence[FakeMessage]) -> RecordingJournal:
    journal, session = RecordingJournal(), harness.transport().open()
    harness.server.script.extend([misbehaviours.cut_after_taking] * 5)
    with pytest.raises(TransportStopped, match="did not say"):
        session.deliver(messages, journal)
    session.close()
    return journal


def test_the_same_call_made_again_later_tells_who_was_accepted(harness: ProviderHarness) -> None:
    messages = fake_messages(ANNA, BOB)
    journal = in_doubt(harness, messages)
    known = inquiry_of(harness, messages, journal)
    assert {
        messages[0].message_id: Accepted("200 accepted", "id-0"),
        messages[1].message_id: Accepted("200 accepted", "id-1"),
    } == known
    assert 2 == sum(harness.taken().values())


def test_letters_that_are_not_the_same_any_more_are_not_sent_again(
    harness: ProviderHarness,
) -> None:
    journal = in_doubt(harness, fake_messages(ANNA, BOB))
    asked = len(harness.server.requests)
    assert {} == inquiry_of(harness, fake_messages(ANNA, BOB, text="Another.\n"), journal)
    assert asked == len(harness.server.requests)


def test_a_refusal_tells_an_inquiry_nothing(harness: ProviderHarness) -> None:
    messages = fake_messages(ANNA)
    journal = in_doubt(harness, messages)
    harness.server.always = says(error(422, "validation_error"))
    assert {} == inquiry_of(harness, messages, journal)


def test_a_refused_account_ends_an_inquiry(harness: ProviderHarness) -> None:
    messages = fake_messages(ANNA)
    journal = in_doubt(harness, messages)
    harness.refuse_login()
    with pytest.raises(TransportStopped, match="API key is invalid"):
        inquiry_of(harness, messages, journal)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_search_is_told_of(keyless: ProviderHarness, status: int) -> None:
    keyless.server.always = says(Reply(status, {"error": "no"}))
    inquiry = keyless.transport().status_lookup()
    assert inquiry is not None
    with pytest.raises(TransportStopped, match="does not let this key search"):
        inquiry.search(fake_messages(ANNA))
    keyless.vanish()
    nobody = keyless.transport().status_lookup()
    assert nobody is not None
    with pytest.raises(TransportStopped, match="cannot be reached"):
        nobody.search(fake_messages(ANNA))
    inquiry.close()
    nobody.close()


def test_who_asks_too_fast_waits_and_asks_again(keyless: ProviderHarness) -> None:
    messages = fake_messages(ANNA, BOB)
    session = keyless.transport().open()
    session.deliver(messages, RecordingJournal())
    session.close()
    slow = says(Reply(429, {"errors": "Rate limit exceeded"}, {"Retry-After": "20"}))
    keyless.server.script.extend([slow, slow])
    inquiry = keyless.transport().status_lookup()
    assert inquiry is not None
    known = inquiry.search(messages)
    assert [message.message_id for message in messages] == list(known)
    assert [20.0, 20.0] == keyless.clock.slept
    keyless.server.script.append(misbehaviours.well)
    keyless.server.always = slow
    assert [messages[0].message_id] == list(inquiry.search(messages))
    # Who is told so to the end asks about nobody else, also in a search of its own.
    asked = len(keyless.server.requests)
    assert {} == inquiry.search(messages[:1])
    assert asked == len(keyless.server.requests)
    inquiry.close()
