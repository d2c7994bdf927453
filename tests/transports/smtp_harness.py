"""What the tests of SMTP share: our misbehaving server, the way to it, and one session's work."""

import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trustme
from newsletter.config import Smtp
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.protocol import Outcome
from newsletter.transports.smtp import SmtpTransport
from newsletter.transports.smtp_oauth import AccessToken

from tests.support.smtp_server import CUT, Behaviour, SmtpServer, once
from tests.transports.contract import ANNA, BOB, CLAIRE, judge

PLAIN = (b"SIZE 10000000", b"8BITMIME", b"SMTPUTF8")
"""What a server without PIPELINING offers."""
FIVE = (ANNA, BOB, CLAIRE, "d@d.example", "e@e.example")


def fault(name: str, state: str) -> pytest.MarkDecorator:
    """A row of the fault matrix."""
    return pytest.mark.fault("SMTP", name, state=state)


class SmtpHarness:
    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.password = "right"
        self.token: AccessToken | None = None
        self.clock = FrozenClock()

    def transport(self, **changes: object) -> SmtpTransport:
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "security": "none",
            "timeout_s": 5,
            "final_timeout_s": 5,
        }
        if self.token:
            values |= {"username": "user", "token": {"command": ["get-token"]}}
        elif self.server.login:
            values |= {"username": "user", "password": {"env": "UNUSED"}}
        values |= changes
        settings = Smtp.model_validate(values)
        return SmtpTransport(
            settings,
            credentials=[self.token or self.password, *[None] * len(settings.more)],
            client_name="news.example",
            clock=self.clock,
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


Issue = Callable[[], tuple[trustme.CA, trustme.LeafCert]]
"""Makes the authority that the client knows, and the certificate that the server shows."""


def good() -> tuple[trustme.CA, trustme.LeafCert]:
    authority = trustme.CA()
    return authority, authority.issue_cert("127.0.0.1")


def encrypted(issue: Issue, folder: Path, *, implicit: bool) -> tuple[SmtpServer, Path]:
    """A server with TLS and a login, and the file of the authority that the client knows."""
    authority, certificate = issue()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return SmtpServer(tls=context, implicit_tls=implicit, login=("user", "right")), ca_file


def deliver(
    harness: SmtpHarness, messages: Sequence[FakeMessage], **changes: object
) -> tuple[RecordingJournal, TransportStopped | None]:
    """One session's work, judged by the server's own count; the error that ended it, if any."""
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
    """What five messages meet at a server that misbehaves so in ``phase``."""
    harness.server.behaviours[phase] = behaviour
    messages = fake_messages(*FIVE)
    journal, stopped = deliver(harness, messages, **changes)
    return [journal.outcome(message) for message in messages], stopped
