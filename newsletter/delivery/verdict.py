"""What an outcome means: for the recipient, and for the run. No I/O.

The scopes are Postfix's (smtp_trouble.c): one recipient's trouble stays
theirs; a refused letter, sender or account stops the run and is nobody's
fault on the list. Where the other side only wants us slower or later, the run
goes on at its pace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from newsletter.delivery.retry import next_attempt_at
from newsletter.errors import TransportStopped
from newsletter.ledger.states import Step
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope

REFUSALS_IN_A_ROW = 20
"""So many refusals with no acceptance between them are the relay's word about us."""
_JUDGED_FIRST = 50
"""Before so many definite answers, a share says nothing."""

_ENHANCED = re.compile(r"(?<![\d.])[245]\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_BAD_ADDRESS = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
"""RFC 3463: the mailbox or its domain does not exist, has moved, takes no mail or is disabled."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step that a delivery takes, and what is written down with it."""

    step: Step
    reply: str
    provider_id: str | None = None
    next_attempt_at: float = 0
    theirs: bool = True
    """Whether it is about the recipient at all; else their time for retries does not begin."""


def verdict(
    outcome: Outcome, *, attempt: Callable[[], int], now: float, key: str = "", wait_s: float = 0.0
) -> Verdict:
    """What becomes of the recipient.

    Args:
        outcome: what the attempt told.
        attempt: its number among those that were about the recipient, from 1.
        now: seconds since the epoch.
        key: what tells this recipient from others.
        wait_s: how long the transport waits, where it was pushed back.
    """
    match outcome:
        case Accepted():
            return Verdict(Step.ACCEPT, outcome.reply, outcome.provider_id)
        case InDoubt():
            return Verdict(Step.DOUBT, outcome.reason)
        case Rejected(scope=Scope.RECIPIENT):
            return Verdict(Step.REJECT, outcome.reply)
        case Deferred(scope=Scope.RECIPIENT):
            at = next_attempt_at(now=now, attempt=attempt(), asked_s=outcome.retry_after_s, key=key)
            return Verdict(Step.DEFER, outcome.reply, next_attempt_at=at)
        case _:
            # The letter or the account was refused, not this person: they are due
            # again when the transport is, or as soon as somebody has mended it.
            return Verdict(Step.DEFER, outcome.reply, next_attempt_at=now + wait_s, theirs=False)


def is_bad_address(reply: str) -> bool:
    """Whether a refusal says that the mailbox is no good, rather than that we are not wanted."""
    found = _ENHANCED.search(reply)
    return found is not None and f"{found[1]}.{found[2]}" in _BAD_ADDRESS


def is_policy(reply: str) -> bool:
    """Whether a reply is about what they allow, not about the mailbox (RFC 3463: X.7.X)."""
    found = _ENHANCED.search(reply)
    return found is not None and found[1] == "7"


class Watchdog:
    """Tells when outcomes mean that the run must stop. Used under a lock.

    Args:
        stop_above: the share of refusals that is too much.
    """

    def __init__(self, stop_above: float) -> None:
        self._stop_above = stop_above
        self._in_a_row = 0
        self._unfit_in_a_row = 0
        self._accepted = self._refusals = 0
        self._replies: Counter[str] = Counter()

    def look_at(self, outcome: Outcome) -> TransportStopped | None:
        """Take note of an outcome; why the run must stop, if it must."""
        if isinstance(outcome, Accepted):
            self._in_a_row = self._unfit_in_a_row = 0
            self._accepted += 1
            return None
        if isinstance(outcome, InDoubt) or _asks_for_patience(outcome):
            return None
        if outcome.scope is not Scope.RECIPIENT:
            whom = "the letter or its sender" if outcome.scope is Scope.CAMPAIGN else "our mail"
            return TransportStopped(
                f"The other side does not take {whom}: {outcome.reply}",
                next="Mend what it names, then run “newsletter resume”.",
            )
        if isinstance(outcome, Rejected):
            return self._refused(outcome.reply)
        return None

    def unfit(self, reason: str) -> TransportStopped | None:
        """Take note of a letter that could not be made; why the run must stop, if it must."""
        self._unfit_in_a_row += 1
        if self._unfit_in_a_row < REFUSALS_IN_A_ROW:
            return None
        return TransportStopped(
            f"{REFUSALS_IN_A_ROW} letters in a row could not be made, the last because: {reason}",
            next="Nobody else was touched. Mend it, or report it as a fault of this program.",
        )

    def too_many(self) -> str | None:
        """Why a person should look before this goes on: too large a share was refused."""
        refused, judged = self._refusals, self._accepted + self._refusals
        if judged < _JUDGED_FIRST or refused <= self._stop_above * judged:
            return None
        return refused_words(refused, judged, self._replies)

    def _refused(self, reply: str) -> TransportStopped | None:
        self._replies[reply] += 1
        self._refusals += 1
        if is_bad_address(reply):
            return None  # an old list has many; their share tells when it is too many
        self._in_a_row += 1
        if self._in_a_row < REFUSALS_IN_A_ROW:
            return None
        return TransportStopped(
            f"{REFUSALS_IN_A_ROW} recipients in a row were refused, the last with: {reply}",
            next="The relay probably refuses us, not them. Ask who runs it, then run "
            "“newsletter resume” for the others and “newsletter send” for those refused.",
        )


def refused_words(refused: int, judged: int, replies: Counter[str]) -> str:
    """``6 of 50 were refused (12 %), most often with: 550 …``."""
    commonest = f", most often with: {replies.most_common(1)[0][0]}" if replies else "."
    return f"{refused:,} of {judged:,} were refused ({refused / judged:.0%}){commonest}"


def _asks_for_patience(outcome: Outcome) -> bool:
    return isinstance(outcome, Deferred) and outcome.scope is Scope.ACCOUNT
