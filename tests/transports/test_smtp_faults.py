"""What a relay may do wrong, and the state in which it leaves each message (delivery.md 2.3)."""

import threading
from collections import Counter

import pytest
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, Outcome, Rejected, Scope

from tests.support.smtp_server import (
    CUT,
    SILENCE,
    Behaviour,
    SmtpServer,
    always,
    once,
    refusing_port,
)
from tests.transports.contract import ANNA, BOB, CLAIRE, judge
from tests.transports.smtp_harness import FIVE, SmtpHarness, deliver, fault, outcomes

BACK = [None] * 5
"""Nothing is recorded of anybody: all go back to the queue."""


# Before the first message


@fault("refused at connect", "pending; the run stops")
def test_a_relay_that_is_down_is_named() -> None:
    with SmtpServer() as server, refusing_port() as port:
        _, stopped = deliver(SmtpHarness(server), fake_messages(ANNA), port=port)
    assert stopped is not None
    assert f"127.0.0.1:{port}" in str(stopped.where)


@pytest.mark.parametrize(
    ("phase", "behaviour"),
    [
        pytest.param(
            "banner",
            always(b"554 5.3.2 not today"),
            marks=fault("banner 554", "pending; the run stops"),
        ),
        pytest.param(
            "banner",
            always(CUT),
            marks=fault("dropped before the banner", "pending; the run stops"),
        ),
        pytest.param(
            "banner",
            always(b"HTTP/1.1 400 Bad Request"),
            marks=fault("banner of another protocol", "pending; the run stops"),
        ),
        pytest.param(
            "EHLO",
            always(b"502 5.5.1 what"),
            marks=fault("EHLO refused", "pending; the run stops"),
        ),
        pytest.param(
            "EHLO", always(CUT), marks=fault("dropped after EHLO", "pending; the run stops")
        ),
    ],
)
def test_a_relay_that_does_not_begin_stops_the_session_and_loses_nobody(
    relay: SmtpHarness, phase: str, behaviour: Behaviour
) -> None:
    found, stopped = outcomes(relay, phase, behaviour)
    assert stopped is not None
    assert "newsletter resume" in stopped.next
    assert BACK == found


@fault("connection accepted, and never a word (half-open)", "pending; the run stops")
def test_a_relay_that_never_speaks_is_given_up_after_the_timeout(relay: SmtpHarness) -> None:
    found, stopped = outcomes(relay, "banner", always(SILENCE), timeout_s=0.2)
    assert stopped is not None
    assert "did not answer within 0.2 seconds" in stopped.what
    assert BACK == found


@pytest.mark.parametrize(
    ("phase", "reply"),
    [
        pytest.param(
            "banner",
            b"421 4.3.2 busy",
            marks=fault("banner 421", "deferred; the others pending, the run waits"),
        ),
        pytest.param(
            "EHLO",
            b"421 4.3.2 busy",
            marks=fault("EHLO 421", "deferred; the others pending, the run waits"),
        ),
    ],
)
def test_a_relay_that_is_busy_at_the_beginning_makes_everybody_wait(
    relay: SmtpHarness, phase: str, reply: bytes
) -> None:
    found, stopped = outcomes(relay, phase, always(reply))
    assert stopped is None
    assert [Deferred(reply.decode(), Scope.ACCOUNT), *BACK[1:]] == found


@fault("connection cap", "accepted over the connections it allows; the others end")
def test_a_connection_more_than_the_relay_allows_ends_and_the_others_go_on(
    relay: SmtpHarness,
) -> None:
    relay.server.places = 1
    transport, journal = relay.transport(), RecordingJournal()
    first, second = transport.open(), transport.open()
    anna, bob, claire = fake_messages(ANNA, BOB, CLAIRE)
    first.deliver([anna], journal)
    with pytest.raises(TransportStopped, match=r"421 4\.7\.0 too many"):
        second.deliver([bob], journal)
    first.deliver([bob, claire], journal)
    first.close()
    second.close()
    judge(relay, [anna, bob, claire], journal)
    assert Counter([ANNA, BOB, CLAIRE]) == relay.taken()


def test_connections_opened_at_the_same_time_know_of_each_other(relay: SmtpHarness) -> None:
    # All knock at once: the refused wait for who gets the place before they call it trouble.
    relay.server.places = 1
    refused, ended, all_ended = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def once_three_were_refused(_earlier: int) -> None:
        for _ in range(3):
            assert refused.acquire(timeout=10)

    relay.server.behaviours["EHLO"] = once_three_were_refused
    relay.server.behaviours["crowd"] = lambda _: refused.release()
    transport, journal, messages = relay.transport(), RecordingJournal(), fake_messages(*FIVE[:4])

    def work(message: FakeMessage) -> None:
        session = transport.open()
        try:
            session.deliver([message], journal)
            all_ended.wait(10)
        except TransportStopped:
            ended.release()
        session.close()

    workers = [threading.Thread(target=work, args=(message,)) for message in messages]
    for worker in workers:
        worker.start()
    assert all(ended.acquire(timeout=10) for _ in range(3))
    all_ended.set()
    for worker in workers:
        worker.join(10)
    judge(relay, messages, journal)
    assert 1 == sum(relay.taken().values()) == len(journal.outcomes)


# Replies before the dot


@pytest.mark.parametrize(
    ("phase", "reply", "outcome"),
    [
        pytest.param(
            "RCPT",
            b"450 4.7.1 greylisted",
            Deferred("450 4.7.1 greylisted"),
            marks=fault("RCPT 4xx", "deferred"),
        ),
        pytest.param(
            "RCPT",
            b"550 5.1.1 unknown",
            Rejected("550 5.1.1 unknown"),
            marks=fault("RCPT 5xx", "rejected"),
        ),
        pytest.param(
            "DATA",
            b"451 4.6.0 later",
            Deferred("451 4.6.0 later"),
            marks=fault("DATA 4xx", "deferred"),
        ),
        pytest.param(
            "DATA", b"554 5.6.0 no", Rejected("554 5.6.0 no"), marks=fault("DATA 5xx", "rejected")
        ),
        pytest.param(
            "dot",
            b"451 4.7.1 later",
            Deferred("451 4.7.1 later"),
            marks=fault("4xx after the dot", "deferred"),
        ),
        pytest.param(
            "dot",
            b"554 5.7.1 spam",
            Rejected("554 5.7.1 spam"),
            marks=fault("5xx after the dot", "rejected"),
        ),
    ],
)
def test_a_refusal_of_one_recipient_stays_theirs(
    relay: SmtpHarness, phase: str, reply: bytes, outcome: Outcome
) -> None:
    found, stopped = outcomes(relay, phase, once(reply))
    assert stopped is None
    assert outcome == found[0]
    assert all(isinstance(one, Accepted) for one in found[1:])
    assert 1 == relay.server.connections


@pytest.mark.parametrize(
    ("phase", "reply", "scope"),
    [
        pytest.param(
            "MAIL",
            b"451 4.7.0 slow down",
            Scope.ACCOUNT,
            marks=fault("MAIL 4xx", "deferred; the others pending, the run waits"),
        ),
        pytest.param(
            "MAIL",
            b"550 5.1.8 sender",
            Scope.CAMPAIGN,
            marks=fault("MAIL 5xx", "deferred; the others pending, the run stops"),
        ),
        ("MAIL", b"530 5.7.0 log in", Scope.ACCOUNT),
        ("RCPT", b"454 4.7.0 Throttling failure", Scope.ACCOUNT),
        ("RCPT", b"550 5.7.26 unauthenticated", Scope.CAMPAIGN),
        ("DATA", b"451 4.3.0 try again", Scope.ACCOUNT),
        pytest.param(
            "dot",
            b"454 4.7.0 Throttling failure",
            Scope.ACCOUNT,
            marks=fault("throttled after the dot", "deferred; the others pending, the run waits"),
        ),
        ("dot", b"552 5.3.4 too big", Scope.CAMPAIGN),
        pytest.param(
            "dot",
            b"421 4.3.0 closing",
            Scope.ACCOUNT,
            marks=fault("421 after the dot", "deferred; the others pending, the run waits"),
        ),
        ("RCPT", b"421 4.7.0 too many", Scope.ACCOUNT),
        ("DATA", b"421 bye", Scope.ACCOUNT),
    ],
)
def test_what_would_befall_the_others_too_ends_the_batch_and_the_rest_is_not_lost(
    relay: SmtpHarness, phase: str, reply: bytes, scope: Scope
) -> None:
    relay.server.behaviours[phase] = once(reply)
    session, journal, messages = (
        relay.transport().open(),
        RecordingJournal(),
        fake_messages(ANNA, BOB),
    )
    session.deliver(messages, journal)
    kind = Rejected if reply.startswith(b"5") else Deferred
    anna, bob = map(journal.outcome, messages)
    assert kind(reply.decode(), scope) == anna
    assert bob is None
    if reply.startswith(b"421"):
        assert session._slot.current is None
    # Nothing of it is left on the wire: the same session goes on when policy says so.
    if scope is Scope.CAMPAIGN or kind is Deferred:
        session.deliver(messages[1:], journal)
        assert [messages[1].as_bytes()] == [mail.content for mail in relay.server.accepted]
    session.close()
    judge(relay, messages, journal)


@fault("RCPT mixed", "accepted, rejected or deferred, each as it was answered")
def test_each_recipient_has_their_own_answer(relay: SmtpHarness) -> None:
    relay.server.recipients = {BOB: b"550 5.1.1 unknown", "d@d.example": b"450 4.2.2 full"}
    found, _ = outcomes(relay, "RSET", always(b"250 ok"))
    kinds = [Accepted, Rejected, Accepted, Deferred, Accepted]
    assert kinds == [type(one) for one in found]


def test_a_refusal_stands_though_the_relay_hangs_up_behind_it(relay: SmtpHarness) -> None:
    relay.server.behaviours["RSET"] = once(CUT)
    found, stopped = outcomes(relay, "RCPT", once(b"550 5.1.1 unknown"))
    assert stopped is None
    assert Rejected("550 5.1.1 unknown") == found[0]
    assert all(isinstance(one, Accepted) for one in found[1:])


@fault("354 although every recipient was refused", "rejected; nothing is handed over")
def test_a_data_that_is_granted_although_nobody_was_accepted_gets_a_lone_dot() -> None:
    # RFC 2920 3.1: some servers answer 354 to the pipelined DATA all the same.
    with SmtpServer(grants_data_to_nobody=True) as server:
        harness = SmtpHarness(server)
        harness.refuse(ANNA)
        journal, stopped = deliver(harness, fake_messages(ANNA, BOB))
    assert stopped is None
    assert isinstance(journal.outcome(fake_messages(ANNA)[0]), Rejected)
    assert Counter([BOB]) == harness.taken()
    assert 1 == server.connections


def test_a_data_that_is_granted_without_a_sender_gets_no_dot() -> None:
    refused = {"MAIL": once(b"451 4.5.0 not now")}
    granted = {ANNA: b"250 2.1.5 ok"}
    with SmtpServer(refused, granted, grants_data_to_nobody=True) as server:
        harness = SmtpHarness(server)
        journal, stopped = deliver(harness, fake_messages(ANNA))
        assert server.idle.wait(timeout=10)
    assert stopped is None
    assert isinstance(journal.outcome(fake_messages(ANNA)[0]), Deferred)
    assert "RSET" not in server.seen
    assert not harness.taken()
