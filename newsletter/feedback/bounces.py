"""Bounce reports and complaints as mail: RFC 3464, RFC 6522 and RFC 5965. No I/O.

Only what a machine wrote for machines is read: the delivery-status part, never
the prose around it, which every mail server writes differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime

from newsletter.feedback.event import TAG, DeliveryEvent, Kind

_NO_SUCH_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""Enhanced codes (RFC 3463, 7505) that are about the mailbox and will stay so.

5.7.x is a policy of the other side and never says anything of the mailbox.
"""
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_ACTIONS = {"delayed": Kind.DELAYED, "delivered": Kind.TAKEN, "relayed": Kind.TAKEN,
            "expanded": Kind.TAKEN}  # fmt: skip
_SOURCE = "bounce report"


def read_bounce(data: bytes) -> tuple[DeliveryEvent, ...]:
    """The news in one mail; none if it is no report, or about nothing of ours.

    Args:
        data: the mail as it arrived.
    """
    mail = message_from_bytes(data, policy=default)
    assert isinstance(mail, EmailMessage)
    tags = frozenset(_tags(mail))
    if mail.get_content_type() != "multipart/report" or not tags:
        return ()
    at = _date(mail)
    return tuple(
        DeliveryEvent(tags, kind, at, _SOURCE, detail)
        for part in mail.walk()
        for kind, detail in _news(part)
    )


def _news(part: Message) -> Iterator[tuple[Kind, str]]:
    match part.get_content_type():
        case "message/delivery-status":
            # The parser makes a message of each block; the first is about the report itself.
            for block in part.get_payload():
                if isinstance(block, Message) and "action" in block:
                    yield _status(block)
        case "message/feedback-report":
            fields = _fields(part)
            if fields.get("feedback-type", "").strip().lower() == "abuse":
                yield Kind.COMPLAINED, "abuse report (RFC 5965)"


def _status(block: Message) -> tuple[Kind, str]:
    action = str(block.get("action", "")).strip().lower()
    found = _STATUS.search(str(block.get("status", "")))
    status = found.group() if found else ""
    said = str(block.get("diagnostic-code", "")).partition(";")[2].strip()
    detail = " ".join(filter(None, (action, status, " ".join(said.split()))))
    if action == "failed":
        return (Kind.BOUNCED if status in _NO_SUCH_MAILBOX else Kind.RETURNED), detail
    return _ACTIONS.get(action, Kind.DELAYED), detail


def _fields(part: Message) -> dict[str, str]:
    """The fields of a report's part, which the parser takes for a mail or for text."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return {name.lower(): str(value) for name, value in payload[0].items()}
    text = str(payload)
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _tags(mail: EmailMessage) -> Iterator[str]:
    """Tags in the address that the report came to, and in the returned letter's head."""
    for field in ("to", "delivered-to", "x-original-to", "envelope-to"):
        for _, address in getaddresses([str(value) for value in mail.get_all(field, [])]):
            yield from TAG.findall(address.lower())
    for part in mail.walk():
        if part.get_content_type() in {"message/rfc822", "text/rfc822-headers"}:
            yield from TAG.findall(_head(part))


def _head(part: Message) -> str:
    """The head of the letter that came back; its body is nobody's proof."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        letter = payload[0]
        return "\n".join(str(letter.get(name, "")) for name in ("message-id", "x-recipient"))
    return str(payload).partition("\n\n")[0]


def _date(mail: EmailMessage) -> datetime:
    try:
        date = parsedate_to_datetime(str(mail["date"]))
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
    return date if date.tzinfo else date.replace(tzinfo=UTC)
