"""What a transport is, and what one attempt can tell. No I/O.

A transport hands messages to the next hop and reports facts. Whether a recipient is
tried again, when, and whether a campaign goes on, is decided in
:mod:`newsletter.delivery.policy`. Within one ``deliver`` a transport repeats only what
cannot send a second copy: SMTP tries a message once more over a new connection, or
over another relay, if its dot was never sent; a provider gets the same bytes again
under the same idempotency key, after pauses of at most a minute
(:mod:`newsletter.transports.api_client`).

The order that keeps the promise, for each message:

1. everything that cannot make the server responsible yet;
2. ``ticket = journal.attempt(message)`` asks for the durable record
   ``attempting``; ``ticket.wait()`` returns only when it is on disk, and says
   whether the message may still go;
3. the one act that makes the server responsible (SMTP: the final dot;
   HTTP: the request);
4. ``journal.record(message, outcome)`` with what came back.

After 2 nothing but a definite answer may be reported as Accepted, Deferred or
Rejected. Everything else is InDoubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from newsletter.message.model import Message


class Scope(StrEnum):
    """How far a failure reaches (after Postfix's smtp_trouble.c)."""

    RECIPIENT = "recipient"
    """One recipient: a value, the run goes on."""
    CAMPAIGN = "campaign"
    """The message or its sender: every other recipient would fail, too."""
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

    ``retry_after_s`` is what the server asked for, in seconds. With
    ``scope`` ACCOUNT the server wants us slower or later, whoever it is
    about: the whole transport waits. With RECIPIENT only this one waits.
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
    """Nobody knows whether the server took it; ``reason`` says why."""

    reason: str


Outcome = Accepted | Deferred | Rejected | InDoubt
"""What one attempt told us."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider that takes several messages, as it must be known to repeat it.

    ``key`` is its idempotency key, unique; ``digest`` the SHA-256 of its body in hex.
    """

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """Documented limits of the server; None if undocumented.

    The pace begins there and is then learned.
    """

    calls_per_second: float | None = None
    messages_per_second: float | None = None


class Ticket(Protocol):
    """A durable record under way."""

    def wait(self) -> bool:
        """Block until the record is on disk.

        Returns:
            Whether the message may go. False: it is suppressed, its lease is
            lost or the run stops; the transport must then make sure that the
            server does not become responsible, and records nothing.
        """


class Journal(Protocol):
    """The transport's only view of the ledger, and of how fast it may go."""

    def acquire_permit(self) -> bool:
        """Wait until one more request may be made; asked before each call of an HTTP provider.

        Returns:
            False: the run ends; make none, and report nothing more.
        """

    def attempt(self, messages: Sequence[Message], *, call: Call | None = None) -> Ticket:
        """Ask for the durable record ``attempting`` for all ``messages`` together.

        ``call`` is the request that carries them, where one carries several or
        can be repeated; it is recorded with its members in their order.

        It may be asked again within one ``deliver``, for messages of an earlier
        attempt that was definitely refused as a whole and of which no outcome
        was recorded: the parts of a batch, each under a call of its own. They
        stay ``attempting``; what is asked then is whether they may still go.
        Where they may not, they were attempted all the same, so the transport
        records that they were definitely not taken.
        """

    def record(self, message: Message, outcome: Outcome) -> None:
        """Note what an attempt told. Returns at once; durable soon after."""


class Session(Protocol):
    """One connection's worth of work, used by one thread."""

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` in order, reporting each to ``journal``.

        A message that is not reported when this returns was definitely not
        handed over and never reached step 2, or its ticket said no; the
        caller returns it to the queue. A session returns early, after it has
        recorded it, once an outcome's scope is not RECIPIENT: the same would
        befall the rest, and whether to wait or to stop is not its decision.

        Raises:
            TransportStopped: the server or account will take nothing more.
                What was not reported was not handed over.
        """

    def close(self) -> None:
        """End the connection. Never raises."""


class StatusLookup(Protocol):
    """Asks a provider what became of messages that are in doubt; used by one thread.

    Only an acceptance is ever learned. That a provider does not know a message
    proves nothing: its records lag behind.
    """

    @property
    def replay_for_s(self) -> float:
        """How long after its first attempt the same call may be repeated safely; 0: never."""

    def replay(self, messages: Sequence[Message], call: Call) -> Mapping[str, Accepted]:
        """Repeat a call byte for byte, under its key.

        Returns:
            By Message-ID, who was accepted, then or now. Nothing where the
            bytes are not those of ``call`` any more, or no acceptance came.

        Raises:
            TransportStopped: the provider cannot be reached or refuses the account.
        """

    @property
    def can_search(self) -> bool:
        """Whether the provider can be asked for a single message."""

    def search(self, messages: Sequence[Message]) -> Mapping[str, Accepted]:
        """Ask for ``messages`` by our reference, one after the other.

        Returns:
            By Message-ID, those that the provider says it took.

        Raises:
            TransportStopped: as :meth:`replay`.
        """

    def close(self) -> None:
        """End the connection. Never raises."""


class Transport(Protocol):
    """Takes messages for a relay, a provider or the mailbox."""

    @property
    def name(self) -> str:
        """The word in newsletter.toml: ``smtp``, ``mailbox``, ``resend``."""

    @property
    def batch_size(self) -> int:
        """How many messages one call of ``deliver`` takes at the most."""

    @property
    def allowance(self) -> Allowance:
        """How fast it may go, as far as is known before the first message."""

    @property
    def place(self) -> str:
        """What a pace is learned for: relay and port, or provider and account's region."""

    @property
    def notices(self) -> Sequence[str]:
        """What no outcome tells and a person should know when the run is over."""

    def examine(self, message: Message) -> None:
        """Check before the freeze whether the transport can carry such messages.

        Raises:
            ConfigError: they contain something that the server cannot take.
        """

    def status_lookup(self) -> StatusLookup | None:
        """Start a status lookup; None if the server offers none."""

    def open(self) -> Session:
        """Start a session. Connects at the first ``deliver``, not here."""

    def close(self) -> None:
        """Release what all sessions share. Never raises."""
