"""Events applied to the ledger, however they came, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from newsletter.errors import NewsletterError
from newsletter.feedback.apply import Applied, apply_event, settle_by_known_events
from newsletter.feedback.event import DeliveryEvent
from newsletter.project.log_reader import SyncResult
from newsletter.project.suppress import into_record

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger
    from newsletter.project.project import Project

_MOST_NAMED = 20


class Fate(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    KNOWN = "known already"
    HINT = "hint"
    """Nobody signed it, and the provider does not tell of it either: nothing follows."""
    REFUSED = "refused"
    """A webhook without a right signature, or one that could not be verified in time."""
    WAITING = "waiting"
    """A webhook that cannot be verified yet, or was not read in time; or an event before its
    message."""
    NOT_OURS = "not ours"


@dataclass(slots=True)
class EventAccount:
    """What became of providers' events.

    Attributes:
        events: how many, by what became of them.
        people: how many are not mailed any more.
        settled: doubts.
        unread: webhooks that there was no time to read.
        reasons: why some wait or were not heard, the first of them.
        folder_only: why the list's send record does not know who left; None if it does.
        log: what else was new in the public log; None if it was not read.
    """

    events: Counter[Fate] = field(default_factory=Counter)
    people: int = 0
    settled: int = 0
    unread: int = 0
    reasons: list[str] = field(default_factory=list)
    folder_only: NewsletterError | None = None
    log: SyncResult | None = None

    def add(self, applied: Applied) -> None:
        """Count what came of events that were applied."""
        self.events[Fate.APPLIED] += applied.new
        self.events[Fate.KNOWN] += applied.known
        self.people += applied.suppressed
        self.settled += applied.settled

    def tell(self, why: str) -> None:
        """Note why something was not heard, once."""
        if why not in self.reasons and len(self.reasons) < _MOST_NAMED:
            self.reasons.append(why)


def event_applier(project: Project, ledger: Ledger) -> Callable[[DeliveryEvent], Applied]:
    """What applies an event that was heard by now, inside the caller's transaction."""
    return partial(
        apply_event,
        ledger=ledger,
        looked_at={campaign.id for campaign in ledger.campaigns.all()},
        now=project.clock.now(),
        suppress_after=project.settings.delivery.suppress_after_returns,
    )


def conclude(project: Project, ledger: Ledger) -> tuple[int, NewsletterError | None]:
    """Settle doubts by the events that were applied, and let the send record know who left.

    Returns:
        How many were settled, and why the record does not know; None if it does.
    """
    with ledger.transaction():
        now = project.clock.now()
        settled = settle_by_known_events(ledger, ledger.campaigns.all(), now=now)
    return settled, into_record(project, ledger, {})
