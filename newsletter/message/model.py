"""Recipient and Message: who gets the mail, and the mail to one of them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from newsletter.addresses import Address

if TYPE_CHECKING:
    from newsletter.render.edition import Enclosure


@dataclass(frozen=True, slots=True)
class Recipient:
    """One member of a frozen audience.

    ``fields`` are further columns of the list that merge fields may use.
    ``resends`` is how often a person has had the message mailed to them again.
    """

    address: Address
    name: str
    language: str
    fields: Mapping[str, str] = field(default_factory=dict)
    resends: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """A message taken apart, for providers that build the MIME themselves.

    ``headers`` are those the provider does not make: Message-ID, what is said
    of the list and how to leave it, and by what a bounce is known.
    ``enclosures`` are the pictures that ``html`` shows by ``cid:``, and attached documents.
    ``reference`` is our opaque name for campaign and reader, the left half of the Message-ID:
    what a provider is given to keep with the mail, and is asked for later.
    """

    from_name: str
    from_address: str
    reply_to: str | None
    to_name: str
    to_address: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str]
    reference: str
    enclosures: Sequence[Enclosure] = ()


class Message(Protocol):
    """One message to one address: the envelope (RFC 5321) and the content (RFC 5322).

    Ways to the same message: :meth:`as_bytes` to look at or store it,
    :meth:`as_wire` for SMTP, :meth:`as_content` for providers with an API of
    fields. All are deterministic.
    """

    @property
    def envelope_from(self) -> str:
        """MAIL FROM."""

    @property
    def envelope_to(self) -> Address:
        """RCPT TO; exactly one."""

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets; the same on every attempt."""

    @property
    def date(self) -> datetime:
        """The Date header; the same on every attempt."""

    @property
    def version(self) -> int:
        """Of the edition it was made from, from 1; part of every idempotency key."""

    @property
    def resends(self) -> int:
        """How often a person has had it mailed again; part of every idempotency key."""

    def as_bytes(self) -> bytes:
        """The whole message in CRLF lines, not dot-stuffed, without the final dot."""

    def as_wire(self) -> Sequence[bytes]:
        """The same as DATA carries it: dot-stuffed (RFC 5321 4.5.2), in pieces.

        Pieces, since most of them are the same for all messages of an edition:
        looking through or copying them for each would cost more than sending.
        """

    def as_content(self) -> Content:
        """The message taken apart."""
