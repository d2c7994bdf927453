"""Resend: batches of 100 full messages, each with an idempotency key for 24 hours.

One request takes a batch whole or not at all (``x-batch-validation: strict``).
https://resend.com/docs/api-reference/emails/send-batch-emails,
https://resend.com/docs/dashboard/emails/idempotency-keys
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from newsletter.config import ProviderSettings, Secret
from newsletter.transports.api_result import (
    ACCOUNT,
    KEY,
    KEY_IN_USE,
    MESSAGE,
    ApiError,
    ApiResult,
    Taken,
)
from newsletter.transports.http_values import Response, at, bearer, name_addr, text_at, valid_id
from newsletter.transports.protocol import Allowance
from newsletter.transports.provider import ApiMessage, Provider
from newsletter.transports.template_syntax import TWO_BRACES


class ResendSettings(ProviderSettings):
    """Resend."""

    title: ClassVar[str] = "Resend"
    takes_pictures: ClassVar[bool] = False
    takes_documents: ClassVar[bool] = False

    api_key: Secret = Field(description="Where the API key comes from.")


class Resend(Provider[ResendSettings]):
    """An account at Resend; its errors: https://resend.com/docs/api-reference/errors."""

    name = "resend"
    table = ResendSettings
    endpoint = "https://api.resend.com"
    path = "/emails/batch"
    batch_size = 100
    key_lifetime_s = 24 * 3600.0
    allowance = Allowance(calls_per_second=2)  # a team's default; answers tell of another
    template_syntax = (TWO_BRACES,)
    no_sandbox = "Proofs to delivered@resend.dev are never delivered."
    errors: ClassVar = {
        "invalid_access": ACCOUNT,
        "invalid_idempotency_key": ACCOUNT,
        "daily_quota_exceeded": ACCOUNT,
        "monthly_quota_exceeded": ACCOUNT,
        "concurrent_idempotent_requests": KEY_IN_USE,
        400: MESSAGE,
        409: KEY,
        413: MESSAGE,
        422: MESSAGE,
    }

    def auth(self) -> dict[str, str]:
        """The API key."""
        return bearer(self.secrets["api_key"])

    def call_headers(self, key: str) -> dict[str, str]:
        """The key, and that a batch is taken whole or not at all."""
        return {"Idempotency-Key": key, "x-batch-validation": "strict"}

    def fields(self, message: ApiMessage) -> dict[str, object]:
        """Without files: a batch would lose them, and say nothing."""
        content = message.content
        self.files(content)
        return {
            "from": name_addr(content.from_name, content.from_address),
            "to": [name_addr(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "headers": dict(content.headers),
            # Told again in each webhook; a value has letters, digits, “_” and “-” only.
            "tags": [{"name": "reference", "value": message.reference.replace(".", "_")}],
            "reply_to": [content.reply_to] if content.reply_to else None,
        }

    def success(self, response: Response) -> ApiResult:
        """An id for each, in order."""
        rows = at(response.json(), "data")
        if not isinstance(rows, list):
            return self.lacking(response, "ids")
        return Taken(f"{response.status} accepted", [valid_id(at(row, "id")) for row in rows])

    def error(self, response: Response) -> ApiError | None:
        """Name and message."""
        value = response.json()
        name, text = text_at(value, "name"), text_at(value, "message")
        if name is None or text is None:
            return None
        reply = f"{response.status} {name}: {text}"
        return ApiError(reply, self.fault(name, response.status), "`to`" in reply)


PROVIDER = Resend
