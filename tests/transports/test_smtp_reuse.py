"""How long a connection is used, and what happens when the relay hung up meanwhile."""

from collections import Counter

import pytest
from newsletter.testing import RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, Scope
from newsletter.transports.smtp import SmtpSession

from tests.support.smtp_server import CUT, SILENCE, Behaviour, after, always, once
from tests.transports.contract import ANNA, BOB, judge
from tests.transports.smtp_harness import SmtpHarness, deliver, fault, outcomes


class Twice:
    """Two batches of one message over one session, with something between them."""

    def __init__(self, relay: SmtpHarness, **changes: object) -> None:
        self.relay = relay
        self.journal = RecordingJournal()
        self.messages = fake_messages(ANNA, BOB)
        self.session: SmtpSession = relay.transport(**changes).open()
        self.session.deliver(self.messages[:1], self.journal)

    def go_on(self) -> list[str]:
        """The second batch; which commands it cost."""
        before = len(self.relay.server.seen)
        self.session.deliver(self.messages[1:], self.journal)
        verbs = [line.split()[0].upper() for line in self.relay.server.seen[before:]]
        self.session.close()
        judge(self.relay, self.messages, self.journal)
        assert all(isinstance(self.journal.outcome(each), Accepted) for each in self.messages)
        assert Counter([ANNA, BOB]) == self.relay.taken()
        # With PIPELINING it stands behind the last dot.
        return [verb for verb in verbs if verb != "RSET"]


MESSAGE = ["MAIL", "RCPT", "DATA"]


def test_a_connection_is_renewed_after_so_many_messages(relay: SmtpHarness) -> None:
    messages = fake_messages(*(f"r{number}@a.example" for number in range(7)))
    deliver(relay, messages, messages_per_connection=3)
    assert 3 == relay.server.connections
    assert 7 == sum(relay.taken().values())
    assert 3 == sum(line == "QUIT" for line in relay.server.seen)


@pytest.mark.parametrize(
    ("phase", "reply"),
    [
        ("dot", b"451-Requested action aborted\r\n451 Mails per session limit exceeded."),
        ("DATA", b"452 4.4.5 Maximum number of messages per session exceeded."),
        ("MAIL", b"421 4.7.0 Too many messages in this session"),
        ("RCPT", b"450 4.7.1 Zu viele Nachrichten pro Verbindung"),
        ("dot", b"554 5.7.0 too many messages for this connection"),
    ],
)
def test_a_relay_that_counts_per_connection_gets_a_new_one_and_nobody_waits(
    relay: SmtpHarness, phase: str, reply: bytes
) -> None:
    """Neither the pace nor a reader is to blame; once heard, the limit is kept."""
    relay.server.session = (10, phase, reply)
    messages = fake_messages(*(f"r{number}@a.example" for number in range(60)))
    journal, stopped = deliver(relay, messages)
    assert stopped is None
    assert all(isinstance(journal.outcome(each), Accepted) for each in messages)
    assert {1} == set(relay.taken().values())
    assert relay.server.connections in {6, 7}


def test_a_connection_that_is_old_is_renewed_between_batches(relay: SmtpHarness) -> None:
    twice = Twice(relay, connection_s=300)
    relay.clock.advance(300)
    assert ["QUIT", "EHLO", *MESSAGE] == twice.go_on()


def test_a_connection_that_gets_old_is_renewed_in_the_middle_of_a_batch(relay: SmtpHarness) -> None:
    relay.server.behaviours["dot"] = lambda _: relay.clock.advance(100)
    found, stopped = outcomes(relay, "RSET", always(b"250 ok"), connection_s=300)
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)
    assert 2 == relay.server.connections


@pytest.mark.parametrize(("rested_s", "asked"), [(20, []), (21, ["NOOP"])])
def test_who_rested_for_more_than_twenty_seconds_is_asked_first(
    relay: SmtpHarness, rested_s: float, asked: list[str]
) -> None:
    twice = Twice(relay)
    relay.clock.advance(rested_s)
    assert [*asked, *MESSAGE] == twice.go_on()
    assert 1 == relay.server.connections


@pytest.mark.parametrize("answer", [CUT, b"421 4.4.2 timeout", b"500 what", b"hello"])
@fault("the relay hung up while the connection rested", "accepted over a new connection")
def test_a_relay_that_hung_up_meanwhile_costs_nobody_anything(
    relay: SmtpHarness, answer: bytes
) -> None:
    relay.server.behaviours["NOOP"] = always(answer)
    twice = Twice(relay)
    relay.clock.advance(60)
    assert ["NOOP", "EHLO", *MESSAGE] == twice.go_on()
    assert 2 == relay.server.connections


def test_a_relay_that_fell_silent_meanwhile_is_given_up_soon(
    relay: SmtpHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.transports.smtp_connection._NOOP_TIMEOUT_S", 0.2)
    relay.server.behaviours["NOOP"] = always(SILENCE)
    twice = Twice(relay, timeout_s=60)
    relay.clock.advance(60)
    assert ["NOOP", "EHLO", *MESSAGE] == twice.go_on()


def test_an_end_that_can_be_seen_is_seen_however_short_the_rest_was(relay: SmtpHarness) -> None:
    twice = Twice(relay)
    relay.server.hang_up()
    assert ["EHLO", *MESSAGE] == twice.go_on()
    assert 2 == relay.server.connections


def test_a_goodbye_that_nobody_asked_for_is_not_taken_for_the_answer_to_mail(
    relay: SmtpHarness,
) -> None:
    # Such a 421 lies there before MAIL is said; read as its answer, it would make everybody wait.
    twice = Twice(relay)
    relay.server.hang_up(b"421 4.3.2 shutting down\r\n")
    assert ["EHLO", *MESSAGE] == twice.go_on()
    assert 2 == relay.server.connections


def test_a_server_that_closes_after_each_message_is_followed(relay: SmtpHarness) -> None:
    behaviour: Behaviour = lambda earlier: b"421 bye" if earlier % 2 else None  # noqa: E731
    found, stopped = outcomes(relay, "MAIL", behaviour)
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)


def test_a_421_that_names_our_pace_is_no_mere_goodbye(relay: SmtpHarness) -> None:
    text = "421 4.7.0 too many messages"
    found, stopped = outcomes(relay, "MAIL", after(1, text.encode()))
    assert stopped is None
    assert isinstance(found[0], Accepted)
    assert Deferred(text, Scope.ACCOUNT) == found[1]
    assert [None] * 3 == found[2:]
    assert 1 == relay.server.connections


def test_a_goodbye_to_a_new_connection_makes_everybody_wait(relay: SmtpHarness) -> None:
    found, stopped = outcomes(relay, "MAIL", after(1, b"421 bye"))
    assert stopped is None
    assert isinstance(found[0], Accepted)
    assert Deferred("421 bye", Scope.ACCOUNT) == found[1]
    assert 2 == relay.server.connections


@fault("throttled after the dot, the next envelope on its way", "deferred; the next is pending")
def test_a_throttle_after_the_dot_leaves_nothing_of_the_next_message_on_the_wire(
    relay: SmtpHarness,
) -> None:
    relay.server.behaviours["dot"] = once(b"454 4.7.0 Throttling failure")
    journal, messages = RecordingJournal(), fake_messages(ANNA, BOB)
    session = relay.transport().open()
    session.deliver(messages, journal)
    assert Deferred("454 4.7.0 Throttling failure", Scope.ACCOUNT) == journal.outcome(messages[0])
    assert journal.outcome(messages[1]) is None
    session.deliver(messages[1:], journal)
    session.close()
    judge(relay, messages, journal)
    assert Counter([BOB]) == relay.taken()
    assert messages[1].as_bytes() == relay.server.accepted[0].content
