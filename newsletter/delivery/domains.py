"""Destination domains: leaving one in peace that refuses us, and a set rate for each. No I/O.

One large mailbox provider that has had enough of us must not cost its readers
their mail: those who wait there are postponed before all of them are refused,
while everybody else goes on. A bad address is no such sign (delivery.md 4.3:
the same policy code or text for more than 3 %, or more than 20 in a row).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.clock import Clock
from newsletter.delivery.pacing import Bucket
from newsletter.delivery.verdict import is_bad_address, is_policy
from newsletter.ledger.buckets import BucketRow
from newsletter.ledger.deliveries import Claim
from newsletter.transports.protocol import Accepted, Outcome, Rejected, Scope

PAUSE_S = 3600.0
_IN_A_ROW = 20
_JUDGED_FIRST = 30
_SHARE = 0.03
_TURN_S = 15.0
"""A domain with a rate gets so many seconds' worth at a time: to put off all who wait costs."""
_LIKENESS = 200
"""Characters by which two replies are held to be alike; longer ones take the square of time."""
_PERSONAL = re.compile(r"<[^>]*>|\S*@\S*|\S*\d{3}\S*")


@dataclass(slots=True)
class _Record:
    """What one domain answered lately."""

    accepted: int = 0
    in_a_row: int = 0
    refused: int = 0
    policy: int = 0
    texts: Counter[str] = field(default_factory=Counter)


class Refusals:
    """Tells when a domain refuses us. Used under a lock."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def look_at(self, domain: str, outcome: Outcome) -> str | None:
        """Take note of an outcome; why the domain must be left in peace, if it must."""
        if isinstance(outcome, Accepted):
            record = self._records.get(domain)
            if record is None:
                self._records[domain] = record = _Record()
            record.accepted += 1
            record.in_a_row = 0
            return None
        if (
            not isinstance(outcome, Rejected)
            or outcome.scope is not Scope.RECIPIENT
            or is_bad_address(outcome.reply)
        ):
            return None
        record = self._records.setdefault(domain, _Record())
        _add(record, outcome.reply)
        if not _enough(record):
            return None
        # Judged anew when its time is over.
        del self._records[domain]
        return (
            f"{domain} refused {record.refused:,} of {record.accepted + record.refused:,}, the "
            f"last with: {outcome.reply} The others there are left in peace for an hour."
        )


def _add(record: _Record, reply: str) -> None:
    record.in_a_row += 1
    record.refused += 1
    record.policy += is_policy(reply)
    record.texts[_PERSONAL.sub("…", reply[:_LIKENESS])] += 1


def _enough(record: _Record) -> bool:
    if record.in_a_row > _IN_A_ROW:
        return True
    judged = record.accepted + record.refused
    alike = max(record.policy, *record.texts.values())
    return judged >= _JUDGED_FIRST and alike > _SHARE * judged


class DomainRates:
    """Keeps the rates of newsletter.toml's ``domain_per_minute``; one thread uses it.

    Args:
        per_minute: by the domain's name.
        kept: the ledger's buckets.
        clock: tells the time.
    """

    def __init__(
        self, per_minute: Mapping[str, float], *, kept: Mapping[str, BucketRow], clock: Clock
    ) -> None:
        self._clock = clock
        self._rates = {name.lower(): rate / 60 for name, rate in per_minute.items() if rate > 0}
        self._buckets = {
            name: Bucket(
                f"domain {name}",
                known=None,
                ceiling=rate,
                kept=kept.get(f"domain {name}"),
                clock=clock,
            )
            for name, rate in self._rates.items()
        }

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def sift(self, claims: Sequence[Claim]) -> tuple[list[Claim], dict[str, float]]:
        """Who of ``claims`` may go now.

        Returns:
            They, and the domains that have had enough, with how many seconds
            the others there must wait.
        """
        allowed: list[Claim] = []
        turns: dict[str, int] = {}
        full: dict[str, float] = {}
        for claim in claims:
            domain = claim.recipient.address.domain
            bucket = self._buckets.get(domain)
            if bucket is None:
                allowed.append(claim)
                continue
            if domain not in turns:
                turns[domain] = self._turn(domain) if bucket.wait_s() <= 0 else 0
            if turns[domain]:
                turns[domain] -= 1
                bucket.take(1)
                allowed.append(claim)
            else:
                full[domain] = max(bucket.wait_s(), 0.1)
        return allowed, full

    def kept(self) -> list[BucketRow]:
        """What a later run should know."""
        return [bucket.kept() for bucket in self._buckets.values()]

    def _turn(self, domain: str) -> int:
        return max(1, int(self._rates[domain] * _TURN_S))
