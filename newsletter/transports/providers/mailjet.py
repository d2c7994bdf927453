"""Mailjet, Send API v3.1: batches of full letters, each answered for itself.

A letter goes to the same reader once a campaign (DeduplicateCampaign), so the
same batch may be sent again. Part of a batch may be refused, which comes with
a status of 4xx. https://dev.mailjet.com/email/guides/send-api-v31/,
https://dev.mailjet.com/email/reference/messages/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import Mailjet
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
from newsletter.transports.providers.references import campaign, reference
from newsletter.transports.vendor import (
    Letter,
    base64_of,
    check_secret,
    known_id,
    of_the_way,
    without,
)

_CHECK_ACCOUNT = "Look at your account at Mailjet, then run “newsletter resume ISSUE”."
_DUPLICATE = "duplicate in campaign"
_NOT_MAILED = frozenset({"blocked", "unknown"})


class _Meaning(Enum):
    READER = auto()
    LETTER = auto()
    STOP = auto()


ERRORS: Mapping[str, _Meaning] = {
    "send-0003": _Meaning.LETTER,
    "send-0004": _Meaning.LETTER,
    "send-0006": _Meaning.STOP,
    "send-0007": _Meaning.STOP,
    "send-0008": _Meaning.STOP,
    "send-0010": _Meaning.LETTER,
    "send-0011": _Meaning.LETTER,
    "send-0012": _Meaning.LETTER,
    "send-0013": _Meaning.LETTER,
    "send-0015": _Meaning.LETTER,
    "send-0016": _Meaning.LETTER,
    "mj-0001": _Meaning.STOP,
    "mj-0002": _Meaning.LETTER,
    "mj-0003": _Meaning.LETTER,
    "mj-0004": _Meaning.LETTER,
    "mj-0005": _Meaning.LETTER,
    "mj-0006": _Meaning.LETTER,
    "mj-0007": _Meaning.LETTER,
    "mj-0008": _Meaning.LETTER,
    "mj-0011": _Meaning.LETTER,
    "mj-0012": _Meaning.LETTER,
    "mj-0013": _Meaning.READER,
    "mj-0015": _Meaning.STOP,
}
"""What an ErrorCode means; one that is not here is for a person to look at, so it stops.

mj-0013, a bad address, is the reader's unless it is related to From or ReplyTo.
"""


class MailjetVendor:
    """An API key, which is an account of its own, at Mailjet."""

    name = "mailjet"
    title = Mailjet.title
    batch_size = 50
    # How long a campaign is remembered is not documented; campaigns stay in the account.
    key_lifetime_s = 7 * 24 * 3600.0
    allowance = Allowance()
    takes_smtputf8 = True
    can_search = True

    def __init__(
        self, settings: Mailjet, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        self.base_url = settings.base_url
        key = check_secret(secrets["api_key"], what="API key", vendor=self)
        secret = check_secret(secrets["secret_key"], what="secret key", vendor=self)
        credentials = base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
        self._sandbox = sandbox
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - the campaign is the key
        """One batch."""
        payload: dict[str, object] = {"Messages": [_message(letter) for letter in letters]}
        if self._sandbox:
            payload["SandboxMode"] = True
        headers = {**self._headers, "Content-Type": "application/json"}
        return Request("/v3.1/send", canonical_json(payload), headers)

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:
        """By the status of each message, or by the error of the whole."""
        value = answer.json()
        rows = value.get("Messages") if isinstance(value, dict) else None
        if 200 <= answer.status < 300:
            if not answer.is_json:
                return of_the_way(answer, self.title)
            if not isinstance(rows, list):
                return Ambiguous(
                    f"Mailjet answered with HTTP status {answer.status}, but without results."
                )
            return self._read_rows(rows, letters)
        if answer.status == 408 or not 400 <= answer.status < 500:
            return of_the_way(answer, self.title)
        if isinstance(rows, list) and rows:
            return self._read_rows(rows, letters)
        if not isinstance(value, dict) or not isinstance(value.get("ErrorMessage"), str):
            return of_the_way(answer, self.title)
        reply = _reply(value, answer.status)
        if answer.status == 429:
            return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
        if answer.status in {401, 403} or _meaning(value) is _Meaning.STOP:
            return Stop(reply, _CHECK_ACCOUNT)
        return Refused(reply)

    def _read_rows(self, rows: Sequence[Any], letters: Sequence[Letter]) -> Verdict:
        outcomes = [_outcome(row, sandbox=self._sandbox) for row in rows]
        stops = [each for each in outcomes if isinstance(each, Deferred)]
        if len(stops) == len(letters) == len(rows):
            return Stop(stops[0].reply, _CHECK_ACCOUNT)
        wanted = {reference(each): each.message.envelope_to.suppression_key for each in letters}
        return Each(outcomes, [_whom(row, wanted) for row in rows])

    def search(self, letter: Letter) -> Request:
        """Messages with our reference as their CustomID."""
        asked = urlencode({"CustomID": reference(letter), "ShowCustomID": "true"})
        return Request(f"/v3/REST/message?{asked}", b"", self._headers, "GET")

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """A message that has the CustomID and was not held back, as a duplicate is."""
        value = answer.json() if answer.status == 200 else None
        rows = value.get("Data") if isinstance(value, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict) or row.get("CustomID") != reference(letter):
                continue
            if isinstance(status := row.get("Status"), str) and status not in _NOT_MAILED:
                return Accepted(f"found at Mailjet: {status}", _id(row.get("ID")))
        return None


def _message(letter: Letter) -> dict[str, object]:
    content = letter.content
    again = letter.message.resends
    message: dict[str, object] = {
        "From": _mailbox(content.from_name, content.from_address),
        "To": [_mailbox(content.to_name, content.to_address)],
        "Subject": content.subject,
        "HTMLPart": content.html,
        "TextPart": content.text,
        "TemplateLanguage": False,
        # Mailjet writes these two itself and refuses to be given them (send-0011).
        "Headers": without(content.headers, "Message-ID", "List-ID"),
        "CustomID": reference(letter),
        # Whom a person has mailed again must not be taken for a duplicate.
        "CustomCampaign": campaign(letter) + (f"-{again}" if again else ""),
        "DeduplicateCampaign": True,
        "TrackOpens": "disabled",
        "TrackClicks": "disabled",
    }
    if content.reply_to:
        message["ReplyTo"] = {"Email": content.reply_to}
    for field, inline in (("InlinedAttachments", True), ("Attachments", False)):
        files = [
            _attachment(each)
            for each in content.enclosures
            if (each.content_id is not None) is inline
        ]
        if files:
            message[field] = files
    return message


def _mailbox(name: str, address: str) -> dict[str, str]:
    return {"Email": address, "Name": name} if name else {"Email": address}


def _attachment(enclosure: Enclosure) -> dict[str, str]:
    attachment = {
        "ContentType": enclosure.media_type,
        "Filename": enclosure.name,
        "Base64Content": base64_of(enclosure.content),
    }
    if enclosure.content_id is not None:
        attachment["ContentID"] = enclosure.content_id
    return attachment


def _whom(row: Any, wanted: Mapping[str, str]) -> frozenset[str]:
    """Whom a row names: by our reference, which it repeats as its CustomID, or in its To."""
    ours = row.get("CustomID") if isinstance(row, dict) else None
    if isinstance(ours, str) and ours:
        return frozenset({wanted.get(ours, ours)})
    return whom(row)


def _outcome(row: Any, *, sandbox: bool) -> Outcome:
    if isinstance(row, dict) and row.get("Status") == "success":
        to = row.get("To")
        first = to[0] if isinstance(to, list) and to else None
        known = _id(first.get("MessageID")) if isinstance(first, dict) else None
        if known or sandbox:
            return Accepted("success", known)
        return InDoubt("Mailjet gave no id for this one.")
    errors = row.get("Errors") if isinstance(row, dict) else None
    known_errors = [each for each in errors if _is_error(each)] if isinstance(errors, list) else []
    if not known_errors:
        return InDoubt("Mailjet's answer for this one cannot be read.")
    meanings = [_meaning(each) for each in known_errors]
    worst = max(meanings, key=lambda meaning: meaning.value)
    reply = _reply(known_errors[meanings.index(worst)])
    if any(_DUPLICATE in str(each["ErrorMessage"]).lower() for each in known_errors):
        return Accepted(reply)  # the first of the two was taken
    match worst:
        case _Meaning.READER:
            return Rejected(reply)
        case _Meaning.LETTER:
            return Rejected(reply, Scope.CAMPAIGN)
        case _:
            return Deferred(reply, Scope.ACCOUNT)


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("ErrorMessage"), str)


def _meaning(error: Mapping[str, Any]) -> _Meaning:
    code = error.get("ErrorCode")
    meaning = ERRORS.get(code, _Meaning.STOP) if isinstance(code, str) else _Meaning.STOP
    related = error.get("ErrorRelatedTo")
    fields = [str(each) for each in related] if isinstance(related, list) else []
    if meaning is _Meaning.READER and any(each.startswith(("From", "Reply")) for each in fields):
        return _Meaning.LETTER
    return meaning


def _reply(error: Mapping[str, Any], status: int | None = None) -> str:
    known = [status or error.get("StatusCode"), error.get("ErrorCode")]
    start = " ".join(str(each) for each in known if isinstance(each, int | str))
    return f"{start}: {error['ErrorMessage']}"


def _id(value: Any) -> str | None:
    """An id, which Mailjet writes as a number; 0 in its sandbox."""
    return str(value) if type(value) is int and value > 0 else known_id(value)
