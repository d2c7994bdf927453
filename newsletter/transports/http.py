"""HTTP to a provider, with one question always answered: can the request have left?

With :mod:`newsletter.transports.http` the only user of requests. Nothing is
retried here, no redirect followed, no proxy taken from the environment, and an
idle connection is not used again: a stale one would make it unknowable whether
the request arrived.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from newsletter.clock import Clock
from newsletter.transports.http_values import LARGEST_ANSWER, Request, Response

_CONNECT_TIMEOUT_S = 10.0
_IDLE_S = 5.0
_SLOWEST = 20_000
"""Octets of a request that may take a second each, besides the timeout."""


class NotSent(Exception):
    """The request's body did not leave this machine, so the server took nothing."""


class NoResponse(Exception):
    """The request, or part of it, left, and no answer came: nobody knows what became of it."""


class HttpClient:
    """One connection to one provider; for one thread.

    Args:
        base_url: what every path is put behind.
        timeout_s: how long to wait for an answer, headers and body, in seconds.
        clock: tells how long the connection was idle.
    """

    def __init__(self, base_url: str, *, timeout_s: float, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._timeout_s = timeout_s
        self._clock = clock
        self._used_at = clock.monotonic()
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = _Adapter(clock, timeout_s)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.headers.clear()
        self._session.headers.update(
            {"Accept-Encoding": "identity", "User-Agent": "newsletter/0.1"}
        )

    def send(self, request: Request) -> Response:
        """Make a request, once.

        Raises:
            NotSent: the server did not get it.
            NoResponse: it may have.
        """
        if self._clock.monotonic() - self._used_at > _IDLE_S:
            self._session.close()
        watched = RequestBody(request.body, self._clock, self._timeout_s)
        try:
            with self._session.request(
                request.method,
                _address(self._base_url, request.path),
                data=watched if request.method == "POST" else None,
                headers=dict(request.headers),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Response(response.status_code, response.headers, self._read(response))
        except (OSError, HTTPError, ValueError) as error:  # requests' own errors are OSErrors
            self._session.close()
            kind = NoResponse if watched.touched else NotSent
            raise kind(_why(error)) from None
        finally:
            self._used_at = self._clock.monotonic()

    def close(self) -> None:
        """End the connection. Never raises."""
        self._session.close()

    def _read(self, response: requests.Response) -> bytes | None:
        """The whole body, or None: the status is an answer even where the rest is lost."""
        received = bytearray()
        try:
            while chunk := response.raw.read1(65_536):
                received += chunk
        except (OSError, HTTPError, ValueError):
            return None
        return bytes(received)


def _address(base_url: str, path: str) -> str:
    return path if path.startswith("https://") else base_url + path


def _why(error: Exception) -> str:
    """The innermost reason, without the request's address and object names around it."""
    seen = error
    while True:
        inner = getattr(seen, "reason", None) or next(
            (each for each in seen.args if isinstance(each, Exception)), None
        )
        if not isinstance(inner, Exception):
            break
        seen = inner
    text = str(seen.args[-1] if seen.args else seen).rpartition(">: ")[2].rpartition("): ")[2]
    return text.rstrip(".") or type(seen).__name__


class RequestBody(io.BytesIO):
    """A request's body that knows whether urllib3 began to send it.

    urllib3 reads it only once the connection is open, the TLS handshake is done and
    the headers are sent. Exceptions do not show that: a failed handshake and a bad
    TLS record after the request are both an SSLError.

    Args:
        content: the body.
        clock: measures the timeout.
        timeout_s: besides the time that a body of this size may take, in seconds.
    """

    touched = False

    def __init__(self, content: bytes, clock: Clock, timeout_s: float) -> None:
        super().__init__(content)
        self._clock = clock
        self._allowed_s = timeout_s + len(content) / _SLOWEST
        self._until: float | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Read the next octets, and note that.

        Raises:
            TimeoutError: the server takes it too slowly.
        """
        self.touched = True
        now = self._clock.monotonic()
        self._until = self._until or now + self._allowed_s
        if now > self._until:
            raise TimeoutError("The request could not be sent in time")
        return super().read(size)


class _BoundedSocket(io.RawIOBase):
    """A response's octets from a socket, limited in time and size.

    Args:
        sock: the socket.
        clock: measures the timeout.
        timeout_s: for the whole response, in seconds.
    """

    def __init__(self, sock: socket.socket, clock: Clock, timeout_s: float) -> None:
        self._sock = sock
        self._source = sock.makefile("rb", buffering=0)
        self._clock = clock
        self._until = clock.monotonic() + timeout_s
        self._octets_left = LARGEST_ANSWER

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived, or wait for it.

        Raises:
            OSError: the timeout is over, or the response is too large.
        """
        left_s = self._until - self._clock.monotonic()
        if left_s <= 0:
            raise TimeoutError("No whole answer came in time")
        self._sock.settimeout(left_s)
        count = self._source.readinto(buffer) or 0
        self._octets_left -= count
        if self._octets_left < 0:
            raise OSError("The answer is too large")
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._source.close()
        super().close()


class _TrustingAsThisMachine(HTTPSConnection):
    """Verifies as SMTP does, against this machine's authorities; requests adds its own list.

    Among them is that of an organisation that opens its users' TLS.
    """

    def connect(self) -> None:
        """Connect and verify the certificate."""
        self.ssl_context = ssl.create_default_context()
        super().connect()


class _Adapter(HTTPAdapter):
    """One connection without retries, whose responses are limited in time and size.

    Args:
        clock: measures the timeout.
        timeout_s: for a whole response, in seconds.
    """

    def __init__(self, clock: Clock, timeout_s: float) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        super().__init__(max_retries=0, pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make pools of connections whose responses are limited."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": self._pool(HTTPConnectionPool, HTTPConnection),
            "https": self._pool(HTTPSConnectionPool, _TrustingAsThisMachine),
        }

    def _pool(self, pool: type[Any], connection: type[Any]) -> type[Any]:
        limited = type("Limited", (connection,), {"response_class": staticmethod(self._response)})
        return type("LimitedPool", (pool,), {"ConnectionCls": limited})

    def _response(self, sock: socket.socket, *more: Any, **named: Any) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(sock, *more, **named)
        response.fp.close()
        response.fp = io.BufferedReader(_BoundedSocket(sock, self._clock, self._timeout_s))
        return response
