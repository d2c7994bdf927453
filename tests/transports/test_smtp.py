"""The transaction on the wire, against a server of ours that keeps what it accepted."""

import contextlib
import threading
from collections import Counter

import pytest
from newsletter.addresses import Address
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Rejected
from newsletter.transports.smtp import SmtpSession
from newsletter.transports.smtp_wire import Wire

from tests.support.smtp_server import SILENCE, SmtpServer, after, always
from tests.transports.contract import ANNA, BOB, RemoteContract, judge
from tests.transports.smtp_harness import PLAIN, SmtpHarness, deliver, outcomes


class TestSmtp(RemoteContract):
    @pytest.fixture
    def harness(self, relay: SmtpHarness) -> SmtpHarness:
        return relay


def test_with_pipelining_the_next_envelope_stands_behind_the_dot() -> None:
    with SmtpServer() as server:
        deliver(SmtpHarness(server), fake_messages(ANNA, BOB))
        verbs = [line.split()[0].upper() for line in server.seen]
    group = ["MAIL", "RCPT", "DATA"]
    assert ["EHLO", *group, *group, "RSET", "QUIT"] == verbs


def written(relay: SmtpHarness, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What two messages make the transport write, one entry a write, without the bodies."""
    writes: list[bytes] = []
    send = Wire.send

    def watched(wire: Wire, *pieces: bytes) -> None:
        writes.append(b"".join(pieces))
        send(wire, *pieces)

    monkeypatch.setattr(Wire, "send", watched)
    deliver(relay, fake_messages(ANNA, BOB))
    return [write for write in writes if b"Subject:" not in write and b"ehlo" not in write]


def test_with_pipelining_a_message_costs_one_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmtpServer() as server:
        writes = written(SmtpHarness(server), monkeypatch)
    starts = [[line[:4] for line in write.splitlines()] for write in writes]
    group = [b"MAIL", b"RCPT", b"DATA"]
    assert [group, [b".", *group], [b".", b"RSET"], [b"QUIT"]] == starts


def test_a_relay_that_offers_no_pipelining_gets_one_command_at_a_time(
    relay: SmtpHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.server.extensions = PLAIN
    commands = written(relay, monkeypatch)
    assert [1] * (2 * 4 + 1) == [write.count(b"\r\n") for write in commands]


def test_ehlo_tells_the_senders_domain_and_not_this_machines_name(relay: SmtpHarness) -> None:
    deliver(relay, fake_messages(ANNA))
    assert "ehlo news.example" == relay.server.seen[0]


# The body and its dot


def test_dots_at_the_start_of_lines_arrive_as_written(relay: SmtpHarness) -> None:
    text = ".\n..\n.hidden\nend.\n.\n"
    (message,) = fake_messages(ANNA, text=text)
    deliver(relay, [message])
    (mail,) = relay.server.accepted
    assert message.as_bytes() == mail.content


def test_the_body_is_not_ended_while_the_ledger_is_still_writing(relay: SmtpHarness) -> None:
    journal = RecordingJournal(held=True)
    session = relay.transport().open()
    worker = threading.Thread(target=session.deliver, args=(fake_messages(ANNA), journal))
    worker.start()
    assert relay.server.body_read.wait(10)
    assert Counter() == relay.taken()
    journal.release()
    worker.join(10)
    assert Counter([ANNA]) == relay.taken()
    session.close()


def test_a_ledger_that_fails_in_the_body_voids_the_message(relay: SmtpHarness) -> None:
    class Broken(RecordingJournal):
        def settle(self, messages: object) -> bool:
            raise OSError("the disk is full")

    session = relay.transport().open()
    with pytest.raises(OSError, match="disk is full"):
        session.deliver(fake_messages(ANNA), Broken())
    session.close()
    assert Counter() == relay.taken()


def test_after_a_letter_that_may_not_go_the_session_goes_on_over_another_connection(
    relay: SmtpHarness,
) -> None:
    anna, bob = fake_messages(ANNA, BOB)
    journal = RecordingJournal(allow=lambda batch: anna not in batch)
    session = relay.transport(timeout_s=60).open()
    session.deliver([anna], journal)
    session.deliver([bob], journal)
    session.close()
    judge(relay, [anna, bob], journal)
    assert Counter([BOB]) == relay.taken()
    assert 2 == relay.server.connections


def test_a_letter_in_more_pieces_than_one_write_takes_arrives_whole(relay: SmtpHarness) -> None:
    class Pieces(FakeMessage):
        def as_wire(self) -> list[bytes]:
            whole = self.as_bytes()
            return [whole[at : at + 1] for at in range(len(whole))]

    message = Pieces(Address.parse(ANNA), "Good morning.\n" * 200)
    journal, stopped = deliver(relay, [message])
    assert stopped is None
    assert isinstance(journal.outcome(message), Accepted)
    (mail,) = relay.server.accepted
    assert message.as_bytes() == mail.content


def test_pieces_larger_than_the_sockets_buffer_arrive_whole_and_in_order(
    relay: SmtpHarness,
) -> None:
    class Pieces(FakeMessage):
        def as_wire(self) -> list[bytes]:
            whole = self.as_bytes()
            return [whole[at : at + 50_000] for at in range(0, len(whole), 50_000)]

    text = "".join(f"{number:0900}\n" for number in range(6_000))
    message = Pieces(Address.parse(ANNA), text)
    _, stopped = deliver(relay, [message])
    assert stopped is None
    (mail,) = relay.server.accepted
    assert message.as_bytes() == mail.content


# What is waited for, and how long


def test_the_answer_to_the_dot_may_take_longer_than_others(relay: SmtpHarness) -> None:
    def slowly(_earlier: int) -> None:
        threading.Event().wait(0.5)

    found, stopped = outcomes(relay, "dot", slowly, timeout_s=0.2)
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)


def test_after_a_message_others_answers_are_waited_for_no_longer_than_before(
    relay: SmtpHarness,
) -> None:
    relay.server.behaviours["MAIL"] = after(1, SILENCE)
    session = relay.transport(timeout_s=0.2, final_timeout_s=3600).open()
    journal, (anna, bob) = RecordingJournal(), fake_messages(ANNA, BOB)
    session.deliver([anna], journal)
    worker = threading.Thread(target=_until_stopped, args=(session, bob, journal), daemon=True)
    worker.start()
    worker.join(10)
    assert not worker.is_alive()
    session.close()
    judge(relay, [anna, bob], journal)
    assert Counter([ANNA]) == relay.taken()


def _until_stopped(session: SmtpSession, message: FakeMessage, journal: RecordingJournal) -> None:
    with contextlib.suppress(TransportStopped):
        session.deliver([message], journal)


# What EHLO offers


@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.fault("SMTP", "SMTPUTF8 absent", state="rejected, if the address needs it")
def test_an_international_address_needs_smtputf8(relay: SmtpHarness, *, offered: bool) -> None:
    if not offered:
        relay.server.extensions = (b"8BITMIME", b"PIPELINING")
    message = FakeMessage(Address.parse("пример@почта.example"))
    journal, _ = deliver(relay, [message])
    if offered:
        assert isinstance(journal.outcome(message), Accepted)
        assert "SMTPUTF8" in " ".join(relay.server.seen)
    else:
        refused = journal.outcome(message)
        assert isinstance(refused, Rejected)
        assert "SMTPUTF8" in refused.reply


@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.fault("SMTP", "8BITMIME absent", state="rejected, if the message needs it")
def test_eight_bits_need_8bitmime(relay: SmtpHarness, *, offered: bool) -> None:
    if not offered:
        relay.server.extensions = (b"PIPELINING",)
    message = fake_messages(ANNA, text="é\n")[0]
    journal, _ = deliver(relay, [message])
    assert isinstance(journal.outcome(message), Accepted if offered else Rejected)
    assert offered == ("BODY=8BITMIME" in " ".join(relay.server.seen))


@pytest.mark.fault("SMTP", "SIZE absent", state="accepted")
def test_a_relay_that_tells_no_size_is_told_none(relay: SmtpHarness) -> None:
    relay.server.extensions = tuple(set(relay.server.extensions) - {b"SIZE 10000000"})
    found, _ = outcomes(relay, "QUIT", always(b"221 bye"))
    assert all(isinstance(one, Accepted) for one in found)
    assert not [line for line in relay.server.seen if "SIZE=" in line]
