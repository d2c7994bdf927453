"""Tokens in a mail's links: who the mail was to, and what the link is for; signed. No I/O.

A token is 60 characters of URL-safe base64 (RFC 4648 section 5)::

    version 1 | key id 2 | purpose 1 | address tag 12 | campaign tag 8 | minute 4 | MAC 17  bytes

The MAC is HMAC-SHA256, cut, under a key of the list and purpose alone (see
:func:`newsletter.message.keys.derived`), over all before it: a token is good for
one list and one purpose (RFC 8058 3.1: the URI names reader and list and is hard
to forge). It holds no address and has no end: a reader may leave as long as the
list lives.

Tokens of version 1, in mail of years ago, are 52 characters without purpose and
minute, with 16 bytes of MAC that covers the list's id as well. They verify for
ever; none is made any more.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from newsletter.message.keys import ADDRESS_TAG_BYTES, CAMPAIGN_TAG_BYTES, KeyRing, derived

_VERSION = 2
_HEAD = struct.Struct(">BH")
_CLAIM = struct.Struct(f">BHB{ADDRESS_TAG_BYTES}s{CAMPAIGN_TAG_BYTES}sI")
_OLD_CLAIM = struct.Struct(f">BH{ADDRESS_TAG_BYTES}s{CAMPAIGN_TAG_BYTES}s")
_MAC_BYTES = 17
_OLD_MAC_BYTES = 16
# 45 and 39 bytes are 60 and 52 characters with no bit to spare: each token has one spelling.
_SHAPE = re.compile(r"[A-Za-z0-9_-]{60}|[A-Za-z0-9_-]{52}", re.ASCII)
_LAST_MINUTE = 0xFFFFFFFF
NOBODY = bytes(ADDRESS_TAG_BYTES)
"""The address tag in a proof or preview: such a token verifies and does nothing."""


class Purpose(IntEnum):
    """What a token is for. The numbers stand in mails and never change."""

    HEADER = 1
    """In List-Unsubscribe: a POST leaves."""
    PAGE = 2
    """In the mail's text: shows the page that asks whether to leave."""
    PREFERENCES = 3
    """Shows the page to change language, topics or pause."""
    RETURN = 4
    """In the mail that asks who had left whether they are back; no server can make it."""
    CONFIRM = 5
    """For the links of a sign-up, which the public server makes itself; never in a mail of ours."""


_IN_MAILS = frozenset(Purpose) - {Purpose.CONFIRM}
PUBLIC = (Purpose.HEADER, Purpose.PAGE, Purpose.PREFERENCES, Purpose.CONFIRM)
"""The purposes whose keys a public server has."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says.

    Attributes:
        purpose: None in version 1, which may leave by header and by page, and do nothing else.
        address_tag: as :meth:`newsletter.message.keys.KeyRing.address_tag` gives it.
        campaign_tag: of the campaign whose mail carried the token.
        minute: when the mail was composed, in minutes since the epoch; 0 in version 1.
        version: of the format, 1 or 2.
        key_id: the number of the key that signed it, as :func:`verify` found it; 0: nobody
            has verified it.
    """

    purpose: Purpose | None
    address_tag: bytes
    campaign_tag: bytes
    minute: int
    version: int = _VERSION
    key_id: int = field(default=0, compare=False)

    @property
    def verified(self) -> bool:
        """Whether a key of ours is known to have signed it; else it is but a claim."""
        return self.key_id > 0

    @property
    def inert(self) -> bool:
        """Whether it is from a proof or preview, and stands for nobody."""
        return self.address_tag == NOBODY

    def is_for(self, purpose: Purpose) -> bool:
        """Whether it may do what ``purpose`` is; one of version 1 may leave."""
        if self.purpose is None:
            return purpose in {Purpose.HEADER, Purpose.PAGE}
        return self.purpose is purpose


@dataclass(frozen=True, slots=True, repr=False)
class Verifier:
    """The keys that verify a list's tokens, and no others. Its repr shows none.

    Attributes:
        list_id: the list.
        keys: 32 bytes each, by the number of their secret and their purpose.
        old: what verifies version 1, 32 bytes each by their number.
    """

    list_id: str
    keys: Mapping[tuple[int, Purpose], bytes]
    old: Mapping[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(
        cls, keys: KeyRing, list_id: str, purposes: Iterable[Purpose] = tuple(Purpose)
    ) -> Verifier:
        """All that a key ring can verify, or only ``purposes`` of it, such as :data:`PUBLIC`."""
        found = {
            (number, purpose): _key(secret, list_id, purpose)
            for purpose in purposes
            for number, secret in keys.secrets.items()
        }
        return cls(list_id, found, dict(keys.keys))

    def __repr__(self) -> str:
        return f"Verifier({self.list_id})"


def sign(token: Token, *, keys: KeyRing, list_id: str) -> str:
    """Write ``token`` as text, signed with the newest secret's key for the list and its purpose.

    Raises:
        ValueError: it is of version 1, or for what the public server makes itself.
    """
    purpose = token.purpose
    if token.version != _VERSION or purpose is None or purpose not in _IN_MAILS:
        raise ValueError("only tokens of version 2 for one of a mail's links are made")
    key_id, minute = keys.signing_key_id, min(max(token.minute, 0), _LAST_MINUTE)
    claim = _CLAIM.pack(_VERSION, key_id, purpose, token.address_tag, token.campaign_tag, minute)
    mac = _mac(_key(keys.secrets[key_id], list_id, purpose), claim)
    return base64.urlsafe_b64encode(claim + mac[:_MAC_BYTES]).decode()


def verify(text: str, verifier: Verifier) -> Token | None:
    """Read a token that comes from outside.

    Never raises, whatever ``text`` holds; compares in constant time. Whoever
    calls looks at :meth:`Token.is_for` and :attr:`Token.inert` before they act.

    Returns:
        What it says, or None: it is not one of ours, or is for another list.
    """
    if not _SHAPE.fullmatch(text):
        return None
    data = base64.urlsafe_b64decode(text)
    version, _ = _HEAD.unpack_from(data)
    if version == _VERSION and len(data) == _CLAIM.size + _MAC_BYTES:
        return _verified(data, verifier)
    if version == 1 and len(data) == _OLD_CLAIM.size + _OLD_MAC_BYTES:
        return _verified_old(data, verifier)
    return None


def claimed(text: str, verifier: Verifier) -> Token | None:
    """What a token says whose secret ``verifier`` knows nothing of; anybody can have made it.

    So looks one that was signed after the keys of a public server were written.

    Returns:
        What it claims; None: it is no token of version 2, or ``verifier`` knows its secret.
    """
    if not _SHAPE.fullmatch(text):
        return None
    data = base64.urlsafe_b64decode(text)
    if data[0] != _VERSION or len(data) != _CLAIM.size + _MAC_BYTES:
        return None
    _, key_id, number, address_tag, campaign_tag, minute = _CLAIM.unpack_from(data)
    if number not in _IN_MAILS or key_id in {known for known, _ in verifier.keys}:
        return None
    return Token(Purpose(number), address_tag, campaign_tag, minute)


def claims_purpose(text: str, purpose: Purpose) -> bool:
    """Whether it looks like a token of version 2 for ``purpose``. Nothing of it is verified."""
    if not _SHAPE.fullmatch(text):
        return False
    data = base64.urlsafe_b64decode(text)
    return data[0] == _VERSION and data[_HEAD.size] == purpose


def claimed_address_tag(text: str) -> bytes:
    """The address tag in what looks like a token of version 2. Nothing of it is verified."""
    start = _HEAD.size + 1
    return base64.urlsafe_b64decode(text)[start : start + ADDRESS_TAG_BYTES]


def _verified(data: bytes, verifier: Verifier) -> Token | None:
    claim, mac = data[: _CLAIM.size], data[_CLAIM.size :]
    _, key_id, number, address_tag, campaign_tag, minute = _CLAIM.unpack(claim)
    if number not in _IN_MAILS:
        return None
    purpose = Purpose(number)
    key = verifier.keys.get((key_id, purpose))
    if key is None or not hmac.compare_digest(mac, _mac(key, claim)[:_MAC_BYTES]):
        return None
    return Token(purpose, address_tag, campaign_tag, minute, _VERSION, key_id)


def _verified_old(data: bytes, verifier: Verifier) -> Token | None:
    claim, mac = data[: _OLD_CLAIM.size], data[_OLD_CLAIM.size :]
    _, key_id, address_tag, campaign_tag = _OLD_CLAIM.unpack(claim)
    key = verifier.old.get(key_id)
    # The claim has a fixed length, so claim and list id cannot be cut differently.
    if key is None or not hmac.compare_digest(
        mac, _mac(key, claim + verifier.list_id.encode())[:_OLD_MAC_BYTES]
    ):
        return None
    return Token(None, address_tag, campaign_tag, 0, 1, key_id)


def _key(secret: bytes, list_id: str, purpose: Purpose) -> bytes:
    return derived(secret, list_id, purpose.name.lower())


def _mac(key: bytes, claim: bytes) -> bytes:
    return hmac.digest(key, claim, "sha256")
