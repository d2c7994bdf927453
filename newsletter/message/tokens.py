"""Unsubscribe tokens: who leaves which list, signed. No I/O.

A token is 52 characters of URL-safe base64 (RFC 4648 section 5)::

    version 1 | key id 2 | address tag 12 | campaign tag 8 | HMAC-SHA256 16   bytes

The HMAC covers all before it and the list's id, so a token is good for one
list only (RFC 8058 3.1: the URI names reader and list and is hard to forge).
It holds no address and has no end: a reader may leave as long as the list lives.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from dataclasses import dataclass

from newsletter.message.keys import ADDRESS_TAG_BYTES, CAMPAIGN_TAG_BYTES, KeyRing

_VERSION = 1
_CLAIM = struct.Struct(f">BH{ADDRESS_TAG_BYTES}s{CAMPAIGN_TAG_BYTES}s")
_MAC_BYTES = 16
# 39 bytes are 52 characters with no bit to spare, so each token has one spelling.
_SHAPE = re.compile(r"[A-Za-z0-9_-]{52}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UnsubscribeToken:
    """What a valid token says.

    Attributes:
        address_tag: as :meth:`newsletter.message.keys.KeyRing.address_tag` gives it.
        campaign_tag: of the campaign whose mail carried the token.
    """

    address_tag: bytes
    campaign_tag: bytes


def sign(token: UnsubscribeToken, *, keys: KeyRing, list_id: str) -> str:
    """Write ``token`` as text, signed with the newest key for the list ``list_id``."""
    key_id = keys.signing_key_id
    claim = _CLAIM.pack(_VERSION, key_id, token.address_tag, token.campaign_tag)
    mac = _mac(keys.keys[key_id], claim, list_id)
    return base64.urlsafe_b64encode(claim + mac).decode()


def verify(text: str, *, keys: KeyRing, list_id: str) -> UnsubscribeToken | None:
    """Read a token that comes from outside.

    Never raises, whatever ``text`` holds; compares in constant time.

    Returns:
        What it says, or None: it is not one of ours, or is for another list.
    """
    if not _SHAPE.fullmatch(text):
        return None
    data = base64.urlsafe_b64decode(text)
    claim, mac = data[: _CLAIM.size], data[_CLAIM.size :]
    version, key_id, address_tag, campaign_tag = _CLAIM.unpack(claim)
    key = keys.keys.get(key_id)
    if version != _VERSION or key is None:
        return None
    if not hmac.compare_digest(mac, _mac(key, claim, list_id)):
        return None
    return UnsubscribeToken(address_tag, campaign_tag)


def unsubscribe_url(template: str, token: str) -> str:
    """The address that takes ``token``: ``template`` with ``{token}`` filled in."""
    return template.replace("{token}", token)


def _mac(key: bytes, claim: bytes, list_id: str) -> bytes:
    # The claim has a fixed length, so claim and list id cannot be cut differently.
    return hmac.digest(key, claim + list_id.encode(), "sha256")[:_MAC_BYTES]
