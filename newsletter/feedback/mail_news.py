"""What one mail in the bounce mailbox tells: a bounce, a complaint, a leave, or nothing. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from newsletter.feedback.auto_replies import is_auto_reply, says_it_replies
from newsletter.feedback.bounce_mailbox import Mail
from newsletter.feedback.bounces import head_of, read_bounce
from newsletter.feedback.event import DeliveryEvent, Kind, one_line
from newsletter.feedback.odd_bounces import read_odd_bounce
from newsletter.feedback.unsubscribe_mails import Mailed, tokens_in
from newsletter.ledger.suppressions import Leave

_LONGEST_TITLE = 80


class Told(StrEnum):
    """What a mail is; each is one of these."""

    BOUNCE = "bounce"
    """A message came back."""
    COMPLAINT = "complaint"
    LEAVE = "leave"
    REPORT = "report"
    """A message is still on its way, or arrived."""
    AUTO_REPLY = "auto-reply"
    UNCLEAR = "not understood"
    """It is kept for a person to look at."""


_TOLD = {
    Kind.COMPLAINED: Told.COMPLAINT,
    Kind.BOUNCED: Told.BOUNCE,
    Kind.RETURNED: Told.BOUNCE,
}
"""The first that one of a mail's events tells; else it is a report."""


@dataclass(frozen=True, slots=True)
class MailNews:
    """What a mail tells.

    Attributes:
        mail: its id.
        place: where a person finds it, and its subject.
        told: what it is.
        events: what it tells of our messages.
        leaves: whom it asks to leave out.
    """

    mail: bytes
    place: str
    told: Told
    events: tuple[DeliveryEvent, ...] = ()
    leaves: tuple[Leave, ...] = ()


def read_mail(
    mail: Mail, *, now: datetime, leaves_of: Callable[[Mailed], Sequence[Leave]]
) -> MailNews:
    """Read one mail. Never raises: whatever it holds, the others are read.

    Args:
        mail: as it lies in the mailbox.
        now: the latest time that is believed.
        leaves_of: the leaves that mailed tokens stand for, as far as they are ours.
    """
    try:
        return _read(mail, now, leaves_of)
    except Exception as error:  # noqa: BLE001 - one mail must not take the others along
        return MailNews(mail.id, f"{mail.place} ({type(error).__name__})", Told.UNCLEAR)


def _read(mail: Mail, now: datetime, leaves_of: Callable[[Mailed], Sequence[Leave]]) -> MailNews:
    if events := read_bounce(mail.data):
        return _told(mail, events)
    head = head_of(mail.data)
    mailed = tokens_in(mail.data, mail.place, now)
    if not says_it_replies(head) and (leaves := tuple(leaves_of(mailed))):
        return MailNews(mail.id, mail.place, Told.LEAVE, leaves=leaves)
    if events := read_odd_bounce(mail.data):
        return _told(mail, events)
    if is_auto_reply(head, mailed.subject):
        return MailNews(mail.id, mail.place, Told.AUTO_REPLY)
    title = one_line(mailed.subject)[:_LONGEST_TITLE]
    return MailNews(mail.id, f"{mail.place}: “{title}”" if title else mail.place, Told.UNCLEAR)


def _told(mail: Mail, events: tuple[DeliveryEvent, ...]) -> MailNews:
    kinds = {event.kind for event in events}
    told = next((told for kind, told in _TOLD.items() if kind in kinds), Told.REPORT)
    placed = tuple(replace(event, place=mail.place) for event in events)
    return MailNews(mail.id, mail.place, told, placed)
