"""What a provider's answer to a request means, in words that all providers share. No I/O.

An error is believed only in the shape that the provider documents: a gateway
on the way says nothing about the mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.transports.protocol import Outcome


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


Verdict = Taken | Each | Refused | Later | Stop | Ambiguous
