"""Events as providers write them, with fields as in their documentation."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from newsletter.feedback.event import Kind
from newsletter.feedback.provider_events import read_events

NOW = datetime(2017, 4, 1, 9, 0, tzinfo=UTC)
TAG = "0123456789abcdef01234567"
REFERENCE = f"2017-03.1.{TAG}"


def sns(event: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "x", "Message": json.dumps(event)}


CASES: dict[str, tuple[Any, Kind]] = {
    "Postmark delivery": (
        {"RecordType": "Delivery", "Metadata": {"reference": REFERENCE},
         "DeliveredAt": "2017-03-31T10:00:00Z"}, Kind.TAKEN),
    "Postmark hard bounce": (
        {"RecordType": "Bounce", "Type": "HardBounce", "Metadata": {"reference": REFERENCE}},
        Kind.BOUNCED),
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
        Kind.BOUNCED),
    "Resend": (
        {"type": "email.delivered", "created_at": "2017-03-31T10:00:00.000Z",
         "data": {"tags": {"reference": REFERENCE}}}, Kind.TAKEN),
    "Resend complaint": (
        {"type": "email.complained", "data": {"headers": [
            {"name": "Message-ID", "value": f"<{REFERENCE}@news.example>"}]}}, Kind.COMPLAINED),
    "Brevo": ({"event": "hard_bounce", "ts_epoch": 1490954400123, "tags": [REFERENCE]},
              Kind.BOUNCED),
    "Mailjet": ([{"event": "sent", "time": 1490954400, "CustomID": REFERENCE}], Kind.TAKEN),
    "Mailjet unsub": ({"event": "unsub", "CustomID": REFERENCE}, Kind.UNSUBSCRIBED),
    "MailerSend": ({"type": "activity.soft_bounced", "data": {"email": {
        "message": {"headers": REFERENCE}}}}, Kind.RETURNED),
    "Mailtrap": ({"events": [{"event": "delivery", "custom_variables": {"r": REFERENCE}}]},
                 Kind.TAKEN),
}  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), CASES.values(), ids=CASES)
def test_each_providers_word_is_understood(value: Any, kind: Kind) -> None:
    (event,) = read_events(json.dumps(value).encode(), now=NOW)
    assert kind is event.kind
    assert TAG in event.tags


def test_seconds_and_milliseconds_are_told_apart() -> None:
    lines = [
        {"event": "sent", "time": 1490954400, "CustomID": REFERENCE},
        {"event": "sent", "ts_epoch": 1490954400000, "CustomID": REFERENCE},
        {"event": "sent", "date": "2017-03-31 10:00:00+00:00", "CustomID": REFERENCE},
    ]
    events = read_events("\n".join(map(json.dumps, lines)).encode(), now=NOW)
    assert {datetime(2017, 3, 31, 10, 0, tzinfo=UTC)} == {event.at for event in events}


def test_an_event_without_a_time_is_of_now() -> None:
    (event,) = read_events(json.dumps({"event": "sent", "x": REFERENCE}).encode(), now=NOW)
    assert NOW == event.at


@pytest.mark.parametrize(
    "value",
    [
        {"event": "delivered", "message-id": "somebody@else.example"},
        {"event": "warmed_up", "reference": REFERENCE},
        {"reference": REFERENCE},
        [],
        "delivered",
        None,
    ],
)
def test_other_mail_and_unknown_words_are_no_news(value: Any) -> None:
    assert () == read_events(json.dumps(value).encode(), now=NOW)


def test_a_file_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        read_events(b"<html>502 Bad Gateway</html>", now=NOW)


def test_what_is_nested_too_deeply_ends() -> None:
    value: Any = {"event": "sent", "x": REFERENCE}
    for _ in range(100):
        value = [value]
    assert () == read_events(json.dumps(value).encode(), now=NOW)
