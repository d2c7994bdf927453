"""A relay of a server that we did not write, aiosmtpd: it keeps what it takes."""

from __future__ import annotations

import asyncio
import contextlib
import email.policy
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from newsletter.clock import SystemClock
from newsletter.config import RelayAccess
from newsletter.message.model import Message
from newsletter.web.confirmations import Confirmations

FROM = "confirm@defenders.example"
NAME = "Defenders’ Newsletter"
USER = "confirm"
_WITHIN_S = 30


@dataclass(frozen=True)
class Taken:
    """A mail that the relay took."""

    sender: str
    recipient: str
    content: bytes

    @property
    def mail(self) -> EmailMessage:
        """Its content, read by the standard library."""
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def body(self, kind: str) -> str:
        """Its text or HTML part."""
        part = self.mail.get_body((kind,))
        assert part is not None
        text = part.get_content()
        assert isinstance(text, str)
        return text.replace("\r\n", "\n")

    @property
    def link(self) -> str:
        """Where it leads."""
        (link,) = (line for line in self.body("plain").split("\n") if line.startswith("http"))
        return link.strip()


@dataclass
class Relay:
    """What it took, and what it says to RCPT by address."""

    mails: list[Taken] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    port: int = 0
    held: threading.Event | None = None
    """Answers to DATA wait for it, if it is there."""
    meanwhile: Callable[[str], None] | None = None
    """Called with the recipient of each mail before it is answered, on a thread of its own."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get(address, self.answers.get("*", "250 2.1.5 ok"))

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        while self.held is not None and not self.held.is_set():
            await asyncio.sleep(0.01)
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        self.mails.append(Taken(envelope.mail_from, envelope.rcpt_tos[0], envelope.content))
        if self.meanwhile is not None:
            await asyncio.to_thread(self.meanwhile, envelope.rcpt_tos[0])
        return "250 2.0.0 kept"

    def wait_for(self, number: int) -> list[Taken]:
        """The mails, once there are so many."""
        until = time.monotonic() + _WITHIN_S
        while len(self.mails) < number and time.monotonic() < until:
            time.sleep(0.01)
        assert number == len(self.mails)
        return self.mails

    def settings(self) -> RelayAccess:
        """How to get there."""
        return RelayAccess(host="127.0.0.1", port=self.port, security="none")


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        # It knocks at its own port, which is known only now that it listens.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def relay_running(*, password: str = "") -> Iterator[Relay]:
    """A relay on a port of this machine; with a password, for :data:`USER` alone."""
    relay = Relay()

    def knows(*given: object) -> AuthResult:
        login = given[-1]
        right = isinstance(login, LoginPassword) and (login.login, login.password) == (
            USER.encode(),
            password.encode(),
        )
        return AuthResult(success=right)

    controller = _OnAnyPort(
        relay,
        hostname="127.0.0.1",
        port=0,
        enable_SMTPUTF8=True,
        authenticator=knows,
        auth_required=bool(password),
        auth_require_tls=False,
    )
    controller.start()
    try:
        relay.port = controller.port
        yield relay
    finally:
        controller.stop()


class CountedConfirmations(Confirmations):
    """What sends confirmations, and to whom it was told to, before whoever asked is answered."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.added: list[str] = []

    def add(self, message: Message) -> bool:
        self.added.append(str(message.envelope_to))
        return super().add(message)


@contextlib.contextmanager
def confirmations_to(relay: Relay) -> Iterator[CountedConfirmations]:
    """What sends confirmations there."""
    sender = CountedConfirmations(
        relay.settings(), sender=FROM, credential=None, clock=SystemClock()
    )
    with contextlib.closing(sender):
        yield sender
