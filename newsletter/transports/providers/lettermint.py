"""Lettermint: batches of full messages; each message and each batch has a key for 24 hours.

A batch is worked off in order. Where it breaks off, the answer lists under
``details.accepted`` those that were taken before, and a key of its own keeps
each of them from going twice in whatever batch it stands next.
https://docs.lettermint.co/api-reference/sending/send/send-multiple-emails-in-a-batch,
https://docs.lettermint.co/platform/emails/idempotency; types of lettermint-python 3.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import (
    KEY,
    KEY_IN_USE,
    MESSAGE,
    ApiError,
    ApiResult,
    Each,
    Later,
    Refused,
    Stop,
)
from newsletter.transports.http_values import Response, at, name_addr, objects_at, text_at, valid_id
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from newsletter.transports.provider import ApiMessage, FileFields, Provider
from newsletter.transports.template_syntax import BRACES
from newsletter.transports.verification import recipients_in

_WHOSE = "Look whose token sandbox_token is: if it is a live project's, the proof is delivered."
_PLACE = re.compile(r"(?:messages\.)?([0-9]+)\.(.*)")
"""``3.to.0``: the place of a message in the batch, and the field that is wrong."""
_AT_WORK = re.compile("(?i:concurrent|progress|process(?:ed|ing))")
"""A key's first request is still at work, so that asking again may tell."""
_BLOCKED_TYPE = "application/octet-stream"
"""Refused as a type; left out, Lettermint goes by the file's name."""


class LettermintSettings(ProviderSettings):
    """Lettermint."""

    title: ClassVar[str] = "Lettermint"

    api_token: Secret = Field(description="Where the project's API token comes from.")
    sandbox_token: Secret | None = Field(
        default=None, description="The token of a sandbox project, for “newsletter test --sandbox”."
    )
    route: str | None = Field(default=None, description="Name of a route for newsletters.")


class Lettermint(Provider[LettermintSettings]):
    """A project at Lettermint."""

    name = "lettermint"
    table = LettermintSettings
    endpoint = "https://api.lettermint.co"
    path = "/v1/send/batch"
    batch_size = 100
    """They take 500; a batch is as much as one unanswered call leaves in doubt."""
    key_lifetime_s = 24 * 3600.0
    takes_smtputf8 = False
    """Only under a team's token, which may do far more than send; a repeat tells as much."""
    template_syntax = (BRACES,)
    file_fields = FileFields(media_type="content_type", content_id="content_id")
    no_sandbox = (
        "At Lettermint a sandbox is a project of its own: set one up, and name its token as "
        "sandbox_token under [lettermint]."
    )
    errors: ClassVar = {400: MESSAGE, 409: KEY, 413: MESSAGE, 422: MESSAGE}

    def auth(self) -> dict[str, str]:
        """The token of the project, or of the sandbox."""
        return {
            "x-lettermint-token": self.secrets["sandbox_token" if self.sandbox else "api_token"]
        }

    def call_headers(self, key: str) -> dict[str, str]:
        """The batch's key."""
        return {"Idempotency-Key": key}

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """One message with a key of its own."""
        content = message.content
        files = self.files(content)
        return {
            "from": name_addr(content.from_name, content.from_address),
            "to": [name_addr(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            # Else Lettermint puts a Message-ID of its own in the place of ours.
            "headers": {**content.headers, "X-LM-Preserve-Message-ID": "true"},
            "metadata": {"reference": message.reference},
            "settings": {"track_opens": False, "track_clicks": False},
            "idempotency_key": message.key,
            "reply_to": [content.reply_to] if content.reply_to else None,
            "route": self.settings.route or None,
            "attachments": [
                {name: value for name, value in file.items() if value != _BLOCKED_TYPE}
                for file in files
            ],
        }

    def success(self, response: Response) -> ApiResult:
        """All or some: only the list tells, and asking again under the keys brings it."""
        listed = response.json()
        if not isinstance(listed, list):
            return self.lacking(response, "a list")
        if self.sandbox and not all(at(row, "sandbox") for row in listed):
            return Stop("Lettermint does not say that a sandbox took the proof.", _WHOSE)
        return Each([_result(row) for row in listed], [recipients_in(row) for row in listed])

    def read(self, response: Response, messages: Sequence[ApiMessage]) -> ApiResult:
        """An error is not about those that it lists as taken."""
        whole = super().read(response, messages)
        accepted = _accepted(response)
        if accepted and response.status >= 400 and isinstance(whole, Later | Stop | Refused):
            return _after(accepted, whole, len(messages))
        return whole

    def error(self, response: Response) -> ApiError | None:
        """In one of the three shapes that Lettermint documents.

        ``{"message": …}``, with ``errors`` by field where fields are wrong, and
        ``{"error": {"code": …, "message": …, "details": …}}``.
        """
        body = _body(response)
        text, code = text_at(body, "message"), text_at(body, "code")
        if text is None:
            return None
        words = text if code is None else f"{code}: {text}"
        errors = at(body, "errors")
        places = [_PLACE.fullmatch(field) for field in errors] if isinstance(errors, dict) else []
        fault = self.fault(response.status)
        return ApiError(
            f"{response.status} {words}",
            KEY_IN_USE if fault is KEY and _AT_WORK.search(words) else fault,
            of_recipient=bool(places) and all(each and each[2].startswith("to") for each in places),
            positions=frozenset(int(each[1][:9]) for each in places if each and None not in places),
        )


def _body(response: Response) -> Any:
    value = response.json()
    inner = at(value, "error")
    return inner if isinstance(inner, dict) else value


def _accepted(response: Response) -> dict[int, str]:
    """The ids of those that were taken before a batch broke off, by their places."""
    return {
        row["index"]: known
        for row in objects_at(_body(response), "details", "accepted")
        if type(row.get("index")) is int and (known := valid_id(row.get("message_id")))
    }


def _result(row: Any) -> Outcome:
    known = valid_id(at(row, "message_id"))
    if known is None:
        return InDoubt("Lettermint gave no message_id for it.")
    if row.get("status") == "suppressed":
        return Rejected("Lettermint keeps this address on its suppression list.")
    return Accepted("202 accepted", known)


def _after(accepted: Mapping[int, str], whole: Later | Stop | Refused, count: int) -> ApiResult:
    """A batch that broke off: who was taken before, who it was about, and who never came up."""
    at_fault = next((place for place in range(count) if place not in accepted), count)
    rest: Outcome
    match whole:
        case Later():
            rest = Deferred(whole.reply, Scope.ACCOUNT, whole.retry_after_s)
        case Stop():
            rest = Deferred(f"{whole.reply} {whole.next}", Scope.ACCOUNT)
        case Refused():
            rest = Deferred("It came after a message that was refused.", retry_after_s=0)
    results: list[Outcome] = [
        Accepted("202 accepted", accepted[place]) if place in accepted else rest
        for place in range(count)
    ]
    if isinstance(whole, Refused) and at_fault < count:
        # Others got the same message, so it is about this reader.
        results[at_fault] = Rejected(whole.reply)
    return Each(results)


PROVIDER = Lettermint
