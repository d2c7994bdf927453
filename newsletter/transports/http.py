"""HTTP to a provider, with one question always answered: can the request have left?

With :mod:`newsletter.transports.http_wire` the only user of requests. Nothing is
retried here, no redirect followed, no proxy taken from the environment, and an
idle connection is not used again: a stale one would make it unknowable whether
the request arrived.
"""

from __future__ import annotations

import requests
from urllib3.exceptions import HTTPError

from newsletter.clock import Clock
from newsletter.transports.http_values import Answer, Request
from newsletter.transports.http_wire import Adapter, Body, Limit

_CONNECT_TIMEOUT_S = 10.0
_IDLE_S = 5.0


class NeverLeft(Exception):
    """The request's body did not leave this machine, so the server took nothing."""


class NoAnswer(Exception):
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
        adapter = Adapter(self._limit)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.headers.clear()
        self._session.headers.update(
            {"Accept-Encoding": "identity", "User-Agent": "newsletter/0.1"}
        )

    def send(self, request: Request) -> Answer:
        """Make a request, once.

        Raises:
            NeverLeft: the server did not get it.
            NoAnswer: it may have.
        """
        if self._clock.monotonic() - self._used_at > _IDLE_S:
            self._session.close()
        watched = Body(request.body, self._clock, self._timeout_s)
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
                return Answer(response.status_code, response.headers, self._read(response))
        except (OSError, HTTPError, ValueError) as error:  # requests' own errors are OSErrors
            self._session.close()
            kind = NoAnswer if watched.touched else NeverLeft
            raise kind(_why(error)) from None
        finally:
            self._used_at = self._clock.monotonic()

    def close(self) -> None:
        """End the connection. Never raises."""
        self._session.close()

    def _limit(self) -> Limit:
        """What an answer that begins is allowed."""
        return Limit(self._clock, self._clock.monotonic() + self._timeout_s)

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
