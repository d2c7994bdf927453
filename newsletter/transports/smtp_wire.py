"""The bytes of a connection to a relay: each write and each reply within a time, as a whole.

A timeout of the socket alone holds for each piece: a reply that drips one
octet every few seconds would outlast any of them. The buffer is our own, so
that what came unasked is seen wherever it lies: in it, in the TLS layer or in
the socket.
"""

from __future__ import annotations

import socket
import ssl

from newsletter.clock import Clock
from newsletter.system import readiness, send_pieces
from newsletter.transports.smtp_reply import ReplyError

_PIECE = 65_536
_MOST_PIECES = 1000
"""The kernel takes 1,024 (IOV_MAX) in one call."""


class Wire:
    """A connected socket; for one thread.

    Args:
        sock: the socket, in plain or under TLS.
        patience_s: how long a write or a reply may take, in seconds.
        clock: tells how long it took.
    """

    def __init__(self, sock: socket.socket, *, patience_s: float, clock: Clock) -> None:
        self.sock = sock
        self._clock = clock
        self.patience_s = patience_s
        sock.settimeout(patience_s)
        self._set_s = patience_s
        self._until = 0.0
        self._unread = bytearray()
        self._readable = readiness(sock)

    def ask(self, *commands: bytes) -> None:
        """Write commands in one go; each is to be answered.

        Raises:
            OSError: the connection broke, or took too long.
            ReplyError: something is to be read already, which would be taken for the answer.
        """
        if (why := self.unasked()) is not None:
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
        """A reply is read from now on; the time for it begins."""
        self._begin()

    def readline(self, size: int, /) -> bytes:
        """One line with its end, at most ``size`` octets; without an end where the peer's ended.

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
        """What came and no reply has taken, as far as it was read from the socket."""
        return bytes(self._unread)

    def unasked(self) -> str | None:
        """What came without a command, as far as can be seen without waiting; None: nothing.

        Never raises. Under TLS records of the protocol itself may lie in the
        socket (RFC 8446 4.6); they are read, and are nothing.
        """
        if self._unread:
            return "The relay spoke before it was asked."
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
        return "The relay spoke before it was asked." if piece else "The relay hung up."

    def _begin(self) -> None:
        self._until = self._clock.monotonic() + self.patience_s

    def _allow(self) -> None:
        """Let the socket wait for what is left of the time."""
        left_s = self._until - self._clock.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        # Each change is a system call or two: not for what a reply that is there took.
        if left_s < 0.9 * self._set_s or left_s > self._set_s:
            self.sock.settimeout(left_s)
            self._set_s = left_s
