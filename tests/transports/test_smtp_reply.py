"""Replies: how they are read, and what each refusal is about, row by row."""

import io

import pytest
from newsletter.transports.protocol import Deferred, Rejected, Scope
from newsletter.transports.smtp_reply import (
    RULES,
    Reply,
    ReplyError,
    Stage,
    read_reply,
    refusal,
    reply_rule,
)

R, C, A = Scope.RECIPIENT, Scope.CAMPAIGN, Scope.ACCOUNT
MAIL, RCPT, DATA, DOT = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT
LATER = (RCPT, DATA, DOT)
ALL = (MAIL, *LATER)

# Reply → what it answers → how far it reaches. Where one is quoted, its source stands behind it.
ROWS: list[tuple[str, tuple[Stage, ...], Scope]] = [
    # Greylisting.
    ("450 4.7.1 greylisted", (RCPT, DATA, DOT), R),
    ("450 4.2.0 <a@b.example>: Recipient address rejected: Greylisted", (RCPT,), R),  # postgrey
    ("451 4.7.1 Greylisting in action, please come back later", (RCPT, DOT), R),  # milter-greylist
    ("451 4.7.1 Try again later", (RCPT, DOT), R),  # rspamd
    ("450 4.7.1 wait", (RCPT,), R),
    ("451 4.7.1 wait", (RCPT,), R),
    ("450 4.7.0 Grey-listed, slow down", (RCPT,), R),
    ("454 4.7.0 greylisted", (RCPT,), R),
    # This connection has carried enough.
    ("452 4.4.5 Maximum number of messages per session exceeded.", ALL, A),
    ("451 Mails per session limit exceeded.", ALL, A),
    # Our account's allowance, in other words.
    ("554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; the sender's "
     "submission quota was exceeded", ALL, A),  # Exchange Online
    ("450 4.7.1 Daily sending quota reached", ALL, A),
    ("550 Tageslimit erreicht", ALL, A),
    ("550 Se ha superado el límite diario", ALL, A),
    # The sender.
    ("553 5.7.1 <a@b.example>: Sender address rejected: not owned by user c@b.example", ALL, C),
    ("550 5.1.8 Access denied, bad outbound sender AS(42003)", ALL, C),  # Exchange Online
    ("550 5.1.7 Invalid address", ALL, C),
    # The recipient's mailbox.
    ("452 4.2.2 mailbox full", LATER, R),
    ("452 4.2.2 The recipient's inbox is out of storage space", (RCPT,), R),  # Google
    ("452 mailbox full", (RCPT,), R),
    ("552 5.2.2 The email account that you tried to reach is over quota", LATER, R),  # Google
    ("552 Mailbox is full", LATER, R),
    ("552 no room", (RCPT,), R),
    ("552 5.2.3 Message length exceeds administrative limit", LATER, R),
    *((f"552 {words}", LATER, R) for words in (
        "Casella piena", "Das Postfach ist voll", "Boîte aux lettres pleine",
        "El buzón del destinatario está lleno", "Ящик переполнен", "邮箱已满",
        "Requested mail action aborted: exceeded storage allocation",
        "5.2.2 The recipient's domain has exceeded its storage quota")),
    ("521 5.2.1 mailbox does not accept mail", LATER, R),
    ("530 5.1.1 no such user", (RCPT,), R),
    ("550 5.3.2 STOREDRV.Deliver; mailbox temporarily not accepting mail", LATER, R),  # Exchange
    ("432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded", LATER, R),  # Exchange
    ("550 5.1.7 RESOLVER.ADR.BadPrimary; recipient primary address broken", (RCPT,), R),  # Exchange
    ("550 5.7.1 The group accepts mail from members only; unauthorized sender", LATER, R),
    # A reader's address is no word of the server's.
    *((f"550 5.1.1 <{name}@d1.example>: user unknown", LATER, R)
      for name in ("dmarc", "spf", "dkim-reports", "throttling", "rate", "daily.limit")),
    ("450 4.7.1 <throttle@d1.example> please retry", (RCPT,), R),
    ("450 4.1.1 slow.down@d1.example not now", (RCPT,), R),
    ("450 4.2.1 The user you are trying to contact is receiving email at a rate that prevents "
     "additional messages from being delivered", (RCPT,), R),  # Google
    ("550 5.2.1 The user is receiving email at a rate that prevents more", (RCPT,), R),  # Google
    ("450 4.1.1 cannot tell whether there is such a user", (RCPT,), R),
    ("450 mailbox unavailable", (RCPT,), R),
    ("451 local error", LATER, R),
    ("550 5.1.1 no such user", LATER, R),
    ("550 #5.1.0 Address rejected", (RCPT,), R),  # Cisco
    ("550 no such user", (RCPT,), R),
    ("551 user not local", (RCPT,), R),
    ("553 mailbox name not allowed", (RCPT,), R),
    ("554 5.7.1 spam", LATER, R),
    ("550 5.4.1 Recipient address rejected: Access denied", (RCPT,), R),  # Microsoft
    ("554 5.6.0 no", (DATA, DOT), R),
    # The letter is not authenticated.
    ("550 5.7.515 Access denied, sending domain does not meet the level", (RCPT, DOT), C),
    ("550 5.7.26 unauthenticated", ALL, C),
    ("550 5.7.27 SPF", ALL, C),
    ("550 5.7.30 DKIM", ALL, C),
    ("550 5.7.31 DMARC", ALL, C),
    ("550 5.7.32 alignment", ALL, C),
    ("550 5.7.40 DMARC", ALL, C),
    ("550 5.7.29 TLS", ALL, C),
    ("550 5.7.23 PTR", ALL, C),
    ("550 5.7.25 PTR", ALL, C),
    ("550 5.7.20 no valid DKIM signature", (DOT,), C),  # RFC 7372
    ("421 4.7.27 SPF", (RCPT, DOT), C),
    ("451 4.7.26 unauthenticated", (DOT,), C),
    ("550 5.7.1 not accepted due to the domain's DMARC policy", (DOT,), C),  # Google
    # The letter, or its sender.
    ("552 5.3.4 too big", ALL, C),
    ("554 5.3.4 too big", LATER, C),
    ("552 too much", (MAIL, DATA, DOT), C),
    ("550 5.1.8 sender", (MAIL,), C),
    ("550 5.7.60 cannot send as this sender", (MAIL,), C),  # Microsoft
    ("501 5.1.7 bad sender", (MAIL,), C),
    # Our account, or the relay itself, for good.
    ("530 5.7.0 log in", ALL, A),
    ("530 5.7.1 client was not authenticated", ALL, A),
    ("535 5.7.8 wrong", ALL, A),
    ("534 5.7.9 too weak", ALL, A),
    ("538 5.7.11 encryption needed", ALL, A),
    ("525 5.7.13 disabled", ALL, A),
    ("503 5.5.1 AUTH first", (MAIL, RCPT, DATA), A),
    ("521 5.3.2 no mail here", ALL, A),
    ("554 5.3.2 not today", ALL, A),
    ("554 5.7.1 <a@b.example>: Relay access denied", (RCPT,), A),  # Postfix
    ("550 relay not permitted", (RCPT,), A),  # Exim
    ("550 5.7.1 <a@b.example>... Relaying denied", (RCPT,), A),  # sendmail
    ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", (RCPT,), A),  # Exchange
    ("550 5.4.5 Daily user sending limit exceeded", ALL, A),  # Google
    ("550 5.7.1 Daily SMTP relay limit exceeded for customer", ALL, A),  # Google
    ("550 5.7.28 mail flood", ALL, A),
    ("554 too many messages from you", (MAIL, DOT), A),
    # Slower or later.
    ("421 4.7.0 too many", ALL, A),
    ("421 bye", ALL, A),
    ("421 4.3.2 shutting down", ALL, A),
    ("421 4.2.1 service not available", ALL, A),
    ("421 4.7.28 unusual rate", ALL, A),
    ("454 4.7.0 Temporary authentication failure", ALL, A),
    ("454 Throttling failure: Maximum sending rate exceeded.", ALL, A),  # Amazon
    ("454 Throttling failure: Daily message quota exceeded.", ALL, A),  # Amazon
    ("450 4.2.1 Peak SMTP relay limit exceeded for this customer", (MAIL, RCPT), A),  # Google
    ("450 4.3.0 Error: command failed", ALL, A),
    ("451 4.3.0 try again", ALL, A),
    ("451 4.3.2 Please try again later", ALL, A),
    ("452 4.3.1 Insufficient system storage", ALL, A),  # Postfix
    ("452 4.4.5 Messages per second limit exceeded", ALL, A),  # Emailit
    ("451 4.4.5 congestion", ALL, A),
    ("452 4.5.3 too many recipients", ALL, A),
    ("451 4.7.0 wait", ALL, A),
    ("450 4.7.28 unusual rate", ALL, A),
    ("451 4.7.500 Server busy. Please try again later", ALL, A),  # Microsoft
    ("451 4.7.650 The mail server has been temporarily rate limited", ALL, A),  # Microsoft
    ("450 4.7.1 Error: too much mail from 192.0.2.1", (MAIL, RCPT), A),  # Postfix
    ("450 4.7.1 Error: too many recipients from 192.0.2.1", (RCPT,), A),  # Postfix
    ("451 too many concurrent connections", ALL, A),
    ("451 slow down", ALL, A),
    ("450 4.1.8 cannot look your domain up now", (MAIL,), A),
    ("451 local error", (MAIL,), A),
]  # fmt: skip


def reply(text: str) -> Reply:
    return read_reply(io.BytesIO(f"{text}\r\n".encode()))


@pytest.mark.parametrize(
    ("text", "stage", "scope"),
    [(text, stage, scope) for text, stages, scope in ROWS for stage in stages],
)
def test_a_refusal_is_about(text: str, stage: Stage, scope: Scope) -> None:
    kind = Rejected if text.startswith("5") else Deferred
    assert kind(text, scope) == refusal(reply(text), stage)


def test_each_rule_is_needed_by_a_row() -> None:
    used = {reply_rule(reply(text), stage) for text, stages, _ in ROWS for stage in stages}
    assert set(RULES) == used


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("450 4.7.1 Greylisted, retry after 300 seconds", 300),
        ("451 4.7.1 Please try again in 5 minutes", 300),
        ("421 come back in 1 hour", 3600),
        ("450 try again after at least 90s", 90),
        ("450 wait 2 min.", 120),
        ("450-retry in 60 s\r\n450 retry in 60 sec", 60),
        # No unit, no time, or several: nothing is guessed.
        ("450 retry after 30", None),
        ("450 try again later", None),
        ("450 30 messages per 60 seconds allowed", None),
        ("450 retry in 60 seconds, or wait 5 minutes", None),
        ("450 retry in 5 messages", None),
    ],
)
def test_a_time_is_read_only_where_it_is_plain(text: str, wait_s: float | None) -> None:
    found = refusal(reply(text), Stage.RCPT)
    assert isinstance(found, Deferred)
    assert wait_s == found.retry_after_s


def test_the_lines_of_a_reply_are_one_text() -> None:
    found = reply("550-5.1.1 no such\r\n550-5.1.1\r\n550 5.1.1 user")
    assert Reply(550, "5.1.1 no such 5.1.1 5.1.1 user") == found
    assert "5.1.1" == found.enhanced


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"250 2.0.0 queu",
        b"250-2.0.0 one\r\n250",
        b"250 " + b"x" * 5000 + b"\r\n",
        b"250-more\r\n" * 500,
        b"HTTP/1.1 400 Bad Request\r\n",
        b"25 short\r\n",
        b"250_odd\r\n",
        b"199 what\r\n",
        b"\xff\xfe\r\n",
        b"\r\n",
    ],
)
def test_what_is_no_whole_reply_is_none(line: bytes) -> None:
    with pytest.raises(ReplyError):
        read_reply(io.BytesIO(line))


def test_a_reply_cannot_steer_the_terminal_it_is_read_on() -> None:
    assert Rejected("550 5.1.1 [2Jgone") == refusal(reply("550 5.1.1 \x1b[2Jgone\x07"), Stage.RCPT)
