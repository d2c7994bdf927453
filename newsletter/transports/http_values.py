"""Requests to a provider and its answers, as values: written, and read safely. No I/O."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address as Named
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from newsletter.bounded_json import JSONRefused, read_json

LARGEST_ANSWER = 4_000_000
"""Octets, with the headers."""
_LONGEST_ID = 256
_PAUSES = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-sib-ratelimit-reset")
_LONGEST_PAUSE = 100
"""Characters; a date has 29."""
_EPOCH_FROM = 100_000_000
"""A larger “seconds to wait” is a moment since 1970."""


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
class Response:
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


def canonical_json(value: object) -> bytes:
    """JSON that is the same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def retry_after_s(
    headers: Mapping[str, str], *, now: datetime, value: object = None
) -> float | None:
    """How long the server asks to wait, in seconds, between a second and an hour.

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


def at(value: Any, *path: str | int) -> Any:
    """What stands at a place of an answer, such as ``at(row, "To", 0, "Email")``; else None."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and len(value) > step else None
    return value


def text_at(value: Any, *path: str | int) -> str | None:
    """As :func:`at`, where it is text."""
    found = at(value, *path)
    return found if isinstance(found, str) else None


def objects_at(value: Any, *path: str | int) -> list[dict[str, Any]]:
    """The objects in the list that stands at a place of an answer."""
    found = at(value, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def valid_id(value: object) -> str | None:
    """An id that a provider gave, if it can be one."""
    fits = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()
    return str(value) if fits else None


def without_empty(payload: Mapping[str, object]) -> dict[str, object]:
    """``payload`` without what is None or an empty list."""
    return {name: value for name, value in payload.items() if value is not None and value != []}


def bearer(secret: str) -> dict[str, str]:
    """The header Authorization with a token (RFC 6750)."""
    return {"Authorization": f"Bearer {secret}"}


def basic(user: str, password: str) -> dict[str, str]:
    """The header Authorization with a name and a password (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def pairs(
    headers: Mapping[str, str], *, name: str = "name", value: str = "value"
) -> list[dict[str, str]]:
    """Headers as a list, for providers that want no mapping."""
    return [{name: key, value: text} for key, text in headers.items()]


def headers_without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """Headers but for those that a provider sets itself or refuses."""
    left_out = {name.lower() for name in names}
    return {name: text for name, text in headers.items() if name.lower() not in left_out}


def name_addr(name: str, address: str) -> str:
    """``"Lind, Anna" <anna@a.example>``, quoted where RFC 5322 asks for it."""
    local, _, domain = address.rpartition("@")
    return str(Named(display_name=name, username=local, domain=domain))


def person(name: str, address: str) -> dict[str, str]:
    """An address as most providers write it in JSON; the name only where there is one."""
    return {"email": address, "name": name} if name else {"email": address}
