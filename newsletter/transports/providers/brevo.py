"""Brevo: a batch is one mail in as many versions as there are readers.

https://developers.brevo.com/reference/sendtransacemail,
https://developers.brevo.com/docs/batch-send-transactional-emails,
https://developers.brevo.com/docs/heterogenous-versions-batch-emails (idempotency),
https://developers.brevo.com/docs/limit-headers,
https://developers.brevo.com/reference/getemaileventreport-1
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from email.header import Header
from html import escape
from typing import Any, ClassVar

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.display_names import shortened
from newsletter.errors import ConfigError, Where
from newsletter.transports.api_result import ACCOUNT, KEY, MESSAGE, ApiError, ApiResult, Taken
from newsletter.transports.http_values import (
    Request,
    Response,
    at,
    headers_without,
    person,
    text_at,
    valid_id,
    without_empty,
)
from newsletter.transports.protocol import Accepted, Allowance
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import BRACES

_SPECIALS = re.compile(r'[()<>@,;:\\".\[\]]')
_LONGEST_NAME = 70
"""Characters that Brevo takes, encoded as it sends them (name in the reference of the call)."""
_SEARCHED_DAYS = "30"
_LONGEST_SPAN = timedelta(days=89)
_EVENTS = {
    "hardBounces": "hard_bounce",
    "softBounces": "soft_bounce",
    "spam": "spam",
    "blocked": "blocked",
    "invalid": "invalid_email",
    "unsubscribed": "unsubscribed",
}
"""Brevo's words for events where it lists them, and where it sends them."""
_PROOF = frozenset({"requests", "delivered", "deferred", "softBounces", "hardBounces"})
"""Events of mails that Brevo took and did not drop."""


class BrevoSettings(ProviderSettings):
    """Brevo."""

    title: ClassVar[str] = "Brevo"
    takes_pictures: ClassVar[bool] = False
    caveat: ClassVar[str] = (
        "Brevo adds an unsubscribe header of its own, and tracks unless your account there says "
        "otherwise. Bring over those who unsubscribe at Brevo: newsletter reconcile --events"
    )

    api_key: Secret = Field(description="Where the API key comes from.")


class Brevo(Provider[BrevoSettings]):
    """An account at Brevo."""

    name = "brevo"
    table = BrevoSettings
    endpoint = "https://api.brevo.com"
    path = "/v3/smtp/email"
    batch_size = 1000
    # 30 minutes in the guide, 15 in the changelog.
    key_lifetime_s = 15 * 60.0
    allowance = Allowance(calls_per_second=100 / 60)
    template_syntax = (BRACES,)
    file_fields = FileFields(name="name")
    listed = "events"
    events_listed = "events"
    events_of = tuple(_EVENTS)
    events_page = 1000
    errors: ClassVar = {
        "invalid_parameter": MESSAGE,
        "missing_parameter": MESSAGE,
        "out_of_range": MESSAGE,
        "bad_request": MESSAGE,
        "not_acceptable": MESSAGE,
        "duplicate_parameter": KEY,
        "duplicate_request": KEY,
        "document_not_found": ACCOUNT,
        "method_not_allowed": ACCOUNT,
        "not_enough_credits": ACCOUNT,
        "permission_denied": ACCOUNT,
        "reseller_permission_denied": ACCOUNT,
        "account_under_validation": ACCOUNT,
        "unauthorized": ACCOUNT,
    }

    def auth(self) -> dict[str, str]:
        """The API key."""
        return {"api-key": self.secrets["api_key"]}

    def call_headers(self, key: str) -> dict[str, str]:
        """The key, which stands in the body, too."""
        return {"idempotencyKey": key, **self._drop()}

    def _drop(self) -> dict[str, str]:
        return {"X-Sib-Sandbox": "drop"} if self.sandbox else {}

    def payload(self, messages: Sequence[ApiMessage], key: str) -> object:
        """One batch.

        What stands outside of the versions is shown to nobody, since each
        version has its own, but must be there. The key is in the body, as
        the guide shows it, and among the request's headers, as it can also be
        understood (github.com/getbrevo/brevo-node/issues/94).
        """
        first = messages[0].content
        sender = first.from_name or first.from_address
        return without_empty(
            {
                "sender": _mailbox(first.from_name, first.from_address),
                "subject": sender,
                "htmlContent": f"<p>{escape(sender)}</p>",
                "textContent": sender,
                "headers": {"idempotencyKey": key, **self._drop()},
                "tags": sorted({message.campaign for message in messages}),
                "messageVersions": [without_empty(self.fields(message)) for message in messages],
                "attachment": self._documents(messages),
            }
        )

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One version."""
        content = message.content
        # Brevo gives each mail a Message-ID of its own.
        headers = {
            **headers_without(content.headers, "Message-ID"),
            "X-Mailin-custom": message.reference,
        }
        _check_headers(headers)
        return {
            "to": [_mailbox(content.to_name, content.to_address)],
            "subject": content.subject,
            "htmlContent": content.html,
            "textContent": content.text,
            "headers": headers,
            "replyTo": {"email": content.reply_to} if content.reply_to else None,
        }

    def _documents(self, messages: Sequence[ApiMessage]) -> list[dict[str, str]]:
        """The documents of all messages, which Brevo takes once for all versions.

        Raises:
            ConfigError: they differ, or one is a picture shown in the message.
        """
        content = messages[0].content
        if any(message.content.enclosures != content.enclosures for message in messages):
            raise ConfigError(
                "Brevo takes the same documents for all messages of a batch only, and these "
                "messages have different ones.",
                where=Where("newsletter.toml", item="[mail] downloads"),
                next=(
                    "Write downloads = “link” for the next issue. Send this one through another "
                    "transport, such as a relay (smtp)."
                ),
            )
        return self.files(content)

    def success(self, response: Response) -> ApiResult:
        """Ids in order; a batch is taken whole or not at all."""
        value = response.json()
        ids = at(value, "messageIds")
        if ids is None and (only := text_at(value, "messageId")) is not None:
            ids = [only]
        if not isinstance(ids, list):
            return self.lacking(response, "ids")
        return Taken(f"{response.status} accepted", tuple(map(valid_id, ids)))

    def error(self, response: Response) -> ApiError | None:
        """Code and message; what is wrong with the sender is the account's."""
        value = response.json()
        code, text = text_at(value, "code"), text_at(value, "message")
        if code is None or text is None:
            return None
        lowered = text.lower()
        fault = self.fault(code) if response.status != 429 else None
        return ApiError(
            f"{response.status} {code}: {text}",
            ACCOUNT if fault is MESSAGE and "sender" in lowered else fault,
            of_recipient="email is not valid in to" in lowered,
        )

    def search(self, message: ApiMessage) -> Request:
        """What happened to mails of this campaign to this reader."""
        asked = {
            "email": message.content.to_address,
            "tags": json.dumps([message.campaign]),
            "days": _SEARCHED_DAYS,
            "limit": "50",
        }
        return self.get("/v3/smtp/statistics/events", asked)

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """An event of the campaign's mail to this reader.

        Nothing once a person had it mailed again: the tag does not tell one
        mail from the other.
        """
        if (
            message.message.resends
            or str(row.get("event")) not in _PROOF
            or row.get("email") != message.content.to_address
            or message.campaign not in _tags(row.get("tag"))
        ):
            return None
        return Accepted(f"found at Brevo: {row['event']}", valid_id(row.get("messageId")))

    def events(self, since: datetime, kind: str, page: int) -> Request:
        """Events of one kind, for 90 days at the most."""
        now = self.clock.now()
        asked = {
            "event": kind,
            "startDate": max(since, now - _LONGEST_SPAN).date().isoformat(),
            "endDate": now.date().isoformat(),
            "limit": self.events_page,
            "offset": page * self.events_page,
            "sort": "asc",
        }
        return self.get("/v3/smtp/statistics/events", asked)

    def event(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """It names the message by Brevo's id alone."""
        return {
            "event": _EVENTS.get(str(row.get("event"))),
            "messageId": row.get("messageId"),
            "email": row.get("email"),
            "reason": row.get("reason"),
            "timestamp": row.get("date"),
        }


def _check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what Brevo would send as raw UTF-8, whether or not it is encoded here."""
    for name, value in headers.items():
        if not value.isascii() or "=?" in value:
            raise ConfigError(
                f"The header {name} has letters that Brevo would send damaged.",
                where=Where("newsletter.toml", item="[list] name"),
                next="Write the list's name in plain letters (A to Z).",
            )


def _mailbox(name: str, address: str) -> dict[str, str]:
    """Name and address; Brevo drops a name with accents and a comma or the like, unless encoded."""
    name = shortened(name, _LONGEST_NAME, _longest_encoding)
    return person(_encoded(name) if _SPECIALS.search(name) else name, address)


def _longest_encoding(name: str) -> int:
    """Octets in a header, in the longest way to write it: Brevo does not tell which it takes."""
    octets = len(name.encode())
    if name.isascii():
        return octets + (2 if _SPECIALS.search(name) else 0)  # quotation marks
    return max(len(_encoded(name)), len("=?utf-8?b??=") + 4 * -(-octets // 3))


def _encoded(name: str) -> str:
    return name if name.isascii() else Header(name, "utf-8", maxlinelen=1_000_000).encode()


def _tags(tag: Any) -> Sequence[str]:
    """The tags of an event: one, or a JSON list in a string."""
    if not isinstance(tag, str):
        return ()
    return [part.strip(' "') for part in tag.strip("[] ").split(",")]


PROVIDER = Brevo
