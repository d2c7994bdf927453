"""aiosmtpd as a receiver: an SMTP server that we did not write."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

Received = tuple[str | None, str, bytes]
"""Envelope sender, recipient and content of one letter."""


class _Keeper:
    def __init__(self) -> None:
        self.received: list[Received] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks for this name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.received.append((envelope.mail_from, envelope.rcpt_tos[0], envelope.content))
        return "250 kept"


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call] # as aiosmtpd has it


@contextmanager
def receiver() -> Iterator[tuple[int, list[Received]]]:
    """A server on a free port, and what it received."""
    keeper = _Keeper()
    controller = _OnAnyPort(keeper, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield controller.port, keeper.received
    finally:
        controller.stop()
