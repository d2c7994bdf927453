"""The result of a request to a provider, the same for all providers. No I/O.

An error counts only in the form that the provider documents: the error page of a
gateway says nothing about the mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from newsletter.transports.protocol import Deferred, Outcome, Rejected, Scope


@dataclass(frozen=True, slots=True)
class Taken:
    """The whole request was accepted; ``ids`` in its order.

    ``ids`` is None if the provider documents no ids for such a call. An id that is
    None, or too few ids, leave all messages in doubt.
    """

    reply: str
    ids: Sequence[str | None] | None


@dataclass(frozen=True, slots=True)
class Each:
    """A result for each message, in the request's order.

    ``named`` are the recipients that each result names, if any; results that do not
    match are in doubt (:mod:`newsletter.transports.verification`).
    """

    results: Sequence[Outcome]
    named: Sequence[frozenset[str]] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of the request was accepted, because of its content.

    ``positions`` are those of the messages that the provider names, if any.
    ``of_recipient``: the recipient's address is at fault, not the message.
    """

    reply: str
    positions: frozenset[int] = frozenset()
    of_recipient: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing of the request was accepted; ask again after ``retry_after_s`` seconds."""

    reply: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing of the request was accepted, and nothing will be until a person acts."""

    reply: str
    next: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows; ``final``: a repeat under the same key cannot tell either."""

    reason: str
    final: bool = False


ApiResult = Taken | Each | Refused | Later | Stop | Ambiguous


class FaultKind(IntEnum):
    """What an error is about; greater ones concern more. Except for keys, nothing was accepted."""

    RECIPIENT = 1
    """The recipient's address."""
    MESSAGE = 2
    """The message, unless the error names a field of the recipient's."""
    RATE = 3
    """Too many requests, or a bad moment."""
    ACCOUNT = 4
    """The key, the domain, the plan, a quota, the address of the API: a person must act."""
    KEY = 5
    """A known idempotency key: an earlier call arrived, and nobody knows its end."""
    KEY_IN_USE = 6
    """The first call under this key is still being processed: a repeat may tell."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of a provider's table of errors.

    Attributes:
        kind: what the error is about.
        next: what a person can do, if it is not :attr:`Provider.next`.
    """

    kind: FaultKind
    next: str = ""


RECIPIENT, MESSAGE, RATE, ACCOUNT = map(
    Fault, (FaultKind.RECIPIENT, FaultKind.MESSAGE, FaultKind.RATE, FaultKind.ACCOUNT)
)
KEY, KEY_IN_USE = Fault(FaultKind.KEY), Fault(FaultKind.KEY_IN_USE)


def account(next_step: str) -> Fault:
    """An error of the account; a person must do ``next_step``."""
    return Fault(FaultKind.ACCOUNT, next_step)


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error in the form that the provider documents.

    Attributes:
        reply: the provider's words.
        fault: by :meth:`Provider.fault`; None means RATE with status 429, else ACCOUNT.
        of_recipient: only a recipient's address is at fault.
        positions: of the messages that it names; ignored if it names all or others.
    """

    reply: str
    fault: Fault | None
    of_recipient: bool = False
    positions: frozenset[int] = frozenset()


def outcome_of(fault: Fault | None, reply: str) -> Outcome:
    """The outcome of one message among others that has an error of its own."""
    match fault.kind if fault else FaultKind.ACCOUNT:
        case FaultKind.RECIPIENT:
            return Rejected(reply)
        case FaultKind.MESSAGE:
            return Rejected(reply, Scope.CAMPAIGN)
        case _:
            return Deferred(reply, Scope.ACCOUNT)
