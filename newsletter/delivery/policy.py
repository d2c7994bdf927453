"""What an answer means: for the recipient, the run, the campaign, the pace and the domain. No I/O.

:data:`RULES` says what one answer leads to; docs/delivery.md shows it. The
brakes look at many answers together: :class:`CircuitBreaker` at a run's,
:class:`DomainBreaker` at a domain's, :func:`judge_wave` at a wave's. The
scopes are Postfix's (smtp_trouble.c): a refused recipient concerns nobody else;
a refused message, sender or account stops the run and is no recipient's fault.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from newsletter.ledger.plan import Wave
from newsletter.ledger.states import Disposition, State, Step
from newsletter.refusal_words import (
    Names,
    is_bad_address,
    is_greylisting,
    is_policy,
    names,
    same_words,
)
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope

# One answer


@dataclass(frozen=True, slots=True)
class Rule:
    """What one kind of answer leads to.

    Attributes:
        meaning: the answer, in words.
        example: replies of this kind.
        step: what becomes of the recipient's delivery. RETURN is no attempt of theirs: it
            neither lengthens their wait nor begins their time for retries.
        throttles: whether everything waits, and then goes on more slowly.
        stops: what the server does not take, where the run stops; else nothing.
    """

    meaning: str
    example: str
    step: Step
    throttles: bool = False
    stops: str = ""


_MESSAGE = Rule("this message or sender, never", "552 5.3.4, 550 5.1.8", Step.RETURN,
               stops="the message or its sender")  # fmt: skip
RULES: Mapping[tuple[type[Outcome], Scope | None], Rule] = {
    (Accepted, None): Rule("taken", "250 2.0.0, HTTP 200", Step.ACCEPT),
    (Deferred, Scope.RECIPIENT): Rule("this recipient, later", "450 greylisted", Step.DEFER),
    (Rejected, Scope.RECIPIENT): Rule("this recipient, never", "550 5.1.1", Step.REJECT),
    (Deferred, Scope.ACCOUNT): Rule(
        "everything slower or later", "454 4.7.0, HTTP 429", Step.RETURN, throttles=True
    ),
    (Deferred, Scope.CAMPAIGN): _MESSAGE,
    (Rejected, Scope.CAMPAIGN): _MESSAGE,
    (Rejected, Scope.ACCOUNT): Rule(
        "this account, never", "535, HTTP 401", Step.RETURN, stops="our mail"
    ),
    (InDoubt, None): Rule("nothing", "a cut line after the dot", Step.DOUBT),
}  # fmt: skip
"""By the kind of outcome, and whom it concerns."""


def rule_for(outcome: Outcome) -> Rule:
    """The rule for an outcome."""
    return RULES[type(outcome), getattr(outcome, "scope", None)]


def classify(
    outcome: Outcome,
    *,
    attempt: Callable[[], int],
    now: datetime,
    key: str = "",
    wait_s: float = 0.0,
) -> Disposition:
    """What becomes of the recipient.

    Args:
        outcome: what the attempt told.
        attempt: its number among those that count, from 1; asked for only where it matters.
        now: the time.
        key: what tells this recipient from others.
        wait_s: how long the transport waits, where it was throttled.
    """
    rule = rule_for(outcome)
    if isinstance(outcome, InDoubt):
        return Disposition(rule.step, outcome.reason)
    if isinstance(outcome, Accepted):
        return Disposition(rule.step, outcome.reply, outcome.provider_id)
    if rule.step is Step.RETURN:
        # Due again when the transport is, or as soon as somebody has mended the message.
        due = now + timedelta(seconds=wait_s)
        return Disposition(rule.step, outcome.reply, next_attempt_at=due)
    if isinstance(outcome, Rejected):
        return Disposition(rule.step, outcome.reply)
    due = next_attempt_at(now=now, attempt=attempt(), asked_s=outcome.retry_after_s, key=key)
    return Disposition(rule.step, outcome.reply, next_attempt_at=due)


# Retry


_FIRST_RETRY_S = 300.0
_LONGEST_RETRY_S = 4000.0
_LONGEST_ASKED_S = 86400.0
"""A server that asks for years would keep the campaign open for years."""
_SPREAD = 0.1
"""Retries are put up to a tenth later than the schedule says, so that not all come at once."""


def next_attempt_at(
    *, now: datetime, attempt: int, asked_s: float | None, key: str = ""
) -> datetime:
    """When a deferred recipient is retried.

    After 5, 10, 20 and 40 minutes, then every 4,000 seconds (Postfix's
    minimal_backoff_time and maximal_backoff_time; RFC 5321 4.5.4.1 asks for
    half an hour in the long run), or later if the server asked for that,
    but within a day. Up to a tenth is added.

    Args:
        now: the time.
        attempt: number of the deferred attempt, from 1; only those that count.
        asked_s: what the server asked for, in seconds.
        key: what tells this recipient from others, for the spread.
    """
    wait_s = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(attempt - 1, 10))
    wait_s *= 1 + _SPREAD * jitter(key, attempt)
    return now + timedelta(seconds=max(wait_s, min(asked_s or 0.0, _LONGEST_ASKED_S)))


def jitter(key: str, number: int) -> float:
    """A number from 0 to below 1 that looks like chance and is always the same."""
    digest = hashlib.sha256(f"{key}\n{number}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


# Brakes: many answers together


UNFIT_IN_A_ROW = 20
"""So many messages that could not be made one after the other are no one reader's fault."""
_JUDGED_FIRST = 50
"""Before so many definite answers, a share says nothing."""
DOMAIN_PAUSE = timedelta(hours=1)
_DOMAIN_IN_A_ROW = 20
_DOMAIN_JUDGED_FIRST = 30
_DOMAIN_SHARE = 0.03


class Brake(Enum):
    """What is slowed or stopped when answers are too bad."""

    STOP = "the run stops"
    HOLD = "the campaign is held until a person resumes it"
    DOMAIN = "one domain waits for an hour"
    WAIT = "all of them wait: 5, 10, 20 and 40 minutes, then about 67 at a time"


@dataclass(frozen=True, slots=True)
class Trip:
    """A brake that answers have pulled: why, and what a person can do about it."""

    brake: Brake
    why: str
    next: str = ""


class CircuitBreaker:
    """Looks at the answers of a run and tells when they pull a brake. Used under a lock.

    Args:
        stop_above: the share of refusals that is too much.
    """

    def __init__(self, stop_above: float) -> None:
        self._stop_above = stop_above
        self._unfit_in_a_row = 0
        self._accepted = 0
        self._refusals: Counter[str] = Counter()
        self._domains = defaultdict[str, DomainBreaker](DomainBreaker)

    def record(self, domain: str, outcome: Outcome) -> Trip | None:
        """Take note of an outcome for somebody at ``domain``; the brake that it pulls, if any."""
        if isinstance(outcome, Accepted):
            self._unfit_in_a_row = 0
            self._accepted += 1
        elif isinstance(outcome, Deferred | Rejected) and (stops := rule_for(outcome).stops):
            return Trip(
                Brake.STOP,
                f"The server does not take {stops}: {outcome.reply}",
                next="Mend what it names, then run “newsletter resume”.",
            )
        elif isinstance(outcome, Rejected):
            self._refusals[outcome.reply] += 1
        domain_trip = self._domains[domain].record(domain, outcome)
        return self._share() or domain_trip

    def record_unfit(self, reason: str) -> Trip | None:
        """Take note of a message that could not be made; the brake that it pulls, if any."""
        self._unfit_in_a_row += 1
        if self._unfit_in_a_row < UNFIT_IN_A_ROW:
            return None
        return Trip(
            Brake.STOP,
            f"{UNFIT_IN_A_ROW} messages in a row could not be made, the last because: {reason}",
            next="Nobody else was touched. Mend it, or report it as a fault of this program.",
        )

    def _share(self) -> Trip | None:
        refused = self._refusals.total()
        judged = self._accepted + refused
        if judged < _JUDGED_FIRST or refused <= self._stop_above * judged:
            return None
        return Trip(Brake.HOLD, _refused_words(judged, self._refusals))


class DomainBreaker:
    """Tells when one domain refuses us. A bad address is no such sign, by its code or in words.

    It does so after more than 20 refusals in a row, or once more than 3 % were
    refused as a matter of policy or in the same words. A large mailbox provider
    that has had enough of us must not cost its readers their mail.
    """

    def __init__(self) -> None:
        self._clear()

    def record(self, domain: str, outcome: Outcome) -> Trip | None:
        """Take note of an outcome; the brake that it pulls, if any."""
        if isinstance(outcome, Accepted):
            self._accepted += 1
            self._in_a_row = 0
            return None
        if not isinstance(outcome, Rejected) or is_bad_address(outcome.reply):
            return None
        if (named := names(outcome.reply)) is Names.MAILBOX:
            return None
        self._in_a_row += 1
        self._refused += 1
        self._policy += is_policy(outcome.reply)
        if named is Names.NOBODY:
            self._texts[same_words(outcome.reply)] += 1
        judged = self._accepted + self._refused
        alike = max(self._policy, *self._texts.values(), 0)
        if self._in_a_row <= _DOMAIN_IN_A_ROW and not (
            judged >= _DOMAIN_JUDGED_FIRST and alike > _DOMAIN_SHARE * judged
        ):
            return None
        why = (
            f"{domain} refused {self._refused:,} of {judged:,}, the last with: {outcome.reply} "
            "The other recipients there wait for an hour."
        )
        self._clear()  # judged anew when its time is over
        return Trip(Brake.DOMAIN, why)

    def _clear(self) -> None:
        self._accepted = self._refused = self._in_a_row = self._policy = 0
        self._texts: Counter[str] = Counter()


_WAVE_WORDS = {Wave.SEEDS: "the addresses that get it first", Wave.CANARY: "the sample"}


def judge_wave(
    wave: Wave, accepted: int, replies: Mapping[tuple[State, str], int], *, stop_above: float
) -> Trip | None:
    """Whether a person should look before the next wave.

    Judged from the ledger alone, so that a crash in the middle of a wave changes nothing.

    Args:
        wave: seeds or canary; everybody in it has had an answer.
        accepted: how many of it were.
        replies: what the others were told, by the state that they are in, and how many.
        stop_above: the share of refusals that is too much.
    """
    refusals = Counter(
        {
            reply: count
            for (state, reply), count in replies.items()
            if state is State.REJECTED or _is_policy_now(reply)
        }
    )
    refused = refusals.total()
    judged = accepted + refused
    if refused <= stop_above * judged or (refused == 1 and judged > 1):
        return None  # a single bad address in a small sample is no sign
    return Trip(Brake.HOLD, f"Of {_WAVE_WORDS[wave]}, {_refused_words(judged, refusals)}")


def _is_policy_now(reply: str) -> bool:
    """Whether “later” was said about us. Greylisting is said of everybody."""
    return is_policy(reply) and not is_greylisting(reply)


def _refused_words(judged: int, refusals: Counter[str]) -> str:
    """``6 of 50 were refused (12 %), most often with: 550 …``."""
    refused = refusals.total()
    ((commonest, _),) = refusals.most_common(1)
    share = f"{refused:,} of {judged:,} were refused ({refused / judged:.0%})"
    return f"{share}, most often with: {commonest}"
