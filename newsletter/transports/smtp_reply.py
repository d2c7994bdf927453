"""SMTP replies: reading them, and what a refusal means. RFC 5321 4.2, RFC 3463."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from newsletter.transports.protocol import Deferred, Rejected, Scope

_LONGEST_LINE = 4096
"""RFC 5321 4.5.3.1.5 allows 512 octets; real servers write longer ones."""
_MOST_LINES = 128
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")


class Lines(Protocol):
    """Where lines come from: the buffered reader of a socket."""

    def readline(self, size: int, /) -> bytes:
        """One line with its end, at most ``size`` octets; empty at the end."""


class ReplyError(Exception):
    """The connection broke, or what came is no SMTP reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code and its text, lines joined by a space."""

    code: int
    text: str

    def __str__(self) -> str:
        """As a person reads it in a log: ``550 5.1.1 no such user``."""
        return f"{self.code} {self.text}".strip()

    @property
    def positive(self) -> bool:
        """2yz."""
        return 200 <= self.code <= 299

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463), or nothing."""
        found = _ENHANCED.match(self.text)
        return found.group() if found else ""


def read_reply(lines: Lines) -> Reply:
    """Read one reply, of one line or several.

    Raises:
        ReplyError: the line ended, or what came is no reply. An endless reply
            counts as none.
    """
    texts: list[str] = []
    for _ in range(_MOST_LINES):
        line = lines.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ReplyError("The connection broke." if not line else "No SMTP reply came.")
        found = _LINE.match(line.rstrip(b"\r\n"))
        if not found:
            raise ReplyError("What came is no SMTP reply.")
        code, separator, text = found.groups()
        texts.append(_printable((text or b"").decode("utf-8", "replace")))
        if separator != b"-":
            return Reply(int(code), " ".join(filter(None, texts)))
    raise ReplyError("The reply has no end.")


def _printable(text: str) -> str:
    """Without what could steer a terminal: people read these words there."""
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def refusal(reply: Reply, *, of_letter: bool) -> Deferred | Rejected:
    """What a negative reply means.

    Args:
        reply: 4yz or 5yz.
        of_letter: it answers MAIL, so it is about the sender or the letter.
    """
    text = str(reply)
    if reply.code < 500:
        return Deferred(text)
    if reply.code in {530, 535, 538}:
        return Rejected(text, Scope.ACCOUNT)
    if of_letter or reply.code == 552 or reply.enhanced == "5.3.4":
        # 5.3.4: message too big for system; it is as big for everybody.
        return Rejected(text, Scope.CAMPAIGN)
    return Rejected(text)
