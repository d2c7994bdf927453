"""Mailgun: one letter a call, as the MIME message that was approved.

Its endpoint for fields would build a message of its own from them, and garbles
names with accents and commas; the one for MIME takes ours as it is.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages,
https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import Mailgun
from newsletter.errors import ConfigError, Where
from newsletter.transports.answers import Ambiguous, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.http import Answer, Request, retry_after_s
from newsletter.transports.protocol import Accepted, Allowance
from newsletter.transports.providers.blame import Blame
from newsletter.transports.providers.references import reference
from newsletter.transports.vendor import Letter, check_secret, known_id, of_the_way

_BASE_URLS = {"eu": "https://api.eu.mailgun.net", "us": "https://api.mailgun.net"}
_NAMES_READER = re.compile(r"'?to'? parameter\b", re.IGNORECASE)
_TOOK = frozenset({"accepted", "delivered", "failed"})
"""Events of a mail that Mailgun took; of one that it did not take there is “rejected”."""
_STATUSES: Mapping[int, Blame] = {
    400: Blame.LETTER,
    401: Blame.ACCOUNT,  # the key
    402: Blame.ACCOUNT,
    403: Blame.ACCOUNT,
    404: Blame.ACCOUNT,  # no such domain, most often the wrong region
    413: Blame.LETTER,  # above 25 MB
    420: Blame.ACCOUNT,  # the limit of a new account
    429: Blame.PACE,
}
"""What its statuses mean; any other: the account."""
_CHECK_ACCOUNT = "Look at your account at Mailgun, then run “newsletter resume ISSUE”."
_WRONG_PLACE = (
    "Look at domain and region under [mailgun]: a domain is known only in the region in which it "
    "was set up. Then run “newsletter resume ISSUE”."
)
_NEXT = {
    401: "Look whether the key was copied whole and belongs to this domain, then run "
    "“newsletter resume ISSUE”.",
    404: _WRONG_PLACE,
    420: "Mailgun limits new accounts. Ask its support to lift the limit, then run "
    "“newsletter resume ISSUE”.",
}
"""What to do about an answer that refuses the account; all others: look at it."""


class MailgunVendor:
    """A sending domain at Mailgun."""

    name = "mailgun"
    title = Mailgun.title
    batch_size = 1
    key_lifetime_s = 0.0
    allowance = Allowance()
    takes_smtputf8 = False
    can_search = True

    def __init__(
        self, settings: Mailgun, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        self.base_url = settings.base_url or _BASE_URLS[settings.region]
        self._path = f"/v3/{settings.domain}"
        key = check_secret(secrets["api_key"], what="sending key", vendor=self)
        self._authorization = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        self._sandbox = sandbox
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - the protocol's
        """One letter.

        Raises:
            ConfigError: it holds words that Mailgun puts something else in place of.
        """
        (letter,) = letters
        _check_words(letter)
        options = {
            "to": letter.content.to_address,
            "o:tracking": "no",
            "o:tracking-clicks": "no",
            "o:tracking-opens": "no",
            "v:reference": reference(letter),
        }
        if self._sandbox:
            options["o:testmode"] = "yes"
        boundary, body = _form(options.items(), letter.message.as_bytes())
        return Request(
            f"{self._path}/messages.mime",
            body,
            {
                "Authorization": self._authorization,
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Accept": "application/json",
            },
        )

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:  # noqa: ARG002 - the protocol's
        """An acceptance says “Queued”; a greeting says that the address of the API is wrong."""
        value = answer.json()
        if 200 <= answer.status < 300:
            return _success(answer, value)
        said = _message(answer, value)
        if answer.status == 408 or not 400 <= answer.status < 500 or said is None:
            return of_the_way(answer, self.title)
        reply = f"{answer.status} {said}"
        match _STATUSES.get(answer.status, Blame.ACCOUNT):
            case Blame.LETTER:
                return Refused(reply, of_reader=_NAMES_READER.match(said) is not None)
            case Blame.PACE:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case _:
                return Stop(reply, _NEXT.get(answer.status, _CHECK_ACCOUNT))

    def search(self, letter: Letter) -> Request:
        """Events of our Message-ID, which Mailgun writes without brackets.

        https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/events
        """
        query = {
            "message-id": letter.message.message_id.strip("<>"),
            "recipient": letter.content.to_address,
            "limit": 100,
        }
        return Request(
            f"{self._path}/events?{urlencode(query)}",
            headers={"Authorization": self._authorization, "Accept": "application/json"},
            method="GET",
        )

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """An event of a mail that was taken, with our reference in it."""
        value = answer.json() if answer.status == 200 else None
        items = value.get("items") if isinstance(value, dict) else None
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict) or str(item.get("event")) not in _TOOK:
                continue
            ours = item.get("user-variables")
            if isinstance(ours, dict) and ours.get("reference") == reference(letter):
                return Accepted(f"Found at Mailgun: {item['event']}", letter.message.message_id)
        return None


def _success(answer: Answer, value: Any) -> Verdict:
    if isinstance(value, dict) and str(value.get("message")).startswith("Queued"):
        return Taken(f"{answer.status} {value['message']}", (known_id(value.get("id")),))
    if answer.body is not None and b"Mailgun Magnificent API" in answer.body:
        return Stop(f"{answer.status} Mailgun Magnificent API: nothing was taken.", _WRONG_PLACE)
    return Ambiguous(f"Mailgun answered with HTTP status {answer.status}, but without “Queued”.")


def _message(answer: Answer, value: Any) -> str | None:
    """What Mailgun says of an error; None where it is not Mailgun's shape.

    A wrong key is told in one bare word.
    """
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        said: str = value["message"]
        return said
    if answer.status in {401, 403} and (answer.body or b"").strip() == b"Forbidden":
        return "Forbidden"
    return None


def _check_words(letter: Letter) -> None:
    """Refuse what an author wrote; a word in a reader's own name harms nobody else.

    Raises:
        ConfigError: the message holds words of Mailgun's, which in MIME cannot be written
            in another way.
    """
    written, harmless = letter.message.as_content(), letter.content
    if written.to_name == harmless.to_name and written != harmless:
        raise ConfigError(
            "The letter holds a word between percent signs, such as “%unsubscribe_url%”, and "
            "Mailgun would put something else in its place.",
            where=Where(item="[delivery] transport"),
            next="Write it without percent signs, or send by another way, such as a relay (smtp).",
        )


def _form(options: Iterable[tuple[str, str]], mime: bytes) -> tuple[str, bytes]:
    """A form with the message as its file (RFC 7578); the same parts give the same bytes.

    The boundary is a digest of what it stands around, which cannot hold it.
    """
    boundary = hashlib.sha256(mime).hexdigest()
    edge = f"--{boundary}\r\n"
    fields = "".join(
        f'{edge}Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in options
    )
    file = (
        f'{edge}Content-Disposition: form-data; name="message"; filename="message.mime"\r\n'
        "Content-Type: message/rfc822\r\n\r\n"
    )
    return boundary, b"".join(
        [fields.encode(), file.encode(), mime, f"\r\n--{boundary}--\r\n".encode()]
    )
