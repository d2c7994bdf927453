"""Bounces as qmail, Exim and other servers write them, without a report of RFC 3464."""

import pytest
from newsletter.feedback.event import Kind
from newsletter.feedback.odd_bounces import read_odd_bounce
from newsletter.refusal_words import may_be_gone

TAG = "0123456789abcdef01234567"
OURS = f"Message-ID: <2017-03.1.{TAG}@news.example>"


def qmail(why: str = "Sorry, no mailbox here by that name. (#5.1.1)", ours: str = OURS) -> bytes:
    """As in https://cr.yp.to/proto/qsbmf.txt."""
    return f"""\
From: MAILER-DAEMON@mx.a.example
To: bounces@news.example
Subject: failure notice
Date: Fri, 31 Mar 2017 10:15:00 +0200

Hi. This is the qmail-send program at mx.a.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<anna@a.example>:
{why}

--- Below this line is a copy of the message.

Return-Path: <bounces@news.example>
{ours}
Subject: March

Hello
""".replace("\n", "\r\n").encode()


def exim(to: str = "bounces@news.example") -> bytes:
    return f"""\
X-Failed-Recipients: anna@a.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.a.example>
To: {to}
Subject: Mail delivery failed: returning message to sender
Date: Fri, 31 Mar 2017 10:15:00 +0200

This message was created automatically by mail delivery software.

  anna@a.example
    mailbox is full
""".replace("\n", "\r\n").encode()


def test_a_form_of_its_own_is_a_message_that_came_back_and_never_proof() -> None:
    (event,) = read_odd_bounce(qmail())
    assert (Kind.RETURNED, "anna@a.example") == (event.kind, event.recipient)
    assert frozenset({TAG}) == event.tags
    assert "no mailbox here by that name" in event.detail
    assert may_be_gone(event.account)


def test_the_words_beside_the_address_tell_why() -> None:
    (full,) = read_odd_bounce(qmail("The user's quota is exceeded: 552 5.2.2"))
    assert not may_be_gone(full.account)
    (exims,) = read_odd_bounce(exim(f"bounces+{TAG}@news.example"))
    assert "mailbox is full" in exims.detail
    assert not may_be_gone(exims.account)


def test_without_our_tag_in_a_field_it_is_about_other_mail() -> None:
    assert () == read_odd_bounce(qmail(ours="Message-ID: <other@id>"))
    assert () == read_odd_bounce(qmail(ours=f"> {OURS}"))
    assert () == read_odd_bounce(qmail(ours=f"Subject: {TAG}"))
    assert () == read_odd_bounce(exim())


def test_a_mail_with_our_tag_that_is_no_bounce_tells_nothing() -> None:
    written = b"From: anna@a.example\r\n\r\nI have your mail:\r\n" + OURS.encode()
    assert () == read_odd_bounce(written)


def test_what_a_form_does_not_expect_is_no_bounce_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert () == read_odd_bounce(f"To: b+{TAG}@news.example\n\nno From\n".encode())
    assert ("", "") == capfd.readouterr()


def test_so_many_readers_and_no_more_are_taken_from_one() -> None:
    many = b"\r\n".join(b"<r%d@a.example>:\r\ngone" % number for number in range(500))
    data = qmail().replace(b"<anna@a.example>:", many)
    assert 20 == len(read_odd_bounce(data))
