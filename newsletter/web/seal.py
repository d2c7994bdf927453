"""Sealed boxes: what the public server writes down and cannot read again. No I/O.

A box is the number of the officer's key (2 bytes) and a libsodium sealed box
(X25519, XSalsa20-Poly1305, made under a key of its own that is thrown away). All
boxes of one use are equally long, so that their length tells nothing; those of
webhooks have the next of a few lengths. A box proves nothing about who made it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from newsletter.bounded_json import JSONRefused, read_json

ENTRY_BYTES = 1024
"""How long the content of a log's entry is before it is sealed, padding and all."""
FORM_BYTES = 512
"""The same for what a form asks: its box fits into an entry, and into a link."""

WEBHOOK_BYTES = tuple(2048 << number for number in range(11))
"""The same for webhooks, of which one can be much longer than another: 2 KiB to 2 MiB."""

_NUMBER_BYTES = 2
_SEAL_BYTES = 48


def seal(content: Mapping[str, Any], box: bytes, number: int, *, size: int = ENTRY_BYTES) -> bytes:
    """Seal ``content`` so that only the officer's key opens it.

    Args:
        content: JSON values.
        box: the officer's public key, 32 bytes.
        number: the number of that key, 1 to 65535.
        size: how long the content is made with zero bytes.

    Returns:
        ``size`` and 50 bytes.

    Raises:
        ValueError: the content is longer than ``size``.
    """
    text = _text(content)
    if len(text) > size:
        raise ValueError(f"the content is longer than {size} bytes")
    sealed = SealedBox(PublicKey(box)).encrypt(text.ljust(size, b"\0"))
    return number.to_bytes(_NUMBER_BYTES, "big") + sealed


def webhook_size(content: Mapping[str, Any]) -> int:
    """How long a webhook's content is made: the shortest of :data:`WEBHOOK_BYTES` that holds it.

    Raises:
        ValueError: none does.
    """
    length = len(_text(content))
    found = next((size for size in WEBHOOK_BYTES if size >= length), None)
    if found is None:
        raise ValueError(f"the content is longer than {WEBHOOK_BYTES[-1]} bytes")
    return found


def sealed_length(size: int) -> int:
    """Bytes of a box whose content was made ``size`` bytes long."""
    return _NUMBER_BYTES + size + _SEAL_BYTES


def unseal(box: bytes, keys: Mapping[int, bytes]) -> dict[str, Any] | None:
    """What a box holds; None if no key opens it, or it holds no JSON object. Never raises.

    Args:
        box: as :func:`seal` made it, or whatever somebody else put there.
        keys: the officer's private keys of 32 bytes each by their number; the one
            that the box names is tried first.
    """
    if len(box) not in _lengths():
        return None
    number = int.from_bytes(box[:_NUMBER_BYTES], "big")
    others = (key for each, key in keys.items() if each != number)
    named = [keys[number]] if number in keys else []
    return _content(_opened(box[_NUMBER_BYTES:], (*named, *others)))


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


@cache
def _lengths() -> frozenset[int]:
    return frozenset(map(sealed_length, (ENTRY_BYTES, FORM_BYTES, *WEBHOOK_BYTES)))


def _opened(sealed: bytes, keys: Iterable[bytes]) -> bytes | None:
    for key in keys:
        try:
            return _opener(key).decrypt(sealed)
        except CryptoError:
            continue
    return None


@lru_cache(maxsize=256)
def _opener(key: bytes) -> SealedBox[PrivateKey]:
    # Making it multiplies on the curve, which takes half as long as to open a box.
    return SealedBox(PrivateKey(key))


def _content(text: bytes | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        # No JSON holds a zero byte: inside a text it is written as six characters.
        content = read_json(text.rstrip(b"\0"))
    except JSONRefused:
        return None
    return content if isinstance(content, dict) else None
