"""Mailjet, Send API v3.1: batches of full messages, each answered for itself.

A message goes to the same reader once a campaign (DeduplicateCampaign), so the
same batch may be sent again. Part of a batch may be refused, which comes with
a status of 4xx. https://dev.mailjet.com/email/guides/send-api-v31/,
https://dev.mailjet.com/email/reference/messages/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import (
    ACCOUNT,
    MESSAGE,
    RECIPIENT,
    ApiError,
    ApiResult,
    Each,
    Fault,
    Stop,
    outcome_of,
)
from newsletter.transports.http_values import (
    Request,
    Response,
    at,
    basic,
    headers_without,
    objects_at,
    text_at,
    valid_id,
    without_empty,
)
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import BRACES
from newsletter.transports.verification import recipients_in

_DUPLICATE = "duplicate in campaign"
_NOT_MAILED = frozenset({"blocked", "unknown"})


_EVENTS = {
    "bounce": "bounce",
    "hardbounced": "hard_bounce",
    "softbounced": "soft_bounce",
    "spam": "spam",
    "unsub": "unsub",
    "blocked": "blocked",
}
_STATES = {
    "1": "user unknown",
    "2": "mailbox inactive",
    "3": "quota exceeded",
    "4": "invalid domain",
    "5": "no mail host",
    "6": "relay/access denied",
    "7": "sender blocked",
    "8": "content blocked",
    "9": "policy issue",
    "10": "system issue",
    "11": "protocol issue",
    "12": "connection issue",
    "13": "greylisted",
    "14": "preblocked",
    "15": "duplicate in campaign",
}
"""Why a message is in its state, in the words of webhooks (node-mailjet 6, Message.d.ts)."""


class MailjetSettings(ProviderSettings):
    """Mailjet."""

    title: ClassVar[str] = "Mailjet"
    caveat: ClassVar[str] = (
        "Mailjet puts its own unsubscribe header in place of yours. Readers who use it "
        "unsubscribe at Mailjet only; bring them over before the next issue: newsletter reconcile "
        "--events"
    )

    api_key: Secret = Field(description="Where the API key comes from.")
    secret_key: Secret = Field(description="Where the secret key comes from.")


class Mailjet(Provider[MailjetSettings]):
    """An API key, which is an account of its own, at Mailjet."""

    name = "mailjet"
    table = MailjetSettings
    endpoint = "https://api.mailjet.com"
    path = "/v3.1/send"
    batch_size = 50
    # How long a campaign is remembered is not documented; campaigns stay in the account.
    key_lifetime_s = 7 * 24 * 3600.0
    takes_smtputf8 = True
    # {{var:x}}, [[UNSUB_LINK_EN]]: https://dev.mailjet.com/email/template-language
    template_syntax = (BRACES, re.compile(r"\[(?=\[)"))
    file_fields = FileFields("Filename", "Base64Content", "ContentType", "ContentID")
    listed = "Data"
    events_listed = "Data"
    events_of = ("5", "6", "7", "8", "9", "10")  # bounce, spam, unsub, blocked, soft, hard
    # It lists by when a mail was handed over, and complaints come weeks later.
    events_overlap = timedelta(days=30)
    errors: ClassVar = {
        "send-0003": MESSAGE,
        "send-0004": MESSAGE,
        "send-0006": ACCOUNT,
        "send-0007": ACCOUNT,
        "send-0008": ACCOUNT,
        "send-0010": MESSAGE,
        "send-0011": MESSAGE,
        "send-0012": MESSAGE,
        "send-0013": MESSAGE,
        "send-0015": MESSAGE,
        "send-0016": MESSAGE,
        "mj-0001": ACCOUNT,
        "mj-0002": MESSAGE,
        "mj-0003": MESSAGE,
        "mj-0004": MESSAGE,
        "mj-0005": MESSAGE,
        "mj-0006": MESSAGE,
        "mj-0007": MESSAGE,
        "mj-0008": MESSAGE,
        "mj-0011": MESSAGE,
        "mj-0012": MESSAGE,
        "mj-0013": RECIPIENT,  # a bad address, unless it is related to From or ReplyTo
        "mj-0015": ACCOUNT,
    }

    def auth(self) -> dict[str, str]:
        """Both keys."""
        return basic(self.secrets["api_key"], self.secrets["secret_key"])

    def payload(self, messages: Sequence[ApiMessage], key: str) -> object:
        """One batch; the campaign is its key."""
        batch: dict[str, object] = {"Messages": super().payload(messages, key)}
        return {**batch, "SandboxMode": True} if self.sandbox else batch

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message."""
        content = message.content
        again = message.message.resends
        return {
            "From": _mailbox(content.from_name, content.from_address),
            "To": [_mailbox(content.to_name, content.to_address)],
            "Subject": content.subject,
            "HTMLPart": content.html,
            "TextPart": content.text,
            "TemplateLanguage": False,
            # Mailjet writes these two itself and refuses to be given them (send-0011).
            "Headers": headers_without(content.headers, "Message-ID", "List-ID"),
            "CustomID": message.reference,
            # Whom a person has mailed again must not be taken for a duplicate.
            "CustomCampaign": message.campaign + (f"-{again}" if again else ""),
            "DeduplicateCampaign": True,
            "TrackOpens": "disabled",
            "TrackClicks": "disabled",
            "ReplyTo": {"Email": content.reply_to} if content.reply_to else None,
            "InlinedAttachments": self.files(content, inline=True),
            "Attachments": self.files(content, inline=False),
        }

    def read(self, response: Response, messages: Sequence[ApiMessage]) -> ApiResult:
        """By the status of each message, or by the error of the whole."""
        partly = 400 <= response.status < 500 and response.status != 408
        by_row = partly and at(response.json(), "Messages", 0) is not None
        result = self.success(response) if by_row else super().read(response, messages)
        if not isinstance(result, Each):
            return result
        stops = [each for each in result.results if isinstance(each, Deferred)]
        if len(stops) == len(messages) == len(result.results):
            return Stop(stops[0].reply, self.next)
        readers = {each.reference: each.message.envelope_to.suppression_key for each in messages}
        named = [frozenset(readers.get(each, each) for each in names) for names in result.named]
        return Each(result.results, named)

    def success(self, response: Response) -> ApiResult:
        """A row for each, which names its reader by our reference or in its To."""
        listed = at(response.json(), "Messages")
        if not isinstance(listed, list):
            return self.lacking(response, "results")
        return Each([self._outcome(row) for row in listed], [_whom(row) for row in listed])

    def error(self, response: Response) -> ApiError | None:
        """The error of the whole."""
        value = response.json()
        if text_at(value, "ErrorMessage") is None:
            return None
        fault = self._fault(value) if response.status not in {401, 403, 429} else None
        # Of the whole: whom it concerns is found by parts.
        return ApiError(_reply(value, response.status), MESSAGE if fault is RECIPIENT else fault)

    def _outcome(self, row: Any) -> Outcome:
        if at(row, "Status") == "success":
            known = _id(at(row, "To", 0, "MessageID"))
            if known or self.sandbox:
                return Accepted("success", known)
            return InDoubt("Mailjet gave no id for this one.")
        errors = [
            each for each in objects_at(row, "Errors") if text_at(each, "ErrorMessage") is not None
        ]
        if not errors:
            return InDoubt("Mailjet's answer for this one cannot be read.")
        faults = [self._fault(each) for each in errors]
        worst = max(faults, key=lambda fault: fault.kind)
        reply = _reply(errors[faults.index(worst)])
        if any(_DUPLICATE in each["ErrorMessage"].lower() for each in errors):
            return Accepted(reply)  # the first of the two was taken
        return outcome_of(worst, reply)

    def _fault(self, error: Mapping[str, Any]) -> Fault:
        fault = self.fault(text_at(error, "ErrorCode")) or ACCOUNT
        related = error.get("ErrorRelatedTo")
        fields = [str(each) for each in related] if isinstance(related, list) else []
        if fault is RECIPIENT and any(each.startswith(("From", "Reply")) for each in fields):
            return MESSAGE
        return fault

    def search(self, message: ApiMessage) -> Request:
        """Messages with our reference as their CustomID."""
        asked = {"CustomID": message.reference, "ShowCustomID": "true"}
        return self.get("/v3/REST/message", asked)

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """A message that has the CustomID and was not held back, as a duplicate is."""
        status = text_at(row, "Status")
        if row.get("CustomID") != message.reference or status is None or status in _NOT_MAILED:
            return None
        return Accepted(f"found at Mailjet: {status}", _id(row.get("ID")))

    def events(self, since: datetime, kind: str, page: int) -> Request:
        """Messages in one state, by when they were handed over."""
        asked = {
            "MessageStatus": kind,
            "FromTS": int(since.timestamp()),
            "ShowCustomID": "true",
            "Limit": self.events_page,
            "Offset": page * self.events_page,
        }
        return self.get("/v3/REST/message", asked)

    def event(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A message's state; of why it is in it there is a number, and of since when nothing."""
        return {
            "event": _EVENTS.get(str(row.get("Status"))),
            "reference": row.get("CustomID"),
            "messageId": _id(row.get("ID")),
            "reason": _STATES.get(str(row.get("StateID"))),
        }


def _mailbox(name: str, address: str) -> dict[str, object]:
    return without_empty({"Email": address, "Name": name or None})


def _whom(row: Any) -> frozenset[str]:
    """Whom a row names: by our reference, which it repeats as its CustomID, or in its To."""
    ours = text_at(row, "CustomID")
    return frozenset({ours}) if ours else recipients_in(row)


def _reply(error: Mapping[str, Any], status: int | None = None) -> str:
    known = [status or error.get("StatusCode"), error.get("ErrorCode")]
    start = " ".join(str(each) for each in known if isinstance(each, int | str))
    return f"{start}: {error['ErrorMessage']}"


def _id(value: Any) -> str | None:
    """An id, which Mailjet writes as a number; 0 in its sandbox."""
    return str(value) if type(value) is int and value > 0 else valid_id(value)


PROVIDER = Mailjet
