"""Providers' events as they come by webhook or export: JSON, read for what all have in common.

Each provider names its fields otherwise, but each event holds one word for what
happened, and somewhere our reference, given along with the mail. The word is
looked up; the reference is recognised wherever it stands, since nobody hits one
of ours by chance. So an event is believed for what it says of our message, and
can at the most settle a doubt or stop further mail. No I/O but the stream it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, product
from typing import Any, BinaryIO

from newsletter.bounded_json import JSONRefused, read_json
from newsletter.clock import EARLIEST, moment_at
from newsletter.feedback.event import TAG, DeliveryEvent, Kind
from newsletter.feedback.json_items import UnreadableItem, json_items
from newsletter.refusal_words import proves_gone

_SOURCE = "provider's event"
_WORD_FIELDS = ("event", "RecordType", "eventType", "notificationType", "type", "Type")
_ENVELOPES = (
    *("event-data", "events", "items"),
    *("msys", "message_event", "track_event", "unsubscribe_event", "gen_event"),  # SparkPost
)
_TIME_FIELDS = (
    *("timestamp", "ts_epoch", "ts_event", "time", "created_at", "occurred_at", "date"),
    *("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt"),
)
_WORDS = {
    Kind.TAKEN: "accepted processed sent send request requests delivered delivery open opened "
    "click clicked unique_opened proxy_open loaded_by_proxy queued scheduled injection "
    "email_delivered email_queued",
    Kind.DELAYED: "deferred delayed delivery_delayed deliverydelay greylisted temporary delay "
    "email_deferred",
    Kind.RETURNED: "soft_bounce softbounce soft_bounced transient blocked mailbox_full "
    "invalid_email undetermined bounce bounced failed permanent hard_bounce hardbounce "
    "hard_bounced mailbox_not_found bademailaddress out_of_band suspension "
    # Scaleway's: refused for good, and spam by whose judgement is not said.
    "email_mailbox_not_found email_dropped email_spam",
    Kind.COMPLAINED: "complained complaint spam spamcomplaint spam_complaint spamreport",
    Kind.UNSUBSCRIBED: "unsubscribed unsubscribe unsub group_unsubscribe subscriptionchange "
    "subscription list_unsubscribe link_unsubscribe",
    Kind.DROPPED: "dropped drop reject rejected renderingfailure rendering_failure error "
    "suppressed blocklisted send_before_expiration policy_rejection generation_failure "
    "generation_rejection email_blocklisted email.failed",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_HARD = re.compile(
    r"hard_?-?bounced?|bademailaddress|permanent|hard|5\.1\.(?:1|2|3|10)|bounced?|out_of_band"
    r"|(?:email_)?mailbox_not_found|email_dropped",
    re.IGNORECASE,
)
_SOFT = re.compile(
    r"soft_?-?(?:bounced?)?|transient|temporary|blocked?|undetermined|delayed", re.IGNORECASE
)
_HARD_FLAG = re.compile(r"hard|permanent")
_SOFT_FLAG = re.compile(r"soft|temporary|transient|retry|retriable")
_FLAG = re.compile(f"{_HARD_FLAG.pattern}|{_SOFT_FLAG.pattern}")
_LABELS = frozenset(
    [
        *("type", "subtype", "bouncetype", "bouncesubtype", "bounceclass", "bouncecategory"),
        *("bounceclassification", "classification", "severity", "errorrelatedto"),
    ]
)
"""Fields, in small letters and without hyphens, that hold a provider's own word for a class."""
_AGREES = frozenset(
    [
        *("hard", "hardbounce", "hardbounced", "bounce", "bounced", "failed", "permanent"),
        *("general", "generic", "unclassified", "notification", "recipient", "domain", "noemail"),
        *("bademailaddress", "invalid", "invalidaddress", "invalidemail", "invalidrecipient"),
        *("invaliddomain", "mailboxnotfound", "mailboxunavailable", "unknownuser"),
        *("badmailbox", "baddomain", "mailboxdoesnotexist", "dropped"),
    ]
)
"""Classes, likewise, that speak for a mailbox that is gone, or for nothing else."""
_SAYS = _LABELS | frozenset(
    [
        *("reason", "message", "description", "error", "response", "details", "detail", "comment"),
        *("diagnostic", "diagnosticcode", "diag", "smtpresponse", "category", "rawreason"),
        *("emailerror", "emailresponsemessage", "emailresponsecode"),
        *("status", "enhancedcode", "code"),
    ]
)
"""The fields, likewise, that tell why; in no other is a cause looked for."""
_HOLD_WORDS = frozenset(["reason", "response", "error", "bounce", "details", "diagnostic"])
"""Fields, likewise, in which some providers say why in fields of other names: code, text …"""
_OF_THE_LETTER = frozenset(
    [
        "mail",
        "headers",
        "emailheaders",
        "commonheaders",
        "tags",
        "metadata",
        "uservariables",
        "customargs",
    ]
)
"""Fields, likewise, that hold what the message says, or what we gave along with it."""
_A_GLOSS = re.compile(r"\((?:ex|e\.g\.|i\.e\.)[:. ]", re.IGNORECASE)
"""A provider's general explanation of a class is not what the server said."""
_IDS = frozenset(["messageid", "sgmessageid", "emailid", "sgeventid", "id"])
"""The fields, likewise, by which a provider knows a message or an event."""
_RECIPIENT_FIELDS = frozenset(
    [
        *("recipient", "email", "to", "emailaddress", "address", "rcpt", "rcptto", "emailto"),
        *("finalrecipient", "failedrecipient"),
    ]
)
_NAMED = _SAYS | _OF_THE_LETTER | _IDS | _RECIPIENT_FIELDS
_NO_COMPLAINT = re.compile(r"not[ _-]?spam|auth[ _-]?failure|^virus$|retract", re.IGNORECASE)
"""Feedback that is no complaint (RFC 5965 7.3)."""
_BACK = re.compile(r"re-?activat|re-?subscrib|\bundo", re.IGNORECASE)
_LEAVES = re.compile(r"unsubscri|opt(?:ed)?[-_ ]?out", re.IGNORECASE)
_UNDONE = re.compile(r"undo|fail|error|re-?subscri|page|view", re.IGNORECASE)
_ANSWERS = {"Unsubscribe": Kind.UNSUBSCRIBED, "SpamComplaint": Kind.COMPLAINED}
_NO = frozenset({"false", "no", "0"})
_YES = frozenset({"true", "yes", "1"})
_DENIES = {
    Kind.COMPLAINED: re.compile(r"spam|complain"),
    Kind.UNSUBSCRIBED: re.compile(r"unsub|optedout|optout|suppress"),
}
"""A field of such a name that says no."""
_MOST_DEPTH = 12
_MOST_RECIPIENTS = 50
"""Of one event, as in a message of Amazon SES; ours has one."""
_MOST_TAGS = 50
"""Of one event: an account may write ids of its own in the same way."""
_MOST_FIELDS = 300
"""Of one event, without what the letter says; the longest known has about sixty."""


def read_events(stream: BinaryIO) -> Iterator[tuple[DeliveryEvent, ...] | UnreadableItem]:
    """The events in a file: of each item there those that it holds, or why it cannot be read.

    Args:
        stream: one JSON value, a list, or one value on each line.
    """
    for item in json_items(stream):
        if isinstance(item, UnreadableItem):
            yield item
            continue
        try:
            found = tuple(event for each in _events(item.value) for event in _read(each))
        except Exception as error:  # noqa: BLE001 - one event must not take the others along
            yield UnreadableItem(item.number, f"it cannot be understood ({type(error).__name__})")
        else:
            yield found


def read_listed(row: Mapping[str, Any]) -> tuple[DeliveryEvent, ...]:
    """What one event says that a provider listed; nothing, if it is understood in no way.

    It may name its message by the provider's id alone, which nobody else can have given it.
    """
    try:
        return tuple(_read(dict(row), untagged=True))
    except Exception:  # noqa: BLE001 - one event must not take the others along
        return ()


def _events(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Single events, out of lists and of the envelopes that some providers put around them."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _events(each, depth + 1)
    elif isinstance(value, dict):
        inner = [value[name] for name in _ENVELOPES if name in value]
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


def _single(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An event for each recipient that it lists with what was said of them."""
    for inner in (event, *(each for each in event.values() if isinstance(each, dict))):
        for name, listed in inner.items():
            if _bare(name).endswith("recipients") and isinstance(listed, list):
                told = [each for each in listed if isinstance(each, dict)]
                if told := told[:_MOST_RECIPIENTS]:
                    rest = {key: value for key, value in inner.items() if key != name}
                    outer = {key: value for key, value in event.items() if value is not inner}
                    for each in told:
                        yield {**(outer if inner is not event else {}), **rest, **each}
                    return
    yield event


def _read(event: dict[str, Any], *, untagged: bool = False) -> Iterator[DeliveryEvent]:
    tags = frozenset(
        islice(
            (tag for _, text in _fields(event, all_=True) for tag in TAG.findall(text)), _MOST_TAGS
        )
    )
    word = next((str(event[name]) for name in _WORD_FIELDS if isinstance(event.get(name), str)), "")
    last = word.rpartition(".")[2]
    found = _kind_of(word) or _kind_of(last)
    if found is None or not (tags or untagged):
        return
    known = (text for name, text in _fields(event, all_=True) if name in _IDS)
    provider_id = next(known, "")
    for single in _single(event):
        told = list(islice(_fields(single), _MOST_FIELDS))
        kind = _proved(found, last, single, told)
        if kind is None:
            continue
        said = [text for name, text in told if name in _SAYS]
        yield DeliveryEvent(
            tags,
            kind,
            _time(single),
            _SOURCE,
            word,
            _recipient(single),
            words=" ".join(dict.fromkeys(said)),
            provider_id=provider_id,
        )


def _kind_of(word: str) -> Kind | None:
    """What a word for an event means; any word for leaving does, since doubt means left."""
    known = _KIND_OF.get(word.lower().replace(" ", "").replace("-", "_"))
    leaves = known is None and _LEAVES.search(word) and not _UNDONE.search(word)
    return Kind.UNSUBSCRIBED if leaves else known


def _proved(
    kind: Kind, word: str, event: dict[str, Any], told: Sequence[tuple[str, str]]
) -> Kind | None:
    """What an event proves; a label alone never decides that somebody is not mailed any more."""
    if kind is Kind.RETURNED:
        # Postmark tells of mails that came in answer, too, and calls all of them bounces.
        answer = _ANSWERS.get(str(event.get("Type"))) if "RecordType" in event else None
        return answer or (Kind.BOUNCED if _is_gone(word, told) else kind)
    if kind is Kind.UNSUBSCRIBED and _bare(word) == "subscription":
        return _amazon(event)
    denied = _DENIES.get(kind)
    if denied and any(denied.search(name) and text.lower() in _NO for name, text in told):
        # Postmark tells of every change of its suppressions in the same way, also of their end.
        return None if kind is Kind.UNSUBSCRIBED else Kind.TAKEN
    causes = [text for name, text in told if name in _SAYS or "feedback" in name]
    if kind is Kind.COMPLAINED and any(map(_NO_COMPLAINT.search, causes)):
        return Kind.TAKEN
    if any("subtype" in name and "suppress" in text.lower() for name, text in told):
        return Kind.DROPPED  # not mailed, for what somebody said of an earlier letter
    if kind is Kind.UNSUBSCRIBED and any(map(_BACK.search, causes)):
        return None
    if kind is Kind.UNSUBSCRIBED and _bare(word) == "subscriptionchange":
        return _postmark(event)
    return kind


def _is_gone(word: str, told: Sequence[tuple[str, str]]) -> bool:
    """Whether classes, flags and the server's own words agree that the mailbox is gone."""
    labels, words = [word], []
    for name, text in told:
        value = text.strip().lower()
        if _HARD_FLAG.search(name) and value in _YES | _NO:
            labels.append("hard" if value in _YES else "soft")
        elif _SOFT_FLAG.search(name) and value in _YES:
            labels.append("soft")
        elif name in _LABELS and not value.isdecimal():
            last = value.rpartition(".")[2].removeprefix("email_")
            if last and _bare(last) not in _AGREES:
                return False
            labels.append(last)
        elif name in _SAYS:
            labels.append(text.strip())
            if not _A_GLOSS.search(text) and not _HARD.fullmatch(text.strip()):
                words.append(text)
    hard = any(map(_HARD.fullmatch, labels)) and not any(map(_SOFT.fullmatch, labels))
    return hard and bool(words) and proves_gone("\n".join(words))


def _postmark(event: dict[str, Any]) -> Kind | None:
    """Whether the reader left: postmarkapp.com/developer/webhooks/subscription-change-webhook."""
    if (
        str(event.get("SuppressSending")).lower() not in _YES
        or event.get("Origin", "Recipient") != "Recipient"
    ):
        return None
    if event.get("SuppressionReason") in {None, "ManualSuppression"}:
        return Kind.UNSUBSCRIBED
    return Kind.COMPLAINED if event["SuppressionReason"] == "SpamComplaint" else None


def _amazon(event: dict[str, Any]) -> Kind | None:
    """Whether the reader left, all or a topic: docs.aws.amazon.com/ses, “Subscription object”."""
    change = event.get("subscription")
    new = change.get("newTopicPreferences") if isinstance(change, dict) else None
    told = list(_fields(new)) if isinstance(new, dict) else []
    left = ("unsubscribeall", "true") in ((name, text.lower()) for name, text in told)
    topic = any(name == "subscriptionstatus" and text == "OptOut" for name, text in told)
    return Kind.UNSUBSCRIBED if left or topic else None


def _recipient(event: dict[str, Any]) -> str:
    found = (value for name, value in event.items() if _bare(name) in _RECIPIENT_FIELDS)
    return next((text for text in found if isinstance(text, str) and "@" in text), "")


def _bare(name: str) -> str:
    """A name in small letters, without hyphens and the like: providers write it in many ways."""
    return re.sub(r"[-_ ]", "", str(name)).lower()


def _fields(
    value: Any, name: str = "", depth: int = 0, *, all_: bool = False
) -> Iterator[tuple[str, str]]:
    """Each text, number, yes and no in an event as text, with its field's bare name.

    Args:
        value: the event or a part of it.
        name: of the field that holds it.
        depth: how deep it stands.
        all_: also what the letter says, and what we gave along with it.
    """
    if depth > _MOST_DEPTH or (name in _OF_THE_LETTER and not all_):
        return
    if isinstance(value, str | bool | int):
        yield name, str(value)
    elif isinstance(value, dict):
        for key, each in value.items():
            own = _bare(key)
            inherits = name in _HOLD_WORDS and own not in _NAMED and not _FLAG.search(own)
            yield from _fields(each, "reason" if inherits else own, depth + 1, all_=all_)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each, name, depth + 1, all_=all_)


def _time(event: dict[str, Any]) -> datetime:
    """When it happened: as the event tells, or what it holds; else the earliest time.

    The message's own time is none.
    """
    inner = [
        each
        for name, each in event.items()
        if isinstance(each, dict) and _bare(name) not in _OF_THE_LETTER
    ]
    for holder, name in product((event, *inner), _TIME_FIELDS):
        value = holder.get(name)
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
    return EARLIEST
