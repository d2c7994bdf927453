"""DeliveryEvent: what was learned of one message after it was handed over. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.clock import EARLIEST, LATEST, moment_at

TAG = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")
"""What a message is known by: 24 hexadecimal digits in Message-ID, X-Recipient and bounce address.

A keyed hash of campaign and address (message/keys.py): nobody hits one of ours by chance.
"""


_LONGEST_DETAIL = 500
"""Characters of the server's words that are kept."""


class Kind(StrEnum):
    """What happened to the message."""

    TAKEN = "taken"
    """The server says that it took it, passed it on or put it into the mailbox."""
    DELAYED = "delayed"
    """It is still being tried."""
    RETURNED = "returned"
    """It came back for a reason that may pass: a full mailbox, a policy, an unknown code."""
    BOUNCED = "bounced"
    """It came back since there is no such mailbox."""
    COMPLAINED = "complained"
    """The reader called it spam."""
    UNSUBSCRIBED = "unsubscribed"
    """The reader left by the provider's own link."""
    DROPPED = "dropped"
    """The provider took the request and then did not mail it."""


PROVES_ACCEPTANCE = frozenset(Kind) - {Kind.DROPPED}
"""Nobody can return, delay or complain about what they never had."""


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """One piece of news about one message.

    Attributes:
        tags: what may be the message's tag, as found in the news.
        kind: what happened.
        at: when, aware; the nearest time that a calendar holds (:func:`moment_at`).
        source: where the news comes from: ``bounce report``, ``bounce without a
            report``, ``provider's event``.
        recipient: the address that the news is about, where it names one; else nothing.
        detail: the server's words, for a person to read: on one line, cut, without
            control characters.
        status: the enhanced status code (RFC 3463), where the news gives one.
        words: why it came back, in the server's or provider's words; like ``detail``.
        provider_id: by what the provider knows the message or the event.
        place: file, and number in it, that the news was read from.
    """

    tags: frozenset[str]
    kind: Kind
    at: datetime
    source: str
    detail: str
    recipient: str = ""
    status: str = ""
    words: str = ""
    provider_id: str = ""
    place: str = ""

    def __post_init__(self) -> None:
        if not EARLIEST <= self.at <= LATEST:
            object.__setattr__(self, "at", moment_at(self.at.timestamp()))
        for name in ("detail", "words", "provider_id", "place"):
            object.__setattr__(self, name, one_line(getattr(self, name)))

    @property
    def account(self) -> str:
        """The detail, with the words if it does not hold them."""
        return self.detail if self.words in self.detail else f"{self.detail}: {self.words}"


def one_line(words: str) -> str:
    """Words from outside on one line, cut, without control characters."""
    # Bounded before it is taken apart: what is cut off is not looked at.
    start = words[: 4 * _LONGEST_DETAIL]
    printable = "".join(char if char.isprintable() else " " for char in start)
    return " ".join(printable.split())[:_LONGEST_DETAIL]
