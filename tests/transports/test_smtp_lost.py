"""Connections that break, fall silent or talk nonsense, and what must never get on the wire."""

import threading
from collections import Counter

import pytest
from newsletter.addresses import Address
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope

from tests.support.smtp_server import CUT, SILENCE, after, always, once
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.smtp_harness import SmtpHarness, deliver, fault, outcomes

# Lost connections


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param("MAIL", marks=fault("dropped after MAIL", "accepted over a new connection")),
        pytest.param("RCPT", marks=fault("dropped after RCPT", "accepted over a new connection")),
        pytest.param("DATA", marks=fault("dropped before 354", "accepted over a new connection")),
    ],
)
def test_a_line_cut_before_the_dot_is_tried_again_on_a_new_one(
    relay: SmtpHarness, phase: str
) -> None:
    found, stopped = outcomes(relay, phase, once(CUT))
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)
    assert 2 == relay.server.connections


@fault("dropped in the body", "deferred")
def test_a_line_cut_in_the_body_is_no_doubt_since_the_dot_never_went(relay: SmtpHarness) -> None:
    relay.server.behaviours["body"] = once(CUT)
    first, second = fake_messages(ANNA, text=("x" * 900 + "\n") * 9_000)[0], fake_messages(BOB)[0]
    journal, stopped = deliver(relay, [first, second])
    assert stopped is None
    assert isinstance(journal.outcome(first), Deferred)
    assert isinstance(journal.outcome(second), Accepted)


@fault("dropped while the ledger writes, before the dot", "deferred")
def test_a_relay_that_hung_up_before_the_dot_leaves_no_doubt(relay: SmtpHarness) -> None:
    relay.server.behaviours["body"] = once(CUT)
    journal, (message,) = RecordingJournal(held=True), fake_messages(ANNA)
    session = relay.transport().open()
    worker = threading.Thread(target=session.deliver, args=([message], journal))
    worker.start()
    assert relay.server.body_read.wait(10)
    assert relay.server.idle.wait(10)
    journal.release()
    worker.join(10)
    session.close()
    assert isinstance(journal.outcome(message), Deferred)
    assert Counter() == relay.taken()


@fault("dropped after the dot", "in doubt; the others go on")
def test_after_the_dot_a_cut_line_leaves_one_in_doubt_and_the_others_go_on(
    relay: SmtpHarness,
) -> None:
    found, stopped = outcomes(relay, "dot", once(CUT))
    assert stopped is None
    assert isinstance(found[0], InDoubt)
    assert all(isinstance(one, Accepted) for one in found[1:])


def test_after_so_many_failures_in_a_row_the_session_ends(relay: SmtpHarness) -> None:
    messages = fake_messages(*(f"r{number}@a.example" for number in range(9)))
    relay.server.behaviours["dot"] = after(1, CUT)
    journal, stopped = deliver(relay, messages)
    assert stopped is not None
    found = [journal.outcome(message) for message in messages]
    assert isinstance(found[0], Accepted)
    assert all(isinstance(one, InDoubt) for one in found[1:5])
    assert [None] * 4 == found[5:]


@fault("a message at which the relay always hangs up", "deferred; the others go on")
def test_a_poisonous_message_is_put_off_and_the_others_go(relay: SmtpHarness) -> None:
    found, stopped = outcomes(relay, "RCPT", lambda earlier: CUT if earlier in (0, 1) else None)
    assert stopped is None
    assert isinstance(found[0], Deferred)
    assert all(isinstance(one, Accepted) for one in found[1:])


# Time, pieces and garbage


@fault("no answer to MAIL in time", "pending; the run stops")
def test_a_relay_that_falls_silent_is_given_up_after_the_timeout(relay: SmtpHarness) -> None:
    found, stopped = outcomes(relay, "MAIL", always(SILENCE), timeout_s=0.2)
    assert stopped is not None
    assert Counter() == relay.taken()
    assert not [one for one in found if isinstance(one, Rejected | InDoubt)]


@fault("no answer to the dot in time", "in doubt")
def test_no_answer_to_the_dot_in_time_is_a_doubt(relay: SmtpHarness) -> None:
    found, _ = outcomes(relay, "dot", once(SILENCE), final_timeout_s=0.3)
    assert isinstance(found[0], InDoubt)
    assert isinstance(found[1], Accepted)


@fault("replies split across packets", "accepted")
@fault("replies of several lines", "accepted")
def test_replies_may_come_one_octet_at_a_time_and_in_several_lines(relay: SmtpHarness) -> None:
    relay.server.drip = True
    found, _ = outcomes(relay, "RCPT", always(b"250-2.1.5 one\r\n250-2.1.5 two\r\n250 end"))
    assert [Accepted("250 2.0.0 queued as 1")] * 5 == found


@pytest.mark.parametrize("garbage", [b"hello", b"25", b"999 what", b"\xff\xfe", b"354 go on"])
@fault("garbage after the dot", "in doubt")
def test_garbage_after_the_dot_is_a_doubt(relay: SmtpHarness, garbage: bytes) -> None:
    found, _ = outcomes(relay, "dot", once(garbage))
    assert isinstance(found[0], InDoubt)


@fault("a reply without end after the dot", "in doubt")
def test_a_reply_without_end_is_given_up(relay: SmtpHarness) -> None:
    found, _ = outcomes(relay, "dot", once(b"\r\n".join([b"250-more"] * 500)))
    assert isinstance(found[0], InDoubt)


@pytest.mark.parametrize("garbage", [b"hello", b"\xff\xfe", b"354 what"])
@pytest.mark.parametrize("phase", ["MAIL", "RCPT"])
@fault("garbage before the dot", "accepted over a new connection")
def test_garbage_before_the_dot_is_never_a_doubt(
    relay: SmtpHarness, phase: str, garbage: bytes
) -> None:
    found, stopped = outcomes(relay, phase, once(garbage))
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)


@fault("250 instead of 354", "accepted over a new connection")
def test_who_does_not_ask_for_the_body_does_not_get_it(relay: SmtpHarness) -> None:
    found, stopped = outcomes(relay, "DATA", once(b"250 ok"))
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)


# What must not get on the wire


@pytest.mark.parametrize("what", ["\r\nRCPT TO:<eve", "\0", "\n.\r\n", "\r", "\x85", "\u2028"])
@fault("NUL, CR or LF in an address", "rejected; nothing of it is said")
def test_a_command_can_not_be_smuggled_into_an_address(relay: SmtpHarness, what: str) -> None:
    poisoned = FakeMessage(Address(f"anna@a.example>{what}", "b.example"))
    journal, _ = deliver(relay, [poisoned, *fake_messages(BOB)])
    assert Rejected("The address holds a control character.") == journal.outcome(poisoned)
    assert Counter([BOB]) == relay.taken()
    assert not [line for line in relay.server.seen if "anna" in line or "eve" in line]


def test_a_command_can_not_be_smuggled_into_the_bounce_address(relay: SmtpHarness) -> None:
    poisoned = FakeMessage(Address.parse(ANNA), envelope_from="b@n.example>\r\nRSET")
    journal, _ = deliver(relay, [poisoned, *fake_messages(BOB)])
    outcome = journal.outcome(poisoned)
    assert isinstance(outcome, Rejected)
    assert Scope.CAMPAIGN is outcome.scope
    assert Counter() == relay.taken()


@fault("a message larger than SIZE", "deferred; the others pending, the run stops")
def test_a_letter_too_big_is_the_campaigns_fault_and_is_not_even_begun(relay: SmtpHarness) -> None:
    relay.server.extensions = (b"SIZE 2000", b"PIPELINING")
    small, big = fake_messages(ANNA)[0], fake_messages(BOB, text="x" * 70 + "\n" * 2000)[0]
    last = fake_messages(CLAIRE)[0]
    journal, _ = deliver(relay, [small, big, last])
    assert isinstance(journal.outcome(small), Accepted)
    refused = journal.outcome(big)
    assert isinstance(refused, Rejected)
    assert Scope.CAMPAIGN is refused.scope
    assert journal.outcome(last) is None
    assert f"SIZE={len(small.as_bytes())}" in " ".join(relay.server.seen)
    assert BOB not in " ".join(relay.server.seen)
