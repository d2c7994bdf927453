"""Mailgun: one message a call, as the MIME message that was approved.

Its endpoint for fields would build a message of its own from them, and garbles
names with accents and commas; the one for MIME takes ours as it is.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages,
https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.errors import ConfigError, Where
from newsletter.transports.api_result import (
    ACCOUNT,
    MESSAGE,
    ApiError,
    ApiResult,
    Stop,
    Taken,
    account,
)
from newsletter.transports.http_values import Request, Response, at, basic, text_at, valid_id
from newsletter.transports.protocol import Accepted
from newsletter.transports.provider import ApiMessage, Provider
from newsletter.transports.template_syntax import BRACES

_NAMES_READER = re.compile(r"'?to'? parameter\b", re.IGNORECASE)
_TOOK = frozenset({"accepted", "delivered", "failed"})
"""Events of a mail that Mailgun took; of one that it did not take there is “rejected”."""
_WRONG_PLACE = (
    "Look at domain and region under [mailgun]: a domain is known only in the region in which it "
    "was set up. Then run “newsletter resume ISSUE”."
)


class MailgunSettings(ProviderSettings):
    """Mailgun."""

    title: ClassVar[str] = "Mailgun"

    api_key: Secret = Field(description="Where the sending key comes from.")
    domain: str = Field(pattern=r"^[a-z0-9.-]+$", description="The sending domain at Mailgun.")
    region: Literal["eu", "us"] = Field(default="eu", description="Where the domain was set up.")


class Mailgun(Provider[MailgunSettings]):
    """A sending domain at Mailgun."""

    name = "mailgun"
    table = MailgunSettings
    # %recipient.name%, %unsubscribe_url%: https://documentation.mailgun.com
    template_syntax = (
        re.compile(r"%(?=(?:recipient|(?:mailing_list_|tag_)?unsubscribe)[^%\n]*%)"),
        BRACES,
    )
    listed = "items"
    events_listed = "items"
    errors: ClassVar = {
        400: MESSAGE,
        401: account(
            "Look whether the key was copied whole and belongs to this domain, then run "
            "“newsletter resume ISSUE”."
        ),
        402: ACCOUNT,
        403: ACCOUNT,
        404: account(_WRONG_PLACE),  # no such domain, most often the wrong region
        413: MESSAGE,  # above 25 MB
        420: account(
            "Mailgun limits new accounts. Ask its support to lift the limit, then run "
            "“newsletter resume ISSUE”."
        ),
    }

    @property
    def endpoint(self) -> str:
        """The region's."""
        return f"https://api{'.eu' if self.settings.region == 'eu' else ''}.mailgun.net"

    def auth(self) -> dict[str, str]:
        """The sending key."""
        return basic("api", self.secrets["api_key"])

    def request(self, messages: Sequence[ApiMessage], key: str) -> Request:  # noqa: ARG002 - it knows none
        """One message.

        Raises:
            ConfigError: it holds words that Mailgun puts something else in place of.
        """
        (message,) = messages
        _check_words(message)
        options = {
            "to": message.content.to_address,
            "o:tracking": "no",
            "o:tracking-clicks": "no",
            "o:tracking-opens": "no",
            "v:reference": message.reference,
        }
        if self.sandbox:
            options["o:testmode"] = "yes"
        boundary, body = _form(options.items(), message.message.as_bytes())
        headers = {
            **self.auth(),
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Accept": "application/json",
        }
        return Request(f"/v3/{self.settings.domain}/messages.mime", body, headers)

    def success(self, response: Response) -> ApiResult:
        """An acceptance says “Queued”; a greeting says that the address of the API is wrong."""
        value = response.json()
        if str(at(value, "message")).startswith("Queued"):
            return Taken(f"{response.status} {value['message']}", (valid_id(value.get("id")),))
        if response.body is not None and b"Mailgun Magnificent API" in response.body:
            reply = f"{response.status} Mailgun Magnificent API: nothing was taken."
            return Stop(reply, _WRONG_PLACE)
        return self.lacking(response, "“Queued”")

    def error(self, response: Response) -> ApiError | None:
        """The message; a wrong key is told in one bare word."""
        told = text_at(response.json(), "message")
        if told is None:
            if response.status not in {401, 403} or (response.body or b"").strip() != b"Forbidden":
                return None
            told = "Forbidden"
        of_recipient = _NAMES_READER.match(told) is not None
        return ApiError(f"{response.status} {told}", self.fault(response.status), of_recipient)

    def search(self, message: ApiMessage) -> Request:
        """Events of our Message-ID, which Mailgun writes without brackets.

        https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/events
        """
        query = {
            "message-id": message.message.message_id.strip("<>"),
            "recipient": message.content.to_address,
            "limit": 100,
        }
        return self.get(f"/v3/{self.settings.domain}/events", query)

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """An event of a mail that was taken, with our reference in it."""
        event = str(row.get("event"))
        if event in _TOOK and at(row, "user-variables", "reference") == message.reference:
            return Accepted(f"Found at Mailgun: {event}", message.message.message_id)
        return None

    def events(self, since: datetime, kind: str, page: int) -> Request:  # noqa: ARG002 - pages by link
        """What happened since, oldest first; its rows are those of webhooks."""
        query = {
            "begin": int(since.timestamp()),
            "ascending": "yes",
            "event": "failed OR complained OR unsubscribed OR rejected",
            "limit": 300,
        }
        return self.get(f"/v3/{self.settings.domain}/events", query)

    def more_events(
        self,
        since: datetime,
        kind: str,
        page: int,
        response: Response,
    ) -> Request | None:
        """By the link to the next page, if this one was not empty."""
        del since, kind, page
        value = response.json()
        link = text_at(value, "paging", "next") or ""
        begin = f"{self.base_url.rstrip('/')}/v3/{self.settings.domain}/events/"
        if not at(value, "items", 0) or not link.startswith(begin):
            return None
        path = link.removeprefix(self.base_url.rstrip("/"))
        return Request(path, headers={**self.auth(), "Accept": "application/json"}, method="GET")


def _check_words(message: ApiMessage) -> None:
    """Refuse what an author wrote; a word in a reader's own name harms nobody else.

    Raises:
        ConfigError: the message holds words of Mailgun's, which in MIME cannot be written
            in another way.
    """
    written, harmless = message.message.as_content(), message.content
    if written.to_name == harmless.to_name and written != harmless:
        raise ConfigError(
            "The message holds a word between percent signs, such as “%unsubscribe_url%”, and "
            "Mailgun would put something else in its place.",
            where=Where(item="[delivery] transport"),
            next=(
                "Write it without percent signs, or use another transport, such as a relay (smtp)."
            ),
        )


def _form(options: Iterable[tuple[str, str]], mime: bytes) -> tuple[str, bytes]:
    """A form with the message as its file (RFC 7578); the same parts give the same bytes.

    The boundary is a digest of what it stands around, which cannot hold it.
    """
    boundary = hashlib.sha256(mime).hexdigest()
    edge = f"--{boundary}\r\n"
    fields = "".join(
        f'{edge}Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in options
    )
    file = (
        f'{edge}Content-Disposition: form-data; name="message"; filename="message.mime"\r\n'
        "Content-Type: message/rfc822\r\n\r\n"
    )
    return boundary, b"".join(
        [fields.encode(), file.encode(), mime, f"\r\n--{boundary}--\r\n".encode()]
    )


PROVIDER = Mailgun
