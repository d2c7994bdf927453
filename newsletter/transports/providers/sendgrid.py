"""Twilio SendGrid, Mail Send v3: one full message a call.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send,
https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import ACCOUNT, MESSAGE, ApiError, ApiResult, Taken, account
from newsletter.transports.http_values import Request, Response, at, bearer, person, valid_id
from newsletter.transports.protocol import Accepted
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import TWO_BRACES

_NOTHING_ADDED = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}


class SendGridSettings(ProviderSettings):
    """Twilio SendGrid."""

    title: ClassVar[str] = "SendGrid"

    api_key: Secret = Field(description="Where the API key comes from.")
    region: Literal["eu", "global"] = Field(
        default="global", description="eu only for a subuser that was set up in the EU."
    )


class SendGrid(Provider[SendGridSettings]):
    """An account at SendGrid."""

    name = "sendgrid"
    table = SendGridSettings
    path = "/v3/mail/send"
    # <% %>, [unsubscribe]: https://www.twilio.com/docs/sendgrid
    template_syntax = (
        TWO_BRACES,
        re.compile(r"<(?=%)"),
        re.compile(r"\[(?=(?i:unsubscribe|subscribe|weblink)\])"),
    )
    file_fields = FileFields(
        media_type="type", content_id="content_id", disposition=("attachment", "inline")
    )
    listed = "messages"
    errors: ClassVar = {
        400: MESSAGE,
        401: account(
            "Look whether the API key was copied whole and not deleted, then run "
            "“newsletter resume ISSUE”."
        ),
        # The sender, a right, or a block after too many bad requests:
        403: account(
            "Look whether the sender is verified at SendGrid and the key may send mail. SendGrid "
            "says this also after too many bad requests, for a while. Then run "
            "“newsletter resume ISSUE”."
        ),
        404: ACCOUNT,
        405: ACCOUNT,
        406: ACCOUNT,  # Accept is missing
        413: MESSAGE,  # too large
        415: ACCOUNT,
        451: account(
            "The account's data must stay in another region: look at region under [sendgrid]."
        ),
    }

    @property
    def endpoint(self) -> str:
        """The region's."""
        return f"https://api{'.eu' if self.settings.region == 'eu' else ''}.sendgrid.com"

    @property
    def can_search(self) -> bool:
        """Its Email Activity keeps nothing of EU subusers."""
        return self.settings.region == "global"

    def auth(self) -> dict[str, str]:
        """The API key."""
        return bearer(self.secrets["api_key"])

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message."""
        content = message.content
        return {
            "personalizations": [
                {
                    "to": [person(content.to_name, content.to_address)],
                    "custom_args": {"reference": message.reference},
                }
            ],
            "from": person(content.from_name, content.from_address),
            "subject": content.subject,
            # In this order: SendGrid refuses any other.
            "content": [
                {"type": "text/plain", "value": content.text},
                {"type": "text/html", "value": content.html},
            ],
            "headers": dict(content.headers),
            "mail_settings": {
                "footer": {"enable": False},
                "sandbox_mode": {"enable": self.sandbox},
            },
            "tracking_settings": _NOTHING_ADDED,
            "reply_to": person("", content.reply_to) if content.reply_to else None,
            "attachments": self.files(content),
        }

    def success(self, response: Response) -> ApiResult:
        """An acceptance has no body: its header X-Message-Id tells it from a gateway's word."""
        known = valid_id(response.headers.get("x-message-id"))
        if response.status == 202 and known:
            return Taken("202 accepted", (known,))
        if response.status == 200 and self.sandbox:
            return Taken("200 valid, and not sent: SendGrid's sandbox", None)
        return self.lacking(response, "X-Message-Id")

    def error(self, response: Response) -> ApiError | None:
        """Message and field of each error."""
        errors = at(response.json(), "errors")
        if not isinstance(errors, list) or not errors:
            return None
        if not all(isinstance(each, dict) for each in errors):
            return None
        told = "; ".join(str(each.get("message")) for each in errors)
        of_recipient = all(".to" in str(each.get("field")) for each in errors)
        return ApiError(f"{response.status} {told}", self.fault(response.status), of_recipient)

    def search(self, message: ApiMessage) -> Request:
        """Email Activity, by our reference; an add-on that keeps nothing of EU subusers.

        https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-email-activity-api
        """
        query = f"unique_args['reference']=\"{message.reference}\""
        return self.get("/v3/messages", {"limit": 10, "query": query})

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """What it lists, it took, whatever became of it then."""
        if row.get("to_email") != message.content.to_address:
            return None
        return Accepted(f"Found at SendGrid: {row.get('status')}", valid_id(row.get("msg_id")))


PROVIDER = SendGrid
