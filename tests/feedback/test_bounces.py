"""Bounce reports as servers write them: as in RFC 3464, by Postfix and by Exchange."""

from datetime import UTC, datetime

import pytest
from newsletter.feedback.bounces import read_bounce
from newsletter.feedback.event import Kind

TAG = "0123456789abcdef01234567"
OTHER = "fedcba987654321001234567"


def report(
    block: str,
    *,
    letter: str = f"Message-ID: <2017-03.1.{TAG}@news.example>\nSubject: March\n",
    to: str = "bounces@news.example",
    kind: str = "delivery-status",
    letter_type: str = "text/rfc822-headers",
) -> bytes:
    return f"""\
From: MAILER-DAEMON@relay.example
To: {to}
Date: Fri, 31 Mar 2017 10:15:00 +0200
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

This is the mail system. {OTHER} is no tag, it only stands in the prose.

--b
Content-Type: message/{kind}

{block}
--b
Content-Type: {letter_type}

{letter}
--b--
""".replace("\n", "\r\n").encode()


def status(action: str, code: str, diagnostic: str = "550 no") -> str:
    return f"""\
Reporting-MTA: dns; relay.example
Arrival-Date: Fri, 31 Mar 2017 10:00:00 +0200

Final-Recipient: rfc822; anna@a.example
Action: {action}
Status: {code}
Diagnostic-Code: smtp; {diagnostic}
"""


@pytest.mark.parametrize(
    ("action", "code", "kind"),
    [
        ("failed", "5.1.1", Kind.BOUNCED),
        ("failed", "5.1.10", Kind.BOUNCED),
        ("failed", "5.2.1", Kind.BOUNCED),
        ("Failed", "5.1.1 (bad destination mailbox address)", Kind.BOUNCED),
        ("failed", "5.2.2", Kind.RETURNED),
        ("failed", "5.7.1", Kind.RETURNED),
        ("failed", "5.7.515", Kind.RETURNED),
        ("failed", "4.4.7", Kind.RETURNED),
        ("failed", "nonsense", Kind.RETURNED),
        ("delayed", "4.4.1", Kind.DELAYED),
        ("relayed", "2.0.0", Kind.TAKEN),
        ("delivered", "2.1.5", Kind.TAKEN),
    ],
)
def test_each_action_and_code_has_its_meaning(action: str, code: str, kind: Kind) -> None:
    (event,) = read_bounce(report(status(action, code)))
    assert kind is event.kind
    assert frozenset({TAG}) == event.tags
    assert datetime(2017, 3, 31, 8, 15, tzinfo=UTC) == event.at


def test_the_others_words_are_kept_on_one_line() -> None:
    folded = "550 5.1.1 <anna@a.example>:\n    user unknown"
    (event,) = read_bounce(report(status("failed", "5.1.1", folded)))
    assert "failed 5.1.1 550 5.1.1 <anna@a.example>: user unknown" == event.detail


def test_the_letter_may_come_back_whole() -> None:
    letter = f"Message-ID: <2017-03.1.{TAG}@news.example>\n\nBody with {OTHER} in it\n"
    (event,) = read_bounce(report(status("failed", "5.1.1"), letter=letter,
                                  letter_type="message/rfc822"))  # fmt: skip
    assert frozenset({TAG}) == event.tags


def test_the_address_it_came_to_is_enough() -> None:
    (event,) = read_bounce(
        report(status("failed", "5.1.1"), letter="Subject: none\n", to=f"b+{TAG}@news.example")
    )
    assert frozenset({TAG}) == event.tags


def test_several_readers_of_one_report_are_several_events() -> None:
    two = status("failed", "5.1.1") + "\n" + status("delayed", "4.2.2").split("\n\n", 1)[1]
    kinds = [event.kind for event in read_bounce(report(two))]
    assert [Kind.BOUNCED, Kind.DELAYED] == kinds


def test_an_abuse_report_is_a_complaint() -> None:
    block = "Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\n"
    (event,) = read_bounce(report(block, kind="feedback-report"))
    assert Kind.COMPLAINED is event.kind


def test_not_spam_is_no_complaint() -> None:
    assert () == read_bounce(
        report("Feedback-Type: not-spam\nVersion: 1\n", kind="feedback-report")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00 no mail at all",
        b"Subject: I am on holiday\r\n\r\nBack on Monday. 0123456789abcdef01234567\r\n",
        report(status("failed", "5.1.1"), letter="Message-ID: <another@list.example>\n"),
        report("garbage without fields\n", letter="Message-ID: <another@list.example>\n"),
    ],
)
def test_what_is_no_report_about_our_letters_is_no_news(data: bytes) -> None:
    assert () == read_bounce(data)
