"""HTTP to a provider, with one question always answered: can the request have left?

With :mod:`newsletter.transports.http_wire` the only user of requests. Nothing is
retried here, no redirect followed, no proxy taken from the environment, and an
idle connection is not used again: a stale one would make it unknowable whether
the request arrived.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import requests
from urllib3.exceptions import HTTPError

from newsletter.bounded_json import JSONRefused, read_json
from newsletter.clock import Clock
from newsletter.transports.http_wire import LARGEST_ANSWER, Adapter, Body, Limit

_CONNECT_TIMEOUT_S = 10.0
_IDLE_S = 5.0
_PAUSES = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-sib-ratelimit-reset")
_LONGEST_PAUSE = 100
"""Characters; a date has 29."""
_EPOCH_FROM = 100_000_000
"""A larger “seconds to wait” is a moment since 1970."""


class NeverLeft(Exception):
    """The request's body did not leave this machine, so the other side took nothing."""


class NoAnswer(Exception):
    """The request, or part of it, left, and no answer came: nobody knows what became of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``path`` is put behind the provider's base address and may hold a query.

    A path that begins with ``https://`` is a whole address, for what a provider
    keeps on another host.
    """

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: Literal["GET", "POST"] = "POST"
    proof: str = field(default="", repr=False)
    """What in it proves who asks and is another each time: a signature."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``body`` is None where it broke off."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_json(self) -> bool:
        """Whether it calls itself JSON, as a provider does and a gateway's error page does not."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json"

    def json(self) -> Any:
        """The body read as JSON; None where it is none, or not whole."""
        if not self.is_json or self.body is None:
            return None
        try:
            return read_json(self.body, max_bytes=LARGEST_ANSWER)
        except JSONRefused:
            return None


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
            NeverLeft: the other side did not get it.
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


def canonical_json(value: object) -> bytes:
    """JSON that is the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def retry_after_s(
    headers: Mapping[str, str], *, now: datetime, value: object = None
) -> float | None:
    """How long the other side asks to wait, in seconds, between a second and an hour.

    Reads Retry-After (RFC 9110 10.2.3: seconds or a date), else what providers
    give instead: ``RateLimit-Reset``, ``X-RateLimit-Reset`` and
    ``x-sib-ratelimit-reset`` (seconds, or the moment since 1970), else
    ``retry_after`` in the answer's JSON.

    Args:
        headers: the answer's, by names in any case.
        now: the present moment.
        value: the answer's JSON, if it has any.
    """
    told = {name.lower(): text for name, text in headers.items()}
    spelt = [told.get(name, "") for name in _PAUSES]
    if isinstance(value, dict):
        inner = value.get("error")
        spelt += [
            str(each.get("retry_after", "")) for each in (value, inner) if isinstance(each, dict)
        ]
    for text in spelt:
        if (asked := _seconds(text[:_LONGEST_PAUSE], now)) is not None:
            return min(max(asked, 1.0), 3600.0)
    return None


def _seconds(text: str, now: datetime) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(seconds):
            return None
        return seconds - now.timestamp() if seconds > _EPOCH_FROM else seconds
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()
