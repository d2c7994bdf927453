"""Postmark: batches of full messages through a broadcast stream, each answered for itself.

HTTP 200 says nothing: each row of the answer has its own ErrorCode, whose
numbers only look like those of HTTP.
https://postmarkapp.com/developer/api/email-api#send-batch-emails,
https://postmarkapp.com/developer/api/overview#api-error-codes,
https://postmarkapp.com/developer/api/messages-api#outbound-message-search
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.display_names import shortened
from newsletter.transports.api_result import (
    ACCOUNT,
    MESSAGE,
    RATE,
    RECIPIENT,
    ApiError,
    ApiResult,
    Each,
    Fault,
    outcome_of,
)
from newsletter.transports.http_values import (
    Request,
    Response,
    at,
    name_addr,
    pairs,
    text_at,
    valid_id,
)
from newsletter.transports.protocol import Accepted, InDoubt, Outcome
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import TWO_BRACES
from newsletter.transports.verification import recipients_in

_TEST_TOKEN = "POSTMARK_API_TEST"  # noqa: S105 - a public word
_INACTIVE = re.compile(r"Found inactive addresses: ([^\s,]+(?:, [^\s,]+)*)")
_ABOUT_READER = re.compile(r"\b(?:Invalid|Error parsing) 'To'", re.IGNORECASE)


_LONGEST_MAILBOX = 255
"""UTF-16 units of name and address in From, and with that certainly in To.
https://postmarkapp.com/support/article/subject-line-and-from-address-character-limits
"""


def _mailbox(name: str, address: str) -> str:
    def units(part: str) -> int:
        return len(name_addr(part, address).encode("utf-16-le")) // 2

    return name_addr(shortened(name, _LONGEST_MAILBOX, units), address)


class PostmarkSettings(ProviderSettings):
    """Postmark, through a broadcast stream."""

    title: ClassVar[str] = "Postmark"

    server_token: Secret = Field(description="Where the server's token comes from.")
    stream: str = Field(default="broadcast", description="Id of a broadcast message stream.")


class Postmark(Provider[PostmarkSettings]):
    """A server, as Postmark calls it, at Postmark."""

    name = "postmark"
    table = PostmarkSettings
    endpoint = "https://api.postmarkapp.com"
    path = "/email/batch"
    batch_size = 500
    # {{{ pm:unsubscribe }}}: https://postmarkapp.com/support/article/1299
    template_syntax = (TWO_BRACES,)
    file_fields = FileFields("Name", "Content", "ContentType", "ContentID")
    listed = "Messages"
    events_listed = "Bounces"
    errors: ClassVar = {
        10: ACCOUNT,
        100: RATE,
        300: MESSAGE,  # the recipient's where its text names the To address
        400: ACCOUNT,
        401: ACCOUNT,
        402: MESSAGE,
        403: MESSAGE,
        405: ACCOUNT,
        406: RECIPIENT,
        409: MESSAGE,
        410: MESSAGE,
        411: MESSAGE,
        412: ACCOUNT,
        413: ACCOUNT,
        429: RATE,
        1235: ACCOUNT,
        1236: ACCOUNT,
    }

    def auth(self) -> dict[str, str]:
        """The server's token."""
        token = _TEST_TOKEN if self.sandbox else self.secrets["server_token"]
        return {"X-Postmark-Server-Token": token}

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message."""
        content = message.content
        # Without X-PM-KeepID Postmark puts a Message-ID of its own in place of ours.
        headers = {**content.headers, "X-PM-KeepID": "true"}
        return {
            "MessageStream": self.settings.stream,
            "From": _mailbox(content.from_name, content.from_address),
            "To": _mailbox(content.to_name, content.to_address),
            "Subject": content.subject,
            "HtmlBody": content.html,
            "TextBody": content.text,
            "Headers": pairs(headers, name="Name", value="Value"),
            "Metadata": {"reference": message.reference},
            "TrackOpens": False,
            "TrackLinks": "None",
            "ReplyTo": content.reply_to or None,
            "Attachments": [
                {
                    name: f"cid:{value}" if name == "ContentID" else value
                    for name, value in file.items()
                }
                for file in self.files(content)
            ],
        }

    def read(self, response: Response, messages: Sequence[ApiMessage]) -> ApiResult:
        """Where nobody's mail was taken, what all rows have in common is the account's."""
        result = super().read(response, messages)
        if isinstance(result, Each) and len(result.results) == len(messages):
            rows = response.json()
            faults = {self._fault(row).kind for row in rows}
            if all(map(_code, rows)) and faults in ({ACCOUNT.kind}, {RATE.kind}):
                error = ApiError(_reply(rows[0]), self._fault(rows[0]))
                return self.failure(response, error, len(messages))
        return result

    def success(self, response: Response) -> ApiResult:
        """By the ErrorCode of each row."""
        listed = response.json()
        if not isinstance(listed, list):
            return self.lacking(response, "results")
        return Each([self._outcome(row) for row in listed], [_whom(row) for row in listed])

    def error(self, response: Response) -> ApiError | None:
        """By the ErrorCode of the whole."""
        value = response.json()
        return None if _code(value) is None else ApiError(_reply(value), self._fault(value))

    def _outcome(self, row: Any) -> Outcome:
        if _code(row):
            return outcome_of(self._fault(row), _reply(row))
        if known := valid_id(at(row, "MessageID")):
            # In a service delay the code is missing, and the text says that delivery is delayed.
            return Accepted(_reply(row), known)
        return InDoubt("Postmark's answer for this one cannot be read.")

    def _fault(self, row: Any) -> Fault:
        code = _code(row)
        if code == 300 and _ABOUT_READER.search(_text(row)):
            return RECIPIENT
        return self.fault(code) or ACCOUNT

    def search(self, message: ApiMessage) -> Request:
        """Sent messages with our reference in their metadata."""
        asked = {
            "count": "10",
            "offset": "0",
            "recipient": message.content.to_address,
            "metadata_reference": message.reference,
        }
        return self.get("/messages/outbound", asked)

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """A message whose metadata hold the reference, whatever else was found."""
        if at(row, "Metadata", "reference") != message.reference:
            return None
        return Accepted(f"found at Postmark: {row.get('Status')}", valid_id(row.get("MessageID")))

    def events(self, since: datetime, kind: str, page: int) -> Request:  # noqa: ARG002 - it has none
        """Bounces and complaints; the date is of Postmark's own time zone.

        https://postmarkapp.com/developer/api/bounce-api
        """
        asked = {
            "count": self.events_page,
            "offset": page * self.events_page,
            "fromdate": since.date().isoformat(),
        }
        return self.get("/bounces", asked)

    def event(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """It names the message by Postmark's id alone."""
        return {
            "event": row.get("Type"),
            "messageId": row.get("MessageID"),
            "email": row.get("Email"),
            "description": row.get("Description"),
            "details": row.get("Details"),
            "timestamp": row.get("BouncedAt"),
        }


def _whom(row: Any) -> frozenset[str]:
    """Whom a row names: in its To, or in its text where it refuses an inactive address."""
    inactive = _INACTIVE.search(_text(row))
    named_in_text = inactive[1].rstrip(".").split(", ") if inactive else []
    return recipients_in(row) | recipients_in({"to": named_in_text})


def _code(row: Any) -> int | None:
    code = at(row, "ErrorCode")
    return code if type(code) is int else None


def _text(row: Any) -> str:
    return " ".join((text_at(row, "Message") or "").split())


def _reply(row: Any) -> str:
    return f"{_code(row) or 0} {_text(row)}".strip()


PROVIDER = Postmark
