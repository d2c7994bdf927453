"""smtplib's greeting, EHLO, STARTTLS and AUTH over our own wire.

Each reply is bounded in size and time, brings back no secret, and is only
taken as the answer to a command if nothing was there before the command.
"""

from __future__ import annotations

import smtplib
from typing import Any

from newsletter.clock import Clock
from newsletter.transports.smtp_reply import ReplyError, read_lines
from newsletter.transports.smtp_wire import Wire
from newsletter.transports.words import Secrets


class Dialogue(smtplib.SMTP):
    """A connection in plain, which STARTTLS may encrypt.

    Args:
        host: the relay.
        port: where it listens.
        client_name: what EHLO says.
        timeout_s: how long connecting, a write or a reply may take, as a whole.
        clock: tells how long it took.
        secrets: what no reply may bring back.
        options: for the class that encrypts from the first octet on.

    Raises:
        OSError, ReplyError, smtplib.SMTPException: nobody is there, or nobody who greets us.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_name: str,
        *,
        timeout_s: float,
        clock: Clock,
        secrets: Secrets,
        **options: Any,
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._secrets = secrets
        self._wire: Wire | None = None
        super().__init__(host, port, client_name, timeout=timeout_s, **options)

    def wire(self) -> Wire:
        """The connection's wire.

        Raises:
            ReplyError: something came in plain that would be taken for the encrypted
                side's words (RFC 3207 5).
            smtplib.SMTPServerDisconnected: there is no connection.
        """
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection broke")
        if self._wire is None or self._wire.sock is not self.sock:
            if self._wire is not None and self._wire.unread:
                raise ReplyError("Something came between STARTTLS and the encryption.")
            self._wire = Wire(self.sock, patience_s=self._timeout_s, clock=self._clock)
        return self._wire

    def send(self, s: Any) -> None:
        """Write a command; smtplib's one way to do so.

        Raises:
            OSError, ReplyError: it cannot be written, or something is to be read already.
        """
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        try:
            self.wire().ask(data)
        except (OSError, ReplyError):
            self.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; smtplib's one way to do so. Its lines are joined by line feeds.

        Raises:
            OSError, ReplyError: none came, not in time, or what came is none.
        """
        try:
            wire = self.wire()
            wire.expect()
            code, texts = read_lines(wire)
        except (OSError, ReplyError):
            self.close()
            raise
        return code, self._secrets.hide("\n".join(texts)).encode()


class TlsDialogue(Dialogue, smtplib.SMTP_SSL):
    """A connection that is encrypted from the first octet on (RFC 8314)."""
