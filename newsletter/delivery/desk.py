"""The desk: what a run's workers ask the ledger for, on the writer's thread.

Work to do, or why there is none: a pause for the transport, somebody who is
due later, a wave that must be judged first, a hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import Clock
from newsletter.delivery.canary import Judgement, judge
from newsletter.delivery.domains import PAUSE_S, DomainRates
from newsletter.delivery.journal import Book
from newsletter.delivery.pacing import Pacer
from newsletter.ledger import Ledger
from newsletter.ledger.deliveries import Claim

TOO_LATE = (
    "It is too late for this send: its time was over before everybody was mailed. "
    "“newsletter resume ISSUE --late” sends it to the rest all the same."
)


@dataclass(frozen=True, slots=True)
class Handout:
    """What a worker is given.

    Attributes:
        claims: work to do; if there is some, nothing else is said.
        wait_s: how long the transport waits.
    """

    claims: Sequence[Claim] = ()
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left when nothing can be claimed now.

    Attributes:
        due: when the next one may be claimed; None: nobody.
        judged: a wave that is through; the next is open now, unless there is a complaint.
    """

    due: datetime | None = None
    judged: Judgement | None = None


class Desk:
    """One run's view of the queue; all methods run in the writer's transaction.

    Args:
        ledger: open.
        campaign: the campaign's id.
        book: claims for the run.
        pacer: says whether anything may go.
        rates: says so for single domains.
        stop_above: the share of refusals in a wave that is too much.
        run_id: the run's name.
        clock: tells the time.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        *,
        book: Book,
        pacer: Pacer,
        rates: DomainRates,
        stop_above: float,
        run_id: str,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._campaign = campaign
        self._book = book
        self._pacer = pacer
        self._rates = rates
        self._stop_above = stop_above
        self._run_id = run_id
        self._clock = clock

    def hand_out(self, count: int) -> Handout:
        """Take up to ``count`` of those who are due."""
        if (wait_s := self._pacer.wait_s()) > 0:
            return Handout(wait_s=wait_s)
        claims = self._book.claim(count)
        if claims and self._rates:
            claims = self._sift(claims)
        if claims:
            self._pacer.take(len(claims))
        self.keep()
        return Handout(claims)

    def outlook(self) -> Outlook:
        """What is left when nothing can be claimed now; opens the next wave if that may be."""
        judged = judge(self._ledger, self._campaign, stop_above=self._stop_above)
        if judged is not None:
            if judged.complaint is None:
                self._ledger.controls.open_wave(self._campaign, judged.following)
            return Outlook(judged=judged)
        return Outlook(due=self._ledger.deliveries.next_due(self._campaign))

    def postpone(self, domain: str, wait_s: float = PAUSE_S) -> None:
        """Leave those at ``domain`` in peace."""
        self._ledger.deliveries.postpone(self._campaign, domain, self._now() + wait_s)

    def beat(self) -> str | None:
        """Show that the run is alive; why it must not go on, if so."""
        self._ledger.runs.alive(self._run_id, self._now())
        self.keep()
        control = self._ledger.controls.of(self._campaign)
        if control.held is None and self._clock.now() > control.not_after:
            return TOO_LATE
        return control.held

    def keep(self) -> None:
        """Write down how fast mail may go."""
        self._ledger.buckets.save(self._pacer.changed())

    def _sift(self, claims: list[Claim]) -> list[Claim]:
        allowed, full = self._rates.sift(claims)
        names = {claim.id for claim in allowed}
        if full:
            self._book.release([claim for claim in claims if claim.id not in names])
            for domain, wait_s in full.items():
                self.postpone(domain, wait_s)
        self._ledger.buckets.save(self._rates.kept())
        return allowed

    def _now(self) -> float:
        return self._clock.now().timestamp()
