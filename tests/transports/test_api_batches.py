"""A batch that is refused as a whole, brought to an end in parts; Resend stands for all."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from newsletter.addresses import Address
from newsletter.errors import TransportStopped
from newsletter.message.model import Message
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.provider import call_key

from tests.support import http_server as misbehaviours
from tests.support.http_server import says
from tests.support.resend_side import API_KEY, ResendSide, error
from tests.transports.contract import ANNA, BOB, CLAIRE, judge
from tests.transports.contract import deliver as through
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_harness,
)
from tests.transports.providers.test_mailtrap import TOKEN, MailtrapSide

REFUSED = says(error(422, "validation_error"))
QUOTA = says(error(429, "daily_quota_exceeded"))


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    """The provider; nothing here is about its silence, so a busy machine may be slow.

    An answer that comes too late is missed, and its call is made again under the same key.
    """
    with provider_harness("resend", ResendSide(), secrets={"api_key": API_KEY}) as harness:
        harness.timeout_s = 30
        yield harness


def kinds_of(outcomes: Sequence[object]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


@pytest.mark.parametrize("place", [0, 37, 99])
@pytest.mark.fault(
    "HTTP", "a batch refused whole for one address", state="rejected; all others accepted"
)
def test_the_one_whom_a_batch_is_refused_for_is_found(harness: ProviderHarness, place: int) -> None:
    messages = crowd(100)
    harness.refuse(str(messages[place].envelope_to))
    outcomes, stopped = deliver(harness, messages)
    assert None is stopped
    assert Rejected("422 validation_error: Invalid `to` field.") == outcomes[place]
    assert 99 == sum(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(harness.server.requests) <= 15
    keys = {harness.side.key(request) for request in harness.server.requests}
    assert len(keys) == len(harness.server.requests)


def test_each_part_is_on_record_before_it_is_sent(harness: ProviderHarness) -> None:
    asked: list[tuple[int, int]] = []

    def allow(messages: Sequence[Message]) -> bool:
        asked.append((len(messages), len(harness.server.requests)))
        return True

    harness.refuse(BOB)
    journal, messages = RecordingJournal(allow=allow), fake_messages(ANNA, BOB, CLAIRE)
    session = harness.transport().open()
    session.deliver(messages, journal)
    session.close()
    judge(harness, messages, journal)
    assert [(3, 0), (1, 1), (2, 2), (1, 3), (1, 4)] == asked
    assert 5 == journal.calls
    keys = [harness.side.key(request) for request in harness.server.requests]
    assert keys == [call.key for call in journal.calls_recorded]


def test_bad_addresses_alone_are_each_refused_for_themselves(harness: ProviderHarness) -> None:
    messages = crowd(4)
    harness.server.refused.update(str(message.envelope_to) for message in messages)
    outcomes, stopped = deliver(harness, messages)
    assert None is stopped
    assert [Rejected("422 validation_error: Invalid `to` field.")] * 4 == outcomes


@pytest.mark.fault("HTTP", "a message refused for all alike", state="deferred; the run stops")
def test_a_letter_refused_for_all_alike_is_the_letter_and_not_its_readers(
    harness: ProviderHarness,
) -> None:
    harness.server.always = says(error(422, "invalid_attachment"))
    outcomes, _ = deliver(harness, crowd(100))
    reply = "422 invalid_attachment: This is invalid_attachment."
    assert [Rejected(reply, Scope.CAMPAIGN)] * 100 == outcomes
    assert len(harness.server.requests) <= 15


def test_once_somebody_got_the_letter_a_refusal_is_about_its_reader(
    harness: ProviderHarness,
) -> None:
    messages = crowd(8)
    harness.server.refused.update(str(message.envelope_to) for message in messages[5:])
    assert isinstance(harness.side, ResendSide)
    harness.side.refusal = "Something is wrong."
    outcomes, _ = deliver(harness, messages)
    assert [Rejected("422 validation_error: Something is wrong.")] * 3 == outcomes[5:]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes[:5])


def test_an_account_refused_between_two_halves_keeps_what_was_taken(
    harness: ProviderHarness,
) -> None:
    harness.server.script.extend([REFUSED, misbehaviours.well, QUOTA])
    outcomes, stopped = deliver(harness, crowd(4))
    assert [Accepted, Accepted, Deferred, Deferred] == kinds_of(outcomes)
    assert stopped is not None


def test_who_was_refused_before_the_account_was_stays_refused(harness: ProviderHarness) -> None:
    harness.server.script.extend([REFUSED, REFUSED, REFUSED])
    harness.server.always = QUOTA
    outcomes, _ = deliver(harness, crowd(4))
    assert [Rejected, Deferred, Deferred, Deferred] == kinds_of(outcomes)


def test_throttled_between_two_halves_the_rest_waits_and_nothing_is_waited_for_here(
    harness: ProviderHarness,
) -> None:
    later = error(429, "rate_limit_exceeded", headers={"Retry-After": "30"})
    harness.server.script.extend([REFUSED, misbehaviours.well])
    harness.server.always = says(later)
    outcomes, stopped = deliver(harness, crowd(4))
    assert [Accepted, Accepted, Deferred, Deferred] == kinds_of(outcomes)
    assert [30, 30] == [each.retry_after_s for each in outcomes if isinstance(each, Deferred)]
    assert None is stopped
    assert [] == harness.clock.slept


def test_silence_between_two_halves_leaves_only_that_half_in_doubt(
    harness: ProviderHarness,
) -> None:
    harness.server.script.append(REFUSED)
    harness.server.always = misbehaviours.cut_after_taking
    outcomes, stopped = deliver(harness, crowd(4))
    assert [InDoubt, InDoubt, Deferred, Deferred] == kinds_of(outcomes)
    assert stopped is not None


class Leaving(RecordingJournal):
    """Lets so many calls go, and then the run ends."""

    def __init__(self, calls: int, *, allow: Callable[[Sequence[Message]], bool]) -> None:
        super().__init__(allow=allow)
        self._left = calls

    def acquire_permit(self) -> bool:
        super().acquire_permit()
        return self.calls <= self._left


@pytest.mark.parametrize(("calls", "tickets"), [(2, 9), (9, 2)])
def test_when_the_run_ends_in_the_middle_of_a_split_the_rest_is_known_not_to_be_taken(
    harness: ProviderHarness, calls: int, tickets: int
) -> None:
    asked: list[int] = []

    def allow(messages: Sequence[Message]) -> bool:
        asked.append(len(messages))
        return len(asked) <= tickets

    harness.server.script.append(REFUSED)
    journal, messages = Leaving(calls, allow=allow), crowd(4)
    through(harness, messages, journal)
    judge(harness, messages, journal)
    outcomes = [journal.outcome(message) for message in messages]
    assert [Accepted, Accepted, Deferred, Deferred] == kinds_of(outcomes)
    assert all(each.scope is Scope.RECIPIENT for each in outcomes if isinstance(each, Deferred))
    assert 2 == len(harness.server.requests)


def test_when_the_run_ends_before_the_first_call_nothing_is_recorded(
    harness: ProviderHarness,
) -> None:
    journal, messages = Leaving(0, allow=lambda _: True), crowd(4)
    through(harness, messages, journal)
    assert not journal.outcomes
    assert not harness.server.requests
    assert [] == journal.calls_recorded


def test_a_result_that_closes_the_account_leaves_nobody_of_a_split_unrecorded() -> None:
    with provider_harness("mailtrap", MailtrapSide(), secrets={"api_token": TOKEN}) as harness:
        whole = misbehaviours.Reply(400, {"success": False, "errors": ["no"]})
        row = {"success": False, "errors": ["'subject' is required"]}
        letter = misbehaviours.Reply(200, {"success": True, "responses": [row] * 3})
        harness.server.script.extend([says(whole), says(letter)])
        outcomes, stopped = deliver(harness, crowd(6))
        assert None is stopped
        assert [Scope.CAMPAIGN] * 3 == [
            each.scope for each in outcomes if isinstance(each, Rejected)
        ]
        assert [Deferred] * 3 == kinds_of(outcomes[3:])
        assert 2 == len(harness.server.requests)


def test_a_batch_sent_again_by_another_process_mails_nobody_twice(
    harness: ProviderHarness,
) -> None:
    first, _ = deliver(harness, fake_messages(ANNA, BOB))
    second, _ = deliver(harness, fake_messages(ANNA, BOB))
    assert first == second


def test_the_same_batch_has_the_same_key_and_another_another() -> None:
    assert call_key(fake_messages(ANNA, BOB)) == call_key(fake_messages(ANNA, BOB))
    resent = FakeMessage(Address.parse(ANNA), resends=1)
    others = [
        fake_messages(ANNA),
        fake_messages(BOB, ANNA),
        fake_messages(ANNA, CLAIRE),
        fake_messages(ANNA, text="x\n"),
    ]
    keys = {call_key(each) for each in [fake_messages(ANNA, BOB), *others, [resent]]}
    assert 6 == len(keys)
    assert {36} == {len(key) for key in keys}


def test_a_message_that_cannot_be_written_down_harms_nobody(harness: ProviderHarness) -> None:
    journal = RecordingJournal()
    broken = FakeMessage(Address.parse(BOB), to_name="Bob\r\nBcc: eve@e.example")
    with pytest.raises(ValueError, match="CR or LF"):
        through(harness, [*fake_messages(ANNA), broken], journal)
    assert not journal.waiting.is_set()
    assert not harness.server.requests


def test_after_one_call_that_nobody_answered_no_other_follows(harness: ProviderHarness) -> None:
    harness.server.script.extend([misbehaviours.cut_after_taking] * 5)
    journal, session = RecordingJournal(), harness.transport().open()
    messages = crowd(150)
    with pytest.raises(TransportStopped, match="what became of a call"):
        session.deliver(messages, journal)
    session.close()
    judge(harness, messages, journal)
    outcomes = [journal.outcome(message) for message in messages]
    assert [InDoubt] * 100 + [type(None)] * 50 == kinds_of(outcomes)


@pytest.mark.parametrize(
    "misbehaviour",
    [misbehaviours.one_result_short_after_taking, misbehaviours.one_result_more_after_taking],
)
def test_after_an_answer_that_leaves_a_doubt_no_other_call_follows(
    misbehaviour: misbehaviours.Misbehaviour,
) -> None:
    with provider_harness("mailtrap", MailtrapSide(), secrets={"api_token": TOKEN}) as harness:
        harness.server.always = misbehaviour
        journal, session, messages = RecordingJournal(), harness.transport().open(), crowd(150)
        with pytest.raises(TransportStopped, match="did not say what became of"):
            session.deliver(messages, journal)
        session.close()
        judge(harness, messages, journal)
        assert 1 == len(harness.server.requests)
