"""Lettermint: batches of full letters; each letter and each batch has a key for 24 hours.

A batch is worked off in order. Where it breaks off, the answer lists under
``details.accepted`` those that were taken before, and a key of its own keeps
each of them from going twice in whatever batch it stands next.
https://docs.lettermint.co/api-reference/sending/send/send-multiple-emails-in-a-batch,
https://docs.lettermint.co/platform/emails/idempotency; types of lettermint-python 3.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from newsletter.clock import Clock
from newsletter.config import Lettermint
from newsletter.render.edition import Enclosure
from newsletter.transports.answers import Ambiguous, Each, Later, Refused, Stop, Verdict
from newsletter.transports.belief import whom
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.providers.references import reference
from newsletter.transports.vendor import (
    Letter,
    Unsearchable,
    base64_of,
    check_secret,
    known_id,
    named,
    no_sandbox,
    of_the_way,
)

_CHECK_ACCOUNT = "Look at your account at Lettermint, then run “newsletter resume ISSUE”."
_WHOSE = "Look whose token sandbox_token is: if it is a live project's, the proof is delivered."
_PLACE = re.compile(r"(?:messages\.)?([0-9]+)\.(.*)")
"""``3.to.0``: the place of a letter in the batch, and the field that is wrong."""
_BLOCKED_TYPE = "application/octet-stream"
"""Refused as a type; left out, Lettermint goes by the file's name."""


class LettermintVendor(Unsearchable):
    """A project at Lettermint."""

    name = "lettermint"
    title = Lettermint.title
    batch_size = 100
    """They take 500; a batch is as much as one unanswered call leaves in doubt."""
    key_lifetime_s = 24 * 3600.0
    allowance = Allowance()
    takes_smtputf8 = False
    """Only under a team's token, which may do far more than send; a repeat tells as much."""

    def __init__(
        self, settings: Lettermint, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        if sandbox and "sandbox_token" not in secrets:
            raise no_sandbox(
                self.title,
                "At Lettermint a sandbox is a project of its own: set one up, and name its token "
                "as sandbox_token under [lettermint].",
            )
        token = "sandbox_token" if sandbox else "api_token"
        self.base_url = settings.base_url
        self._route = settings.route
        self._sandbox = sandbox
        self._token = check_secret(secrets[token], what="API token", vendor=self)
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:
        """One batch."""
        return Request(
            "/v1/send/batch",
            canonical_json([self._payload(letter) for letter in letters]),
            {
                "x-lettermint-token": self._token,
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Idempotency-Key": key,
            },
        )

    def _payload(self, letter: Letter) -> dict[str, object]:
        content = letter.content
        payload: dict[str, object] = {
            "from": named(content.from_name, content.from_address),
            "to": [named(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            # Else Lettermint puts a Message-ID of its own in the place of ours.
            "headers": {**content.headers, "X-LM-Preserve-Message-ID": "true"},
            "metadata": {"reference": reference(letter)},
            "settings": {"track_opens": False, "track_clicks": False},
            "idempotency_key": letter.key,
        }
        if content.reply_to:
            payload["reply_to"] = [content.reply_to]
        if self._route:
            payload["route"] = self._route
        if content.enclosures:
            payload["attachments"] = [_attached(each) for each in content.enclosures]
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:
        """An error is believed in its shape alone, and then for those it does not list as taken."""
        if 200 <= answer.status < 300:
            return self._success(answer)
        error = _Error.read(answer.json())
        if answer.status == 408 or not 400 <= answer.status < 500 or error is None:
            return of_the_way(answer, self.title)
        reply = f"{answer.status} {error.words}"
        if answer.status == 409:
            # Nothing of it was taken now; what the keys stand for is another matter.
            return Ambiguous(reply, final=not error.is_at_work)
        whole: Later | Stop | Refused
        if answer.status == 429:
            whole = Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
        elif answer.status in {400, 413, 422}:
            whole = Refused(reply, error.to_blame(len(letters)), of_reader=error.of_reader)
        else:
            whole = Stop(reply, _CHECK_ACCOUNT)
        return _after(error.accepted, whole, len(letters)) if error.accepted else whole

    def _success(self, answer: Answer) -> Verdict:
        rows = answer.json()
        if not isinstance(rows, list):
            # All or some: only the list tells, and asking again under the keys brings it.
            return Ambiguous(
                f"Lettermint answered with HTTP status {answer.status}, but without a list."
            )
        if self._sandbox and not all(isinstance(row, dict) and row.get("sandbox") for row in rows):
            return Stop("Lettermint does not say that a sandbox took the proof.", _WHOSE)
        return Each([_result(row) for row in rows], [whom(row) for row in rows])


@dataclass(frozen=True, slots=True)
class _Error:
    """An error in one of the three shapes that Lettermint documents.

    ``{"message": …}``, with ``errors`` by field where fields are wrong, and
    ``{"error": {"code": …, "message": …, "details": …}}``.
    """

    words: str
    fields: tuple[str, ...]
    accepted: Mapping[int, str]

    @classmethod
    def read(cls, value: Any) -> _Error | None:
        inner = value.get("error") if isinstance(value, dict) else None
        body = inner if isinstance(inner, dict) else value
        if not isinstance(body, dict) or not isinstance(body.get("message"), str):
            return None
        code, errors, details = body.get("code"), body.get("errors"), body.get("details")
        words = f"{code}: {body['message']}" if isinstance(code, str) else body["message"]
        taken = details.get("accepted") if isinstance(details, dict) else None
        return cls(
            words,
            tuple(errors) if isinstance(errors, dict) else (),
            dict(filter(None, map(_taken, taken if isinstance(taken, list) else ()))),
        )

    @property
    def is_at_work(self) -> bool:
        """Whether a key's first request is still at work, so that asking again may tell."""
        return re.search("(?i:concurrent|progress|process(?:ed|ing))", self.words) is not None

    @property
    def of_reader(self) -> bool:
        """Whether all that is wrong is whom a letter goes to."""
        return bool(self.fields) and all(
            (found := _PLACE.fullmatch(field)) is not None and found[2].startswith("to")
            for field in self.fields
        )

    def to_blame(self, count: int) -> frozenset[int]:
        """The letters that it names, unless it names all or something beside them."""
        places = [_PLACE.fullmatch(field) for field in self.fields]
        named_ones = {int(found[1][:9]) for found in places if found is not None}
        if None in places or len(named_ones) >= count or not named_ones <= set(range(count)):
            return frozenset()
        return frozenset(named_ones)


def _result(row: Any) -> Outcome:
    known = known_id(row.get("message_id")) if isinstance(row, dict) else None
    if known is None:
        return InDoubt("Lettermint gave no message_id for it.")
    if row.get("status") == "suppressed":
        return Rejected("Lettermint keeps this address on its suppression list.")
    return Accepted("202 accepted", known)


def _taken(row: Any) -> tuple[int, str] | None:
    if not isinstance(row, dict):
        return None
    index, known = row.get("index"), known_id(row.get("message_id"))
    return (index, known) if type(index) is int and known else None


def _after(accepted: Mapping[int, str], whole: Later | Stop | Refused, count: int) -> Verdict:
    """A batch that broke off: who was taken before, who it was about, and who never came up."""
    at_fault = next((place for place in range(count) if place not in accepted), count)
    rest: Outcome
    match whole:
        case Later():
            rest = Deferred(whole.reply, Scope.ACCOUNT, whole.retry_after_s)
        case Stop():
            rest = Deferred(f"{whole.reply} {whole.next}", Scope.ACCOUNT)
        case Refused():
            rest = Deferred("It stood behind a letter that was refused.", retry_after_s=0)
    results: list[Outcome] = [
        Accepted("202 accepted", accepted[place]) if place in accepted else rest
        for place in range(count)
    ]
    if isinstance(whole, Refused) and at_fault < count:
        # Others got the same letter, so it is about this reader.
        results[at_fault] = Rejected(whole.reply)
    return Each(results)


def _attached(file: Enclosure) -> dict[str, str]:
    attached = {"filename": file.name, "content": base64_of(file.content)}
    if file.media_type != _BLOCKED_TYPE:
        attached["content_type"] = file.media_type
    if file.content_id:
        attached["content_id"] = file.content_id
    return attached
