"""The links of a sign-up: what the form asked, sealed, so that the server keeps nothing of it.

A link's text is 780 characters of URL-safe base64 (RFC 4648 section 5)::

    key id 2 | expiry 4 (seconds since the epoch) | box 562 | MAC 17  bytes

The MAC is HMAC-SHA256, cut, under the list's key for confirmations. The server makes and
checks it; the box in it is sealed to the officer's key (:mod:`newsletter.web.seal`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
from dataclasses import dataclass

from newsletter.clock import Clock
from newsletter.message.tokens import Purpose, Verifier
from newsletter.web.seal import FORM_BYTES, sealed_length

VALID_S = 7 * 86_400
_HEAD = struct.Struct(">HI")
_MAC_BYTES = 17
_BYTES = _HEAD.size + sealed_length(FORM_BYTES) + _MAC_BYTES
LENGTH = _BYTES * 4 // 3
# No bit to spare: each link has one spelling.
_SHAPE = re.compile(rf"[A-Za-z0-9_-]{{{LENGTH}}}", re.ASCII)
_LAST_SECOND = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ConfirmLink:
    """What a valid link holds.

    Attributes:
        box: what the form asked, sealed.
        expired: whether it is older than :data:`VALID_S`.
    """

    box: bytes
    expired: bool


class ConfirmLinks:
    """Makes and reads links.

    Args:
        verifier: holds the keys; the newest one signs.
        clock: dates them.
    """

    def __init__(self, verifier: Verifier, clock: Clock) -> None:
        self._keys = {
            number: key
            for (number, purpose), key in verifier.keys.items()
            if purpose is Purpose.CONFIRM
        }
        self._clock = clock

    def make(self, box: bytes) -> str:
        """The text of a link for a sealed form."""
        number = max(self._keys)
        expiry = int(self._clock.now().timestamp()) + VALID_S
        claim = _HEAD.pack(number, min(expiry, _LAST_SECOND)) + box
        return base64.urlsafe_b64encode(claim + _mac(self._keys[number], claim)).decode()

    def read(self, text: str) -> ConfirmLink | None:
        """What a link holds; None if it is none of ours. Never raises, whatever it is."""
        if not _SHAPE.fullmatch(text):
            return None
        data = base64.urlsafe_b64decode(text)
        claim, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        number, expiry = _HEAD.unpack_from(claim)
        key = self._keys.get(number)
        if key is None or not hmac.compare_digest(mac, _mac(key, claim)):
            return None
        expired = self._clock.now().timestamp() > expiry
        return ConfirmLink(claim[_HEAD.size :], expired)


def message_name(box: bytes) -> str:
    """The left half of the Message-ID of the mail that carries a box: 24 hexadecimal digits.

    Whoever has the box can name the mail; nobody can tell the box from it.
    """
    return hashlib.sha256(b"confirmation\0" + box).hexdigest()[:24]


def _mac(key: bytes, claim: bytes) -> bytes:
    return hmac.digest(key, claim, "sha256")[:_MAC_BYTES]
