"""The transport against a server we did not write that asks for STARTTLS and AUTH: aiosmtpd."""

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from newsletter.config import Smtp
from newsletter.errors import TransportStopped
from newsletter.testing import FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, Scope
from newsletter.transports.smtp import SmtpTransport
from newsletter.transports.smtp_oauth import AccessToken

from tests.transports.contract import ANNA, BOB, CLAIRE, TransportContract, deliver, judge


class Keeper:
    """Keeps what it took; says to each recipient what it was told to."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []
        self.answers: dict[str, str] = {}
        self.token = ""
        self.ended: list[object] = []
        """How clients answered the reason why their token is refused."""

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - as above
        return await self._auth(server, args, f"user=user\1auth=Bearer {self.token}\1\1")

    async def auth_OAUTHBEARER(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - as above
        assert server.transport is not None
        host, port = server.transport.get_extra_info("sockname")
        place = f"host={host}\1port={port}"
        return await self._auth(server, args, f"n,a=user,\1{place}\1auth=Bearer {self.token}\1\1")

    async def _auth(self, server: SMTP, args: list[str], wanted: str) -> AuthResult:
        said = base64.b64decode(args[1]) if len(args) > 1 else await server.challenge_auth("")
        if said == wanted.encode():
            return AuthResult(success=True)
        self.ended.append(await server.challenge_auth('{"status":"401","schemes":"bearer"}'))
        return AuthResult(success=False, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get(address, "250 2.1.5 ok")

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert session.ssl is not None
        assert session.authenticated
        assert isinstance(envelope.content, bytes)
        self.mails.append((envelope.rcpt_tos[0], envelope.content))
        return "250 2.0.0 kept"


def knows(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"user", b"right"), handled=False)


class OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        # It knocks at its own port, which is known only now that it listens.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class AiosmtpdHarness:
    def __init__(self, folder: Path, *, without: Sequence[str] = ()) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.keeper = Keeper()
        self.password = "right"
        self.token: AccessToken | None = None
        self.controller = OnAnyPort(
            self.keeper,
            hostname="127.0.0.1",
            port=0,
            tls_context=context,
            require_starttls=True,
            authenticator=knows,
            auth_required=True,
            auth_exclude_mechanism=without,
            enable_SMTPUTF8=True,
        )

    def transport(self) -> SmtpTransport:
        settings = Smtp.model_validate(
            {
                "host": "127.0.0.1",
                "port": self.controller.port,
                "ca_file": self.ca_file,
                "username": "user",
                "token" if self.token else "password": {"env": "UNUSED"},
                "timeout_s": 5,
                "final_timeout_s": 5,
            }
        )
        return SmtpTransport(
            settings,
            credentials=[self.token or self.password],
            client_name="news.example",
            clock=FrozenClock(),
        )

    def taken(self) -> Counter[str]:
        return Counter(recipient for recipient, _ in self.keeper.mails)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[AiosmtpdHarness]:
    made = AiosmtpdHarness(tmp_path)
    made.controller.start()
    yield made
    made.controller.stop()


class TestAiosmtpd(TransportContract):
    pass


def test_the_letter_arrives_as_written_over_tls_and_login(harness: AiosmtpdHarness) -> None:
    (message,) = fake_messages(ANNA, text=".\n..\n.hidden\n\nä\nend\n.\n")
    assert deliver(harness, [message], RecordingJournal()) is None
    assert [(ANNA, message.as_bytes())] == harness.keeper.mails


def test_a_wrong_password_stops_the_run_before_a_letter_is_named(harness: AiosmtpdHarness) -> None:
    harness.password = "wrong"
    journal = RecordingJournal()
    stopped = deliver(harness, fake_messages(ANNA), journal)
    assert isinstance(stopped, TransportStopped)
    assert "does not accept the user name and password" in stopped.what
    assert {} == journal.outcomes
    assert Counter() == harness.taken()


def test_each_recipient_has_the_answer_that_was_theirs(harness: AiosmtpdHarness) -> None:
    harness.keeper.answers = {
        ANNA: "450 4.7.1 greylisted, retry in 5 minutes",
        BOB: "454 4.7.0 Throttling failure: Maximum sending rate exceeded",
    }
    journal, messages = RecordingJournal(), fake_messages(CLAIRE, ANNA, BOB, "d@d.example")
    assert deliver(harness, messages, journal) is None
    judge(harness, messages, journal)
    claire, anna, bob, last = map(journal.outcome, messages)
    assert Accepted("250 2.0.0 kept") == claire
    assert Deferred(harness.keeper.answers[ANNA], retry_after_s=300) == anna
    assert Deferred(harness.keeper.answers[BOB], Scope.ACCOUNT) == bob
    assert last is None


MECHANISMS = ("OAUTHBEARER", "XOAUTH2")


@pytest.fixture(params=MECHANISMS)
def oauth(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AiosmtpdHarness]:
    others = [mechanism for mechanism in MECHANISMS if mechanism != request.param]
    made = AiosmtpdHarness(tmp_path, without=others)
    made.controller.start()
    yield made
    made.controller.stop()


@pytest.mark.parametrize("length", [40, 650], ids=["in the command", "when it is asked for"])
def test_a_token_logs_in(oauth: AiosmtpdHarness, length: int) -> None:
    oauth.keeper.token = "t" * length
    oauth.token = AccessToken(lambda: oauth.keeper.token)
    assert deliver(oauth, fake_messages(ANNA, BOB), RecordingJournal()) is None
    assert Counter([ANNA, BOB]) == oauth.taken()


def test_a_token_that_has_expired_is_replaced(oauth: AiosmtpdHarness) -> None:
    tokens = iter(["old", "new"])
    oauth.keeper.token = "new"
    oauth.token = AccessToken(lambda: next(tokens))
    assert deliver(oauth, fake_messages(ANNA), RecordingJournal()) is None
    assert Counter([ANNA]) == oauth.taken()
    assert 1 == len(oauth.keeper.ended)


def test_a_token_that_is_refused_twice_stops_the_run(oauth: AiosmtpdHarness) -> None:
    tokens = iter(["old", "new"])
    oauth.keeper.token = "another"
    oauth.token = AccessToken(lambda: next(tokens))
    stopped = deliver(oauth, fake_messages(ANNA), RecordingJournal())
    assert isinstance(stopped, TransportStopped)
    assert "does not accept the access token for user: 535 5.7.8" in stopped.what
    assert '{"status":"401","schemes":"bearer"}' in stopped.what
    assert oauth.keeper.ended in ([b"\1", b"\1"], [b"", b""])
