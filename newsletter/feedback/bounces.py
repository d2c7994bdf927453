"""Bounce reports and complaints as mail: RFC 3464, RFC 6522 and RFC 5965. No I/O.

Only what a machine wrote for machines is read: the delivery-status part, never
the prose around it, which every mail server writes differently.

Anybody can write to the address that bounces go to, so nothing of a mail is
parsed but what a report needs: lines, not structures; a report's own parts, not
what is nested in them; and of each only so much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from newsletter.clock import EARLIEST
from newsletter.feedback.event import TAG, DeliveryEvent, Kind
from newsletter.refusal_words import proves_gone

MAX_BYTES = 1_000_000
"""What is read of a mail; the returned message stands last, and only its head is wanted."""
_MAX_PARTS = 20
_MAX_BLOCKS = 1000
"""Readers that one report tells of."""
_MAX_FIELDS = 500
"""Of one head; what follows is not read."""
_MAX_VALUE = 2000
"""Characters of one field; a Message-ID or an address is far shorter."""

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_BOUNDARY = re.compile(
    r';\s*+boundary\s*+=\s*+(?:"(?P<quoted>[^"\\]{1,70})"|(?P<plain>[^\s;"]{1,70}))', re.IGNORECASE
)
"""RFC 2046 5.1.1; nobody cuts a boundary into pieces or gives it a language (RFC 2231)."""
_ACTIONS = {"delayed": Kind.DELAYED, "delivered": Kind.TAKEN, "relayed": Kind.TAKEN,
            "expanded": Kind.TAKEN}  # fmt: skip
_SOURCE = "bounce report"
_RECEIVERS = ("to", "delivered-to", "x-original-to", "envelope-to")
_NAMES_OF_OURS = ("message-id", "x-recipient", "return-path")
"""Where a message's tag stands in its own head, as it comes back."""

Fields = dict[str, list[str]]
"""The fields of a head by name in small letters, each with its values in order."""


def read_bounce(data: bytes) -> tuple[DeliveryEvent, ...]:
    """The news in one mail; none if it is no report, or about nothing of ours.

    Args:
        data: the mail as it arrived; :data:`MAX_BYTES` of it are read.
    """
    head, body = _head_and_body(_lines(data))
    kind, boundary = _content_type(head)
    if kind != "multipart/report" or not boundary:
        return ()
    parts = [_head_and_body(lines) for lines in _parts(body, boundary)]
    tags = frozenset(_tags(head, parts))
    if not tags:
        return ()
    at = date_of(head)
    events = [
        replace(event, tags=tags, at=at)
        for fields, lines in parts
        for event in _news(_content_type(fields)[0], lines)
    ]
    # Behind an alias, each member may stand in the report with the alias's own address.
    reached = {event.recipient.lower() for event in events if event.kind is Kind.TAKEN} - {""}
    return tuple(
        replace(event, kind=Kind.RETURNED)
        if event.kind is Kind.BOUNCED and event.recipient.lower() in reached
        else event
        for event in events
    )


def _lines(data: bytes) -> list[str]:
    # Bytes end lines at CR and LF alone, as mail does; text would at other characters, too.
    return [line.decode("utf-8", "replace") for line in data[:MAX_BYTES].splitlines()]


def _head_and_body(lines: list[str]) -> tuple[Fields, list[str]]:
    """The fields up to the first empty line, and the lines behind it."""
    end = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    return _fields(lines[:end]), lines[end + 1 :]


def _fields(lines: list[str]) -> Fields:
    """Fields of the form ``Name: value`` with their folded lines (RFC 5322 2.2)."""
    found: Fields = {}
    values: list[str] = []
    for line in lines:
        if line[0] in " \t":
            if values and len(values[-1]) < _MAX_VALUE:
                values[-1] = f"{values[-1]} {line.strip()}"[:_MAX_VALUE]
            continue
        name, colon, value = line[:_MAX_VALUE].partition(":")
        if not colon:
            values = []
            continue
        if len(found) >= _MAX_FIELDS:
            break
        values = found.setdefault(name.strip().lower(), [])
        if len(values) < _MAX_FIELDS:
            values.append(value.strip())
    return found


def head_of(data: bytes) -> Fields:
    """The fields of a mail's own head, as far as they are read of any.

    Args:
        data: the mail as it arrived, or its beginning.
    """
    return _head_and_body(_lines(data))[0]


def first(fields: Fields, name: str) -> str:
    """The first value of a field; empty if there is none."""
    return fields.get(name, [""])[0]


def _content_type(fields: Fields) -> tuple[str, str]:
    """The media type, and the boundary of its parts."""
    value = first(fields, "content-type")
    found = _BOUNDARY.search(value)
    boundary = found["quoted"] or found["plain"] or "" if found else ""
    return value.partition(";")[0].strip().lower(), boundary


def _parts(lines: list[str], boundary: str) -> list[list[str]]:
    """The lines of each part (RFC 2046 5.1.1); what is nested in one stays in it."""
    parts: list[list[str]] = []
    part: list[str] | None = None
    for line in lines:
        if line.startswith("--") and line.rstrip() in {f"--{boundary}", f"--{boundary}--"}:
            if len(parts) == _MAX_PARTS or line.rstrip() == f"--{boundary}--":
                break
            part = []
            parts.append(part)
        elif part is not None:
            part.append(line)
    return parts


def _event(kind: Kind, detail: str, **further: str) -> DeliveryEvent:
    """An event that does not know yet whose it is, and of when."""
    return DeliveryEvent(frozenset(), kind, EARLIEST, _SOURCE, detail, **further)


def _news(kind: str, lines: list[str]) -> Iterator[DeliveryEvent]:
    """What a part tells, and of which address, from its lines without its head."""
    match kind:
        case "message/delivery-status":
            for block in _blocks(lines):
                if "action" in block:  # the first block is about the report itself
                    yield _status(block)
        case "message/feedback-report":
            fields = _fields(list(filter(str.strip, lines)))
            if first(fields, "feedback-type").lower() == "abuse":
                recipient = first(fields, "original-rcpt-to").strip("<>")
                yield _event(Kind.COMPLAINED, "abuse report (RFC 5965)", recipient=recipient)


def _blocks(lines: list[str]) -> Iterator[Fields]:
    """Groups of fields, with empty lines between them (RFC 3464 2.1)."""
    block: list[str] = []
    read = 0
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield _fields(block)
            block = []
            read += 1
            if read == _MAX_BLOCKS:
                return


def _status(block: Fields) -> DeliveryEvent:
    action = first(block, "action").lower().partition(" ")[0]
    found = _STATUS.search(first(block, "status"))
    status = found.group() if found else ""
    said = first(block, "diagnostic-code").partition(";")[2].strip()
    detail = " ".join(filter(None, (action, status, said)))
    # Whom it failed for: behind an alias or a forward that is somebody else (RFC 3464 2.3).
    recipient = _address(block, "final-recipient") or _address(block, "original-recipient")
    if action == "failed":
        kind = Kind.BOUNCED if status and proves_gone(said, status) else Kind.RETURNED
    else:
        kind = _ACTIONS.get(action, Kind.DELAYED)
    return _event(kind, detail, recipient=recipient, status=status, words=said)


def _address(block: Fields, field: str) -> str:
    """The address in ``rfc822; anna@example.org``, RFC 3464 2.3.2."""
    return first(block, field).rpartition(";")[2].strip().strip("<>")


def _tags(head: Fields, parts: list[tuple[Fields, list[str]]]) -> Iterator[str]:
    """Tags in the addresses that the report came to, and in the returned message's head."""
    for field in _RECEIVERS:
        for value in head.get(field, ()):
            yield from TAG.findall(value.lower())
    for fields, lines in parts:
        if _content_type(fields)[0] in {"message/rfc822", "text/rfc822-headers"}:
            letter, _ = _head_and_body(lines)  # its body is nobody's proof
            for field in _NAMES_OF_OURS:
                yield from TAG.findall(first(letter, field))


def tags_in_prose(data: bytes) -> frozenset[str]:
    """Tags in a bounce without a report: in the addresses that it came to, or in its text.

    There they stand in fields of the message that came back. One that is only quoted, as
    people and their programs do in replies, is none.

    Args:
        data: the mail as it arrived, or its beginning.
    """
    head, body = _head_and_body(_lines(data))
    fields = (line[:_MAX_VALUE].partition(":") for line in body)
    told = (value for name, _, value in fields if name.strip().lower() in _NAMES_OF_OURS)
    return frozenset((*_tags(head, []), *(tag for value in told for tag in TAG.findall(value))))


def date_of(head: Fields) -> datetime:
    """When a mail says that it was written; the earliest time if it does not."""
    try:
        date = parsedate_to_datetime(first(head, "date"))
    except (TypeError, ValueError, OverflowError, IndexError):
        return EARLIEST
    return date if date.tzinfo else date.replace(tzinfo=UTC)
