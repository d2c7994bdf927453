"""Events brought to the ledger: doubts settled, who must not be mailed suppressed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from operator import add
from typing import TYPE_CHECKING

from newsletter.addresses import Address, AddressError
from newsletter.clock import EARLIEST
from newsletter.feedback.event import PROVES_ACCEPTANCE, DeliveryEvent, Kind
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.events import EventRecord
from newsletter.ledger.reading import DeliveryRow
from newsletter.ledger.states import State
from newsletter.ledger.suppressions import Leave, Lift, Reason, Return
from newsletter.refusal_words import may_be_gone, without_addresses

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

_BARE = re.compile(r"^[^<]*<([^<>]+)>.*$", re.DOTALL)
_IN_WORDS = re.compile(r"(?<![^\s<(\[\"':,;])[^\s<>(),;:\"'\[\]]{1,64}@[\w.-]{1,255}\w")
_LONG_ENOUGH = timedelta(weeks=2)
_MOST_OF_A_KIND = 20
"""Of one message; whoever saw its Message-ID can make up any number."""
_REASONS = {
    Kind.BOUNCED: Reason.BOUNCED,
    Kind.COMPLAINED: Reason.COMPLAINED,
    Kind.UNSUBSCRIBED: Reason.UNSUBSCRIBED,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of events: ``settled`` doubts, ``suppressed`` people, news and old news."""

    settled: int = 0
    suppressed: int = 0
    new: int = 0
    known: int = 0
    strangers: int = 0
    """Events about messages of no campaign looked at."""

    def __add__(self, other: Applied) -> Applied:
        """What came of both."""
        return Applied(*map(add, astuple(self), astuple(other)))


def apply_events(
    events: Iterable[DeliveryEvent],
    ledger: Ledger,
    campaigns: Iterable[Campaign],
    *,
    now: datetime,
    suppress_after: int = 0,
) -> Applied:
    """Write down what ``events`` tell of the messages of ``campaigns``.

    The same event twice is one. Whoever an event proves to have been accepted
    is no longer in doubt; nothing else changes the state of a delivery.

    Args:
        events: the news.
        ledger: open.
        campaigns: whose messages are looked for.
        now: the time, for the record.
        suppress_after: so many letters in a row that came back as undeliverable suppress
            their reader; 0: none do.

    Raises:
        LedgerRefused: it cannot be written. What was applied stays.
    """
    looked_at = {campaign.id for campaign in campaigns}
    total = Applied()
    for event in events:
        with ledger.transaction():
            total += apply_event(event, ledger, looked_at, now=now, suppress_after=suppress_after)
    return total


def apply_event(
    event: DeliveryEvent,
    ledger: Ledger,
    looked_at: Container[str],
    *,
    now: datetime,
    suppress_after: int = 0,
) -> Applied:
    """Write down what one event tells, as :func:`apply_events`; inside the caller's transaction.

    Args:
        event: the news.
        ledger: open.
        looked_at: the ids of the campaigns whose messages are looked for.
        now: the time, for the record.
        suppress_after: as for :func:`apply_events`.
    """
    row = _delivery(event, ledger, looked_at)
    if row is None:
        return Applied(strangers=1)
    event = _about(row, event)  # from here on, nothing else is believed
    mark = _mark(event, row)
    event = replace(event, at=_happened_at(event, row, now))
    told = sum(each.kind == event.kind for each in ledger.events.about(row.id))
    if told >= _MOST_OF_A_KIND or not ledger.events.add(
        row.id,
        kind=event.kind,
        source=event.source,
        at=event.at,
        detail=event.account,
        mark=mark,
    ):
        return Applied(known=1)
    settled = _settle(event, row, ledger, now)
    before = ledger.suppressions.is_suppressed(row.tag)
    _suppress(event, row, ledger)
    if event.kind is Kind.RETURNED and suppress_after:
        _add_up(row, ledger, now, suppress_after)
    suppressed = ledger.suppressions.is_suppressed(row.tag) > before
    return Applied(settled, suppressed, new=1)


def hint_of(
    event: DeliveryEvent, ledger: Ledger, looked_at: Container[str]
) -> tuple[str, Kind] | None:
    """The tag of the message that an event is about, and what happened; None: no such message.

    Args:
        event: the news.
        ledger: open.
        looked_at: the ids of the campaigns whose messages are looked for.
    """
    row = _delivery(event, ledger, looked_at)
    return None if row is None else (row.message_tag, _about(row, event).kind)


def is_known(message_tag: str, kind: str, ledger: Ledger) -> bool:
    """Whether the ledger knows that this happened to a message."""
    row = ledger.deliveries.by_message_tag(message_tag)
    return row is not None and any(each.kind == kind for each in ledger.events.about(row.id))


def settle_by_known_events(ledger: Ledger, campaigns: Iterable[Campaign], *, now: datetime) -> int:
    """Settle doubts that came up after the event that proves acceptance was written down.

    Inside the caller's transaction.

    Returns:
        How many were settled.
    """
    settled = 0
    for campaign in campaigns:
        for row in ledger.deliveries.of(campaign.id, State.IN_DOUBT):
            for event in ledger.events.about(row.id):
                if event.kind in PROVES_ACCEPTANCE:
                    reply = f"Proved by a {event.source}: {event.kind}. {event.detail}".strip()
                    settled += ledger.deliveries.evidence(row.id, reply, None, now)
                    break
    return settled


def _delivery(
    event: DeliveryEvent, ledger: Ledger, looked_at: Container[str]
) -> DeliveryRow | None:
    """The one that the event is about: one lookup by index for each tag in it, or by its id."""
    if not event.tags:
        known = ledger.deliveries.by_provider_id(event.provider_id) if event.provider_id else []
        return known[0] if len(known) == 1 and known[0].campaign in looked_at else None
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
    return ledger.deliveries.evidence(row.id, reply, None, now)


def _suppress(event: DeliveryEvent, row: DeliveryRow, ledger: Ledger) -> None:
    reason = _REASONS.get(event.kind)
    if reason is None:
        return
    # A message can bounce once, however many reports tell of it.
    id_ = ledger.suppressions.id_of(row.message_tag, reason)
    ledger.suppressions.add(
        Leave(row.tag, reason, event.source, event.at, [_evidence(event, row)], id_)
    )


def _add_up(row: DeliveryRow, ledger: Ledger, now: datetime, enough: int) -> None:
    """Suppress readers whose last messages all came back, with these as evidence."""
    history = ledger.suppressions.history(row.tag)
    since = EARLIEST
    for each in history:
        match each:
            case Lift(at=ended_at) | Return(form_at=ended_at):
                since = max(since, ended_at)
    signs: list[tuple[DeliveryRow, datetime, EventRecord]] = []
    for letter, dated_at in ledger.deliveries.letters_to(row.address):
        if letter.state not in {State.ACCEPTED, State.REJECTED}:
            continue
        sign = _sign(ledger.events.about(letter.id))
        if sign is None or dated_at <= since:
            break
        signs.append((letter, dated_at, sign))
    if len(signs) < enough or signs[0][1] - signs[-1][1] < _LONG_ENOUGH:
        return
    evidence = [
        {
            "source": sign.source,
            "said": without_addresses(sign.detail, row.address),
            "at": sign.at.isoformat(timespec="seconds"),
            "letter": f"{letter.campaign}.{letter.message_tag}",
        }
        for letter, _, sign in reversed(signs)
    ]
    source = f"{len(signs)} messages in a row came back"
    id_ = ledger.suppressions.id_of(signs[0][0].message_tag, Reason.BOUNCED)
    ledger.suppressions.add(Leave(row.tag, Reason.BOUNCED, source, now, evidence, id_))


def _sign(events: Iterable[EventRecord]) -> EventRecord | None:
    """Why a message came back, if nobody named a cause but the mailbox; None: it did not."""
    returned = [event for event in events if event.kind == Kind.RETURNED]
    return returned[-1] if returned and all(may_be_gone(each.detail) for each in returned) else None


def _evidence(event: DeliveryEvent, row: DeliveryRow) -> Mapping[str, str]:
    """What the news rests on, without any address."""
    told = {
        "source": event.source,
        "said": event.detail,
        "status": event.status,
        "words": event.words if event.words not in event.detail else "",
        "provider_id": event.provider_id,
        "place": event.place,
        "at": event.at.isoformat(timespec="seconds"),
        "letter": f"{row.campaign}.{row.message_tag}",
    }
    return {name: without_addresses(value, row.address) for name, value in told.items()}


def _about(row: DeliveryRow, event: DeliveryEvent) -> DeliveryEvent:
    """What the news says of this very reader.

    If it is about somebody behind their alias or forward, or beside them in the same
    report, it only shows that their own server took the message.
    """
    if event.kind is Kind.BOUNCED and _speaks_of_others(event.words, row.address):
        event = replace(event, kind=Kind.RETURNED)
    try:
        address = Address.parse(_BARE.sub(r"\1", event.recipient).strip())
    except AddressError:
        return event  # it names nobody
    if event.kind is Kind.DROPPED:
        return event  # nobody's server has it
    local, _, domain = row.address.rpartition("@")
    same = address.suppression_key == Address(local, domain).suppression_key
    return event if same else replace(event, kind=Kind.TAKEN)


def _speaks_of_others(words: str, reader: str) -> bool:
    """Whether words name addresses, and none of the reader's name or domain.

    A server behind an alias or a forward refused somebody else then.
    """
    local, _, domain = reader.casefold().rpartition("@")
    named = [found.casefold().rpartition("@") for found in _IN_WORDS.findall(words)]
    return bool(named) and all(local != one and domain != other for one, _, other in named)


def _happened_at(event: DeliveryEvent, row: DeliveryRow, now: datetime) -> datetime:
    """When an event happened: as it says if that can be, else now.

    It can be neither before the message was handed over nor in the future. A leave ends by a
    later confirmation alone, so of all times that are possible the latest is taken.
    """
    handed_over = row.first_attempt_at or now
    return event.at if handed_over <= event.at <= now else now


def _mark(event: DeliveryEvent, row: DeliveryRow) -> str:
    """The same for the same news, however often it comes, with its own time or none."""
    told = f"{row.id}\n{event.kind}\n{event.at.isoformat()}\n{event.source}\n{event.detail}"
    return hashlib.sha256(told.encode()).hexdigest()
