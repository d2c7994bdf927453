"""HMAC with SHA-256 (RFC 2104), for many messages under one key. Pure."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

_BLOCK_BYTES = 64


def keyed_hash(key: bytes, message: bytes) -> bytes:
    """HMAC with SHA-256 (RFC 2104), 32 bytes; for many messages under one key.

    Args:
        key: at most 64 bytes.
        message: what is hashed.
    """
    started, ended = _hmac_of(key)
    inner, outer = started.copy(), ended.copy()
    inner.update(message)
    outer.update(inner.digest())
    digest: bytes = outer.digest()
    return digest


@lru_cache(maxsize=256)
def _hmac_of(key: bytes) -> tuple[Any, Any]:
    """SHA-256 that took in the inner and the outer key, to be copied.

    ``hmac.digest`` takes in both anew for each message, at twice the cost.
    """
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    return sha256(bytes(b ^ 0x36 for b in padded)), sha256(bytes(b ^ 0x5C for b in padded))
