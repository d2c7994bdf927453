"""Events as providers write them, with fields as in their documentation."""

import io
import itertools
import json
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import pytest
from newsletter.clock import EARLIEST, LATEST
from newsletter.feedback.event import DeliveryEvent, Kind
from newsletter.feedback.json_items import UnreadableItem
from newsletter.feedback.provider_events import read_events

NOW = datetime(2017, 4, 1, 9, 0, tzinfo=UTC)
TAG = "0123456789abcdef01234567"
REFERENCE = f"2017-03.1.{TAG}"


def read(text: str) -> tuple[DeliveryEvent, ...]:
    """All events of a file in which every item can be read."""
    found: list[DeliveryEvent] = []
    for item in read_events(io.BytesIO(text.encode())):
        assert not isinstance(item, UnreadableItem)
        found += item
    return tuple(found)


def mixed(text: str) -> list[DeliveryEvent | str]:
    """Events and, in their place, which item was refused."""
    found: list[DeliveryEvent | str] = []
    for item in read_events(io.BytesIO(text.encode("utf-8", "surrogateescape"))):
        found += [f"{item.number}: {item.why}"] if isinstance(item, UnreadableItem) else item
    return found


def sns(event: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "x", "Message": json.dumps(event)}


CASES: dict[str, tuple[Any, Kind]] = {
    "Postmark delivery": (
        {"RecordType": "Delivery", "Metadata": {"reference": REFERENCE},
         "DeliveredAt": "2017-03-31T10:00:00Z"}, Kind.TAKEN),
    "Postmark hard bounce": (
        {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1,
         "Description": "The server was unable to deliver your message (ex: unknown user, mailbox "
         "not found).", "Details": "smtp;550 5.1.1 The email account does not exist.",
         "Metadata": {"reference": REFERENCE}}, Kind.BOUNCED),
    "Postmark hard bounce, without a word of why": (
        {"RecordType": "Bounce", "Type": "HardBounce", "Metadata": {"reference": REFERENCE}},
        Kind.RETURNED),
    "Postmark hard bounce that is a policy": (
        {"RecordType": "Bounce", "Type": "HardBounce",
         "Description": "The server was unable to deliver your message (ex: unknown user, mailbox "
         "not found).", "Details": "smtp;550 5.7.1 Message rejected due to policy",
         "Metadata": {"reference": REFERENCE}}, Kind.RETURNED),
    "Postmark reader left": (
        {"RecordType": "SubscriptionChange", "Origin": "Recipient", "SuppressSending": True,
         "SuppressionReason": "ManualSuppression", "Metadata": {"reference": REFERENCE}},
        Kind.UNSUBSCRIBED),
    "Mailgun too old": (
        {"event-data": {"event": "failed", "severity": "permanent", "reason": "old",
                        "delivery-status": {"code": 602, "message": "Too old"},
                        "user-variables": {"reference": REFERENCE}}}, Kind.RETURNED),
    "Mailgun suppressed before": (
        {"event-data": {"event": "failed", "severity": "permanent", "reason": "suppress-bounce",
                        "delivery-status": {"code": 605, "message": "",
                                            "description": "Not delivering to previously bounced "
                                            "address"},
                        "user-variables": {"reference": REFERENCE}}}, Kind.RETURNED),
    "Mailgun no such mailbox": (
        {"event-data": {"event": "failed", "severity": "permanent", "reason": "bounce",
                        "delivery-status": {"code": 550, "enhanced-code": "5.1.1",
                                            "message": "5.1.1 The email account that you tried to "
                                            "reach does not exist."},
                        "user-variables": {"reference": REFERENCE}}}, Kind.BOUNCED),
    "Mailjet, by a yes": (
        {"event": "bounce", "hard_bounce": True, "error_related_to": "recipient",
         "error": "user unknown", "CustomID": REFERENCE}, Kind.BOUNCED),
    "Mailjet, by a no": (
        {"event": "bounce", "hard_bounce": False, "error_related_to": "recipient",
         "error": "user unknown", "CustomID": REFERENCE}, Kind.RETURNED),
    "Mailjet, a yes for a full mailbox": (
        {"event": "bounce", "hard_bounce": True, "error_related_to": "mailbox",
         "error": "quota exceeded", "CustomID": REFERENCE}, Kind.RETURNED),
    "Brevo hard bounce with its reason": (
        {"event": "hard_bounce", "reason": "550 5.1.1 user unknown", "tags": [REFERENCE]},
        Kind.BOUNCED),
    "Brevo hard bounce by the reader's spam filter": (
        {"event": "hard_bounce", "reason": "554 5.7.1 Spam message rejected",
         "tags": [REFERENCE]}, Kind.RETURNED),
    "SendGrid bounce": (
        [{"event": "bounce", "type": "bounce", "status": "5.1.1",
          "reason": "550 5.1.1 User unknown", "bounce_classification": "Invalid Address",
          "reference": REFERENCE}], Kind.BOUNCED),
    "SendGrid block": (
        [{"event": "bounce", "type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 blocked",
          "bounce_classification": "Reputation", "reference": REFERENCE}], Kind.RETURNED),
    "SES, nobody of that name": (
        sns({"notificationType": "Bounce",
             "bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail",
                        "bouncedRecipients": [{"status": "5.1.1", "action": "failed",
                            "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]},
             "mail": {"commonHeaders": {"messageId": f"<{REFERENCE}@news.example>"}}}),
        Kind.BOUNCED),
    "SES, on the account's own list": (
        sns({"notificationType": "Bounce",
             "bounce": {"bounceType": "Permanent", "bounceSubType": "Suppressed"},
             "mail": {"commonHeaders": {"messageId": f"<{REFERENCE}@news.example>"}}}),
        Kind.RETURNED),
    "SES, found not to be spam": (
        sns({"notificationType": "Complaint", "complaint": {"complaintFeedbackType": "not-spam"},
             "mail": {"commonHeaders": {"messageId": f"<{REFERENCE}@news.example>"}}}),
        Kind.TAKEN),
    "Postmark soft bounce": (
        {"RecordType": "Bounce", "Type": "SoftBounce", "Metadata": {"reference": REFERENCE}},
        Kind.RETURNED),
    "Postmark complaint": (
        {"RecordType": "SpamComplaint", "Metadata": {"reference": REFERENCE}}, Kind.COMPLAINED),
    "Mailgun delivered": (
        {"signature": {"token": "a" * 50}, "event-data": {
            "event": "delivered", "timestamp": 1490954400.5,
            "user-variables": {"reference": REFERENCE}}}, Kind.TAKEN),
    "Mailgun policy": (
        {"event-data": {"event": "failed", "severity": "permanent",
                        "delivery-status": {"message": "550 5.7.1 blocked"},
                        "message": {"headers": {"message-id": f"{REFERENCE}@news.example"}}}},
        Kind.RETURNED),
    "SendGrid list": ([{"event": "processed", "timestamp": 1490954400, "reference": REFERENCE}],
                      Kind.TAKEN),
    "SendGrid dropped": ([{"event": "dropped", "reason": "Bounced Address",
                           "reference": REFERENCE}], Kind.DROPPED),
    "SES send, through SNS": (
        sns({"eventType": "Send", "mail": {"tags": {"reference": [REFERENCE]}}}), Kind.TAKEN),
    "SES hard bounce, through SNS": (
        sns({"notificationType": "Bounce", "bounce": {"bounceType": "Permanent"},
             "mail": {"commonHeaders": {"messageId": f"<{REFERENCE}@news.example>"}}}),
        Kind.RETURNED),
    "Resend": (
        {"type": "email.delivered", "created_at": "2017-03-31T10:00:00.000Z",
         "data": {"tags": {"reference": REFERENCE}}}, Kind.TAKEN),
    "Resend complaint": (
        {"type": "email.complained", "data": {"headers": [
            {"name": "Message-ID", "value": f"<{REFERENCE}@news.example>"}]}}, Kind.COMPLAINED),
    "Brevo": ({"event": "hard_bounce", "ts_epoch": 1490954400123, "tags": [REFERENCE]},
              Kind.RETURNED),
    "Mailjet": ([{"event": "sent", "time": 1490954400, "CustomID": REFERENCE}], Kind.TAKEN),
    "Mailjet unsub": ({"event": "unsub", "CustomID": REFERENCE}, Kind.UNSUBSCRIBED),
    "MailerSend": ({"type": "activity.soft_bounced", "data": {"email": {
        "message": {"headers": REFERENCE}}}}, Kind.RETURNED),
    "Mailtrap": ({"events": [{"event": "delivery", "custom_variables": {"r": REFERENCE}}]},
                 Kind.TAKEN),
}  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), CASES.values(), ids=CASES)
def test_each_providers_word_is_understood(value: Any, kind: Kind) -> None:
    (event,) = read(json.dumps(value))
    assert kind is event.kind
    assert TAG in event.tags


def test_seconds_and_milliseconds_are_told_apart() -> None:
    lines = [
        {"event": "sent", "time": 1490954400, "CustomID": REFERENCE},
        {"event": "sent", "ts_epoch": 1490954400000, "CustomID": REFERENCE},
        {"event": "sent", "date": "2017-03-31 10:00:00+00:00", "CustomID": REFERENCE},
    ]
    events = read("\n".join(map(json.dumps, lines)))
    assert {datetime(2017, 3, 31, 10, 0, tzinfo=UTC)} == {event.at for event in events}


def test_an_event_without_a_time_has_none_of_its_own() -> None:
    (event,) = read(json.dumps({"event": "sent", "x": REFERENCE}))
    assert EARLIEST == event.at


@pytest.mark.parametrize(
    "value",
    [
        {"event": "delivered", "message-id": "somebody@else.example"},
        {"event": "warmed_up", "reference": REFERENCE},
        {
            "RecordType": "SubscriptionChange",
            "Origin": "Recipient",
            "SuppressSending": False,
            "SuppressionReason": None,
            "Metadata": {"reference": REFERENCE},
        },
        {
            "RecordType": "SubscriptionChange",
            "Origin": "Customer",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
            "Metadata": {"reference": REFERENCE},
        },
        {
            "RecordType": "SubscriptionChange",
            "Origin": "Recipient",
            "SuppressSending": True,
            "SuppressionReason": "HardBounce",
            "Metadata": {"reference": REFERENCE},
        },
        {"reference": REFERENCE},
        [],
        "delivered",
        None,
    ],
)
def test_other_mail_and_unknown_words_are_no_news(value: Any) -> None:
    assert () == read(json.dumps(value))


def sent(reference: str = REFERENCE, **more: Any) -> str:
    return json.dumps({"event": "sent", "CustomID": reference, **more})


def test_a_file_that_is_no_json_is_refused() -> None:
    (only,) = mixed("<html>502 Bad Gateway</html>")
    assert "1: it is no JSON" in str(only)


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("nested", [0, 1, 100])
def test_lists_are_taken_apart_however_they_are_written(indent: int | None, nested: int) -> None:
    value: Any = [json.loads(sent(text='[{"\\')), json.loads(sent())]
    for _ in range(nested):
        value = [value]
    assert 2 == len(read(json.dumps(value, indent=indent)))


@pytest.mark.fault(
    "Input",
    "an event among others that cannot be read",
    state="skipped by its number and told; all others are applied",
)
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ('{"a":' * 100_000, "nested"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "nested"),
        (f'{{"event": "sent", "time": {10**400}}}', "digits"),
        ('{"event": "sent", "time": 1e999}', "too large"),
        ('{"event": "sent", "time": NaN}', "NaN"),
        ('{"event": "sent", "event": "bounced"}', "twice"),
        ('{"event": "sent"', "no JSON"),
        ('{"event": "sent', "no JSON"),
        ('{"event": [1}', "no JSON"),
        ("<html>", "no JSON"),
        ('{"event": "\udcff"}', "UTF-8"),
        ('{"event": "' + "x" * 11_000_000 + '"}', "longer than"),
        ('{"event": "' + "x" * 11_000_000, "longer than"),
    ],
)
@pytest.mark.parametrize("form", ["lines", "list"])
def test_a_bad_event_does_not_take_the_others_along(bad: str, why: str, form: str) -> None:
    items = [sent(), bad, sent(), sent()]
    text = "\n".join(items) if form == "lines" else "[" + ",\n".join(items) + "]"
    found = mixed(text)
    refused = [each for each in found if isinstance(each, str)]
    assert why in refused[0]
    assert refused[0].startswith("2: ")
    assert 3 == len(found) - len(refused)


@pytest.mark.parametrize("value", [[], {}, None, True, 1.5, 2, {"a": [None]}])
def test_fields_of_any_type_are_no_fault(value: Any) -> None:
    names = ("event", "type", "timestamp", "Message", "events", "items", "event-data", "tags")
    for name in names:
        event = {"event": "sent", "CustomID": REFERENCE, "Type": "Notification", name: value}
        assert not [each for each in mixed(json.dumps(event)) if isinstance(each, str)]


@pytest.mark.parametrize(
    "time",
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", 10**39, -(10**39), 1e308, 5e-324],
)
def test_no_time_is_beyond_the_calendar(time: Any) -> None:
    (event,) = read(sent(timestamp=time))
    assert EARLIEST <= event.at <= LATEST


class Endless:
    """A file of a million events, of which no more is kept than is asked for."""

    def __init__(self) -> None:
        self.left = 1_000_000
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        events = min(self.left, max(1, size // 100))
        self.left -= events
        self.given += events
        return (sent() + "\n").encode() * events


def test_a_large_file_is_read_as_far_as_it_is_asked_for() -> None:
    file = Endless()
    stream = cast("BinaryIO", file)
    assert all(itertools.islice(read_events(stream), 10_000))
    assert file.given < 20_000
