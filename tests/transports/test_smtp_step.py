"""Answers before their question: what a relay said too early is never taken for another answer."""

from collections import Counter
from pathlib import Path

import pytest
from newsletter.testing import fake_messages
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected

from tests.support.smtp_server import always, once
from tests.transports.contract import ANNA, BOB
from tests.transports.smtp_harness import (
    FIVE,
    SmtpHarness,
    deliver,
    encrypted,
    fault,
    good,
    outcomes,
)

NO = b"550 5.7.1 no"
EARLY = b"354 go ahead\r\n250 2.0.0 queued"


@fault("an answer before the dot", "deferred; the others accepted over a new connection")
def test_what_is_said_before_the_dot_is_no_answer_to_it(relay: SmtpHarness) -> None:
    relay.server.behaviours["dot"] = once(NO)
    found, stopped = outcomes(relay, "DATA", once(EARLY))
    assert stopped is None
    assert isinstance(found[0], Deferred)
    assert "before a command" in found[0].reply
    # The server's first dot, which it refuses, is the one of the second letter.
    assert [Rejected(NO.decode()), *[Accepted] * 3] == [
        found[1],
        *(type(one) for one in found[2:]),
    ]
    assert 2 == relay.server.connections


def test_a_relay_that_always_does_so_has_nobody_accepted(relay: SmtpHarness) -> None:
    relay.server.behaviours["dot"] = always(NO)
    found, stopped = outcomes(relay, "DATA", always(EARLY))
    assert stopped is not None
    assert {Deferred, type(None)} == {type(one) for one in found}
    assert Counter() == relay.taken()


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("in_records", [False, True])
def test_it_is_seen_in_the_layer_of_tls_as_well(
    tmp_path: Path, security: str, in_records: bool
) -> None:
    server, ca_file = encrypted(good, tmp_path, implicit=security == "tls")
    with server:
        server.drip = in_records
        server.behaviours = {"DATA": always(EARLY), "dot": always(NO)}
        messages = fake_messages(ANNA, BOB)
        journal, _ = deliver(SmtpHarness(server), messages, security=security, ca_file=ca_file)
    assert [Deferred] * 2 == [type(journal.outcome(message)) for message in messages]


@pytest.mark.parametrize("phase", ["MAIL", "RCPT"])
@fault("one answer too many before 354", "accepted over a new connection")
def test_one_answer_too_many_before_354_costs_a_connection_and_nobody(
    relay: SmtpHarness, phase: str
) -> None:
    found, stopped = outcomes(relay, phase, once(b"250 ok\r\n250 ok"))
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)
    assert 2 == relay.server.connections


@pytest.mark.parametrize("letter", range(5))
@fault("an answer to the dot too many", "in doubt; the others go on")
def test_an_acceptance_that_a_refusal_follows_is_none(relay: SmtpHarness, letter: int) -> None:
    # Said in the moment between our last look and the dot, the first would be taken for its answer.
    early = b"250 2.0.0 queued\r\n" + NO
    found, stopped = outcomes(relay, "dot", lambda earlier: early if earlier == letter else None)
    assert stopped is None
    assert isinstance(found[letter], InDoubt)
    assert all(isinstance(one, Accepted) for one in found[:letter] + found[letter + 1 :])


def test_a_goodbye_behind_the_answer_to_the_dot_makes_no_doubt(relay: SmtpHarness) -> None:
    found, stopped = outcomes(relay, "dot", once(b"250 2.0.0 queued\r\n421 4.4.2 bye"))
    assert stopped is None
    assert [Accepted] * 5 == [type(one) for one in found]


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("banner", b"220 hello"),
        ("EHLO", b"250-test.example\r\n250 AUTH PLAIN"),
        ("AUTH", b"235 in"),
    ],
)
@fault("one answer too many before the first message", "pending or deferred; nothing was said")
def test_no_command_is_said_to_who_answers_beforehand(
    relay: SmtpHarness, phase: str, said: bytes
) -> None:
    relay.server.login = ("user", "right")
    found, stopped = outcomes(relay, phase, always(said + b"\r\n250 2.0.0 ok"))
    assert not [one for one in found if isinstance(one, Accepted | InDoubt | Rejected)]
    assert not [line for line in relay.server.seen if line.startswith("MAIL")]
    assert stopped is not None or phase == "AUTH"


@fault("words in plain behind the answer to STARTTLS", "pending; the run stops, nothing was said")
def test_what_came_in_plain_is_not_believed_once_encrypted(tmp_path: Path) -> None:
    server, ca_file = encrypted(good, tmp_path, implicit=False)
    with server:
        server.behaviours["STARTTLS"] = always(b"220 go\r\n250-mitm.example\r\n250 AUTH PLAIN")
        journal, stopped = deliver(
            SmtpHarness(server), fake_messages(ANNA), security="starttls", ca_file=ca_file
        )
        seen = list(server.seen)
    assert stopped is not None
    assert "between STARTTLS and the encryption" in stopped.what
    assert ["ehlo", "STARTTLS"] == [line.split()[0] for line in seen]
    assert not journal.outcomes


def test_sessions_of_tls_that_the_server_offers_are_no_words_of_the_relay(tmp_path: Path) -> None:
    # RFC 8446 4.6.1: tickets come after the handshake, unasked.
    server, ca_file = encrypted(good, tmp_path, implicit=True)
    with server:
        messages = fake_messages(*FIVE)
        journal, stopped = deliver(SmtpHarness(server), messages, security="tls", ca_file=ca_file)
        assert 1 == server.connections
    assert stopped is None
    assert [Accepted] * 5 == [type(journal.outcome(message)) for message in messages]
