"""Twilio SendGrid, Mail Send v3: one full letter a call.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send,
https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import SendGrid
from newsletter.render.edition import Enclosure
from newsletter.transports.answers import Ambiguous, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Accepted, Allowance
from newsletter.transports.providers.blame import Blame
from newsletter.transports.providers.references import reference
from newsletter.transports.vendor import (
    Letter,
    base64_of,
    check_secret,
    known_id,
    of_the_way,
    person,
)

_BASE_URLS = {"eu": "https://api.eu.sendgrid.com", "global": "https://api.sendgrid.com"}
_NOTHING_ADDED = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}
_STATUSES: Mapping[int, Blame] = {
    400: Blame.LETTER,
    401: Blame.ACCOUNT,  # the key
    403: Blame.ACCOUNT,  # the sender, a right, or a block after too many bad requests
    404: Blame.ACCOUNT,
    405: Blame.ACCOUNT,
    406: Blame.ACCOUNT,  # Accept is missing
    413: Blame.LETTER,  # too large
    415: Blame.ACCOUNT,
    429: Blame.PACE,
    451: Blame.ACCOUNT,  # the data must stay in another region
}
"""What its statuses mean; any other: the account."""
_CHECK_ACCOUNT = "Look at your account at SendGrid, then run “newsletter resume ISSUE”."
_NEXT = {
    401: "Look whether the API key was copied whole and not deleted, then run "
    "“newsletter resume ISSUE”.",
    403: "Look whether the sender is verified at SendGrid and the key may send mail. SendGrid "
    "says this also after too many bad requests, for a while. Then run “newsletter resume ISSUE”.",
    451: "The account's data must stay in another region: look at region under [sendgrid].",
}
"""What to do about an answer that refuses the account; all others: look at it."""


class SendGridVendor:
    """An account at SendGrid."""

    name = "sendgrid"
    title = SendGrid.title
    batch_size = 1
    key_lifetime_s = 0.0
    allowance = Allowance()
    takes_smtputf8 = False

    def __init__(
        self, settings: SendGrid, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        self.base_url = settings.base_url or _BASE_URLS[settings.region]
        self.can_search = settings.region == "global"
        self._api_key = check_secret(secrets["api_key"], what="API key", vendor=self)
        self._sandbox = sandbox
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - the protocol's
        """One letter."""
        (letter,) = letters
        return Request("/v3/mail/send", canonical_json(self._payload(letter)), self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def _payload(self, letter: Letter) -> dict[str, object]:
        content = letter.content
        payload: dict[str, object] = {
            "personalizations": [
                {
                    "to": [person(content.to_name, content.to_address)],
                    "custom_args": {"reference": reference(letter)},
                }
            ],
            "from": person(content.from_name, content.from_address),
            "subject": content.subject,
            # In this order: SendGrid refuses any other.
            "content": [
                {"type": "text/plain", "value": content.text},
                {"type": "text/html", "value": content.html},
            ],
            "headers": dict(content.headers),
            "mail_settings": {
                "footer": {"enable": False},
                "sandbox_mode": {"enable": self._sandbox},
            },
            "tracking_settings": _NOTHING_ADDED,
        }
        if content.reply_to:
            payload["reply_to"] = person("", content.reply_to)
        if content.enclosures:
            payload["attachments"] = [_attached(each) for each in content.enclosures]
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:  # noqa: ARG002 - the protocol's
        """An acceptance has no body: its header X-Message-Id tells it from a gateway's word."""
        if 200 <= answer.status < 300:
            return self._success(answer)
        errors = _errors(answer.json())
        if answer.status == 408 or not 400 <= answer.status < 500 or not errors:
            return of_the_way(answer, self.title)
        reply = f"{answer.status} " + "; ".join(message for message, _ in errors)
        match _STATUSES.get(answer.status, Blame.ACCOUNT):
            case Blame.LETTER:
                return Refused(reply, of_reader=all(".to" in field for _, field in errors))
            case Blame.PACE:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case _:
                return Stop(reply, _NEXT.get(answer.status, _CHECK_ACCOUNT))

    def _success(self, answer: Answer) -> Verdict:
        known = known_id(answer.headers.get("x-message-id"))
        if answer.status == 202 and known:
            return Taken("202 accepted", (known,))
        if answer.status == 200 and self._sandbox:
            return Taken("200 valid, and not sent: SendGrid's sandbox", None)
        return Ambiguous(
            f"SendGrid answered with HTTP status {answer.status}, but without X-Message-Id."
        )

    def search(self, letter: Letter) -> Request:
        """Email Activity, by our reference; an add-on that keeps nothing of EU subusers.

        https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-email-activity-api
        """
        query = f"unique_args['reference']=\"{reference(letter)}\""
        path = "/v3/messages?" + urlencode({"limit": 10, "query": query})
        return Request(path, headers=self._headers(), method="GET")

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """What it lists, it took, whatever became of it then."""
        value = answer.json() if answer.status == 200 else None
        rows = value.get("messages") if isinstance(value, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("to_email") == letter.content.to_address:
                known, status = row.get("msg_id"), row.get("status")
                return Accepted(f"Found at SendGrid: {status}", known_id(known))
        return None


def _attached(enclosure: Enclosure) -> dict[str, str]:
    attached = {
        "content": base64_of(enclosure.content),
        "filename": enclosure.name,
        "type": enclosure.media_type,
        "disposition": "attachment",
    }
    if enclosure.content_id is not None:
        attached |= {"disposition": "inline", "content_id": enclosure.content_id}
    return attached


def _errors(value: Any) -> list[tuple[str, str]]:
    """Message and field of each; none where it is not SendGrid's shape."""
    rows = value.get("errors") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return []
    return [(str(row.get("message")), str(row.get("field"))) for row in rows]
