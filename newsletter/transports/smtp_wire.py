"""The bytes of a connection to a relay, and smtplib's commands over them.

A socket's timeout applies to each piece: a reply that drips one octet every few
seconds would outlast it. Here each write and each reply has a timeout as a whole.
Unsolicited bytes are seen wherever they are: in our buffer, in the TLS layer or
in the socket.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import Any

from newsletter.clock import Clock
from newsletter.system import readiness, send_pieces
from newsletter.transports.redaction import Redactor
from newsletter.transports.smtp_reply import ReplyError, read_lines

_PIECE = 65_536
_MOST_PIECES = 1000
"""The kernel takes 1,024 (IOV_MAX) in one call."""


class Wire:
    """A connected socket; for one thread.

    Args:
        sock: the socket, in plain or under TLS.
        timeout_s: how long a write or a reply may take as a whole, in seconds.
        clock: measures the timeouts.
    """

    def __init__(self, sock: socket.socket, *, timeout_s: float, clock: Clock) -> None:
        self.sock = sock
        self._clock = clock
        self.timeout_s = timeout_s
        sock.settimeout(timeout_s)
        self._set_s = timeout_s
        self._until = 0.0
        self._unread = bytearray()
        self._readable = readiness(sock)

    def send_command(self, *commands: bytes) -> None:
        """Write commands in one go; the relay answers each.

        Raises:
            OSError: the connection broke, or took too long.
            ReplyError: something is to be read already, which would be taken for the answer.
        """
        if (why := self.unsolicited()) is not None:
            raise ReplyError(why)
        self.send(*commands)

    def send(self, *pieces: bytes) -> None:
        """Write ``pieces``, one after the other and where possible without copying them.

        Raises:
            OSError: the connection broke, or took too long.
        """
        self._begin()
        if isinstance(self.sock, ssl.SSLSocket):
            # Its sendall waits anew for each record.
            rest = memoryview(b"".join(pieces))
            while rest:
                self._allow()
                rest = rest[self.sock.send(rest) :]
            return
        self._allow()
        if not 1 < len(pieces) <= _MOST_PIECES:
            self.sock.sendall(b"".join(pieces))
            return
        sent = send_pieces(self.sock, pieces)
        if sent < sum(map(len, pieces)):
            self.sock.sendall(memoryview(b"".join(pieces))[sent:])

    def expect(self) -> None:
        """A reply is read next; its timeout begins."""
        self._begin()

    def readline(self, size: int, /) -> bytes:
        """One line with its end, at most ``size`` octets; without its end if the relay hung up.

        Raises:
            OSError: the connection broke, or the time of :meth:`expect` is over.
        """
        looked = 0
        while (end := self._unread.find(b"\n", looked, size)) < 0 and len(self._unread) < size:
            looked = len(self._unread)
            self._allow()
            piece = self.sock.recv(_PIECE)
            if not piece:
                break
            self._unread += piece
        length = end + 1 if end >= 0 else min(size, len(self._unread))
        line = bytes(self._unread[:length])
        del self._unread[:length]
        return line

    @property
    def unread(self) -> bytes:
        """Bytes that were read from the socket and belong to no reply yet."""
        return bytes(self._unread)

    def unsolicited(self) -> str | None:
        """What arrived without a command, without waiting for it; None: nothing.

        Never raises. Records of TLS itself, such as session tickets (RFC 8446 4.6),
        are read and do not count.
        """
        if self._unread:
            return "The relay replied before a command."
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
        if not pending and not self._readable():
            return None
        try:
            self.sock.settimeout(0)
            self._set_s = 0.0
            piece = self.sock.recv(_PIECE)
        except (ssl.SSLWantReadError, BlockingIOError):
            return None
        except OSError as error:
            return f"The connection broke: {error.strerror or error}."
        self._unread += piece
        return "The relay replied before a command." if piece else "The relay hung up."

    def _begin(self) -> None:
        self._until = self._clock.monotonic() + self.timeout_s

    def _allow(self) -> None:
        """Give the socket the rest of the timeout."""
        left_s = self._until - self._clock.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        # Each change costs a system call or two, so small differences are ignored.
        if left_s < 0.9 * self._set_s or left_s > self._set_s:
            self.sock.settimeout(left_s)
            self._set_s = left_s


class Dialogue(smtplib.SMTP):
    """smtplib's greeting, EHLO, STARTTLS and AUTH over our wire; STARTTLS may encrypt it.

    Each reply is limited in size and time and contains no secret. It counts as the
    answer to a command only if nothing was there before the command.

    Args:
        host: the relay.
        port: where it listens.
        client_name: what EHLO says.
        timeout_s: how long connecting, a write or a reply may take as a whole, in seconds.
        clock: measures the timeouts.
        secrets: are removed from replies.
        options: for the class that encrypts from the first octet on.

    Raises:
        OSError, ReplyError, smtplib.SMTPException: no server answers, or none greets us.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_name: str,
        *,
        timeout_s: float,
        clock: Clock,
        secrets: Redactor,
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
            ReplyError: unencrypted bytes came that would count as encrypted ones
                (RFC 3207 5).
            smtplib.SMTPServerDisconnected: there is no connection.
        """
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection broke")
        if self._wire is None or self._wire.sock is not self.sock:
            if self._wire is not None and self._wire.unread:
                raise ReplyError("Something came between STARTTLS and the encryption.")
            self._wire = Wire(self.sock, timeout_s=self._timeout_s, clock=self._clock)
        return self._wire

    def send(self, s: Any) -> None:
        """Write a command; smtplib's one way to do so.

        Raises:
            OSError, ReplyError: it cannot be written, or something is to be read already.
        """
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        try:
            self.wire().send_command(data)
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
        return code, self._secrets.mask("\n".join(texts)).encode()


class TlsDialogue(Dialogue, smtplib.SMTP_SSL):
    """A connection that is encrypted from the first octet on (RFC 8314)."""
