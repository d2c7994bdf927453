"""Fields of a provider's JSON and headers: how they are written, and read safely. No I/O."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from email.headerregistry import Address as Named
from typing import Any

_LONGEST_ID = 256


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


def rows(value: Any, *path: str | int) -> list[dict[str, Any]]:
    """The objects in the list that stands at a place of an answer."""
    found = at(value, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def known_id(value: object) -> str | None:
    """An id that a provider gave, if it can be one."""
    fits = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()
    return str(value) if fits else None


def given(payload: Mapping[str, object]) -> dict[str, object]:
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


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """Headers but for those that a provider sets itself or refuses."""
    left_out = {name.lower() for name in names}
    return {name: text for name, text in headers.items() if name.lower() not in left_out}


def named(name: str, address: str) -> str:
    """``"Lind, Anna" <anna@a.example>``, quoted where RFC 5322 asks for it."""
    local, _, domain = address.rpartition("@")
    return str(Named(display_name=name, username=local, domain=domain))


def person(name: str, address: str) -> dict[str, str]:
    """An address as most providers write it in JSON; the name only where there is one."""
    return {"email": address, "name": name} if name else {"email": address}
