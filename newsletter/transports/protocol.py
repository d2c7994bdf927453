"""What a transport is, and what one attempt can tell. No I/O.

A transport hands messages to the next hop and reports facts. It never
retries, never waits between messages and never decides whether a campaign
goes on: that is policy, and policy lives in :mod:`newsletter.delivery`.

The order that keeps the promise, for each message:

1. everything that cannot make the other side responsible yet;
2. ``ticket = journal.attempt(message)`` asks for the durable record
   ``attempting``; ``ticket.wait()`` returns only when it is on disk, and says
   whether the message may still go;
3. the one act that makes the other side responsible (SMTP: the final dot;
   HTTP: the request);
4. ``journal.record(message, outcome)`` with what came back.

After 2 nothing but a definite answer may be reported as Accepted, Deferred or
Rejected. Everything else is InDoubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from newsletter.message.model import Message


class Scope(StrEnum):
    """How far a failure reaches (after Postfix's smtp_trouble.c)."""

    RECIPIENT = "recipient"
    """One recipient: a value, the run goes on."""
    CAMPAIGN = "campaign"
    """The letter or its sender: every other recipient would fail alike."""
    ACCOUNT = "account"
    """The server or account: nothing can be sent through it now."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The next hop took responsibility. Not “sent”, not “delivered”."""

    reply: str
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """Definitely not taken, for now.

    ``retry_after_s`` is what the other side asked for, in seconds. With
    ``scope`` ACCOUNT the run stops; with RECIPIENT only this one waits.
    """

    reply: str
    scope: Scope = Scope.RECIPIENT
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Definitely refused, for good."""

    reply: str
    scope: Scope = Scope.RECIPIENT


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether the other side took it; ``reason`` says why."""

    reason: str


Outcome = Accepted | Deferred | Rejected | InDoubt
"""What one attempt told us."""


class Ticket(Protocol):
    """A durable record under way."""

    def wait(self) -> bool:
        """Block until the record is on disk.

        Returns:
            Whether the message may go. False: it is suppressed, its lease is
            lost or the run stops; the transport must then make sure that the
            other side does not become responsible, and records nothing.
        """


class Journal(Protocol):
    """The transport's only view of the ledger."""

    def attempt(self, messages: Sequence[Message]) -> Ticket:
        """Ask for the durable record ``attempting`` for all ``messages`` together."""

    def record(self, message: Message, outcome: Outcome) -> None:
        """Note what an attempt told. Returns at once; durable soon after."""


class Session(Protocol):
    """One connection's worth of work, used by one thread."""

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` in order, reporting each to ``journal``.

        A message that is not reported when this returns was definitely not
        handed over and never reached step 2, or its ticket said no; the
        caller returns it to the queue.

        Raises:
            TransportStopped: the server or account will take nothing more.
                What was not reported was not handed over.
        """

    def close(self) -> None:
        """Say goodbye. Never raises."""


class Transport(Protocol):
    """A way out."""

    @property
    def name(self) -> str:
        """The word in newsletter.toml: ``smtp``, ``mailbox``, ``resend``."""

    @property
    def batch_size(self) -> int:
        """How many messages one call of ``deliver`` takes at the most."""

    def open(self) -> Session:
        """Start a session. Connects at the first ``deliver``, not here."""

    def close(self) -> None:
        """Release what all sessions share. Never raises."""
