"""Seals: keyed digests over what is frozen, compared whenever it is used.

A digest that is never compared protects nothing, and one without a key can be
made anew by whatever changed what it covers. HMAC with SHA-256 (RFC 2104).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any

from newsletter.errors import LedgerRefused, Where
from newsletter.keyed_hash import keyed_hash

DELIVERY = "campaign, issue, round, address, domain, tag, name, language, fields, wave"
"""The columns of a delivery that are frozen, in the order in which they are sealed."""
INTACT = f"seal IS seal_of({DELIVERY})"
"""SQL: whether a delivery is what was frozen."""

FORGOTTEN_DOMAIN = "forgotten.invalid"
"""Of the address of a delivery whose reader was erased; nobody's (RFC 2606)."""
_BYTES = 16

_json = json.JSONEncoder(default=lambda value: ["bytes", value.hex()]).encode
_AS_JSON: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: repr,
    float: lambda value: repr(value) if isfinite(value) else _json(value),
    bytes: lambda value: f'["bytes", "{value.hex()}"]',
    type(None): lambda _: "null",
}
"""As ``_json`` writes each value, in half the time."""


def _told(values: Iterable[object]) -> str:
    """Values as JSON, which keeps neighbours apart, and the types too."""
    return f"[{', '.join([_AS_JSON.get(type(value), _json)(value) for value in values])}]"


def seal(key: bytes, values: Iterable[object]) -> bytes:
    """16 bytes that only who has ``key`` can make for exactly these values.

    Args:
        key: secret.
        values: text, numbers, bytes or None, as SQLite holds them.
    """
    return keyed_hash(key, _told(values).encode())[:_BYTES]


def reader_tag(key: bytes, address: str) -> bytes:
    """12 bytes that stand for exactly this address, as the ledger spells it.

    The tag of suppressions folds case; two readers may share that one. Of an address
    that was erased it is all that is left.
    """
    local, _, domain = address.rpartition("@")
    if domain == FORGOTTEN_DOMAIN:
        return bytes.fromhex(local)
    return keyed_hash(key, b"reader\0" + address.encode())[:12]


def version_seal(
    key: bytes,
    frozen: tuple[str, str, int, int],
    *,
    number: int,
    fingerprint: str,
    letterhead: str,
    contents: Mapping[str, str],
) -> bytes:
    """The seal of a version: over the campaign it belongs to and all that it sends.

    Args:
        key: secret.
        frozen: the campaign's id, issue, round and number of recipients.
        number: the version's.
        fingerprint: as written down with it.
        letterhead: as JSON.
        contents: the editions as JSON, by language.
    """
    editions = (part for each in sorted(contents.items()) for part in each)
    return seal(key, (*frozen, number, fingerprint, letterhead, *editions))


def broken(campaign: str, what: str) -> LedgerRefused:
    """The refusal for frozen content whose seal does not fit it."""
    return LedgerRefused(
        f"{what} is not what was frozen: the ledger was damaged, or changed by another program.",
        where=Where(item=f"campaign {campaign}"),
        next="Nothing more is sent. Keep the file, and put back a copy from before the change; "
        "“newsletter docs ledger” says more.",
    )
