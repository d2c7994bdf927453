"""Providers' own labels against what they say: a label alone suppresses nobody.

Of each shape that a provider documents: B bounced, R returned, T taken, C complained,
U unsubscribed, D dropped, - no news; in brackets whom it is about, where that is not the reader.
"""

import io
import json
from typing import Any

import pytest
from newsletter.feedback.event import Kind
from newsletter.feedback.provider_events import read_events

TAG = "0123456789abcdef01234567"
REFERENCE = f"2026-11.1-abcde.{TAG}"
READER = "r1@d1.example.net"
OTHER = "carol@elsewhere.example"
KINDS = {"B": Kind.BOUNCED, "R": Kind.RETURNED, "T": Kind.TAKEN, "C": Kind.COMPLAINED,
         "U": Kind.UNSUBSCRIBED, "D": Kind.DROPPED}  # fmt: skip
GLOSS = "The server was unable to deliver your message (ex: unknown user, mailbox not found)."
Event = dict[str, Any]


def ses(kind: str, subtype: str, *recipients: Event) -> Event:
    """An Amazon SES bounce; the letter's own headers speak of DKIM and SPF, as they do."""
    headers = [{"name": name, "value": REFERENCE} for name in ("DKIM-Signature", "Received-SPF")]
    bounce = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": list(recipients)}
    return {"notificationType": "Bounce", "bounce": bounce,
            "mail": {"destination": [READER], "headers": headers}}  # fmt: skip


def recipient(
    address: str = READER, status: str = "5.1.1", said: str = "smtp; 550 5.1.1 user unknown"
) -> Event:
    return {"emailAddress": address, "action": "failed", "status": status, "diagnosticCode": said}


def complaint(feedback: str | None, address: str = READER, **more: str) -> Event:
    told = {"complainedRecipients": [{"emailAddress": address}], **more}
    told |= {"complaintFeedbackType": feedback} if feedback else {}
    return {"notificationType": "Complaint", "complaint": told,
            "mail": {"headers": [{"name": "X-R", "value": REFERENCE}]}}  # fmt: skip


def mailgun(code: int, message: str, **more: Any) -> Event:
    event = {"event": "failed", "severity": "permanent", "reason": "bounce", "recipient": READER,
             "user-variables": {"reference": REFERENCE}}  # fmt: skip
    bounce_type = {"bounce-type": more.pop("bounce")} if "bounce" in more else {}
    status = {"code": code, "message": message, **bounce_type}
    return {"event-data": {**event, "delivery-status": status, **more}}


def postmark(kind: str, description: str, details: str) -> Event:
    return {"RecordType": "Bounce", "Type": kind, "Description": description, "Details": details,
            "Email": READER, "Metadata": {"reference": REFERENCE}}  # fmt: skip


def change(**more: Any) -> Event:
    return {"RecordType": "SubscriptionChange", "Recipient": READER, "Origin": "Recipient",
            "Metadata": {"reference": REFERENCE}, **more}  # fmt: skip


def sendgrid(**more: Any) -> Event:
    return {"event": "bounce", "type": "bounce", "status": "5.1.1", "email": READER,
            "reason": "550 5.1.1 no such user", "reference": REFERENCE, **more}  # fmt: skip


def brevo(event: str, reason: str) -> Event:
    return {"event": event, "email": READER, "tags": [REFERENCE], "reason": reason}


def mailjet(**more: Any) -> Event:
    return {"event": "bounce", "email": READER, "CustomID": REFERENCE, "error": "user unknown",
            "error_related_to": "recipient", **more}  # fmt: skip


def resend(kind: str, subtype: str, message: str) -> Event:
    bounce = {"type": kind, "subType": subtype, "message": message}
    return {"type": "email.bounced",
            "data": {"to": [READER], "bounce": bounce, "tags": {"r": REFERENCE}}}  # fmt: skip


def mailersend(event: str, reason: str) -> Event:
    return {"type": f"activity.{event}", "data": {
        "object": "activity", "type": event, "morph": {"object": "x_bounce", "reason": reason},
        "email": {"message": {"tags": [REFERENCE]}, "recipient": {"email": READER}},
    }}  # fmt: skip


def other(event: str, **more: Any) -> Event:
    return {"event": event, "email": READER, "x": REFERENCE, **more}


def sparkpost(kind: str, envelope: str = "message_event", **more: str) -> Event:
    event = {"type": kind, "rcpt_to": READER, "rcpt_meta": {"reference": REFERENCE}, **more}
    return {"msys": {envelope: event}}


def scaleway(kind: str, code: int = 550, message: str = "5.1.1 user unknown") -> Event:
    return {"type": f"email_{kind}", "email_to": READER, "email_headers": {"X-R": REFERENCE},
            "email_response_code": code, "email_response_message": message}  # fmt: skip


def topics(topic: str, *, every: bool = False) -> Event:
    """Amazon SES tells of its own list management; what was before is no news."""
    new, old = ({"unsubscribeAll": all_, "topicSubscriptionStatus": [
        {"topicName": "news", "subscriptionStatus": status}]}
        for all_, status in ((every, topic), (False, "OptIn")))  # fmt: skip
    return {"eventType": "Subscription", "mail": {"headers": [{"name": "X-R", "value": REFERENCE}]},
            "subscription": {"newTopicPreferences": new, "oldTopicPreferences": old}}  # fmt: skip


CASES: list[tuple[str, Event]] = [
    # The server's words in a field of another name, within one that tells why.
    ("B", other("hard_bounce", reason={"code": 550, "text": "5.1.1 user unknown"})),
    ("R", other("hard_bounce", reason={"code": 550, "text": "5.7.1 user unknown"})),
    ("B", other("bounced", bounce={"type": "hard", "code": "550", "text": "No such user here"})),
    ("R", other("bounced", bounce={"type": "soft", "code": "550", "text": "No such user here"})),
    ("B", other("message.hard_bounced", response={
        "status_code": 550, "enhanced_status_code": "5.1.1", "content": "user unknown"})),
    ("R", other("message.hard_bounced", response={
        "status_code": 550, "enhanced_status_code": "5.7.1", "content": "user unknown"})),
    # Other languages, in which a mailbox is full or we are to blame.
    *(("R", brevo("hard_bounce", f"552 {words}")) for words in (
        "Buzón lleno", "Postfach voll", "boîte pleine", "Casella piena", "Caixa cheia",
        "Ящик пользователя переполнен", "Skrzynka przepełniona", "邮箱已满")),
    *(("R", brevo("hard_bounce", f"550 {words}")) for words in (
        "Lista negra: destinatario no válido", "Absender nicht zugelassen: Benutzer unbekannt")),
    ("B", brevo("hard_bounce", "550 Usuario desconocido")),
    ("B", sparkpost("bounce", bounce_class="10", raw_reason="550 5.1.1 User unknown")),
    ("R", sparkpost("bounce", bounce_class="22", raw_reason="552 5.2.2 mailbox full")),
    ("T", sparkpost("delivery")),
    ("C", sparkpost("spam_complaint", fbtype="abuse")),
    ("U", sparkpost("list_unsubscribe", "unsubscribe_event")),
    ("U", sparkpost("link_unsubscribe", "unsubscribe_event")),
    ("D", sparkpost("policy_rejection", raw_reason="550 5.7.1 recipient suppressed")),
    ("B", scaleway("mailbox_not_found")),
    ("B", scaleway("dropped")),
    ("R", scaleway("dropped", 552, "mailbox full")),
    ("R", scaleway("spam", 550, "5.7.1 spam")),
    ("D", scaleway("blocklisted", 0, "")),
    ("T", scaleway("delivered", 250, "ok")),
    ("U", topics("OptIn", every=True)),
    ("U", topics("OptOut")),
    ("-", topics("OptIn")),
    ("U", postmark("Unsubscribe", "Unsubscribe or Remove request.", "")),
    ("C", postmark("SpamComplaint", "The subscriber explicitly marked this message as spam.", "")),
    ("D", {"type": "email.failed", "data": {"to": [READER], "tags": {"r": REFERENCE},
                                            "failed": {"reason": "reached_daily_quota"}}}),
    *(("U", other(word)) for word in ("contact.unsubscribed", "opt_out", "emailUnSubscribe")),
    *(("-", other(word)) for word in ("unsubscribe_failed", "unsubscribe_undone", "opt_in")),
    ("R", other("bounce", retryable=True, reason="user unknown")),
    ("B", other("hard_bounce", diag="smtp;550 5.1.1 user unknown", bounce_description="bad")),
    ("B", ses("Permanent", "General", recipient())),
    ("R", ses("Permanent", "Suppressed", recipient(
        said="Amazon SES has suppressed sending to this address because it has a recent history "
        "of bouncing as an invalid address."))),
    ("R", ses("Permanent", "OnAccountSuppressionList", recipient())),
    ("R", ses("Permanent", "General", recipient(status="5.7.1", said="smtp; 550 5.7.1 no"))),
    ("R", ses("Permanent", "General", {"emailAddress": READER})),
    ("R", ses("Permanent", "NoEmail", recipient(
        status="5.4.7", said="smtp; 550 4.4.7 Message expired: unable to deliver"))),
    ("R", ses("Transient", "General", recipient())),
    ("R", ses("Undetermined", "Undetermined", recipient())),
    ("R", ses("Permanent", "MailboxFull", recipient(status="5.2.2", said="552 over quota"))),
    ("R", ses("Permanent", "ContentRejected", recipient())),
    ("R", ses("Permanent", "AttachmentRejected", recipient())),
    (f"B({OTHER})", ses("Permanent", "General", recipient(OTHER))),
    (f"R({OTHER}) B", ses("Permanent", "General", recipient(OTHER, said="550 5.7.1 spam"),
                          recipient())),
    ("C", complaint("abuse")),
    ("C", complaint(None)),
    ("T", complaint("not-spam")),
    ("T", complaint("auth-failure")),
    ("T", complaint("virus")),
    ("D", complaint(None, complaintSubType="OnAccountSuppressionList")),
    (f"C({OTHER})", complaint("abuse", OTHER)),
    ("B", mailgun(550, "5.1.1 The email account that you tried to reach does not exist",
                  bounce="hard")),
    ("R", mailgun(605, "Not delivering to previously bounced address", reason="suppress-bounce")),
    ("R", mailgun(606, "Not delivering to unsubscribed address", reason="suppress-unsubscribe")),
    ("R", mailgun(550, "5.4.1 Recipient address rejected: Access denied", reason="generic")),
    ("R", mailgun(550, "5.1.1 user unknown", reason="espblock")),
    ("R", mailgun(498, "No MX for d1.example.net")),
    ("R", mailgun(550, "user unknown", bounce="soft")),
    ("R", mailgun(450, "4.2.0 user unknown, retry", reason="old")),
    ("R", mailgun(550, "")),
    ("R", mailgun(550, "user unknown", severity="temporary")),
    ("B", postmark("HardBounce", GLOSS, "smtp;550 5.1.1 The email account does not exist")),
    ("R", postmark("HardBounce", GLOSS, "smtp;550 no thanks")),
    ("R", postmark("HardBounce", GLOSS, "")),
    ("R", postmark("HardBounce", GLOSS, "smtp;550 5.7.1 rejected")),
    ("R", postmark("SoftBounce", "Unable to temporarily deliver message", "550 user unknown")),
    *(("R", postmark(kind, "", "550 user unknown"))
      for kind in ("AutoResponder", "Blocked", "DnsError", "Unconfirmed", "DMARCPolicy",
                   "AddressChange", "ManuallyDeactivated", "ChallengeVerification")),
    ("U", change(SuppressSending=True, SuppressionReason="ManualSuppression")),
    ("-", change()),
    ("-", change(SuppressSending="false")),
    ("-", change(SuppressSending=True, SuppressionReason="HardBounce")),
    ("-", change(SuppressSending=True, Origin="Customer")),
    ("B", sendgrid(bounce_classification="Invalid Address")),
    ("B", sendgrid(category=["newsletter"])),
    ("R", sendgrid(type="blocked")),
    ("R", sendgrid(bounce_classification="Reputation")),
    ("R", sendgrid(bounce_classification="Frequency or Volume Too High")),
    ("R", sendgrid(bounce_classification="Technical Failure")),
    ("R", sendgrid(status="5.0.0", reason="554 no", bounce_classification="Invalid Address")),
    ("D", sendgrid(event="dropped", reason="Bounced Address")),
    ("-", sendgrid(event="group_resubscribe")),
    ("B", brevo("hard_bounce", "550 5.1.1 User unknown")),
    ("R", brevo("hard_bounce", "550 spam detected")),
    ("R", brevo("hard_bounce", "")),
    ("R", brevo("hardBounce", "mailbox unavailable, greylisted")),
    ("R", brevo("blocked", "user unknown")),
    ("R", brevo("soft_bounce", "550 user unknown")),
    ("R", brevo("hard_bounce", "421 4.7.0 user unknown try later")),
    *(("B", mailjet(hard_bounce=yes, blocked=True)) for yes in (True, "true", 1)),
    *(("R", mailjet(hard_bounce=no)) for no in (False, "false", 0)),
    ("B", mailjet(hard_bounce=True, error_related_to="domain", error="invalid domain")),
    *(("R", mailjet(hard_bounce=True, error_related_to=what))
      for what in ("content", "mailjet", "system", "spam")),
    ("R", mailjet(hard_bounce=True, temporary=True)),
    ("R", mailjet(soft_bounce=True)),
    ("R", mailjet(is_soft=True)),
    ("R", mailjet(event="blocked", hard_bounce=True)),
    ("B", resend("Permanent", "General", "smtp; 550 5.1.1 user unknown")),
    ("R", resend("Permanent", "Suppressed", "on the suppression list: user unknown")),
    ("R", resend("Permanent", "General", "The recipient's email provider sent a hard bounce "
                 "message, but didn't specify the reason for the hard bounce.")),
    ("R", resend("Transient", "MailboxFull", "The recipient's inbox was full.")),
    ("R", resend("Undetermined", "Undetermined", "user unknown")),
    ("B", mailersend("hard_bounced", "550 5.1.1 user unknown")),
    ("R", mailersend("hard_bounced", "Unknown reason")),
    ("R", mailersend("hard_bounced", "Mailbox is full")),
    ("R", mailersend("soft_bounced", "user unknown")),
    ("U", mailersend("unsubscribed", "")),
    ("C", mailersend("spam_complaint", "")),
    ("B", other("bounce", permanent=True, reason="user unknown")),
    ("R", other("bounce", permanent=False, reason="user unknown")),
    ("B", other("bounce", bounce={"type": {"hard": True}}, reason="user unknown")),
    ("R", other("bounced", reason="550 5.1.1 user unknown", bounce_type="soft")),
    ("R", other("bounced", reason="550 5.1.1 user unknown", category="policy")),
    ("R", other("bounced", reason="550 5.1.1 user unknown", bounceClass="spam-block")),
    (f"U({OTHER})", other("unsubscribed", email=OTHER)),
    ("T", other("complained", feedback_type="not-spam")),
    ("T", other("spam", type="NotSpam")),
    ("T", other("spam", is_spam=False)),
    ("C", other("spam", subject="This is not spam")),
    ("-", other("unsubscribed", unsubscribed=False)),
    ("-", other("unsubscribed", reason="reactivated by the customer")),
    ("-", other("resubscribed")),
]  # fmt: skip


@pytest.mark.parametrize(("right", "event"), CASES, ids=range(len(CASES)))
def test_a_label_alone_suppresses_nobody(right: str, event: Event) -> None:
    stream = io.BytesIO(json.dumps(event).encode())
    (found,) = read_events(stream)
    assert isinstance(found, tuple)
    told = [next(letter for letter, kind in KINDS.items() if kind is each.kind)
            + f"({each.recipient})" * (each.recipient == OTHER) for each in found]  # fmt: skip
    assert right == (" ".join(told) or "-"), event
