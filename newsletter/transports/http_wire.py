"""The bytes of a call to a provider: sent in time, and answered within a limit.

A socket's own timeout holds for each piece; here the whole request has its
time, and the whole answer its time and size, headers and body.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from newsletter.clock import Clock
from newsletter.transports.http_values import LARGEST_ANSWER

_SLOWEST = 20_000
"""Octets of a request that a second is allowed for, besides the time to wait."""


class Body(io.BytesIO):
    """A request's body that knows whether anybody began to read it.

    urllib3 reads it only once it is connected, the TLS handshake is done and
    the headers are out. Exceptions do not tell: a handshake that failed and a
    TLS record spoilt after the request are both an SSLError.

    Args:
        content: the body.
        clock: tells how long it took.
        timeout_s: how long to wait besides the time that a body of its size may take.
    """

    touched = False

    def __init__(self, content: bytes, clock: Clock, timeout_s: float) -> None:
        super().__init__(content)
        self._clock = clock
        self._allowed_s = timeout_s + len(content) / _SLOWEST
        self._until: float | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Read on, and note it.

        Raises:
            TimeoutError: who is to get it takes too long over it.
        """
        self.touched = True
        now = self._clock.monotonic()
        self._until = self._until or now + self._allowed_s
        if now > self._until:
            raise TimeoutError("The request could not be sent in time")
        return super().read(size)


@dataclass(slots=True)
class Limit:
    """What one answer is allowed: time until ``until``, and so many octets."""

    clock: Clock
    until: float
    octets: int = LARGEST_ANSWER


class _Bounded(io.RawIOBase):
    """An answer's bytes, of which no more come than is allowed, and not for longer.

    A socket's own timeout holds for each piece: headers that drip one octet
    every few seconds would outlast it.
    """

    def __init__(self, sock: socket.socket, limit: Limit) -> None:
        self._sock = sock
        self._source = sock.makefile("rb", buffering=0)
        self._limit = limit

    def readable(self) -> bool:
        """As it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come, or wait for it.

        Raises:
            OSError: the time is over, or it is too large.
        """
        left_s = self._limit.until - self._limit.clock.monotonic()
        if left_s <= 0:
            raise TimeoutError("No whole answer came in time")
        self._sock.settimeout(left_s)
        count = self._source.readinto(buffer) or 0
        self._limit.octets -= count
        if self._limit.octets < 0:
            raise OSError("The answer is too large")
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._source.close()
        super().close()


class Adapter(HTTPAdapter):
    """One connection without repeats, whose answers keep to a limit.

    Args:
        limit: makes the limit of an answer that begins.
    """

    def __init__(self, limit: Callable[[], Limit]) -> None:
        self._limit = limit
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make pools of connections whose answers are bounded."""
        limit = self._limit

        class Response(http.client.HTTPResponse):
            def __init__(self, sock: socket.socket, *more: Any, **named: Any) -> None:
                super().__init__(sock, *more, **named)
                self.fp.close()
                self.fp = io.BufferedReader(_Bounded(sock, limit()))

        class Plain(HTTPConnection):
            response_class = Response

        class Encrypted(HTTPSConnection):
            response_class = Response

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
