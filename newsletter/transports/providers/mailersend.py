"""MailerSend: one full message a call.

Its endpoint for many takes them unread and answers later, so that a message
could be lost after it was accepted; it is not used.

https://developers.mailersend.com/api/v1/email.html,
https://developers.mailersend.com/general.html (codes, limits)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import (
    ACCOUNT,
    MESSAGE,
    RATE,
    ApiError,
    ApiResult,
    Each,
    Taken,
    account,
)
from newsletter.transports.http_values import (
    Response,
    at,
    bearer,
    headers_without,
    objects_at,
    pairs,
    person,
    text_at,
    valid_id,
)
from newsletter.transports.protocol import Allowance, Rejected
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import BRACES
from newsletter.transports.verification import recipients_in

_OWN_FIELDS = ("List-Unsubscribe", "List-Unsubscribe-Post", "Precedence")
"""Headers that it has fields for, or makes itself."""


def _name(name: str) -> str:
    """A reader's name without ``;`` and ``,``, which MailerSend refuses (to.*.name)."""
    return " ".join(re.sub("[;,]", " ", name).split())


class MailerSendSettings(ProviderSettings):
    """MailerSend."""

    title: ClassVar[str] = "MailerSend"

    api_token: Secret = Field(description="Where the API token comes from.")
    plan: Literal["professional", "enterprise"] = Field(
        default="professional", description="Only enterprise accepts custom headers."
    )


class MailerSend(Provider[MailerSendSettings]):
    """An account at MailerSend; its activity can be filtered by neither tag nor recipient."""

    name = "mailersend"
    table = MailerSendSettings
    endpoint = "https://api.mailersend.com"
    path = "/v1/email"
    allowance = Allowance(calls_per_second=2)  # 120 a minute
    template_syntax = (BRACES,)
    file_fields = FileFields(content_id="id", disposition=("attachment", "inline"))
    no_sandbox = "Its trial domain delivers to the account's owner alone."
    errors: ClassVar = {
        "MS40301": account(
            "Give the token the right “Email: full access”, then run “newsletter resume ISSUE”."
        ),
        "MS40302": ACCOUNT,  # access to the API is switched off
        "MS40303": ACCOUNT,  # not authorized
        "MS40304": ACCOUNT,  # suspended
        "MS40305": ACCOUNT,  # this machine's IP address is not on the list
        "MS42201": MESSAGE,  # a recipient twice
        "MS42202": MESSAGE,  # a file is not what its name says
        "MS42204": ACCOUNT,  # the account's quota of mails
        "MS42205": MESSAGE,  # too many recipients
        "MS42206": MESSAGE,  # a file above 25 MB
        "MS42207": account(
            "Verify the domain of [sender] address at MailerSend, then run "
            "“newsletter resume ISSUE”."
        ),
        "MS42208": MESSAGE,  # no valid address; whose tells the field
        "MS42209": MESSAGE,  # something is missing
        "MS42210": MESSAGE,  # a type of file that it does not take
        "MS42211": MESSAGE,  # neither html nor text
        "MS42213": MESSAGE,  # html or text does not compile
        "MS42214": MESSAGE,  # a variable of its own
        "MS42215": MESSAGE,  # a file that is no Base64
        "MS42216": account(
            "The header for one-click unsubscribe (list_unsubscribe) needs the plan Professional, "
            "custom headers (plan = “enterprise”) the plan Enterprise. Change "
            "the plan, or the provider."
        ),
        "MS42217": MESSAGE,  # variables for somebody else
        "MS42220": MESSAGE,  # a field with characters that it must not have
        "MS42221": MESSAGE,  # a field that is no text
        "MS42222": ACCOUNT,  # the trial domain's quota of mails
        "MS42225": ACCOUNT,  # the trial domain's quota of readers
        "MS42227": MESSAGE,  # no JSON
        "MS42228": MESSAGE,  # no UTF-8
        "MS42901": account(
            "The day's requests are used up. Run “newsletter resume ISSUE” after midnight UTC, or "
            "change the plan."
        ),
        "MS42903": RATE,
        # Where no known code comes with a status:
        400: MESSAGE,
        413: MESSAGE,
        421: RATE,  # maintenance
        422: MESSAGE,
    }

    def auth(self) -> dict[str, str]:
        """The API token."""
        return bearer(self.secrets["api_token"])

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message."""
        content = message.content
        takes_headers = self.settings.plan == "enterprise"
        return {
            "from": person(content.from_name, content.from_address),
            "to": [person(_name(content.to_name), content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "tags": [message.reference],
            "settings": {"track_clicks": False, "track_opens": False, "track_content": False},
            "precedence_bulk": True,
            # One address and no more: https, which stands first, not mailto behind it.
            "list_unsubscribe": content.headers["List-Unsubscribe"].partition(", ")[0],
            "reply_to": person("", content.reply_to) if content.reply_to else None,
            "attachments": self.files(content),
            "headers": pairs(headers_without(content.headers, *_OWN_FIELDS))
            if takes_headers
            else None,
        }

    def read(self, response: Response, messages: Sequence[ApiMessage]) -> ApiResult:
        """An acceptance may say that the reader is on the account's suppression list."""
        if response.status == 202:
            reader = messages[0].message.envelope_to.suppression_key
            if (reason := _suppressed(response.json(), reader)) is not None:
                return Each([Rejected(f"202 suppressed at MailerSend: {reason}")])
        return super().read(response, messages)

    def success(self, response: Response) -> ApiResult:
        """An acceptance has no body, but for warnings."""
        known = valid_id(response.headers.get("x-message-id"))
        if response.status == 202 and known:
            return Taken("202 accepted", (known,))
        return self.lacking(response, "X-Message-Id")

    def error(self, response: Response) -> ApiError | None:
        """The message with a code in it, and what it says of each field."""
        value = response.json()
        if (text := text_at(value, "message")) is None:
            return None
        found = at(value, "errors")
        fields = found if isinstance(found, dict) else {}
        told = "; ".join([text, *(f"{field}: {said}" for field, said in fields.items())])
        return ApiError(
            f"{response.status} {told}",
            self.fault(*re.findall(r"MS[0-9]{4,5}", told), response.status),
            of_recipient=bool(fields) and all(field.startswith("to.") for field in fields),
        )


def _suppressed(value: Any, address: str) -> str | None:
    """Why this reader gets nothing, as the warnings ALL_SUPPRESSED and SOME_SUPPRESSED tell."""
    for warning in objects_at(value, "warnings"):
        if str(warning.get("type")) not in {"ALL_SUPPRESSED", "SOME_SUPPRESSED"}:
            continue
        for each in objects_at(warning, "recipients"):
            if address in recipients_in(each):
                reasons = each.get("reasons") or each.get("reason")
                without_empty = reasons if isinstance(reasons, list) else [reasons]
                return ", ".join(str(reason) for reason in without_empty)
    return None


PROVIDER = MailerSend
