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
from email.header import Header
from enum import Enum, auto
from html import escape
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import Brevo
from newsletter.errors import ConfigError, Where
from newsletter.render.edition import Enclosure
from newsletter.transports.answers import Ambiguous, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Accepted, Allowance
from newsletter.transports.providers.references import campaign, reference
from newsletter.transports.vendor import (
    Letter,
    base64_of,
    check_secret,
    known_id,
    of_the_way,
    person,
    without,
)

_CHECK_ACCOUNT = "Look at your account at Brevo, then run “newsletter resume ISSUE”."
_SPECIALS = re.compile(r'[()<>@,;:\\".\[\]]')
_SEARCHED_DAYS = "30"
_PROOF = frozenset({"requests", "delivered", "deferred", "softBounces", "hardBounces"})
"""Events of mails that Brevo took and did not drop."""


class _Meaning(Enum):
    REFUSED = auto()
    REPEATED = auto()
    STOP = auto()


ERRORS: Mapping[str, _Meaning] = {
    "invalid_parameter": _Meaning.REFUSED,
    "missing_parameter": _Meaning.REFUSED,
    "out_of_range": _Meaning.REFUSED,
    "bad_request": _Meaning.REFUSED,
    "not_acceptable": _Meaning.REFUSED,
    "duplicate_parameter": _Meaning.REPEATED,
    "duplicate_request": _Meaning.REPEATED,
    "document_not_found": _Meaning.STOP,
    "method_not_allowed": _Meaning.STOP,
    "not_enough_credits": _Meaning.STOP,
    "permission_denied": _Meaning.STOP,
    "reseller_permission_denied": _Meaning.STOP,
    "account_under_validation": _Meaning.STOP,
    "unauthorized": _Meaning.STOP,
}
"""What a code means; one that is not here is for a person to look at, so it stops."""


class BrevoVendor:
    """An account at Brevo."""

    name = "brevo"
    title = Brevo.title
    batch_size = 1000
    # 30 minutes in the guide, 15 in the changelog.
    key_lifetime_s = 15 * 60.0
    allowance = Allowance(calls_per_second=100 / 60)
    takes_smtputf8 = False
    can_search = True

    def __init__(
        self, settings: Brevo, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        self.base_url = settings.base_url
        self._api_key = check_secret(secrets["api_key"], what="API key", vendor=self)
        self._sandbox = {"X-Sib-Sandbox": "drop"} if sandbox else {}
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:
        """One batch.

        What stands outside of the versions is shown to nobody, since each
        version has its own, but must be there. The key is in the body, as
        the guide shows it, and among the request's headers, as it can also be
        understood (github.com/getbrevo/brevo-node/issues/94).
        """
        first = letters[0].content
        sender = first.from_name or first.from_address
        payload: dict[str, object] = {
            "sender": _mailbox(first.from_name, first.from_address),
            "subject": sender,
            "htmlContent": f"<p>{escape(sender)}</p>",
            "textContent": sender,
            "headers": {"idempotencyKey": key, **self._sandbox},
            "tags": sorted({campaign(letter) for letter in letters}),
            "messageVersions": [_version(letter) for letter in letters],
        }
        if attachments := _attachments(letters):
            payload["attachment"] = attachments
        headers = {
            **self._headers(),
            **self._sandbox,
            "Content-Type": "application/json",
            "idempotencyKey": key,
        }
        return Request("/v3/smtp/email", canonical_json(payload), headers)

    def _headers(self) -> dict[str, str]:
        return {"api-key": self._api_key, "Accept": "application/json"}

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:  # noqa: ARG002 - the protocol's
        """By the error's code; a batch is taken whole or not at all."""
        if 200 <= answer.status < 300:
            return _success(answer)
        error = answer.json()
        if answer.status == 408 or not 400 <= answer.status < 500 or not _is_error(error):
            return of_the_way(answer, self.title)
        code, message = error["code"], error["message"]
        reply = f"{answer.status} {code}: {message}"
        if answer.status == 429:
            return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
        match ERRORS.get(code, _Meaning.STOP):
            case _Meaning.REPEATED:
                # The key is known, so an earlier call came through; not what became of it.
                return Ambiguous(reply, final=True)
            case _Meaning.REFUSED if "sender" not in message.lower():
                return Refused(reply, of_reader="email is not valid in to" in message.lower())
            case _:
                return Stop(reply, _CHECK_ACCOUNT)

    def search(self, letter: Letter) -> Request:
        """What happened to mails of this campaign to this reader."""
        asked = {
            "email": letter.content.to_address,
            "tags": json.dumps([campaign(letter)]),
            "days": _SEARCHED_DAYS,
            "limit": "50",
        }
        return Request(
            f"/v3/smtp/statistics/events?{urlencode(asked)}", b"", self._headers(), "GET"
        )

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """An event of the campaign's mail to this reader.

        Nothing once a person had it mailed again: the tag does not tell one
        mail from the other.
        """
        value = answer.json() if answer.status == 200 and not letter.message.resends else None
        rows = value.get("events") if isinstance(value, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict) or str(row.get("event")) not in _PROOF:
                continue
            same_reader = row.get("email") == letter.content.to_address
            if same_reader and campaign(letter) in _tags(row.get("tag")):
                known = row.get("messageId")
                return Accepted(f"found at Brevo: {row['event']}", known_id(known))
        return None


def _version(letter: Letter) -> dict[str, object]:
    content = letter.content
    # Brevo gives each mail a Message-ID of its own.
    headers = {**without(content.headers, "Message-ID"), "X-Mailin-custom": reference(letter)}
    _check_headers(headers)
    version: dict[str, object] = {
        "to": [_mailbox(content.to_name, content.to_address)],
        "subject": content.subject,
        "htmlContent": content.html,
        "textContent": content.text,
        "headers": headers,
    }
    if content.reply_to:
        version["replyTo"] = {"email": content.reply_to}
    return version


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
    if not name.isascii() and _SPECIALS.search(name):
        name = Header(name, "utf-8", maxlinelen=1_000_000).encode()
    return person(name, address)


def _attachments(letters: Sequence[Letter]) -> list[dict[str, str]]:
    """The documents of all letters, which Brevo takes once for all versions.

    Raises:
        ConfigError: they differ, or one is a picture shown in the letter.
    """
    enclosures = letters[0].content.enclosures
    if any(letter.content.enclosures != enclosures for letter in letters):
        raise ConfigError(
            "Brevo takes the same documents for all letters of a batch only, and these letters "
            "have different ones.",
            where=Where("newsletter.toml", item="[mail] downloads"),
            next="Write downloads = “link” for the next issue. Send this one by another way, such "
            "as a relay (smtp).",
        )
    if any(each.content_id is not None for each in enclosures):
        raise ConfigError(
            "Brevo shows no pictures inside a mail, and these letters hold some.",
            where=Where("newsletter.toml", item="[mail] pictures"),
            next="Write pictures = “hosted” for the next issue. Send this one by another way, such "
            "as a relay (smtp).",
        )
    return [_attachment(each) for each in enclosures]


def _attachment(enclosure: Enclosure) -> dict[str, str]:
    return {"name": enclosure.name, "content": base64_of(enclosure.content)}


def _success(answer: Answer) -> Verdict:
    if not answer.is_json:
        return of_the_way(answer, BrevoVendor.title)
    reply = f"{answer.status} accepted"
    value = answer.json()
    ids = value.get("messageIds") if isinstance(value, dict) else None
    if ids is None and isinstance(value, dict) and isinstance(value.get("messageId"), str):
        ids = [value["messageId"]]
    if not isinstance(ids, list):
        return Ambiguous(f"Brevo answered with HTTP status {answer.status}, but without ids.")
    return Taken(reply, tuple(map(known_id, ids)))


def _is_error(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("code"), str)
        and isinstance(value.get("message"), str)
    )


def _tags(tag: Any) -> Sequence[str]:
    """The tags of an event: one, or a JSON list in a string."""
    if not isinstance(tag, str):
        return ()
    return [part.strip(' "') for part in tag.strip("[] ").split(",")]
