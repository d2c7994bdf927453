"""What an entry of the public log means. No I/O.

Whoever has the server can make entries up, so nothing in one is trusted.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.addresses import Address
from newsletter.audience.cells import read_line
from newsletter.clock import moment_at
from newsletter.display_names import LONGEST_NAME, shortened
from newsletter.ledger.leave_reasons import LeaveReason
from newsletter.ledger.preferences import PreferenceChange
from newsletter.ledger.sign_ups import SignUp
from newsletter.ledger.suppressions import Leave, Reason, Return, Void
from newsletter.message.keys import ADDRESS_TAG_BYTES
from newsletter.message.tokens import Purpose, Token, Verifier, verify
from newsletter.web.confirm_links import message_name
from newsletter.web.log import ID_BYTES
from newsletter.web.seal import unseal

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_TOPIC = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_PAGE = re.compile(r"[A-Za-z0-9./_-]{1,60}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ID_BYTES = 16
_MOST_TOPICS = 20
_ROADS = {"header": "one-click", "page": "unsubscribe page", "mail": "unsubscribe mail"}


@dataclass(frozen=True, slots=True)
class Misuse:
    """The sign-up form closed itself: how many were asked within a day, how many confirmed."""

    asked: int
    confirmed: int

    @property
    def told(self) -> str:
        """What a person should know."""
        return (
            f"The sign-up form closed itself for a time: {self.asked:,} mails asked to confirm "
            f"within a day, and {self.confirmed:,} did. Somebody may be using it to send mail to "
            "strangers; “newsletter docs public” says more."
        )


LogEvent = Leave | Void | Return | LeaveReason | PreferenceChange | SignUp | Misuse


def event_of(id_: bytes, content: Mapping[str, Any], verifier: Verifier) -> LogEvent | None:
    """What an entry means; None if this version does not know.

    Raises:
        KeyError, TypeError, ValueError: it makes no sense.
    """
    if content.get("v") != 1:
        return None
    match content.get("kind"):
        case "leave":
            at = moment_at(float(content["at"]))
            tag = _bytes(content["tag"], ADDRESS_TAG_BYTES)
            evidence = {
                name: str(content[name]) for name in ("campaign", "key") if content.get(name)
            }
            road = _ROADS.get(content["road"], "public log")
            return Leave(tag, Reason.UNSUBSCRIBED, road, at, (evidence,), id_)
        case "token":
            return _leave_of_token(id_, content, verifier)
        case "undo":
            at = moment_at(float(content["at"]))
            return Void(_bytes(content["leave"], ID_BYTES), "unsubscribe page", at, id_)
        case "preferences":
            at = moment_at(float(content["at"]))
            if "token" in content:
                tag = _verified(content["token"], verifier, Purpose.PREFERENCES).address_tag
            else:
                tag = _bytes(content["tag"], ADDRESS_TAG_BYTES)
            return PreferenceChange.of(tag, at, content["changes"], id_)
        case "return":
            # Only this machine can have made the token; its minute is that of the form.
            token = _verified(content["token"], verifier, Purpose.RETURN)
            form_at = moment_at(token.minute * 60.0)
            sign_up = {"sign_up": token.campaign_tag.hex()}
            return Return(token.address_tag, "confirmation", form_at, (sign_up,), id_)
        case "reason":
            return LeaveReason.of(content)
        case "breaker":
            return Misuse(int(content["asked"]), int(content["confirmed"]))
    return None


def _leave_of_token(id_: bytes, content: Mapping[str, Any], verifier: Verifier) -> Leave:
    """A leave whose token the server could not verify: it was signed with a newer secret.

    Raises:
        ValueError: this machine cannot verify it either; maybe another one has the secret.
    """
    by_page = content["road"] == "page"
    purposes = (Purpose.HEADER, *((Purpose.PAGE, Purpose.PREFERENCES) if by_page else ()))
    token = _verified(content["token"], verifier, *purposes)
    at = moment_at(float(content["at"]))
    evidence = {"campaign": token.campaign_tag.hex(), "key": str(token.key_id)}
    road = _ROADS["page" if by_page else "header"]
    return Leave(token.address_tag, Reason.UNSUBSCRIBED, road, at, (evidence,), id_)


def _verified(text: str, verifier: Verifier, *purposes: Purpose) -> Token:
    """A token that the server could not, or must not be able to, verify.

    Raises:
        ValueError: it is none of ours, of a proof, or for none of ``purposes``.
    """
    token = verify(text, verifier)
    if token is None or token.inert or not any(map(token.is_for, purposes)):
        raise ValueError("not a token for this")
    return token


def _bytes(text: str, length: int) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != length:
        raise ValueError(f"not {length} bytes")
    return value


def sign_up_of(
    content: Mapping[str, Any], box_keys: Mapping[int, bytes], *, domain: str, now: datetime
) -> SignUp:
    """The sign-up in an entry of the public log.

    Whoever has the server can make one up, so nothing of it is trusted: no time in it lies
    in the future, or a later leave would not count against it.

    Args:
        content: of the entry.
        box_keys: the private keys that open what the form sealed.
        domain: of the address that the mail was from.
        now: the time.

    Raises:
        KeyError, TypeError, ValueError: it makes no sense, or no key opens it.
    """
    box = base64.b64decode(content["box"], validate=True)
    form = unseal(box, box_keys)
    if form is None or form.get("v") != 1 or form.get("kind") != "signup":
        raise ValueError("not a sign-up")
    name, _ = read_line(_text(form["name"]))
    topics = form["topics"]
    if not isinstance(topics, list) or len(topics) > _MOST_TOPICS:
        raise TypeError("topics")
    at = min(moment_at(float(content["at"])), now)
    return SignUp(
        id=hashlib.sha256(box).digest()[:_ID_BYTES],
        address=Address.parse(_text(form["address"])),
        name=shortened(name, LONGEST_NAME),
        language=_matching(form["language"], _LANGUAGE),
        topics=tuple(_matching(topic, _TOPIC) for topic in topics),
        consent={
            "wording": _matching(form["wording"], _DIGEST),
            "mail": _matching(form["mail"], _DIGEST),
            "page": _matching(form["page"], _PAGE),
            "message_id": f"<{message_name(box)}@{domain}>",
        },
        form_at=min(moment_at(float(form["form_at"])), at),
        at=at,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _matching(value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError("not as it should be")
    return value
