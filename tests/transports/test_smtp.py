import contextlib
import io
import ssl
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import trustme
from newsletter.addresses import Address
from newsletter.config import Smtp
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, RecordingJournal, letters
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.smtp import SmtpSession, SmtpTransport
from newsletter.transports.smtp_connection import Connection
from newsletter.transports.smtp_reply import ReplyError, read_reply

from tests.support.smtp_server import (
    CUT,
    SILENCE,
    Behaviour,
    SmtpServer,
    after,
    always,
    once,
    refusing_port,
)
from tests.transports.contract import ANNA, BOB, CLAIRE, RemoteContract, judge

PLAIN = (b"SIZE 10000000", b"8BITMIME", b"SMTPUTF8")


class SmtpHarness:
    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.password = "right"
        self.timeouts: dict[str, float] = {}
        self.gone = False

    def transport(self, **changes: object) -> SmtpTransport:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "security": "none",
            "timeout_s": 5,
            "final_timeout_s": 5,
            **changes,
        }
        if self.server.login:
            values |= {"username": "user", "password": {"env": "UNUSED"}}
        return SmtpTransport(
            Smtp.model_validate(values), password=self.password, client_name="news.example"
        )

    def taken(self) -> Counter[str]:
        return self.server.copies()

    def cut_after_taking(self) -> None:
        self.server.behaviours["dot"] = once(CUT)

    def cut_before_taking(self) -> None:
        self.server.behaviours["DATA"] = once(CUT)

    def refuse(self, address: str) -> None:
        self.server.recipients[address] = b"550 5.1.1 no such user"

    def refuse_login(self) -> None:
        self.server.login = ("user", "another")

    def vanish(self) -> None:
        self.server.stop()


@pytest.fixture(params=["pipelining", "one by one"])
def harness(request: pytest.FixtureRequest) -> Iterator[SmtpHarness]:
    with SmtpServer() as server:
        if request.param == "one by one":
            server.extensions = PLAIN
        yield SmtpHarness(server)


class TestSmtp(RemoteContract):
    pass


def deliver(
    harness: SmtpHarness, messages: list[FakeMessage], **changes: object
) -> tuple[RecordingJournal, TransportStopped | None]:
    journal = RecordingJournal()
    session = harness.transport(**changes).open()
    stopped = None
    try:
        session.deliver(messages, journal)
    except TransportStopped as error:
        stopped = error
    finally:
        session.close()
    judge(harness, messages, journal)
    return journal, stopped


def outcomes(
    harness: SmtpHarness, phase: str, behaviour: Behaviour, **changes: object
) -> tuple[list[Outcome | None], TransportStopped | None]:
    harness.server.behaviours[phase] = behaviour
    messages = letters(ANNA, BOB, CLAIRE, "d@d.example", "e@e.example")
    journal, stopped = deliver(harness, messages, **changes)
    return [journal.outcome(message) for message in messages], stopped


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
def test_a_line_cut_before_the_dot_is_tried_again_or_put_off(
    harness: SmtpHarness, phase: str
) -> None:
    (anna, bob, claire, *_), stopped = outcomes(harness, phase, once(CUT))
    assert stopped is None
    assert isinstance(anna, Accepted | Deferred)
    assert isinstance(bob, Accepted)
    assert isinstance(claire, Accepted)


def test_a_line_cut_in_the_body_is_no_doubt_since_the_dot_never_went(
    harness: SmtpHarness,
) -> None:
    harness.server.behaviours["body"] = once(CUT)
    first, second = letters(ANNA, text=("x" * 900 + "\n") * 9_000)[0], letters(BOB)[0]
    journal, stopped = deliver(harness, [first, second])
    assert stopped is None
    assert isinstance(journal.outcome(first), Deferred)
    assert isinstance(journal.outcome(second), Accepted)


def test_after_the_dot_a_cut_line_leaves_one_in_doubt_and_the_others_go_on(
    harness: SmtpHarness,
) -> None:
    (anna, bob, claire, *_), stopped = outcomes(harness, "dot", once(CUT))
    assert stopped is None
    assert isinstance(anna, InDoubt)
    assert isinstance(bob, Accepted)
    assert isinstance(claire, Accepted)


def test_no_answer_to_the_dot_in_time_is_a_doubt(harness: SmtpHarness) -> None:
    found, _ = outcomes(harness, "dot", once(SILENCE), final_timeout_s=0.3)
    assert isinstance(found[0], InDoubt)
    assert isinstance(found[1], Accepted)


@pytest.mark.parametrize("garbage", [b"hello", b"25", b"999 what", b"\xff\xfe", b"354 go on"])
def test_garbage_after_the_dot_is_a_doubt(harness: SmtpHarness, garbage: bytes) -> None:
    found, _ = outcomes(harness, "dot", once(garbage))
    assert isinstance(found[0], InDoubt)


def test_a_421_after_the_dot_puts_off_and_reconnects(harness: SmtpHarness) -> None:
    found, stopped = outcomes(harness, "dot", once(b"421 4.3.0 closing"))
    assert stopped is None
    assert isinstance(found[0], Deferred)
    assert isinstance(found[1], Accepted)
    assert 2 == harness.server.connections


@pytest.mark.parametrize(
    ("phase", "reply", "outcome"),
    [
        ("RCPT", b"450 4.7.1 greylisted", Deferred("450 4.7.1 greylisted")),
        ("RCPT", b"550 5.1.1 unknown", Rejected("550 5.1.1 unknown")),
        ("DATA", b"451 4.3.0 try again", Deferred("451 4.3.0 try again")),
        ("DATA", b"554 5.6.0 no", Rejected("554 5.6.0 no")),
        ("dot", b"451 4.3.0 later", Deferred("451 4.3.0 later")),
        ("dot", b"554 5.7.1 spam", Rejected("554 5.7.1 spam")),
        ("MAIL", b"451 4.7.0 slow down", Deferred("451 4.7.0 slow down")),
        ("MAIL", b"530 5.7.0 log in", Rejected("530 5.7.0 log in", Scope.ACCOUNT)),
        ("MAIL", b"550 5.1.8 sender", Rejected("550 5.1.8 sender", Scope.CAMPAIGN)),
        ("dot", b"552 5.3.4 too big", Rejected("552 5.3.4 too big", Scope.CAMPAIGN)),
        ("dot", b"552 too much", Rejected("552 too much", Scope.CAMPAIGN)),
        ("dot", b"554 5.3.4 too big", Rejected("554 5.3.4 too big", Scope.CAMPAIGN)),
    ],
)
def test_a_refusal_has_its_scope_and_the_next_message_goes_on(
    harness: SmtpHarness, phase: str, reply: bytes, outcome: Outcome
) -> None:
    found, stopped = outcomes(harness, phase, once(reply))
    assert stopped is None
    assert outcome == found[0]
    assert isinstance(found[1], Accepted)
    assert isinstance(found[2], Accepted)


@pytest.mark.parametrize(
    ("phase", "behaviour"),
    [
        ("banner", always(b"554 5.3.2 not today")),
        ("banner", always(b"421 4.3.2 busy")),
        ("banner", always(CUT)),
        ("EHLO", always(b"502 5.5.1 what")),
        ("MAIL", always(b"454 4.7.0 Throttling failure")),
        ("MAIL", always(CUT)),
        ("MAIL", always(b"421 4.7.0 too many")),
    ],
)
def test_a_relay_that_will_not_have_us_stops_the_session_and_loses_nobody(
    harness: SmtpHarness, phase: str, behaviour: Behaviour
) -> None:
    found, stopped = outcomes(harness, phase, behaviour)
    assert stopped is not None
    assert "newsletter resume" in stopped.next
    assert not [one for one in found if isinstance(one, Rejected | InDoubt)]


def test_a_relay_that_falls_silent_is_given_up_after_the_timeout(harness: SmtpHarness) -> None:
    found, stopped = outcomes(harness, "MAIL", always(SILENCE), timeout_s=0.2)
    assert stopped is not None
    assert Counter() == harness.taken()
    assert not [one for one in found if isinstance(one, Rejected | InDoubt)]


def test_a_poisonous_message_is_put_off_and_the_others_go(harness: SmtpHarness) -> None:
    (anna, bob, claire, *_), stopped = outcomes(
        harness, "RCPT", lambda earlier: CUT if earlier in (0, 1) else None
    )
    assert stopped is None
    assert isinstance(anna, Deferred)
    assert isinstance(bob, Accepted)
    assert isinstance(claire, Accepted)


def test_replies_may_come_one_octet_at_a_time_and_in_several_lines(harness: SmtpHarness) -> None:
    harness.server.drip = True
    found, _ = outcomes(harness, "RCPT", always(b"250-2.1.5 one\r\n250-2.1.5 two\r\n250 end"))
    assert [Accepted("250 2.0.0 queued as 1")] * 5 == found


def test_a_reply_without_end_is_given_up(harness: SmtpHarness) -> None:
    found, _ = outcomes(harness, "dot", once(b"\r\n".join([b"250-more"] * 500)))
    assert isinstance(found[0], InDoubt)


def test_a_connection_is_renewed_after_so_many_messages(harness: SmtpHarness) -> None:
    messages = letters(*(f"r{number}@a.example" for number in range(7)))
    deliver(harness, messages, messages_per_connection=3)
    assert 3 == harness.server.connections
    assert 7 == sum(harness.taken().values())


def test_a_server_that_closes_after_each_message_is_followed(harness: SmtpHarness) -> None:
    harness.server.behaviours["MAIL"] = lambda earlier: b"421 bye" if earlier % 2 else None
    found, stopped = outcomes(harness, "RSET", always(b"250 ok"))
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)


def test_dots_at_the_start_of_lines_arrive_as_written(harness: SmtpHarness) -> None:
    text = ".\n..\n.hidden\nend.\n.\n"
    (message,) = letters(ANNA, text=text)
    deliver(harness, [message])
    (mail,) = harness.server.accepted
    assert message.as_bytes() == mail.content


def test_with_pipelining_the_next_envelope_stands_behind_the_dot() -> None:
    with SmtpServer() as server:
        deliver(SmtpHarness(server), letters(ANNA, BOB))
        verbs = [line.split()[0].upper() for line in server.seen]
    assert ["EHLO", "MAIL", "RCPT", "DATA", "MAIL", "RCPT", "DATA", "QUIT"] == verbs


def test_a_data_that_is_granted_although_nobody_was_accepted_gets_a_lone_dot() -> None:
    # RFC 2920 3.1: some servers answer 354 to the pipelined DATA all the same.
    with SmtpServer(grants_data_to_nobody=True) as server:
        harness = SmtpHarness(server)
        harness.refuse(ANNA)
        journal, stopped = deliver(harness, letters(ANNA, BOB))
    assert stopped is None
    assert isinstance(journal.outcome(letters(ANNA)[0]), Rejected)
    assert Counter([BOB]) == harness.taken()


def test_size_is_announced_and_a_letter_too_big_is_the_campaigns_fault(
    harness: SmtpHarness,
) -> None:
    harness.server.extensions = (b"SIZE 2000",)
    small, big = letters(ANNA)[0], letters(BOB, text="x" * 70 + "\n" * 2000)[0]
    journal, _ = deliver(harness, [small, big])
    assert isinstance(journal.outcome(small), Accepted)
    refused = journal.outcome(big)
    assert isinstance(refused, Rejected)
    assert Scope.CAMPAIGN == refused.scope
    assert f"SIZE={len(small.as_bytes())}" in " ".join(harness.server.seen)


@pytest.mark.parametrize("offered", [True, False])
def test_an_international_address_needs_smtputf8(harness: SmtpHarness, *, offered: bool) -> None:
    if not offered:
        harness.server.extensions = (b"8BITMIME", b"PIPELINING")
    message = FakeMessage(Address.parse("пример@почта.example"))
    journal, _ = deliver(harness, [message])
    if offered:
        assert isinstance(journal.outcome(message), Accepted)
        assert "SMTPUTF8" in " ".join(harness.server.seen)
    else:
        refused = journal.outcome(message)
        assert isinstance(refused, Rejected)
        assert "SMTPUTF8" in refused.reply


@pytest.mark.parametrize("offered", [True, False])
def test_eight_bits_need_8bitmime(harness: SmtpHarness, *, offered: bool) -> None:
    if not offered:
        harness.server.extensions = (b"PIPELINING",)
    message = letters(ANNA, text="é\n")[0]
    journal, _ = deliver(harness, [message])
    assert isinstance(journal.outcome(message), Accepted if offered else Rejected)
    assert offered == ("BODY=8BITMIME" in " ".join(harness.server.seen))


def test_a_command_can_not_be_smuggled_into_an_address(harness: SmtpHarness) -> None:
    message = FakeMessage(Address("anna@a.example>\r\nRCPT TO:<eve", "b.example"))
    session = harness.transport().open()
    with pytest.raises(ValueError, match="control character"):
        session.deliver([message], RecordingJournal())
    session.close()
    assert not [line for line in harness.server.seen if "eve" in line]


def test_after_a_letter_that_may_not_go_the_session_goes_on_over_another_connection(
    harness: SmtpHarness,
) -> None:
    anna, bob = letters(ANNA, BOB)
    journal = RecordingJournal(allow=lambda batch: anna not in batch)
    session = harness.transport(timeout_s=60).open()
    session.deliver([anna], journal)
    session.deliver([bob], journal)
    session.close()
    judge(harness, [anna, bob], journal)
    assert Counter([BOB]) == harness.taken()
    assert 2 == harness.server.connections


def test_a_relay_that_hung_up_before_the_dot_leaves_no_doubt(harness: SmtpHarness) -> None:
    harness.server.behaviours["body"] = once(CUT)
    journal, (message,) = RecordingJournal(held=True), letters(ANNA)
    session = harness.transport().open()
    worker = threading.Thread(target=session.deliver, args=([message], journal))
    worker.start()
    assert harness.server.body_read.wait(10)
    assert harness.server.idle.wait(10)
    journal.release()
    worker.join(10)
    session.close()
    assert isinstance(journal.outcome(message), Deferred)
    assert Counter() == harness.taken()


def test_a_relay_that_offers_no_pipelining_gets_one_command_at_a_time(
    harness: SmtpHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[bytes] = []
    send = Connection.send

    def watched(connection: Connection, *pieces: bytes) -> None:
        writes.append(b"".join(pieces))
        send(connection, *pieces)

    monkeypatch.setattr(Connection, "send", watched)
    harness.server.extensions = PLAIN
    deliver(harness, letters(ANNA, BOB))
    commands = [write for write in writes if b"Subject:" not in write]
    assert [1] * (2 * 4 + 1) == [write.count(b"\r\n") for write in commands]


def test_the_answer_to_the_dot_may_take_longer_than_others(harness: SmtpHarness) -> None:
    def slowly(_earlier: int) -> None:
        threading.Event().wait(0.5)

    found, stopped = outcomes(harness, "dot", slowly, timeout_s=0.2)
    assert stopped is None
    assert all(isinstance(one, Accepted) for one in found)


def test_after_a_message_others_answers_are_waited_for_no_longer_than_before(
    harness: SmtpHarness,
) -> None:
    harness.server.behaviours["MAIL"] = after(1, SILENCE)
    session = harness.transport(timeout_s=0.2, final_timeout_s=3600).open()
    journal, (anna, bob) = RecordingJournal(), letters(ANNA, BOB)
    session.deliver([anna], journal)
    worker = threading.Thread(target=_until_stopped, args=(session, bob, journal), daemon=True)
    worker.start()
    worker.join(10)
    assert not worker.is_alive()
    session.close()
    judge(harness, [anna, bob], journal)
    assert Counter([ANNA]) == harness.taken()


def _until_stopped(session: SmtpSession, message: FakeMessage, journal: RecordingJournal) -> None:
    with contextlib.suppress(TransportStopped):
        session.deliver([message], journal)


def test_ehlo_tells_the_senders_domain_and_not_this_machines_name(harness: SmtpHarness) -> None:
    deliver(harness, letters(ANNA))
    assert "ehlo news.example" == harness.server.seen[0]


def test_the_body_is_not_ended_while_the_ledger_is_still_writing(harness: SmtpHarness) -> None:
    journal = RecordingJournal(held=True)
    session = harness.transport().open()
    worker = threading.Thread(target=session.deliver, args=(letters(ANNA), journal))
    worker.start()
    assert harness.server.body_read.wait(10)
    assert Counter() == harness.taken()
    journal.release()
    worker.join(10)
    assert Counter([ANNA]) == harness.taken()
    session.close()


def test_a_ledger_that_fails_in_the_body_voids_the_message(harness: SmtpHarness) -> None:
    class Broken(RecordingJournal):
        def settle(self, messages: object) -> bool:
            raise OSError("the disk is full")

    session = harness.transport().open()
    with pytest.raises(OSError, match="disk is full"):
        session.deliver(letters(ANNA), Broken())
    session.close()
    assert Counter() == harness.taken()


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    def server(self, authority: trustme.CA, name: str, *, implicit: bool) -> SmtpServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return SmtpServer(tls=context, implicit_tls=implicit, login=("user", "right"))

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    def test_a_verified_connection_carries_the_mail(
        self, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory, security: str
    ) -> None:
        ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        with self.server(authority, "127.0.0.1", implicit=security == "tls") as server:
            harness = SmtpHarness(server)
            _, stopped = deliver(harness, letters(ANNA, BOB), security=security, ca_file=ca_file)
        assert stopped is None
        assert Counter([ANNA, BOB]) == harness.taken()

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    @pytest.mark.parametrize("fault", ["unknown authority", "another name"])
    def test_an_untrusted_certificate_stops_before_anything_is_said(
        self,
        authority: trustme.CA,
        tmp_path_factory: pytest.TempPathFactory,
        security: str,
        fault: str,
    ) -> None:
        ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
        known = authority if fault == "another name" else trustme.CA()
        known.cert_pem.write_to_path(str(ca_file))
        name = "other.example" if fault == "another name" else "127.0.0.1"
        with self.server(authority, name, implicit=security == "tls") as server:
            _, stopped = deliver(
                SmtpHarness(server), letters(ANNA), security=security, ca_file=ca_file
            )
            seen = list(server.seen)
        assert stopped is not None
        assert "certificate" in stopped.what
        assert not [line for line in seen if line.startswith(("AUTH", "MAIL"))]

    def test_a_relay_without_starttls_gets_nothing(self, harness: SmtpHarness) -> None:
        _, stopped = deliver(harness, letters(ANNA), security="starttls")
        assert stopped is not None
        assert "STARTTLS" in stopped.what
        assert not [line for line in harness.server.seen if line.startswith("MAIL")]

    def test_plain_words_to_a_tls_port_are_explained(self, authority: trustme.CA) -> None:
        with self.server(authority, "127.0.0.1", implicit=True) as server:
            _, stopped = deliver(SmtpHarness(server), letters(ANNA), timeout_s=0.5)
        assert stopped is not None


def test_a_wrong_password_is_named_and_not_shown(harness: SmtpHarness) -> None:
    harness.server.login = ("user", "right")
    harness.password = "my-secret-guess"
    _, stopped = deliver(harness, letters(ANNA))
    assert stopped is not None
    assert "user name and password" in stopped.what
    assert "my-secret-guess" not in str(stopped)


def test_a_password_that_no_login_carries_is_named_and_not_shown(harness: SmtpHarness) -> None:
    harness.server.login = ("user", "right")
    harness.password = "geheimnisvoll-ß"
    _, stopped = deliver(harness, letters(ANNA))
    assert stopped is not None
    assert "ASCII" in stopped.what
    assert not [part for part in ("geheim", "ß", "xdf", "position") if part in str(stopped)]


def test_a_letter_in_more_pieces_than_one_write_takes_arrives_whole(harness: SmtpHarness) -> None:
    class Pieces(FakeMessage):
        def as_wire(self) -> list[bytes]:
            whole = self.as_bytes()
            return [whole[at : at + 1] for at in range(len(whole))]

    message = Pieces(Address.parse(ANNA), "Good morning.\n" * 200)
    journal, stopped = deliver(harness, [message])
    assert stopped is None
    assert isinstance(journal.outcome(message), Accepted)
    (mail,) = harness.server.accepted
    assert message.as_bytes() == mail.content


def test_pieces_larger_than_the_sockets_buffer_arrive_whole_and_in_order(
    harness: SmtpHarness,
) -> None:
    class Pieces(FakeMessage):
        def as_wire(self) -> list[bytes]:
            whole = self.as_bytes()
            return [whole[at : at + 50_000] for at in range(0, len(whole), 50_000)]

    text = "".join(f"{number:0900}\n" for number in range(6_000))
    message = Pieces(Address.parse(ANNA), text)
    _, stopped = deliver(harness, [message])
    assert stopped is None
    (mail,) = harness.server.accepted
    assert message.as_bytes() == mail.content


@pytest.mark.parametrize(
    "line", [b"", b"250 2.0.0 queu", b"250-2.0.0 one\r\n250", b"250 " + b"x" * 5000 + b"\r\n"]
)
def test_half_a_reply_is_none(line: bytes) -> None:
    with pytest.raises(ReplyError):
        read_reply(io.BytesIO(line))


def test_a_login_that_is_put_off_is_no_wrong_password(harness: SmtpHarness) -> None:
    harness.server.login = ("user", "right")
    _, stopped = outcomes(harness, "AUTH", always(b"454 4.7.0 try later"))
    assert stopped is not None
    assert "454 4.7.0 try later" in stopped.what


def test_a_relay_that_is_down_is_named() -> None:
    with SmtpServer() as server, refusing_port() as port:
        _, stopped = deliver(SmtpHarness(server), letters(ANNA), port=port)
    assert stopped is not None
    assert f"127.0.0.1:{port}" in str(stopped.where)


def test_after_so_many_failures_in_a_row_the_session_ends(harness: SmtpHarness) -> None:
    messages = letters(*(f"r{number}@a.example" for number in range(9)))
    harness.server.behaviours["dot"] = after(1, CUT)
    journal, stopped = deliver(harness, messages)
    assert stopped is not None
    found = [journal.outcome(message) for message in messages]
    assert isinstance(found[0], Accepted)
    assert all(isinstance(one, InDoubt) for one in found[1:5])
    assert [None] * 4 == found[5:]


def test_a_reply_cannot_steer_the_terminal_it_is_read_on(harness: SmtpHarness) -> None:
    found, _ = outcomes(harness, "RCPT", once(b"550 5.1.1 \x1b[2Jgone\x07"))
    assert Rejected("550 5.1.1 [2Jgone") == found[0]
