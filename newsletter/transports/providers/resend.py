"""Resend: batches of 100 full letters, each with an idempotency key for 24 hours.

One request takes a batch whole or not at all (``x-batch-validation: strict``).
https://resend.com/docs/api-reference/emails/send-batch-emails,
https://resend.com/docs/dashboard/emails/idempotency-keys
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.clock import Clock
from newsletter.config import Resend
from newsletter.transports.answers import Ambiguous, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Allowance
from newsletter.transports.vendor import (
    Letter,
    Unsearchable,
    check_secret,
    known_id,
    named,
    no_files,
    no_sandbox,
    of_the_way,
)

_CHECK_ACCOUNT = "Look at your account at Resend, then run “newsletter resume ISSUE”."
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})


class ResendVendor(Unsearchable):
    """An account at Resend."""

    name = "resend"
    title = Resend.title
    batch_size = 100
    key_lifetime_s = 24 * 3600.0
    allowance = Allowance(calls_per_second=2)  # a team's default; answers tell of another
    takes_smtputf8 = False

    def __init__(
        self, settings: Resend, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        if sandbox:
            raise no_sandbox(self.title, "Proofs to delivered@resend.dev are never delivered.")
        self.base_url = settings.base_url
        self._api_key = check_secret(secrets["api_key"], what="API key", vendor=self)
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:
        """One batch."""
        return Request(
            "/emails/batch",
            canonical_json([self._payload(letter) for letter in letters]),
            {
                "Authorization": f"Bearer {self._api_key}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Idempotency-Key": key,
                "x-batch-validation": "strict",
            },
        )

    def _payload(self, letter: Letter) -> dict[str, object]:
        content = letter.content
        no_files(letter, title=self.title)
        payload: dict[str, object] = {
            "from": named(content.from_name, content.from_address),
            "to": [named(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "headers": dict(content.headers),
        }
        if content.reply_to:
            payload["reply_to"] = [content.reply_to]
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:  # noqa: ARG002 - the protocol's
        """https://resend.com/docs/api-reference/errors, believed only in its shape."""
        if 200 <= answer.status < 300:
            return _success(answer)
        error = answer.json()
        if answer.status == 408 or not 400 <= answer.status < 500 or not _is_error(error):
            return of_the_way(answer, self.title)
        name: str = error["name"]
        reply = f"{answer.status} {name}: {error['message']}"
        match answer.status:
            case 400 | 413 | 422 if name not in {"invalid_access", "invalid_idempotency_key"}:
                return Refused(reply, of_reader="`to`" in reply)
            case 409:
                return Ambiguous(reply, final=name != "concurrent_idempotent_requests")
            case 429 if name not in _QUOTAS:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case _:
                # The key, the domain, the quota, the address of the API: nobody's mail
                # will be taken, and no reader is to blame.
                return Stop(reply, _CHECK_ACCOUNT)


def _success(answer: Answer) -> Verdict:
    if not answer.is_json:
        return of_the_way(answer, ResendVendor.title)
    reply = f"{answer.status} accepted"
    value = answer.json()
    rows = value.get("data") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        return Ambiguous(f"Resend answered with HTTP status {answer.status}, but without ids.")
    return Taken(reply, tuple(_id(row) for row in rows))


def _is_error(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and isinstance(value.get("message"), str)
    )


def _id(row: Any) -> str | None:
    return known_id(row.get("id")) if isinstance(row, dict) else None
