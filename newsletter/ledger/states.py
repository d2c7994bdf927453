"""The states of a delivery and the only ways between them. No I/O.

docs/ledger.md is this table in prose; tests/ledger/test_ledger_states.py
goes through it row by row, and the ledger refuses every step not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.clock import EARLIEST


class State(StrEnum):
    """Where one recipient's mail is."""

    PENDING = "pending"
    """Waits for its first attempt."""
    CLAIMED = "claimed"
    """A run has taken it; nothing was handed over."""
    ATTEMPTING = "attempting"
    """On disk before the act that makes the server responsible."""
    ACCEPTED = "accepted"
    """The next hop took responsibility."""
    REJECTED = "rejected"
    """Definitely refused, for good."""
    DEFERRED = "deferred"
    """Definitely not taken yet; comes back at ``next_attempt_at``."""
    IN_DOUBT = "in_doubt"
    """Nobody knows; never attempted again unless a person says so."""
    SUPPRESSED = "suppressed"
    """Left, complained or bounced after the audience was frozen; not mailed."""
    EXPIRED = "expired"
    """Deferred by the server for longer than we retry."""


class Step(StrEnum):
    """Why a delivery changes its state."""

    CLAIM = "claim"
    RELEASE = "release"
    SUPPRESS = "suppress"
    WRITE_AHEAD = "write ahead"
    ACCEPT = "accept"
    REJECT = "reject"
    DEFER = "defer"
    RETURN = "return"
    DOUBT = "doubt"
    ORPHAN = "orphan"
    EXPIRE = "expire"
    EVIDENCE = "evidence"
    ASSUME = "assume"
    RESEND = "resend"
    ADOPT = "adopt"
    PUT_BACK = "put back"


@dataclass(frozen=True, slots=True)
class Disposition:
    """The step that a delivery takes after an attempt, and what is written down with it."""

    step: Step
    reply: str
    provider_id: str | None = None
    next_attempt_at: datetime = EARLIEST


TRANSITIONS: dict[Step, dict[State, State]] = {
    # A run takes what is due. A deferred one is due at next_attempt_at.
    Step.CLAIM: {State.PENDING: State.CLAIMED, State.DEFERRED: State.CLAIMED},
    # The run ends before the message was attempted: back to the queue.
    Step.RELEASE: {State.CLAIMED: State.PENDING},
    # Asked again for each message in the same transaction as WRITE_AHEAD.
    Step.SUPPRESS: {
        State.PENDING: State.SUPPRESSED,
        State.CLAIMED: State.SUPPRESSED,
        State.DEFERRED: State.SUPPRESSED,
    },
    # Durable before the final dot or the request.
    Step.WRITE_AHEAD: {State.CLAIMED: State.ATTEMPTING},
    # Only who attempted can have been accepted.
    Step.ACCEPT: {State.ATTEMPTING: State.ACCEPTED},
    # A refusal may come before the decisive byte (RCPT) or after it.
    Step.REJECT: {State.CLAIMED: State.REJECTED, State.ATTEMPTING: State.REJECTED},
    Step.DEFER: {State.CLAIMED: State.DEFERRED, State.ATTEMPTING: State.DEFERRED},
    # A refusal that is about us, or about the message: definitely not taken, and nobody's fault.
    Step.RETURN: {State.CLAIMED: State.PENDING, State.ATTEMPTING: State.PENDING},
    # No definite answer.
    Step.DOUBT: {State.ATTEMPTING: State.IN_DOUBT},
    # The owner died. Never attempting → pending: that would mail people twice.
    Step.ORPHAN: {State.CLAIMED: State.PENDING, State.ATTEMPTING: State.IN_DOUBT},
    Step.EXPIRE: {State.DEFERRED: State.EXPIRED},
    # Late proof of acceptance beats doubt; nothing ever downgrades accepted.
    Step.EVIDENCE: {State.IN_DOUBT: State.ACCEPTED},
    # A person decides: it arrived, or send it again.
    Step.ASSUME: {State.IN_DOUBT: State.ACCEPTED},
    Step.RESEND: {State.IN_DOUBT: State.PENDING},
    # The refusal turned out to be about us: the reader waits again, and is not blamed.
    Step.PUT_BACK: {State.REJECTED: State.PENDING, State.DEFERRED: State.PENDING},
    # A restored backup or a copy is taken on: who waits here may have been mailed from elsewhere.
    Step.ADOPT: {
        State.PENDING: State.IN_DOUBT,
        State.CLAIMED: State.IN_DOUBT,
        State.ATTEMPTING: State.IN_DOUBT,
        State.DEFERRED: State.IN_DOUBT,
    },
}

TERMINAL = frozenset({State.ACCEPTED, State.REJECTED, State.SUPPRESSED, State.EXPIRED})
"""States that count as an end: only evidence that a refusal was about us changes one again."""

HAS_OR_MAY_HAVE = frozenset(
    {
        State.PENDING,
        State.CLAIMED,
        State.ATTEMPTING,
        State.ACCEPTED,
        State.DEFERRED,
        State.IN_DOUBT,
    }
)
"""Who has the issue, may have it or will get it: a later campaign leaves them out."""


def listed(states: Iterable[State]) -> str:
    """States as an SQL list."""
    return "(" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


def sources(step: Step) -> tuple[State, ...]:
    """The states from which ``step`` may be taken."""
    return tuple(TRANSITIONS[step])
