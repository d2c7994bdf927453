"""Scaleway Transactional Email: one full letter a call.

https://www.scaleway.com/en/developers/api/transactional-email
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from newsletter.clock import Clock
from newsletter.config import Scaleway
from newsletter.errors import ConfigError, Where
from newsletter.render.edition import Enclosure
from newsletter.transports.answers import Ambiguous, Each, Later, Refused, Stop, Verdict
from newsletter.transports.belief import whom
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Accepted, Allowance, InDoubt, Outcome, Rejected
from newsletter.transports.providers.blame import Blame
from newsletter.transports.vendor import (
    Letter,
    base64_of,
    check_secret,
    known_id,
    no_sandbox,
    of_the_way,
    pairs,
    person,
)

_TAKEN = frozenset({"new", "sending", "sent"})
_NOT_SENT = frozenset({"failed", "canceled"})
_CHECK_ACCOUNT = "Look at your project at Scaleway, then run “newsletter resume ISSUE”."

_TYPES: Mapping[str, Blame] = {
    "invalid_arguments": Blame.LETTER,
    "denied_authentication": Blame.ACCOUNT,
    "permissions_denied": Blame.ACCOUNT,
    "not_found": Blame.ACCOUNT,  # project, region or domain
    "precondition_failed": Blame.ACCOUNT,  # the domain is not verified
    "quotas_exceeded": Blame.ACCOUNT,
    "out_of_stock": Blame.ACCOUNT,
    "resource_locked": Blame.ACCOUNT,
    "resource_expired": Blame.ACCOUNT,
    "transient_state": Blame.PACE,
    "too_many_requests": Blame.PACE,
}
"""What an error's type means, after the kinds of error in Scaleway's own clients."""
_STATUSES: Mapping[int, Blame] = {
    400: Blame.LETTER,
    413: Blame.LETTER,
    422: Blame.LETTER,
    429: Blame.PACE,
}
"""What a status means where no known type comes with it; all others: the account."""
_NEXT = {
    "precondition_failed": "Look whether the domain of [sender] address is verified at Scaleway, "
    "then run “newsletter resume ISSUE”.",
    "quotas_exceeded": "The month's mails are used up. Ask Scaleway's support for a higher quota, "
    "then run “newsletter resume ISSUE”.",
}
"""What to do about a type; all others: look at the project."""


class ScalewayVendor:
    """A project at Scaleway, in one region."""

    name = "scaleway"
    title = Scaleway.title
    batch_size = 1
    key_lifetime_s = 0.0
    allowance = Allowance()
    takes_smtputf8 = False
    can_search = True

    def __init__(
        self, settings: Scaleway, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        if sandbox:
            raise no_sandbox(self.title, "Send the proof to an address of your own.")
        self.base_url = settings.base_url
        self._path = f"/transactional-email/v1alpha1/regions/{settings.region}/emails"
        self._project_id = settings.project_id
        self._secret_key = check_secret(secrets["secret_key"], what="secret key", vendor=self)
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - the protocol's
        """One letter.

        Raises:
            ConfigError: it holds pictures, which Scaleway cannot place in a mail.
        """
        (letter,) = letters
        return Request(
            self._path,
            canonical_json(self._payload(letter)),
            {**self._headers(), "Content-Type": "application/json"},
        )

    def _headers(self) -> dict[str, str]:
        return {"X-Auth-Token": self._secret_key, "Accept": "application/json"}

    def _payload(self, letter: Letter) -> dict[str, object]:
        content = letter.content
        headers = dict(content.headers)
        if content.reply_to:
            headers["Reply-To"] = content.reply_to
        payload: dict[str, object] = {
            "project_id": self._project_id,
            "from": person(content.from_name, content.from_address),
            "to": [person(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "additional_headers": pairs(headers, name="key"),
        }
        if content.enclosures:
            payload["attachments"] = [_attached(each) for each in content.enclosures]
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:
        """An acceptance names each recipient with a status."""
        (letter,) = letters
        value = answer.json()
        if 200 <= answer.status < 300:
            return _success(answer, value, letter)
        if answer.status == 408 or not 400 <= answer.status < 500 or not _is_error(value):
            return of_the_way(answer, self.title)
        kind = str(value.get("type"))
        reply = f"{answer.status} {kind}: {_told(value)}"
        match _TYPES.get(kind) or _STATUSES.get(answer.status, Blame.ACCOUNT):
            case Blame.LETTER:
                names = [str(each.get("argument_name")) for each in _rows(value, "details")]
                return Refused(reply, of_reader=bool(names) and all(map(_is_of_reader, names)))
            case Blame.PACE:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case _:
                return Stop(reply, _NEXT.get(kind, _CHECK_ACCOUNT))

    def search(self, letter: Letter) -> Request:
        """Mails to the reader since the letter was written."""
        query = {
            "project_id": self._project_id,
            "mail_rcpt": letter.content.to_address,
            "since": letter.message.date.isoformat(),
            "page_size": 100,
        }
        return Request(f"{self._path}?{urlencode(query)}", headers=self._headers(), method="GET")

    def found(self, answer: Answer, letter: Letter) -> Accepted | None:
        """A mail with our Message-ID that did not fail."""
        value = answer.json() if answer.status == 200 else None
        wanted = letter.message.message_id.strip("<>")
        for row in _rows(value, "emails"):
            ours = str(row.get("message_id")).strip("<>") == wanted
            if ours and str(row.get("status")) in _TAKEN:
                return Accepted(f"Found at Scaleway: {row['status']}", _id(row))
        return None


def _success(answer: Answer, value: Any, letter: Letter) -> Verdict:
    address = letter.message.envelope_to.suppression_key
    rows = [row for row in _rows(value, "emails") if address in whom(row)]
    if len(rows) != 1:
        return Ambiguous(
            f"Scaleway answered with HTTP status {answer.status}, but not for this reader."
        )
    return Each([_outcome(answer, rows[0])])


def _outcome(answer: Answer, row: Mapping[str, Any]) -> Outcome:
    status = str(row.get("status"))
    if status in _TAKEN:
        known = _id(row)
        if known is None:
            return InDoubt("Scaleway gave no id for the mail.")
        return Accepted(f"{answer.status} {status}", known)
    if status in _NOT_SENT:
        return Rejected(f"{answer.status} {status}: {row.get('status_details')}")
    return InDoubt(f"Scaleway gave the mail the status {status}.")


def _is_of_reader(argument: str) -> bool:
    return argument == "to" or argument.startswith(("to.", "to["))


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("message"), str)


def _told(value: dict[str, Any]) -> str:
    """The message, and what it says of each argument."""
    details = (
        f"{each.get('argument_name') or each.get('resource')}: "
        f"{each.get('help_message') or each.get('reason')}"
        for each in _rows(value, "details")
    )
    return "; ".join([value["message"], *details])


def _rows(value: Any, name: str) -> list[dict[str, Any]]:
    rows = value.get(name) if isinstance(value, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _id(row: Mapping[str, Any]) -> str | None:
    return known_id(row.get("id"))


def _attached(enclosure: Enclosure) -> dict[str, str]:
    if enclosure.content_id is not None:
        raise ConfigError(
            "Scaleway takes no pictures inside a mail, and these letters hold some.",
            where=Where("newsletter.toml", item="[delivery] transport"),
            next="Send them by the way they were made for, such as a relay (smtp). For the next "
            "issue write pictures = “hosted” under [mail].",
        )
    return {
        "name": enclosure.name,
        "type": enclosure.media_type,
        "content": base64_of(enclosure.content),
    }
