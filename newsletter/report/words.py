"""The words for states and events, in reports and in every account. No I/O."""

from __future__ import annotations

from newsletter.ledger.states import State
from newsletter.ledger.tally import Tally
from newsletter.phrases import count

TRIAL = "A trial: it reached nobody."

STATES = {
    State.ACCEPTED: "accepted by the next mail server",
    State.PENDING: "waiting for their turn",
    State.CLAIMED: "taken up by a run",
    State.ATTEMPTING: "being handed over",
    State.DEFERRED: "deferred by the server, to be retried",
    State.REJECTED: "refused for good",
    State.IN_DOUBT: "in doubt: they may have it",
    State.SUPPRESSED: "left before their turn; not mailed",
    State.EXPIRED: "given up after too many delays",
}
"""A line for each, in the order they are shown."""

TERMS = {
    State.ACCEPTED: "accepted",
    State.PENDING: "waiting",
    State.CLAIMED: "taken up",
    State.ATTEMPTING: "being handed over",
    State.DEFERRED: "deferred",
    State.REJECTED: "refused",
    State.IN_DOUBT: "in doubt",
    State.SUPPRESSED: "left",
    State.EXPIRED: "given up",
}
"""The same as terms of the sum."""

EVENTS = {
    "taken": "the server took it or put it into the mailbox",
    "delayed": "delayed",
    "returned": "came back for a reason that may pass",
    "bounced": "came back: there is no such mailbox",
    "complained": "called spam by the reader",
    "unsubscribed": "left by the provider's own link",
    "dropped": "taken and then not mailed by the provider",
}


def ended(tally: Tally) -> str:
    """How it stands, in a sentence."""
    if not tally.adds_up:
        return "The numbers do not add up. Do not send; see “newsletter docs ledger”."
    if tally.refused_by_all:
        return "Nobody was accepted: everybody was refused or given up."
    if tally.complete:
        return "Complete: everybody has a definite end."
    if tally.open or tally[State.ATTEMPTING]:
        waiting = tally.open + tally[State.ATTEMPTING]
        return f"Not finished: {count(waiting, 'person waits', 'people wait')}."
    in_doubt = count(tally[State.IN_DOUBT], "person is", "people are")
    return f"Finished, but {in_doubt} in doubt."


def identity(tally: Tally) -> str:
    """The accounting identity: planned is the sum of the states."""
    terms = " + ".join(f"{tally[state]:,} {TERMS[state]}" for state in TERMS if tally[state])
    sign = "=" if tally.adds_up else "≠"
    return f"{tally.planned:,} planned {sign} {terms or 0}"
