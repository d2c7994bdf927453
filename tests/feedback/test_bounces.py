"""Bounce reports as servers write them: as in RFC 3464, by Postfix and by Exchange."""

from datetime import UTC, datetime

import pytest
from newsletter.clock import EARLIEST, LATEST
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


def status(action: str, code: str, diagnostic: str = "550 no such user") -> str:
    return f"""\
Reporting-MTA: dns; relay.example
Arrival-Date: Fri, 31 Mar 2017 10:00:00 +0200

Final-Recipient: rfc822; anna@a.example
Action: {action}
Status: {code}
Diagnostic-Code: smtp; {diagnostic}
"""


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        ("5.2.1", "550-5.2.1 The user you are trying to contact is receiving mail at a rate that "
         "550-5.2.1 prevents more", "returned"),
        ("5.1.1", "550 5.1.1 Message rejected as spam", "returned"),
        ("5.1.1", "550 5.1.1 Sender address rejected: user unknown", "returned"),
        ("5.1.1", "552 5.2.2 mailbox full", "returned"),
        ("5.1.1", "550 blocked by policy, user unknown to us", "returned"),
        ("5.1.1", "delivery temporarily suspended: connection timed out", "returned"),
        ("5.1.1", "550 Nachricht abgelehnt", "returned"),
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is inactive.", "bounced"),
        ("5.1.1", "550 Empfänger unbekannt", "bounced"),
        ("5.1.1", "550 El usuario no existe", "bounced"),
        ("5.1.1", "", "bounced"),
        ("5.1.2", "Host or domain name not found. Name service error", "bounced"),
        ("", "550 no such user", "returned"),
        # Exim reports every failure as 5.0.0.
        ("5.0.0", "550 5.1.1 no such user", "bounced"),
        ("5.0.0", "550 rejected", "returned"),
        ("5.0.0", "", "returned"),
        ("5.1.1", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found", "bounced"),
        *(("5.1.1", f"550 {words}", "bounced") for words in (
            "Diese Adresse existiert nicht", "Utilisateur inconnu", "L'utente non esiste",
            "Usuário não existe", "Пользователь не найден", "Nie ma takiego użytkownika",
            "用户不存在", "ユーザーが存在しません", "사용자를 찾을 수 없습니다")),
        *(("5.1.1", f"552 {words}", "returned") for words in (
            "Buzón lleno", "Postfach voll", "boîte pleine", "Casella piena", "Caixa cheia",
            "Ящик пользователя переполнен", "Skrzynka użytkownika przepełniona", "邮箱已满",
            "メールボックスがいっぱいです")),
        *(("5.1.1", f"550 {words}", "returned") for words in (
            "Ihr Konto wurde gesperrt", "Absender nicht zugelassen: Benutzer unbekannt",
            "Dirección del remitente inválida", "Lista negra: destinatario no válido",
            "Le message de cet utilisateur inconnu est indésirable",
            "Zu viele ungültige Empfänger", "superato limite: utente non valido",
            "Nachricht wegen Richtlinie abgelehnt, Empfänger ungültig",
            "Сообщение отклонено как спам, получатель не найден",
            "доступ запрещен: пользователь заблокирован",
            "la cuenta está temporalmente deshabilitada",
            "Das Postfach nimmt derzeit nichts an (deaktiviert)")),
        *(("5.1.1", f"550 {words}", "returned") for words in (
            "Directory harvest attack detected; user unknown", "LDAP error, user not found",
            "user database unavailable", "recipient table lookup failure, unknown user",
            "Account suspended for non-payment", "mailbox unavailable, under migration",
            "User is on vacation; account inactive until Monday")),
    ],
)  # fmt: skip
def test_status_and_words_must_agree_that_the_mailbox_is_gone(
    code: str, said: str, kind: str
) -> None:
    (event,) = read_bounce(report(status("failed", code, said)))
    assert kind == event.kind


def test_a_block_tells_whom_it_is_about() -> None:
    (event,) = read_bounce(report(status("failed", "5.1.1")))
    assert "anna@a.example" == event.recipient


@pytest.mark.parametrize(
    ("action", "code", "kind"),
    [
        ("failed", "5.1.1", Kind.BOUNCED),
        ("failed", "5.1.10", Kind.BOUNCED),
        ("failed", "5.2.1", Kind.BOUNCED),
        ("Failed", "5.1.1 (bad destination mailbox address)", Kind.BOUNCED),
        ("failed (for good)", "5.1.1", Kind.BOUNCED),
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


def test_an_address_that_was_reached_as_well_is_not_gone() -> None:
    two = status("failed", "5.1.1") + "\n" + status("delivered", "2.0.0").split("\n\n", 1)[1]
    kinds = [event.kind for event in read_bounce(report(two))]
    assert [Kind.RETURNED, Kind.TAKEN] == kinds


def test_an_abuse_report_is_a_complaint() -> None:
    block = "Feedback-Type: abuse\nUser-Agent: SomeGenerator/1.0\nVersion: 1\n"
    (event,) = read_bounce(report(block, kind="feedback-report"))
    assert Kind.COMPLAINED is event.kind


def test_an_abuse_report_tells_whose_complaint_it_is() -> None:
    block = "Feedback-Type: abuse\nOriginal-Rcpt-To: <carol@elsewhere.example>\n"
    (event,) = read_bounce(report(block, kind="feedback-report"))
    assert "carol@elsewhere.example" == event.recipient


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


HOSTILE = {
    "an address in an open bracket": "To: a@[",
    "100,000 open comments": "To: " + "(" * 100_000,
    "a broken group": "To: a: b@c, ;;<",
    "340 KB of encoded words": "To: " + "=?utf-8?q?a?= " * 26_000,
    "a megabyte of one field": "X-A: " + "a" * 500_000,
    "a year beyond the calendar": "Date: Fri, 31 Mar 99999 10:15:00 +0200",
    "a year of 5,000 digits": "Date: Fri, 31 Mar " + "9" * 5000 + " 10:15:00 +0200",
    "a zone of a hundred days": "Date: Fri, 31 Mar 2017 10:15:00 +240000",
    "a date with nothing in it": "Date: , ; ( <",
    "20,000 fields": "\n".join(f"X-{number}: a" for number in range(20_000)),
    "200,000 folded lines": "X-A: a\n" + " a\n" * 200_000 + "X-B: b",
    "a thousand boundaries": 'Content-Type: multipart/mixed; boundary="c"; ' + "b=; " * 20_000,
    "quotation marks": "Content-Type: text/plain; " + '";' * 50_000,
    "half characters": "Subject: \udcff\udc80",
    "NUL": "Subject: \0",
}


@pytest.mark.fault(
    "Input",
    "a bounce mail made to break what reads it: addresses, dates, nesting, size",
    state="read as far as a report goes; never an exception, and no other mail is kept from it",
)
@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_no_head_keeps_a_report_from_being_read(line: str) -> None:
    whole = report(status("failed", "5.1.1")).decode()
    # Once behind the report's own fields, and once before them.
    (behind,) = read_bounce(whole.replace("\r\n\r\n", f"\r\n{line}\r\n\r\n", 1)
                            .encode("utf-8", "surrogateescape"))  # fmt: skip
    assert Kind.BOUNCED is behind.kind
    for event in read_bounce(f"{line}\r\n{whole}".encode("utf-8", "surrogateescape")):
        assert EARLIEST <= event.at <= LATEST


def test_parameters_in_pieces_are_no_boundary() -> None:
    # What the standard library's reader of parameters raises a TypeError over.
    assert () == read_bounce(b"Content-Type: multipart/report; b*=a; b*0=c; b*1=d\n\n--a\n")


@pytest.mark.parametrize(
    "written", ["boundary=b", "BOUNDARY = b; x=y", ' report-type=a;\n boundary="b"']
)
def test_a_boundary_is_read_however_it_is_written(written: str) -> None:
    whole = report(status("failed", "5.1.1")).decode().replace('boundary="b"', written)
    assert 1 == len(read_bounce(whole.encode()))


def nested(depth: int) -> bytes:
    head = "".join(
        f'Content-Type: multipart/mixed; boundary="{level}"\n\n--{level}\n'
        for level in range(depth)
    )
    return head.encode()


def test_what_is_nested_in_a_report_is_not_looked_at() -> None:
    assert () == read_bounce(nested(3000))
    whole = report(status("failed", "5.1.1")).replace(
        b"--b--", b"--b\r\n" + nested(3000) + b"--b--"
    )
    assert Kind.BOUNCED is read_bounce(whole)[0].kind


def test_a_report_with_ten_thousand_parts_is_read_as_far_as_a_report_goes() -> None:
    whole = report(status("failed", "5.1.1")).replace(b"--b--", b"--b\r\n" * 10_000 + b"--b--")
    assert Kind.BOUNCED is read_bounce(whole)[0].kind


@pytest.mark.parametrize(
    ("date", "at"),
    [("31 Dec 9999 23:59:59 -1400", LATEST), ("1 Jan 1000 00:00:00 +1400", EARLIEST),
     ("1 Jan 99999 00:00:00 +0000", EARLIEST)],
)  # fmt: skip
def test_no_date_is_beyond_the_calendar(date: str, at: datetime) -> None:
    whole = report(status("failed", "5.1.1")).replace(
        b"Fri, 31 Mar 2017 10:15:00 +0200", date.encode()
    )
    (event,) = read_bounce(whole)
    assert at == event.at


def test_the_others_words_are_cut_and_cannot_steer_a_terminal() -> None:
    (event,) = read_bounce(report(status("failed", "5.1.1", "550 \x1b[2J" + "a" * 100_000)))
    assert event.detail.startswith("failed 5.1.1 550 [2J")
    assert 500 == len(event.detail)
    assert event.detail.isprintable()


def test_a_report_about_a_million_readers_is_cut() -> None:
    block = "\n".join(["Reporting-MTA: dns; a", "", *["Action: failed\n"] * 100_000])
    assert len(read_bounce(report(block, to=f"b+{TAG}@news.example"))) < 2000
