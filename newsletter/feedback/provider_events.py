"""Providers' events as they come by webhook or export: JSON, read for what all have in common.

Each provider names its fields otherwise, but each event holds one word for what
happened, and somewhere our reference, given along with the mail. The word is
looked up; the reference is recognised wherever it stands, since nobody hits one
of ours by chance. So an event is believed for what it says of our message, and
can at the most settle a doubt or stop further mail. No I/O but the stream it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

from newsletter.bounded_json import JSONRefused, read_json
from newsletter.clock import moment_at
from newsletter.feedback.event import TAG, DeliveryEvent, Kind
from newsletter.feedback.json_items import UnreadableItem, json_items
from newsletter.refusal_words import proves_gone

_SOURCE = "provider's event"
_WORD_FIELDS = ("event", "RecordType", "eventType", "notificationType", "type", "Type")
_TIME_FIELDS = (
    *("timestamp", "ts_epoch", "ts_event", "time", "created_at", "occurred_at", "date"),
    *("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt"),
)
_WORDS = {
    Kind.TAKEN: "accepted processed sent send request requests delivered delivery open opened "
    "click clicked unique_opened proxy_open loaded_by_proxy queued scheduled",
    Kind.DELAYED: "deferred delayed delivery_delayed deliverydelay greylisted temporary",
    Kind.RETURNED: "soft_bounce softbounce soft_bounced transient blocked mailbox_full "
    "invalid_email undetermined bounce bounced failed permanent hard_bounce hardbounce "
    "hard_bounced mailbox_not_found bademailaddress",
    Kind.COMPLAINED: "complained complaint spam spamcomplaint spam_complaint spamreport",
    Kind.UNSUBSCRIBED: "unsubscribed unsubscribe unsub group_unsubscribe subscriptionchange",
    Kind.DROPPED: "dropped drop reject rejected renderingfailure rendering_failure error "
    "suppressed blocklisted send_before_expiration",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_HARD = re.compile(
    r"hard_?-?bounced?|bademailaddress|permanent|hard|5\.1\.(?:1|2|3|10)|mailbox_not_found|bounced?",
    re.IGNORECASE,
)
_SOFT = re.compile(
    r"soft_?-?(?:bounced?)?|transient|temporary|blocked?|undetermined|delayed", re.IGNORECASE
)
_HARD_FLAG = re.compile(r"hard|permanent", re.IGNORECASE)
_SAYS = frozenset(
    [
        *("reason", "message", "description", "error", "response", "details", "detail", "comment"),
        *("diagnostic", "diagnosticcode", "diagnostic_code", "diagnostic-code"),
        *("smtp-response", "smtp_response", "smtpresponse"),
        *("bounce_classification", "bounceclassification", "classification", "severity"),
        *("error_related_to", "bouncetype", "bouncesubtype", "bounce-type", "type", "subtype"),
        *("status", "enhanced-code", "code", "name"),
    ]
)
"""The fields, in small letters, that tell why; in no other is a cause looked for."""
_IDS = frozenset(
    ["messageid", "message-id", "message_id", "sg_message_id", "email_id", "sg_event_id", "id"]
)
"""The fields, in small letters, by which a provider knows a message or an event."""
_RECIPIENT_FIELDS = ("recipient", "email", "Recipient", "Email", "to", "emailAddress")
_NOT_SPAM = re.compile(r"not[ _-]?spam", re.IGNORECASE)
_MOST_DEPTH = 12


def read_events(
    stream: BinaryIO, *, now: datetime
) -> Iterator[tuple[DeliveryEvent, ...] | UnreadableItem]:
    """The events in a file: of each item there those that it holds, or why it cannot be read.

    Args:
        stream: one JSON value, a list, or one value on each line.
        now: the time of those that tell none.
    """
    for item in json_items(stream):
        if isinstance(item, UnreadableItem):
            yield item
            continue
        try:
            found = tuple(event for each in _events(item.value) if (event := _read(each, now)))
        except Exception as error:  # noqa: BLE001 - one event must not take the others along
            yield UnreadableItem(item.number, f"it cannot be understood ({type(error).__name__})")
        else:
            yield found


def _events(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Single events, out of lists and of the envelopes that some providers put around them."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _events(each, depth + 1)
    elif isinstance(value, dict):
        inner = [value[name] for name in ("event-data", "events", "items") if name in value]
        if isinstance(value.get("Message"), str) and value.get("Type") == "Notification":
            inner.append(_parsed(value["Message"]))  # Amazon SNS: the event is a string inside
        if inner:
            for each in inner:
                yield from _events(each, depth + 1)
        else:
            yield value


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except JSONRefused:
        return None


def _read(event: dict[str, Any], now: datetime) -> DeliveryEvent | None:
    strings = list(_strings(event))
    tags = frozenset(tag for text in strings for tag in TAG.findall(text))
    word = next((str(event[name]) for name in _WORD_FIELDS if isinstance(event.get(name), str)), "")
    kind = _KIND_OF.get(word.rpartition(".")[2].lower().replace(" ", "").replace("-", "_"))
    if kind is None or not tags:
        return None
    kind = _proved(kind, word, event)
    if kind is None:
        return None
    told = [(name, text) for name, text in _fields(event) if isinstance(text, str)]
    said = [text for name, text in told if name in _SAYS]
    return DeliveryEvent(
        tags,
        kind,
        _time(event, now),
        _SOURCE,
        word,
        _recipient(event),
        words=" ".join(dict.fromkeys(said)),
        provider_id=next((text for name, text in told if name in _IDS), ""),
    )


def _proved(kind: Kind, word: str, event: dict[str, Any]) -> Kind | None:
    """What an event proves; a label alone never decides that somebody is not mailed any more."""
    if kind in {Kind.BOUNCED, Kind.RETURNED}:
        labels, words = [word], []
        for name, value in _fields(event):
            if isinstance(value, bool):
                if _HARD_FLAG.search(name):
                    labels.append("hard" if value else "soft")
            elif name in _SAYS:
                labels.append(value)
                words.append(value)
        hard = any(_HARD.fullmatch(label.strip()) for label in labels) and not any(
            _SOFT.fullmatch(label.strip()) for label in labels
        )
        said = " ".join(text for text in words if not _HARD.fullmatch(text.strip()))
        return Kind.BOUNCED if hard and said and proves_gone(said) else Kind.RETURNED
    if kind is Kind.COMPLAINED and any(_NOT_SPAM.search(text) for text in _strings(event)):
        return Kind.TAKEN
    if kind is Kind.UNSUBSCRIBED and "SuppressSending" in event:
        # Postmark tells of every change of its suppressions in the same way, also of their end.
        return _postmark(event)
    return kind


def _postmark(event: dict[str, Any]) -> Kind | None:
    """Whether the reader left: postmarkapp.com/developer/webhooks/subscription-change-webhook."""
    if event["SuppressSending"] is not True or event.get("Origin", "Recipient") != "Recipient":
        return None
    if event.get("SuppressionReason") in {None, "ManualSuppression"}:
        return Kind.UNSUBSCRIBED
    return Kind.COMPLAINED if event["SuppressionReason"] == "SpamComplaint" else None


def _recipient(event: dict[str, Any]) -> str:
    found = (event.get(name) for name in _RECIPIENT_FIELDS)
    return next((text for text in found if isinstance(text, str) and "@" in text), "")


def _fields(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str | bool]]:
    """Each text and each yes or no in an event, with its field's name in small letters."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, str | bool):
        yield name, value
    elif isinstance(value, int):
        yield name, str(value)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _fields(each, str(key).lower(), depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each, name, depth + 1)


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, depth + 1)


def _time(event: dict[str, Any], now: datetime) -> datetime:
    for name in _TIME_FIELDS:
        value = event.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if value > 1e11 else value  # some tell milliseconds
            if 0 < seconds < 1e11:
                return moment_at(seconds)
        if isinstance(value, str):
            try:
                found = datetime.fromisoformat(value)
            except ValueError:
                continue
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    return now
