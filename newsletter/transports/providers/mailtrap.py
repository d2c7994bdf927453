"""Mailtrap: batches of full letters through the bulk stream, with a result for each.

It knows no idempotency key. Its own description of the API:
https://github.com/mailtrap/mailtrap-openapi, specs/email-sending-bulk.openapi.yml (sending),
sandbox-sending.openapi.yml (the sandbox), email-sending.openapi.yml (email_logs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import Mailtrap
from newsletter.render.edition import Enclosure
from newsletter.transports.answers import Ambiguous, Each, Later, Refused, Stop, Verdict
from newsletter.transports.belief import whom
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Accepted, Allowance, InDoubt, Outcome, Rejected, Scope
from newsletter.transports.providers.references import reference
from newsletter.transports.vendor import (
    Letter,
    base64_of,
    check_secret,
    known_id,
    no_sandbox,
    of_the_way,
    person,
)

_BULK = "https://bulk.api.mailtrap.io"
_SANDBOX = "https://sandbox.api.mailtrap.io"
_LOGS = "https://mailtrap.io"
_CHECK_ACCOUNT = "Look at your account at Mailtrap, then run “newsletter resume ISSUE”."
_ALIKE = 3
"""So many refusals in the same words, and nothing accepted: it is the letter."""


class MailtrapVendor:
    """An account at Mailtrap."""

    name = "mailtrap"
    title = Mailtrap.title
    batch_size = 100
    """They take 500; a batch is as much as one unanswered call leaves in doubt."""
    key_lifetime_s = 0.0
    allowance = Allowance(calls_per_second=15)
    """150 in 10 seconds for a token: https://docs.mailtrap.io, Rate Limits."""
    takes_smtputf8 = False
    can_search = True

    def __init__(
        self, settings: Mailtrap, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        if sandbox and settings.sandbox_inbox is None:
            raise no_sandbox(
                self.title,
                "Set up a sandbox at Mailtrap and name its number as sandbox_inbox under "
                "[mailtrap].",
            )
        self.base_url = settings.base_url or (_SANDBOX if sandbox else _BULK)
        self._path = f"/api/batch/{settings.sandbox_inbox}" if sandbox else "/api/batch"
        self._logs = "" if settings.base_url else _LOGS
        self._token = check_secret(secrets["api_token"], what="API token", vendor=self)
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - the protocol's
        """One batch; what all its letters share stands in it once."""
        base = _shared(letters[0])
        alike = all(_shared(letter) == base for letter in letters[1:])
        body = {
            "base": base if alike else {},
            "requests": [
                _own(letter) if alike else {**_shared(letter), **_own(letter)} for letter in letters
            ],
        }
        return Request(self._path, canonical_json(body), self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "Api-Token": self._token,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:  # noqa: ARG002 - the protocol's
        """A success tells of each letter; an error, of the whole request."""
        value = answer.json()
        if 200 <= answer.status < 300:
            rows = value.get("responses") if isinstance(value, dict) else None
            if not isinstance(rows, list):
                return Ambiguous(
                    f"Mailtrap answered with HTTP status {answer.status}, but without results."
                )
            results = _of_letter_or_reader([_result(row) for row in rows])
            return Each(results, [whom(row) for row in rows])
        words = _errors(value)
        if answer.status == 408 or not 400 <= answer.status < 500 or words is None:
            return of_the_way(answer, self.title)
        reply = f"{answer.status} {words}"
        if answer.status == 429:
            return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
        if answer.status in {400, 413, 422}:
            return Refused(reply, of_reader=_is_of_reader(words))
        return Stop(reply, _CHECK_ACCOUNT)

    def search(self, letter: Letter) -> Request:
        """What was sent to the address, the newest first; the token must be allowed to see it."""
        query = urlencode(
            {
                "filters[to][operator]": "ci_equal",
                "filters[to][value]": letter.content.to_address,
                "filters[sent_after]": letter.message.date.isoformat(),
            }
        )
        return Request(
            f"{self._logs}/api/email_logs?{query}", headers=self._headers(), method="GET"
        )

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """What it lists under our reference it took, whatever became of it then."""
        value = answer.json() if answer.status == 200 else None
        rows = value.get("messages") if isinstance(value, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("custom_variables") == _variables(letter):
                known, status = row.get("message_id"), row.get("status")
                return Accepted(f"Mailtrap has it as {status}.", known_id(known))
        return None


def _shared(letter: Letter) -> dict[str, object]:
    content = letter.content
    shared: dict[str, object] = {"from": person(content.from_name, content.from_address)}
    if content.reply_to:
        shared["reply_to"] = {"email": content.reply_to}
    if content.enclosures:
        shared["attachments"] = [_attached(each) for each in content.enclosures]
    return shared


def _own(letter: Letter) -> dict[str, object]:
    content = letter.content
    return {
        "to": [person(content.to_name, content.to_address)],
        "subject": content.subject,
        "html": content.html,
        "text": content.text,
        "headers": dict(content.headers),
        "custom_variables": _variables(letter),
    }


def _variables(letter: Letter) -> dict[str, str]:
    return {"reference": reference(letter)}


def _attached(file: Enclosure) -> dict[str, str]:
    attached = {
        "filename": file.name,
        "type": file.media_type,
        "content": base64_of(file.content),
    }
    if file.content_id:
        attached |= {"disposition": "inline", "content_id": file.content_id}
    return attached


def _result(row: Any) -> Outcome:
    if not isinstance(row, dict):
        return InDoubt("Mailtrap gave no result for it.")
    if row.get("success") is True:
        ids = row.get("message_ids")
        known = known_id(ids[0]) if isinstance(ids, list) and ids else None
        return Accepted("200 accepted", known) if known else InDoubt("Mailtrap gave no id for it.")
    words = _errors(row)
    if row.get("success") is False and words:
        return Rejected(f"200 {words}")
    return InDoubt("Mailtrap gave no result for it.")


def _of_letter_or_reader(results: list[Outcome]) -> list[Outcome]:
    """The results; refused all in the same words, which are about no address, it is the letter."""
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
    found = value.get("errors") if isinstance(value, dict) else None
    if isinstance(found, str):
        return found or None
    if isinstance(found, list) and found and all(isinstance(each, str) for each in found):
        return "; ".join(found)
    return None
