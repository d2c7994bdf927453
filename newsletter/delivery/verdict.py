"""What an outcome means: for the recipient, and for the run. No I/O.

The scopes are Postfix's (smtp_trouble.c): one recipient's trouble stays
theirs; a refused letter, sender or account stops the run and is nobody's
fault on the list.
"""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.delivery.retry import next_attempt_at
from newsletter.delivery.states import Step
from newsletter.errors import TransportStopped
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope

REFUSALS_IN_A_ROW = 20
"""So many refusals with no acceptance between them are the relay's word about us."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step that a delivery takes, and what is written down with it."""

    step: Step
    reply: str
    provider_id: str | None = None
    next_attempt_at: float = 0
    theirs: bool = True
    """Whether it is about the recipient at all; else their time for retries does not begin."""


def verdict(outcome: Outcome, *, attempt: int, now: float) -> Verdict:
    """What becomes of the recipient.

    Args:
        outcome: what the attempt told.
        attempt: its number, from 1.
        now: seconds since the epoch.
    """
    match outcome:
        case Accepted():
            return Verdict(Step.ACCEPT, outcome.reply, outcome.provider_id)
        case InDoubt():
            return Verdict(Step.DOUBT, outcome.reason)
        case Rejected(scope=Scope.RECIPIENT):
            return Verdict(Step.REJECT, outcome.reply)
        case Deferred(scope=Scope.RECIPIENT):
            at = next_attempt_at(now=now, attempt=attempt, asked_s=outcome.retry_after_s)
            return Verdict(Step.DEFER, outcome.reply, next_attempt_at=at)
        case _:
            # The letter or the account was refused, not this person: they are
            # due again as soon as somebody has mended it.
            return Verdict(Step.DEFER, outcome.reply, next_attempt_at=now, theirs=False)


class Watchdog:
    """Tells when outcomes mean that the run must stop. Used under a lock."""

    def __init__(self) -> None:
        self._refusals = 0

    def look_at(self, outcome: Outcome) -> TransportStopped | None:
        """Take note of an outcome; why the run must stop, if it must."""
        if isinstance(outcome, Accepted):
            self._refusals = 0
            return None
        if isinstance(outcome, InDoubt):
            return None
        if outcome.scope is not Scope.RECIPIENT:
            whom = "the letter or its sender" if outcome.scope is Scope.CAMPAIGN else "our mail"
            return TransportStopped(
                f"The other side does not take {whom}: {outcome.reply}",
                next="Mend what it names, then run “newsletter resume”.",
            )
        if isinstance(outcome, Rejected):
            self._refusals += 1
            if self._refusals >= REFUSALS_IN_A_ROW:
                return TransportStopped(
                    f"{REFUSALS_IN_A_ROW} recipients in a row were refused, the last with: "
                    f"{outcome.reply}",
                    next="The relay probably refuses us, not them. Ask who runs it, then run "
                    "“newsletter resume” for the others and “newsletter send” for those refused.",
                )
        return None
