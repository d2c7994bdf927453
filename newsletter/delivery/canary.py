"""Waves: the next is opened only when the one before is through and was not refused.

The judgement is made from the ledger alone, so a crash in the middle of a wave
changes nothing: the next run judges the same rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from newsletter.delivery.verdict import is_policy, refused_words
from newsletter.ledger import Ledger
from newsletter.ledger.plan import Wave
from newsletter.ledger.states import State

_IN_WORDS = {Wave.SEEDS: "the addresses that get it first", Wave.CANARY: "the sample"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of an open wave.

    Attributes:
        following: the wave that comes next.
        complaint: why a person should look before; None: nothing speaks against it.
    """

    following: Wave
    complaint: str | None


def judge(ledger: Ledger, campaign: str, *, stop_above: float) -> Judgement | None:
    """Judge the waves that are open.

    Args:
        ledger: open.
        campaign: the campaign's id.
        stop_above: the share of refusals that is too much.

    Returns:
        None: nothing is to be judged, because all waves are open, or somebody
        of an open one has had no answer yet.
    """
    wave = ledger.controls.of(campaign).wave
    if wave is Wave.REST:
        return None
    if any(each <= wave and ledger.deliveries.wave_unheard(campaign, each) for each in Wave):
        return None
    return Judgement(_next(ledger, campaign, wave), _complaint(ledger, campaign, wave, stop_above))


def _next(ledger: Ledger, campaign: str, wave: Wave) -> Wave:
    later = [each for each in Wave if each > wave]
    return next((each for each in later if ledger.deliveries.wave_tally(campaign, each)), Wave.REST)


def _complaint(ledger: Ledger, campaign: str, wave: Wave, stop_above: float) -> str | None:
    tally = ledger.deliveries.wave_tally(campaign, wave)
    replies = _refusals(ledger, campaign, wave)
    refused = replies.total()
    judged = tally.get(State.ACCEPTED, 0) + refused
    if refused <= stop_above * judged or (refused == 1 and judged > 1):
        return None  # a single bad address in a small sample is no sign
    return f"Of {_IN_WORDS[wave]}, {refused_words(refused, judged, replies)}"


def _refusals(ledger: Ledger, campaign: str, wave: Wave) -> Counter[str]:
    """What those of a wave were told who were refused, or put off as a matter of policy."""
    return Counter(
        {
            reply: count
            for (state, reply), count in ledger.deliveries.wave_replies(campaign, wave).items()
            if state is State.REJECTED or _is_policy_now(reply)
        }
    )


def _is_policy_now(reply: str) -> bool:
    """Whether “later” was said about us. Greylisting is said of everybody."""
    return is_policy(reply) and "greylist" not in reply.lower() and "grey-list" not in reply.lower()
