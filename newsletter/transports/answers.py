"""What a provider's answer to a request means, in words that all providers share. No I/O.

An error is believed only in the shape that the provider documents: a gateway
on the way says nothing about the mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from newsletter.transports.protocol import Deferred, Outcome, Rejected, Scope


@dataclass(frozen=True, slots=True)
class Taken:
    """All of the request was accepted; ``ids`` in its order.

    None where the provider documents no ids for such a call. An id that is None, or
    not one for each message, leaves all of them in doubt.
    """

    reply: str
    ids: Sequence[str | None] | None


@dataclass(frozen=True, slots=True)
class Each:
    """The provider answered for each message on its own, in the request's order.

    ``named`` are the readers whom each result names, if it names any; what does
    not fit is in doubt (:mod:`newsletter.transports.belief`).
    """

    results: Sequence[Outcome]
    named: Sequence[frozenset[str]] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing of the request was accepted, for something in it.

    ``to_blame`` are the positions that the provider names, if it does.
    ``of_reader`` says that it is the reader's address, not the letter.
    """

    reply: str
    to_blame: frozenset[int] = frozenset()
    of_reader: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing of the request was accepted; ask again after ``retry_after_s`` seconds."""

    reply: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing of the request was accepted, and nothing else will be until a person acts."""

    reply: str
    next: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows; ``final`` where asking again under the same key cannot tell either."""

    reason: str
    final: bool = False


ApiResult = Taken | Each | Refused | Later | Stop | Ambiguous


class Blame(IntEnum):
    """What an error is about; the greater ones concern more. Nothing was taken, but for a key."""

    RECIPIENT = 1
    """The recipient's address."""
    MESSAGE = 2
    """The message, unless the error names a field of the recipient's."""
    RATE = 3
    """How fast or when it was asked."""
    ACCOUNT = 4
    """The key, the domain, the plan, a quota, the address of the API: a person must act."""
    KEY = 5
    """An idempotency key that is known: an earlier call came, and nobody knows its end."""
    KEY_IN_USE = 6
    """Its first call is still at work: asking again may tell."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of a provider's table of errors.

    Attributes:
        blame: what the error is about.
        next: what a person can do, where it is not :attr:`Provider.next`.
    """

    blame: Blame
    next: str = ""


RECIPIENT, MESSAGE, RATE, ACCOUNT = map(
    Fault, (Blame.RECIPIENT, Blame.MESSAGE, Blame.RATE, Blame.ACCOUNT)
)
KEY, KEY_IN_USE = Fault(Blame.KEY), Fault(Blame.KEY_IN_USE)


def account(next_step: str) -> Fault:
    """The account is to blame, and a person must do ``next_step``."""
    return Fault(Blame.ACCOUNT, next_step)


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error in the shape that the provider documents.

    Attributes:
        reply: the provider's words.
        fault: by :meth:`Provider.fault`; None: with status 429 the rate's, else the account's.
        of_recipient: all that is wrong is whom a message goes to.
        to_blame: the positions of the messages that it names; ignored if it names all or others.
    """

    reply: str
    fault: Fault | None
    of_recipient: bool = False
    to_blame: frozenset[int] = frozenset()


def outcome_of(fault: Fault | None, reply: str) -> Outcome:
    """What an error means that is given for one message among others."""
    match fault.blame if fault else Blame.ACCOUNT:
        case Blame.RECIPIENT:
            return Rejected(reply)
        case Blame.MESSAGE:
            return Rejected(reply, Scope.CAMPAIGN)
        case _:
            return Deferred(reply, Scope.ACCOUNT)
