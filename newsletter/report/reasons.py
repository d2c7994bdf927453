"""Replies in plain words, and without addresses. No I/O.

The enhanced codes are those of RFC 3463 and its registry (RFC 5248).
"""

from __future__ import annotations

import re

_ENHANCED = re.compile(r"\b([245])\.([0-9]{1,3})\.([0-9]{1,3})\b")
_CODE = re.compile(r"^([2-5][0-9]{2})\b")
_ADDRESS = re.compile(r"(?<![^\s<>\"'(),;:@])[^\s<>\"'(),;:@]++@[^\s<>\"'(),;:]+")
_WORDS = {
    "1.1": "There is no such mailbox",
    "1.2": "There is no such domain",
    "1.3": "The address is malformed",
    "1.6": "The mailbox has moved",
    "1.10": "The domain takes no mail",
    "2.1": "The mailbox is disabled",
    "2.2": "The mailbox is full",
    "2.3": "The mail is too large for the mailbox",
    "3.4": "The mail is too large for the server",
    "4.1": "The reader's server does not answer",
    "4.4": "The reader's domain cannot be reached",
    "4.7": "Delivery took too long",
    "7.0": "A policy of the server, or too fast",
    "7.1": "A policy of the server",
    "7.26": "The sender's SPF, DKIM or DMARC is not in order",
    "7.28": "Too much mail at once for the server",
    "7.515": "The sender's SPF, DKIM or DMARC is not in order",
}
_SUBJECTS = {
    "1": "Something is wrong with the address",
    "2": "Something is wrong with the mailbox",
    "3": "Trouble of the reader's mail server",
    "4": "Trouble on the way",
    "5": "The two servers do not understand each other",
    "6": "Something is wrong with the message",
    "7": "A policy of the server",
}
_LATER = {("4", "7", "0"), ("4", "7", "1"), ("4", "3", "0"), ("4", "3", "2")}
"""Greylisting and throttling: as temporary refusals these are no policy against anybody."""
_LONGEST = 90


def reason_of(reply: str) -> str:
    """Why, in words; the code behind them for who wants to look it up."""
    enhanced = _ENHANCED.search(reply)
    if enhanced:
        kind, subject, detail = enhanced.groups()
        if (kind, subject, detail) in _LATER:
            return f"The server asks us to come later ({kind}.{subject}.{detail})"
        words = _WORDS.get(f"{subject}.{detail}") or _SUBJECTS.get(subject)
        if words:
            return f"{words} ({kind}.{subject}.{detail})"
    words = redacted(reply)
    if _CODE.match(words):
        return f"Refused without a reason that is a code: {_short(words)}"
    return _short(words) or "No reason was given"


def redacted(text: str) -> str:
    """The text with anything like an address struck out."""
    return _ADDRESS.sub("‹address›", text)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"
