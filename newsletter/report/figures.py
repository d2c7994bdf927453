"""The figures of one campaign, ready to be shown. No I/O.

No figure is about fewer people than could hide in it: a domain with few
readers is counted among “other domains”, since at a small organisation a
domain is as good as a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.runs import RunRecord
from newsletter.ledger.states import State, Step
from newsletter.ledger.tally import Tally
from newsletter.report.reasons import reason_of

FEWEST_AT_A_DOMAIN = 5
OTHER_DOMAINS = "other domains"
_MOST_BARS = 10
_SPANS_S = (1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600)
_MOST_SPANS = 120


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, for one reason or at one domain."""

    label: str
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Point:
    """How many were accepted and refused for good up to ``at``, and accepted in the span before."""

    at: datetime
    accepted: int
    refused: int
    in_span: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All of a report on one campaign.

    ``trial``: every run went to nobody. ``reasons`` and ``domains`` are of those refused
    or given up, ``waiting`` of those deferred.
    """

    campaign: Campaign
    trial: bool
    tally: Tally
    runs: Sequence[RunRecord]
    points: Sequence[Point]
    span_s: float
    reasons: Sequence[Share]
    domains: Sequence[Share]
    waiting: Sequence[Share]
    doubts: Sequence[Share]
    settled_doubts: int
    attempts: Mapping[int, int]
    versions: Mapping[int, int]
    events: Mapping[str, int]

    @property
    def began_at(self) -> datetime | None:
        """When the first attempt ended."""
        return self.points[0].at if self.points else None

    @property
    def took(self) -> timedelta:
        """From the first attempt to the last."""
        if not self.points:
            return timedelta()
        return self.points[-1].at - self.points[0].at


def span_for(began: datetime, ended: datetime) -> float:
    """The span in seconds that cuts the time into no more pieces than a plot can show."""
    seconds = (ended - began).total_seconds()
    return next((span for span in _SPANS_S if seconds / span <= _MOST_SPANS), _SPANS_S[-1])


def points_of(outcomes: Mapping[datetime, Counter[Step | None]], span_s: float) -> list[Point]:
    """The course of a send, from the outcomes of each span; each point stands at its end."""
    accepted = refused = 0
    points = []
    for at in sorted(outcomes):
        in_span = outcomes[at][Step.ACCEPT]
        accepted += in_span
        refused += outcomes[at][Step.REJECT]
        points.append(Point(at + timedelta(seconds=span_s), accepted, refused, in_span))
    if points:
        first = points[0].at - timedelta(seconds=span_s)
        points.insert(0, Point(first, 0, 0, 0))
    return points


def by_reason(replies: Mapping[str, int]) -> list[Share]:
    """Counts by reason, the commonest first, from how many were told what."""
    counts: Counter[str] = Counter()
    for reply, number in replies.items():
        counts[reason_of(reply)] += number
    return _shares(counts, dict.fromkeys(counts, counts.total()))


def by_domain(counted: Mapping[str, int], planned: Mapping[str, int]) -> list[Share]:
    """Counts by domain beside how many were planned there; small domains are one."""

    def without_small(numbers: Mapping[str, int]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for domain, number in numbers.items():
            small = planned[domain] < FEWEST_AT_A_DOMAIN
            counts[OTHER_DOMAINS if small else domain] += number
        return counts

    return _shares(without_small(counted), without_small(planned))


def _shares(counts: Counter[str], of: Mapping[str, int]) -> list[Share]:
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    shares = [Share(label, count, of[label]) for label, count in ordered[:_MOST_BARS]]
    rest = ordered[_MOST_BARS:]
    if rest:
        label = f"{len(rest)} others"
        shares.append(Share(label, sum(n for _, n in rest), sum(of[name] for name, _ in rest)))
    return shares


REFUSED = (State.REJECTED, State.EXPIRED)
"""The states whose replies tell why somebody will not get it."""
