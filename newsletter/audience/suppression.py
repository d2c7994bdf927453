"""Who must not be mailed, and why. No I/O; the ledger keeps these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why an address is suppressed."""

    UNSUBSCRIBED = "unsubscribed"
    """The reader left."""
    COMPLAINED = "complained"
    """The reader called it spam (RFC 5965)."""
    BOUNCED = "bounced"
    """The mailbox does not exist."""
    MANUAL = "manual"
    """Somebody here said so."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One reason why one address is not mailed; never changed, never taken back by an import.

    Attributes:
        tag: keyed hash of the address, see :mod:`newsletter.message.keys`; the list
            of who left names nobody.
        source: how it became known: ``one-click``, ``import``, ``webhook`` …
        at: when, aware, in UTC.
    """

    tag: bytes
    reason: Reason
    source: str
    at: datetime

    def __post_init__(self) -> None:
        """Refuse a time without its zone: it could not be ordered among others."""
        if self.at.tzinfo is None:
            raise ValueError("the time of a suppression must be aware")
