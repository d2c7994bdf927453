"""Events brought to the ledger: doubts settled, who must not be mailed suppressed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from newsletter.addresses import Address, AddressError
from newsletter.feedback.event import PROVES_ACCEPTANCE, DeliveryEvent, Kind
from newsletter.ledger import Ledger
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.reading import DeliveryRow
from newsletter.ledger.suppressions import Reason, Suppression

_BARE = re.compile(r"^[^<]*<([^<>]+)>.*$", re.DOTALL)
_REASONS = {
    Kind.BOUNCED: Reason.BOUNCED,
    Kind.COMPLAINED: Reason.COMPLAINED,
    Kind.UNSUBSCRIBED: Reason.UNSUBSCRIBED,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of events: ``settled`` doubts, ``suppressed`` people, news and old news."""

    settled: int
    suppressed: int
    new: int
    known: int
    strangers: int
    """Events about letters of no campaign looked at."""


def apply_events(
    events: Iterable[DeliveryEvent],
    ledger: Ledger,
    campaigns: Iterable[Campaign],
    *,
    now: datetime,
) -> Applied:
    """Write down what ``events`` tell of the letters of ``campaigns``.

    The same event twice is one. Whoever an event proves to have been accepted
    is no longer in doubt; nothing else changes the state of a delivery.

    Args:
        events: the news.
        ledger: open.
        campaigns: whose letters are looked for.
        now: the time, for the record.

    Raises:
        LedgerRefused: it cannot be written. What was applied stays.
    """
    looked_at = {campaign.id for campaign in campaigns}
    counts = dict.fromkeys(("settled", "suppressed", "new", "known", "strangers"), 0)
    for event in events:
        row = _delivery(event, ledger, looked_at)
        if row is None:
            counts["strangers"] += 1
            continue
        event = _about(row, event)  # noqa: PLW2901 - from here on, nothing else is believed
        with ledger.transaction():
            new = ledger.events.add(
                row.id,
                kind=event.kind,
                source=event.source,
                at=event.at,
                detail=event.detail,
                mark=_mark(event, row),
            )
        if not new:
            counts["known"] += 1
        else:
            counts["new"] += 1
            counts["settled"] += _settle(event, row, ledger, now)
            counts["suppressed"] += _suppress(event, row, ledger)
    return Applied(**counts)


def _delivery(
    event: DeliveryEvent, ledger: Ledger, looked_at: Container[str]
) -> DeliveryRow | None:
    """The one that the event is about: one lookup by index for each tag in it."""
    found = [
        row
        for tag in event.tags
        if (row := ledger.deliveries.by_message_tag(tag)) and row.campaign in looked_at
    ]
    return found[0] if len(found) == 1 else None


def _settle(event: DeliveryEvent, row: DeliveryRow, ledger: Ledger, now: datetime) -> bool:
    if event.kind not in PROVES_ACCEPTANCE:
        return False
    reply = f"Proved by a {event.source}: {event.kind}. {event.detail}".strip()
    with ledger.transaction():
        return ledger.deliveries.evidence(row.id, reply, None, now)


def _suppress(event: DeliveryEvent, row: DeliveryRow, ledger: Ledger) -> bool:
    reason = _REASONS.get(event.kind)
    if reason is None:
        return False
    return ledger.suppressions.add(Suppression(row.tag, reason, event.source, event.at))


def _about(row: DeliveryRow, event: DeliveryEvent) -> DeliveryEvent:
    """What the news says of this very reader.

    If it is about somebody behind their alias or forward, or beside them in the same
    report, it only shows that their own server took the message.
    """
    try:
        address = Address.parse(_BARE.sub(r"\1", event.recipient).strip())
    except AddressError:
        return event  # it names nobody
    if event.kind is Kind.DROPPED:
        return event  # nobody's server has it
    local, _, domain = row.address.rpartition("@")
    same = address.suppression_key == Address(local, domain).suppression_key
    return event if same else replace(event, kind=Kind.TAKEN)


def _mark(event: DeliveryEvent, row: DeliveryRow) -> str:
    """The same for the same news, however often it comes."""
    told = f"{row.id}\n{event.kind}\n{event.at.isoformat()}\n{event.source}\n{event.detail}"
    return hashlib.sha256(told.encode()).hexdigest()
