"""MailerSend: one full letter a call.

Its endpoint for many takes them unread and answers later, so that a letter
could be lost after it was accepted; it is not used.

https://developers.mailersend.com/api/v1/email.html,
https://developers.mailersend.com/general.html (codes, limits)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.clock import Clock
from newsletter.config import MailerSend
from newsletter.render.edition import Enclosure
from newsletter.transports.answers import Ambiguous, Each, Later, Refused, Stop, Taken, Verdict
from newsletter.transports.belief import whom
from newsletter.transports.http import Answer, Request, canonical_json, retry_after_s
from newsletter.transports.protocol import Allowance, Rejected
from newsletter.transports.providers.blame import Blame
from newsletter.transports.providers.references import reference
from newsletter.transports.vendor import (
    Letter,
    Unsearchable,
    base64_of,
    check_secret,
    known_id,
    no_sandbox,
    of_the_way,
    pairs,
    person,
    without,
)

_OWN_FIELDS = ("List-Unsubscribe", "List-Unsubscribe-Post", "Precedence")
"""Headers that it has fields for, or makes itself."""
_CHECK_ACCOUNT = "Look at your account at MailerSend, then run “newsletter resume ISSUE”."

_CODES: Mapping[str, Blame] = {
    "MS40301": Blame.ACCOUNT,  # the token lacks the right
    "MS40302": Blame.ACCOUNT,  # access to the API is switched off
    "MS40303": Blame.ACCOUNT,  # not authorized
    "MS40304": Blame.ACCOUNT,  # suspended
    "MS40305": Blame.ACCOUNT,  # this machine's IP address is not on the list
    "MS42201": Blame.LETTER,  # a recipient twice
    "MS42202": Blame.LETTER,  # a file is not what its name says
    "MS42204": Blame.ACCOUNT,  # the account's quota of mails
    "MS42205": Blame.LETTER,  # too many recipients
    "MS42206": Blame.LETTER,  # a file above 25 MB
    "MS42207": Blame.ACCOUNT,  # the sender's domain is not verified
    "MS42208": Blame.READER,  # no valid address; the sender's is told apart by its field
    "MS42209": Blame.LETTER,  # something is missing
    "MS42210": Blame.LETTER,  # a type of file that it does not take
    "MS42211": Blame.LETTER,  # neither html nor text
    "MS42213": Blame.LETTER,  # html or text does not compile
    "MS42214": Blame.LETTER,  # a variable of its own
    "MS42215": Blame.LETTER,  # a file that is no Base64
    "MS42216": Blame.ACCOUNT,  # needs a larger plan
    "MS42217": Blame.LETTER,  # variables for somebody else
    "MS42220": Blame.LETTER,  # a field with characters that it must not have
    "MS42221": Blame.LETTER,  # a field that is no text
    "MS42222": Blame.ACCOUNT,  # the trial domain's quota of mails
    "MS42225": Blame.ACCOUNT,  # the trial domain's quota of readers
    "MS42227": Blame.LETTER,  # no JSON
    "MS42228": Blame.LETTER,  # no UTF-8
    "MS42901": Blame.ACCOUNT,  # the day's quota of requests, until midnight UTC
    "MS42903": Blame.PACE,
}
"""What its codes mean, those that one letter can meet."""
_STATUSES: Mapping[int, Blame] = {
    400: Blame.LETTER,
    413: Blame.LETTER,
    421: Blame.PACE,  # maintenance
    422: Blame.LETTER,
    429: Blame.PACE,
}
"""What a status means where no known code comes with it; all others: the account."""
_NEXT = {
    "MS40301": "Give the token the right “Email: full access”, then run “newsletter resume ISSUE”.",
    "MS42207": "Verify the domain of [sender] address at MailerSend, then run "
    "“newsletter resume ISSUE”.",
    "MS42216": "The header that lets readers leave with one click (list_unsubscribe) needs the "
    "plan Professional, headers of one's own (plan = “enterprise”) the plan Enterprise. Change "
    "the plan, or the provider.",
    "MS42901": "The day's requests are used up. Run “newsletter resume ISSUE” after midnight UTC, "
    "or change the plan.",
}
"""What to do about a code; all others: look at the account."""


class MailerSendVendor(Unsearchable):
    """An account at MailerSend."""

    name = "mailersend"
    title = MailerSend.title
    batch_size = 1
    key_lifetime_s = 0.0
    allowance = Allowance(calls_per_second=2)  # 120 a minute
    takes_smtputf8 = False
    can_search = False  # its activity can be filtered by neither tag nor recipient

    def __init__(
        self, settings: MailerSend, secrets: Mapping[str, str], *, clock: Clock, sandbox: bool
    ) -> None:
        if sandbox:
            raise no_sandbox(self.title, "Its trial domain delivers to the account's owner alone.")
        self.base_url = settings.base_url
        self._takes_headers = settings.plan == "enterprise"
        self._api_token = check_secret(secrets["api_token"], what="API token", vendor=self)
        self._clock = clock

    def request(self, letters: Sequence[Letter], key: str) -> Request:  # noqa: ARG002 - the protocol's
        """One letter."""
        (letter,) = letters
        return Request(
            "/v1/email",
            canonical_json(self._payload(letter)),
            {
                "Authorization": f"Bearer {self._api_token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
        )

    def _payload(self, letter: Letter) -> dict[str, object]:
        content = letter.content
        payload: dict[str, object] = {
            "from": person(content.from_name, content.from_address),
            "to": [person(content.to_name, content.to_address)],
            "subject": content.subject,
            "html": content.html,
            "text": content.text,
            "tags": [reference(letter)],
            "settings": {"track_clicks": False, "track_opens": False, "track_content": False},
            "precedence_bulk": True,
            "list_unsubscribe": content.headers["List-Unsubscribe"],
        }
        if content.reply_to:
            payload["reply_to"] = person("", content.reply_to)
        if content.enclosures:
            payload["attachments"] = [_attached(each) for each in content.enclosures]
        if self._takes_headers:
            payload["headers"] = pairs(without(content.headers, *_OWN_FIELDS))
        return payload

    def read(self, answer: Answer, letters: Sequence[Letter]) -> Verdict:
        """An acceptance has no body, unless the reader is on the account's suppression list."""
        if 200 <= answer.status < 300:
            return _success(answer, letters)
        value = answer.json()
        if answer.status == 408 or not 400 <= answer.status < 500 or not _is_error(value):
            return of_the_way(answer, self.title)
        reply = f"{answer.status} {_told(value)}"
        code = next((code for code in re.findall(r"MS[0-9]{4,5}", reply) if code in _CODES), "")
        match _CODES.get(code) or _STATUSES.get(answer.status, Blame.ACCOUNT):
            case Blame.READER | Blame.LETTER:
                fields = _fields(value)
                of_reader = bool(fields) and all(field.startswith("to.") for field in fields)
                return Refused(reply, of_reader=of_reader)
            case Blame.PACE:
                return Later(reply, retry_after_s(answer.headers, now=self._clock.now()))
            case Blame.ACCOUNT:
                return Stop(reply, _NEXT.get(code, _CHECK_ACCOUNT))


def _success(answer: Answer, letters: Sequence[Letter]) -> Verdict:
    (letter,) = letters
    known = known_id(answer.headers.get("x-message-id"))
    if answer.status == 202:
        reader = letter.message.envelope_to.suppression_key
        if (reason := _suppressed(answer.json(), reader)) is not None:
            return Each([Rejected(f"202 suppressed at MailerSend: {reason}")])
        if known:
            return Taken("202 accepted", (known,))
    return Ambiguous(
        f"MailerSend answered with HTTP status {answer.status}, but without X-Message-Id."
    )


def _suppressed(value: Any, address: str) -> str | None:
    """Why this reader gets nothing, as the warnings ALL_SUPPRESSED and SOME_SUPPRESSED tell."""
    for warning in _rows(value, "warnings"):
        if str(warning.get("type")) not in {"ALL_SUPPRESSED", "SOME_SUPPRESSED"}:
            continue
        for each in _rows(warning, "recipients"):
            if address in whom(each):
                reasons = each.get("reasons") or each.get("reason")
                given = reasons if isinstance(reasons, list) else [reasons]
                return ", ".join(str(reason) for reason in given)
    return None


def _rows(value: Any, name: str) -> list[dict[str, Any]]:
    rows = value.get(name) if isinstance(value, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _is_error(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("message"), str)


def _fields(value: dict[str, Any]) -> list[str]:
    errors = value.get("errors")
    return [str(field) for field in errors] if isinstance(errors, dict) else []


def _told(value: dict[str, Any]) -> str:
    """The message, and what it says of each field."""
    errors = value.get("errors")
    more = errors.items() if isinstance(errors, dict) else ()
    return "; ".join([value["message"], *(f"{field}: {said}" for field, said in more)])


def _attached(enclosure: Enclosure) -> dict[str, str]:
    attached = {
        "content": base64_of(enclosure.content),
        "filename": enclosure.name,
        "disposition": "attachment",
    }
    if enclosure.content_id is not None:
        attached |= {"disposition": "inline", "id": enclosure.content_id}
    return attached
