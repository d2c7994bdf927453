"""SMTP replies: reading them, and what a refusal means. RFC 5321 4.2, RFC 3463, RFC 5248.

A refusal concerns the relay, the message, or the one recipient named in RCPT. That
decides whether the other recipients can still be mailed. :data:`RULES` says which;
docs/smtp.md explains it, and tests/transports/test_smtp_reply.py tests each rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from newsletter.refusal_words import Names, names, without_addresses
from newsletter.transports.protocol import Deferred, Rejected, Scope
from newsletter.transports.redaction import Redactor

_LONGEST_LINE = 4096
"""RFC 5321 4.5.3.1.5 allows 512 octets; real servers write longer ones."""
_MOST_LINES = 128
_LONGEST_TEXT = 4096
"""Characters of a reply that are searched for words."""
_NO_SECRETS = Redactor()
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z")
# Cisco's gateways write #5.1.0.
_ENHANCED = re.compile(r"#?([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_WAIT = re.compile(
    r"\b(?:retry|try again|come back|wait)(?: again)?(?: after| in| for)?(?: at least)? "
    r"([0-9]{1,5}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_UNIT_S = {"s": 1, "m": 60, "h": 3600}


class Lines(Protocol):
    """A source of lines, such as :class:`newsletter.transports.smtp_wire.Wire`."""

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
        """As in a log: ``550 5.1.1 no such user``."""
        return f"{self.code} {self.text}".strip()

    @property
    def positive(self) -> bool:
        """2yz."""
        return 200 <= self.code <= 299

    @property
    def negative(self) -> bool:
        """4yz or 5yz."""
        return self.code >= 400

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463), or nothing."""
        found = _ENHANCED.match(self.text)
        return found[1] if found else ""

    @property
    def wait_s(self) -> float | None:
        """How long it asks us to wait, in seconds; None if it names no time, or several."""
        found = {(number, unit[0].lower()) for number, unit in _WAIT.findall(self.text)}
        if len(found) != 1:
            return None
        ((number, unit),) = found
        return float(int(number) * _UNIT_S[unit])


def read_reply(lines: Lines, secrets: Redactor = _NO_SECRETS) -> Reply:
    """Read one reply, of one line or several; its text is one line that can be shown.

    Args:
        lines: the source.
        secrets: are removed from its text.

    Raises:
        ReplyError: as :func:`read_lines`.
    """
    code, texts = read_lines(lines)
    return Reply(code, secrets.redact(" ".join(texts)))


def read_lines(lines: Lines) -> tuple[int, list[str]]:
    """Read one reply; its code, and the text of each line.

    Raises:
        ReplyError: the line ended, or what came is no reply. An endless reply
            counts as none.
        OSError: as ``lines``.
    """
    texts: list[str] = []
    for _ in range(_MOST_LINES):
        line = lines.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ReplyError("No SMTP reply came." if line else "The relay hung up.")
        found = _LINE.match(line.rstrip(b"\r\n"))
        if not found:
            raise ReplyError("This is not an SMTP reply.")
        code, separator, text = found.groups()
        texts.append((text or b"").decode("utf-8", "replace"))
        if separator != b"-":
            return int(code), texts
    raise ReplyError("The reply has no end.")


class Stage(StrEnum):
    """The command that a reply answers."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "the dot"


_NAMED = frozenset({Stage.RCPT, Stage.DATA, Stage.DOT})
_CONTENT = frozenset({Stage.DATA, Stage.DOT})


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """What a kind of refusal concerns; the first rule of :data:`RULES` that fits counts.

    Attributes:
        scope: how far it reaches.
        codes: a pattern for the reply code.
        enhanced: a pattern for the enhanced status code; empty: any or none.
        words: a pattern found in the text, whatever its case, outside of addresses; empty: any.
        stages: the commands that it answers.
        mailbox: whether its words have to name the reader's own mailbox.
    """

    scope: Scope
    codes: str
    enhanced: str = ""
    words: str = ""
    stages: frozenset[Stage] = frozenset(Stage)
    mailbox: bool = False

    def fits(self, reply: Reply, stage: Stage) -> bool:
        """Whether this rule is about ``reply``."""
        return (
            stage in self.stages
            and re.fullmatch(self.codes, str(reply.code)) is not None
            and (not self.enhanced or re.fullmatch(self.enhanced, reply.enhanced) is not None)
            and (
                not self.words
                or re.search(self.words, _bare(reply.text), re.IGNORECASE) is not None
            )
            and (not self.mailbox or names(str(reply)) is Names.MAILBOX)
        )


def _finds(words: str, text: str) -> bool:
    return re.search(words, _bare(text), re.IGNORECASE) is not None


@lru_cache(maxsize=64)
def _bare(text: str) -> str:
    """The words of a reply alone: a reader may be called dmarc@, rate@ or throttling@."""
    return without_addresses(text[:_LONGEST_TEXT])


_SLOW_DOWN = (
    r"throttl|thread limit|\brate\b|ratelimit|slow(ing)? down|server (is )?(too )?busy"
    r"|too much mail"
    r"|too many (\w+ )?(connections|sessions|messages|recipients|e?mails)"
)

CLOSES = ReplyRule(Scope.ACCOUNT, "421")
"""The relay ends the connection (RFC 5321 3.8), and not because of how much we send."""

SESSION_LIMIT = ReplyRule(
    Scope.ACCOUNT,
    "[45]..",
    words=r"(messages?|(e-?)?mails?|recipients?|transactions?|deliver\w+|nachrichten|mensajes|correos|"
    r"messagg\w+|mensagens|пис\w+|сообщен\w+|wiadomości)\b"
    r".{0,40}\b(per|in|for|on|during|over|pro|por|par|in dieser|in this|esta|dans cette|nesta"
    r"|za|за|в|w)\b.{0,12}"
    r"\b(session|connection|sitzung|verbindung|sesi[oó]n|conexi[oó]n|connexion|sessione|sess[aã]o"
    r"|conex[aã]o|сесси|сеанс|соединени|połączeni|sesj)"
    r"|connection limit of \d+ (e?mails|messages)|(单次|單次)连?連?接.{0,12}超|接続での送信数"
    r"|\b(session|connection|sitzungs?|verbindungs?)\b.{0,20}\b(message|mail|transaction)s? "
    r"(limit|count)",
)
"""This connection has carried as many messages as the relay allows; the next may carry more."""

RULES: tuple[ReplyRule, ...] = (
    SESSION_LIMIT,
    # Greylisting is about one sender, recipient and client (RFC 6647): 450 or 451, often 4.7.1.
    ReplyRule(Scope.RECIPIENT, "4(?!21)..", words=r"gr[ae]y-?list", stages=_NAMED),
    # Words that name the reader's own mailbox, with whatever code; Exchange's STOREDRV.Deliver and
    # RESOLVER are its words for a recipient, RFC 5321's “exceeded storage allocation” for its room.
    ReplyRule(Scope.RECIPIENT, "(4(?!21)|5)..", stages=_NAMED, mailbox=True),
    ReplyRule(
        Scope.RECIPIENT, "(4(?!21)|5)..", stages=_NAMED,
        words=r"storedrv\.deliver|resolver\.|storage allocation|quota exceeded .{0,20}\brecipient"
        r"|recipient'?s? .{0,60}\b(storage|disk) (quota|limit)|has exceeded its (storage|disk)"
        r"|\b(recipient|mailbox|user)\b.{0,60}\breceiv(es?|ing)\b"
        r"|too (big|large) for .{0,20}\b(recipient|mailbox)|\bpost to this (list|group)"
        r"|accepts? (e?-?mails?|messages) (only )?from (members|people|subscribers|its members)",
    ),
    # The message is not authenticated, so nobody there will get it: RFC 7372 (x.7.20 to x.7.26),
    # Gmail's x.7.23 to x.7.40, Microsoft's 5.7.515.
    ReplyRule(Scope.CAMPAIGN, "[45]..", enhanced=r"[45]\.7\.(2[0-7]|29|3[0-2]|40|515)"),
    ReplyRule(Scope.CAMPAIGN, "5..", words=r"\b(dmarc|dkim|spf)\b"),
    # Our allowance is used up: Google's 450 4.2.1 “Peak SMTP relay limit”, 550 5.4.5 “Daily user
    # sending limit”, 550 5.7.1 “Daily SMTP relay limit”; Amazon's “Daily message quota”.
    ReplyRule(
        Scope.ACCOUNT, "[45]..", words=r"(send(ing)?|relay|message|second) (limit|quota) exceeded"
    ),
    # The same in other words: Exchange's SubmissionQuotaExceeded, hosters' limits a day or an hour.
    ReplyRule(
        Scope.ACCOUNT, "[45]..",
        words=r"submission.?quota|sender'?s? .{0,30}\bquota|(daily|hourly|monthly) .{0,30}"
        r"\b(limit|quota)|\b(limit|quota) .{0,40}\b(per|a|an) (day|hour|minute|month)"
        r"|\bmax(imum)? (e?mails|messages|recipients).{0,20}\bper (day|hour|minute|month)"
        r"|\b(messages|recipients|e?mails) per (day|hour|minute) exceeded|over message quota"
        r"|\byou(r account)? ha(s|ve) exceeded your .{0,30}(quota|limit)"
        r"|(tenant|domain\b.{0,80}) has exceeded|sending (is |has been )?paused"
        r"|not authori[sz]ed to (perform|send)|sandbox (sub)?domain"
        r"|(tages|stunden|versand|sende)limit|l[ií]mite (diario|de env[ií]o)|cuota de env[ií]o"
        r"|(limite|quota) (d.envoi|quotidienne?|horaire|di invio|giornaliero|de envio|di[aá]rio)",
    ),
    # The sender is refused, but not by one reader's own mailbox: Postfix's “not owned by user” and
    # “Sender address rejected”, Exchange Online's “bad outbound sender”.
    ReplyRule(
        Scope.CAMPAIGN, "5..",
        words=r"sender address (is )?(rejected|denied|refused)|not owned by user"
        r"|bad outbound sender|sender .{0,20}not (owned|verified|authorized to relay)"
        r"|(unverified|unauthori[sz]ed|invalid) sender|SendAsDenied|not allowed to send as"
        r"|email address is not verified|not match a verified sender|sender signature .{0,60}not ",
    ),
    ReplyRule(Scope.CAMPAIGN, "5..", enhanced=r"5\.1\.[78]"),
    # Login asked for, refused or too weak (RFC 4954; 525: RFC 5248); 503 is also “AUTH first”.
    ReplyRule(Scope.ACCOUNT, "503|525|530|534|535|538"),
    # A host that takes no mail (RFC 7504; 5.3.2: RFC 3463), or none of ours (Postfix, Exim,
    # sendmail and Exchange in their words).
    ReplyRule(Scope.ACCOUNT, "521", enhanced=r"(?!5\.[12]\.).*"),
    ReplyRule(Scope.ACCOUNT, "5..", enhanced=r"5\.3\.2"),
    ReplyRule(Scope.ACCOUNT, "5..", words=r"relay(ing)? (access )?(is )?(denied|not permitted)"
         r"|unable to relay|(allowed|list of) rcpthosts", stages=frozenset({Stage.RCPT})),
    # x.2: the recipient's mailbox (RFC 3463), full (2.2), disabled (2.1), or itself mailed too
    # fast (Google's 450 4.2.1).
    ReplyRule(Scope.RECIPIENT, "(4(?!21)|5)..", enhanced=r"[45]\.2\.[0-9]+", stages=_NAMED),
    # Slower or later, whoever it is about: 454 (Amazon's throttling, RFC 4954's 4.7.0), the relay's
    # own state (x.3), congestion (4.4.5), too much in one go (4.5.3), Gmail's 4.7.28, Microsoft's
    # 4.7.500 to 4.7.699, and the words of Postfix, Exim and sendmail.
    ReplyRule(Scope.ACCOUNT, "454"),
    ReplyRule(Scope.ACCOUNT, "421|45[012]",
         enhanced=r"4\.(3\.[0-9]+|4\.5|5\.3|7\.0|7\.28|7\.[56][0-9][0-9])"),
    ReplyRule(Scope.ACCOUNT, "[45]..", words=_SLOW_DOWN),
    ReplyRule(Scope.ACCOUNT, "5..", enhanced=r"5\.(4\.5|7\.28)"),
    CLOSES,
    # Too big for the relay (RFC 1870), and as big for everybody; at RCPT 552 is one mailbox's room.
    ReplyRule(Scope.CAMPAIGN, "5..", enhanced=r"5\.3\.4"),
    ReplyRule(Scope.CAMPAIGN, "552", stages=_CONTENT),
    # No recipient was named yet: later for everybody, or the sender is refused for good.
    ReplyRule(Scope.ACCOUNT, "4..", stages=frozenset({Stage.MAIL})),
    ReplyRule(Scope.CAMPAIGN, "5..", stages=frozenset({Stage.MAIL})),
    # Everything else: the recipient.
    ReplyRule(Scope.RECIPIENT, "[45].."),
)  # fmt: skip
"""What a refusal concerns; the first that fits counts."""


def reply_rule(reply: Reply, stage: Stage) -> ReplyRule:
    """The rule that fits a negative reply."""
    return next(rule for rule in RULES if rule.fits(reply, stage))


def refusal(reply: Reply, stage: Stage) -> Deferred | Rejected:
    """What a negative reply means.

    Args:
        reply: 4yz or 5yz.
        stage: the command that it answers.
    """
    scope = reply_rule(reply, stage).scope
    if reply.code < 500:
        return Deferred(str(reply), scope, reply.wait_s)
    return Rejected(str(reply), scope)


def is_session_limit(outcome: Deferred | Rejected) -> bool:
    """Whether a refusal is about how many messages this connection has carried."""
    return _finds(SESSION_LIMIT.words, outcome.reply)


def later(reply: Reply) -> Deferred:
    """What a 4yz to the greeting, EHLO, STARTTLS or AUTH means: not now, whoever it is for."""
    return Deferred(str(reply), Scope.ACCOUNT, reply.wait_s)
