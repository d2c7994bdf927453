"""Mailtrap: batches of full messages through the bulk stream, with a result for each.

It knows no idempotency key. Its own description of the API:
https://github.com/mailtrap/mailtrap-openapi, specs/email-sending-bulk.openapi.yml (sending),
sandbox-sending.openapi.yml (the sandbox), email-sending.openapi.yml (email_logs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import MESSAGE, ApiError, ApiResult, Each
from newsletter.transports.http_values import Request, Response, at, person, valid_id, without_empty
from newsletter.transports.protocol import Accepted, Allowance, InDoubt, Outcome, Rejected, Scope
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import TWO_BRACES
from newsletter.transports.verification import recipients_in

_LOGS = "https://mailtrap.io"
_ALIKE = 3
"""So many refusals in the same words, and nothing accepted: it is the message."""


class MailtrapSettings(ProviderSettings):
    """Mailtrap, through its bulk stream."""

    title: ClassVar[str] = "Mailtrap"

    api_token: Secret = Field(description="Where the API token comes from.")
    sandbox_inbox: int | None = Field(
        default=None, description="Number of a sandbox inbox, for “newsletter test --sandbox”."
    )


class Mailtrap(Provider[MailtrapSettings]):
    """An account at Mailtrap."""

    name = "mailtrap"
    table = MailtrapSettings
    batch_size = 100
    """They take 500; a batch is as much as one unanswered call leaves in doubt."""
    allowance = Allowance(calls_per_second=15)
    """150 in 10 seconds for a token: https://docs.mailtrap.io, Rate Limits."""
    # __unsubscribe_url__, __tracking_opt_out_url__: https://docs.mailtrap.io
    template_syntax = (TWO_BRACES, re.compile(r"_(?=_[a-z_]+_url__)"))
    file_fields = FileFields(media_type="type", content_id="content_id", disposition=("", "inline"))
    no_sandbox = (
        "Set up a sandbox at Mailtrap and name its number as sandbox_inbox under [mailtrap]."
    )
    listed = "messages"
    errors: ClassVar = {400: MESSAGE, 413: MESSAGE, 422: MESSAGE}

    @property
    def endpoint(self) -> str:
        """The bulk stream's, or the sandbox's."""
        return f"https://{'sandbox' if self.sandbox else 'bulk'}.api.mailtrap.io"

    @property
    def path(self) -> str:
        """Of batches; in the sandbox, of those to the inbox."""
        return f"/api/batch/{self.settings.sandbox_inbox}" if self.sandbox else "/api/batch"

    def auth(self) -> dict[str, str]:
        """The API token."""
        return {"Api-Token": self.secrets["api_token"]}

    def payload(self, messages: Sequence[ApiMessage], key: str) -> object:  # noqa: ARG002 - it knows none
        """One batch; what all its messages share stands in it once."""
        base = self._shared(messages[0])
        alike = all(self._shared(message) == base for message in messages[1:])
        return {
            "base": base if alike else {},
            "requests": [
                self.fields(message) | ({} if alike else self._shared(message))
                for message in messages
            ],
        }

    def _shared(self, message: ApiMessage) -> dict[str, object]:
        content = message.content
        return without_empty(
            {
                "from": person(content.from_name, content.from_address),
                "reply_to": {"email": content.reply_to} if content.reply_to else None,
                "attachments": self.files(content),
            }
        )

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """What is one message's own."""
        content = message.content
        return {
            "to": [person(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "headers": dict(content.headers),
            "custom_variables": {"reference": message.reference},
        }

    def success(self, response: Response) -> ApiResult:
        """It tells of each message."""
        listed = at(response.json(), "responses")
        if not isinstance(listed, list):
            return self.lacking(response, "results")
        results = _of_letter_or_reader([_result(row) for row in listed])
        return Each(results, [recipients_in(row) for row in listed])

    def error(self, response: Response) -> ApiError | None:
        """It is about the whole request."""
        words = _errors(response.json())
        if words is None:
            return None
        reply = f"{response.status} {words}"
        return ApiError(reply, self.fault(response.status), _is_of_reader(words))

    def search(self, message: ApiMessage) -> Request:
        """What was sent to the address, the newest first; the token must be allowed to see it."""
        query = {
            "filters[to][operator]": "ci_equal",
            "filters[to][value]": message.content.to_address,
            "filters[sent_after]": message.message.date.isoformat(),
        }
        host = "" if self.settings.base_url else _LOGS
        return self.get(f"{host}/api/email_logs", query)

    def proof(self, row: Mapping[str, Any], message: ApiMessage) -> Accepted | None:
        """What it lists under our reference it took, whatever became of it then."""
        if row.get("custom_variables") != {"reference": message.reference}:
            return None
        return Accepted(f"Mailtrap has it as {row.get('status')}.", valid_id(row.get("message_id")))


def _result(row: Any) -> Outcome:
    if at(row, "success") is True:
        known = valid_id(at(row, "message_ids", 0))
        return Accepted("200 accepted", known) if known else InDoubt("Mailtrap gave no id for it.")
    words = _errors(row)
    if at(row, "success") is False and words:
        return Rejected(f"200 {words}")
    return InDoubt("Mailtrap gave no result for it.")


def _of_letter_or_reader(results: list[Outcome]) -> list[Outcome]:
    """The results; refused all in the same words, which are about no address, it is the message."""
    first = results[0] if results else None
    if (
        isinstance(first, Rejected)
        and len(results) >= _ALIKE
        and all(each == first for each in results)
        and not _is_of_reader(first.reply)
    ):
        return [Rejected(first.reply, Scope.CAMPAIGN)] * len(results)
    return results


def _is_of_reader(words: str) -> bool:
    return "'to'" in words or "recipient" in words.lower()


def _errors(value: Any) -> str | None:
    """The words of an error; a list for a request, a single sentence for too many of them."""
    found = at(value, "errors")
    if isinstance(found, str):
        return found or None
    if isinstance(found, list) and found and all(isinstance(each, str) for each in found):
        return "; ".join(found)
    return None


PROVIDER = Mailtrap
