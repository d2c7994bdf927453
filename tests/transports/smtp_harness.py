"""What the tests of SMTP share: our misbehaving server, the way to it, and one session's work."""

from collections import Counter
from collections.abc import Sequence

import pytest
from newsletter.config import Smtp
from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.protocol import Outcome
from newsletter.transports.smtp import SmtpTransport

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
        self.clock = FrozenClock()

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
            Smtp.model_validate(values),
            passwords=[self.password],
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
