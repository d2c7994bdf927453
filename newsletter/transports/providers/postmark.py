"""Postmark: batches of full letters through a broadcast stream, each answered for itself.

HTTP 200 says nothing: each row of the answer has its own ErrorCode, whose
numbers only look like those of HTTP.
https://postmarkapp.com/developer/api/email-api#send-batch-emails,
https://postmarkapp.com/developer/api/overview#api-error-codes,
https://postmarkapp.com/developer/api/messages-api#outbound-message-search
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import Postmark
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
    base64_of,
    check_secret,
    known_id,
    named,
    of_the_way,
    pairs,
)

_CHECK_ACCOUNT = "Look at your account at Postmark, then run “newsletter resume ISSUE”."
_TEST_TOKEN = "POSTMARK_API_TEST"  # noqa: S105 - a public word
_INACTIVE = re.compile(r"Found inactive addresses: ([^\s,]+(?:, [^\s,]+)*)")
_ABOUT_READER = re.compile(r"\b(?:Invalid|Error parsing) 'To'", re.IGNORECASE)


class _Meaning(Enum):
    LATER = auto()
    STOP = auto()
    LETTER = auto()
    READER = auto()


ERRORS: Mapping[int, _Meaning] = {
    10: _Meaning.STOP,
    100: _Meaning.LATER,
    300: _Meaning.LETTER,
    400: _Meaning.STOP,
    401: _Meaning.STOP,
    402: _Meaning.LETTER,
    403: _Meaning.LETTER,
    405: _Meaning.STOP,
    406: _Meaning.READER,
    409: _Meaning.LETTER,
    410: _Meaning.LETTER,
    411: _Meaning.LETTER,
    412: _Meaning.STOP,
    413: _Meaning.STOP,
    429: _Meaning.LATER,
    1235: _Meaning.STOP,
    1236: _Meaning.STOP,
}
"""What an ErrorCode means; one that is not here is for a person to look at, so it stops.

300 is the reader's where its text names the To address.
"""


class PostmarkVendor:
    """A server, as Postmark calls it, at Postmark."""

    name = "postmark"
    title = Postmark.title
    batch_size = 500
    key_lifetime_s = 0.0
    allowance = Allowance()
    takes_smtputf8 = False
    can_search = True

    def __init__(
        self, settings: Postmark, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        self.base_url = settings.base_url
        token = check_secret(secrets["server_token"], what="server token", vendor=self)
        self._token = _TEST_TOKEN if sandbox else token
        self._stream = settings.stream
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - Postmark knows none
        """One batch."""
        return Request(
            "/email/batch",
            canonical_json([self._payload(letter) for letter in letters]),
            {**self._headers(), "Content-Type": "application/json"},
        )

    def _headers(self) -> dict[str, str]:
        return {"X-Postmark-Server-Token": self._token, "Accept": "application/json"}

    def _payload(self, letter: Letter) -> dict[str, object]:
        content = letter.content
        # Without X-PM-KeepID Postmark puts a Message-ID of its own in place of ours.
        headers = {**content.headers, "X-PM-KeepID": "true"}
        payload: dict[str, object] = {
            "MessageStream": self._stream,
            "From": named(content.from_name, content.from_address),
            "To": named(content.to_name, content.to_address),
            "Subject": content.subject,
            "HtmlBody": content.html,
            "TextBody": content.text,
            "Headers": pairs(headers, name="Name", value="Value"),
            "Metadata": {"reference": reference(letter)},
            "TrackOpens": False,
            "TrackLinks": "None",
        }
        if content.reply_to:
            payload["ReplyTo"] = content.reply_to
        if content.enclosures:
            payload["Attachments"] = [_attachment(each) for each in content.enclosures]
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:
        """By the ErrorCode of each row, or of the whole."""
        value = answer.json()
        if 200 <= answer.status < 300:
            return self._read_rows(answer, value, letters)
        if answer.status == 408 or not 400 <= answer.status < 500 or _code(value) is None:
            return of_the_way(answer, self.title)
        reply = _reply(value)
        match _meaning(value):
            case _Meaning.LATER:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case _Meaning.STOP:
                return Stop(reply, _CHECK_ACCOUNT)
            case meaning:
                return Refused(reply, of_reader=meaning is _Meaning.READER)

    def _read_rows(self, answer: Answer, rows: Any, letters: Sequence[Letter]) -> Verdict:
        if not answer.is_json:
            return of_the_way(answer, self.title)
        if not isinstance(rows, list):
            return Ambiguous(
                f"Postmark answered with HTTP status {answer.status}, but without results."
            )
        if len(rows) == len(letters) and all(_is_error(row) for row in rows):
            # Nobody's mail was taken; what they have in common is the account's.
            meanings = {_meaning(row) for row in rows}
            if meanings == {_Meaning.STOP}:
                return Stop(_reply(rows[0]), _CHECK_ACCOUNT)
            if meanings == {_Meaning.LATER}:
                wait_s = retry_after_s(answer.headers, now=self._clock.now())
                return Later(_reply(rows[0]), wait_s)
        return Each([_outcome(row) for row in rows], [_whom(row) for row in rows])

    def search(self, letter: Letter) -> Request:
        """Sent messages with our reference in their metadata."""
        asked = {
            "count": "10",
            "offset": "0",
            "recipient": letter.content.to_address,
            "metadata_reference": reference(letter),
        }
        return Request(f"/messages/outbound?{urlencode(asked)}", b"", self._headers(), "GET")

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """A message whose metadata hold the reference, whatever else was found."""
        value = answer.json() if answer.status == 200 else None
        rows = value.get("Messages") if isinstance(value, dict) else None
        for row in rows if isinstance(rows, list) else ():
            metadata = row.get("Metadata") if isinstance(row, dict) else None
            if isinstance(metadata, dict) and metadata.get("reference") == reference(letter):
                return Accepted(f"found at Postmark: {row.get('Status')}", _id(row))
        return None


def _attachment(enclosure: Enclosure) -> dict[str, str]:
    attachment = {
        "Name": enclosure.name,
        "Content": base64_of(enclosure.content),
        "ContentType": enclosure.media_type,
    }
    if enclosure.content_id is not None:
        attachment["ContentID"] = f"cid:{enclosure.content_id}"
    return attachment


def _outcome(row: Any) -> Outcome:
    code = _code(row)
    if not code and (known := _id(row)):
        # In a service delay the code is missing, and the text says that delivery is delayed.
        return Accepted(_reply(row), known)
    if not code:
        return InDoubt("Postmark's answer for this one cannot be read.")
    match _meaning(row):
        case _Meaning.LATER | _Meaning.STOP:
            return Deferred(_reply(row), Scope.ACCOUNT)
        case _Meaning.READER:
            return Rejected(_reply(row))
        case _:
            return Rejected(_reply(row), Scope.CAMPAIGN)


def _whom(row: Any) -> frozenset[str]:
    """Whom a row names: in its To, or in its text where it refuses an inactive address."""
    if not isinstance(row, dict):
        return frozenset()
    inactive = _INACTIVE.search(_text(row))
    named_in_text = inactive[1].rstrip(".").split(", ") if inactive else []
    return whom(row) | whom({"to": named_in_text})


def _meaning(row: Any) -> _Meaning:
    code = _code(row)
    if code == 300 and _ABOUT_READER.search(_text(row)):
        return _Meaning.READER
    return ERRORS.get(code or 0, _Meaning.STOP)


def _is_error(row: Any) -> bool:
    return bool(_code(row))


def _code(row: Any) -> int | None:
    code = row.get("ErrorCode") if isinstance(row, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _text(row: Any) -> str:
    text = row.get("Message")
    return " ".join(text.split()) if isinstance(text, str) else ""


def _reply(row: Any) -> str:
    return f"{_code(row) or 0} {_text(row)}".strip()


def _id(row: Any) -> str | None:
    return known_id(row.get("MessageID")) if isinstance(row, dict) else None
