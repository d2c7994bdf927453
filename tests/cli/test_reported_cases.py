"""Cases from public bug reports, each with its own input, through the program.

A server answers as there, a report comes back as there, a list or an issue is written as
there. The name of each test begins with the case's number.
"""

import base64
import contextlib
import csv
import io
import json
import re
import sqlite3
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from email.header import Header, decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.cli.support import mails, outbox, part, stopped, went_well
from tests.support.brevo_side import BrevoSide
from tests.support.browser import chromium
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.http_server import Provider as Side
from tests.support.mailjet_side import MailjetSide
from tests.support.postmark_side import PostmarkSide
from tests.support.project import Project, smtp_delivery
from tests.support.resend_side import API_KEY, ResendSide
from tests.support.ses_side import SesSide
from tests.support.smtp_server import SmtpServer
from tests.transports.providers.harness import secret_names
from tests.transports.providers.test_lettermint import TOKEN as LETTERMINT_TOKEN
from tests.transports.providers.test_lettermint import LettermintSide
from tests.transports.providers.test_mailersend import MailerSendSide
from tests.transports.providers.test_mailgun import DOMAIN, MailgunSide
from tests.transports.providers.test_mailtrap import TOKEN as MAILTRAP_TOKEN
from tests.transports.providers.test_mailtrap import MailtrapSide
from tests.transports.providers.test_scaleway import PROJECT, ScalewaySide
from tests.transports.providers.test_sendgrid import SendGridSide

HEAD = """\
title: November 2026
date: 2026-11-29
language: en
subject: News from defenders
preheader: A year of safety in Hamburg, and what Veracruz fears most of all
stories:
  - id: first
    headline: A headline
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", readers=1)


def readers(project: Project, count: int) -> None:
    rows = "".join(f"r{n}@d{n}.example.net,R {n}\n" for n in range(1, count + 1))
    (project.folder / "subscribers.csv").write_text(f"email,name\n{rows}")


def numbers(said: str) -> dict[str, int]:
    """The account at the end of a send: how many are in which state."""
    line = said.rpartition("The numbers add up: ")[2].splitlines()[0]
    return {state: int(number.replace(",", "")) for number, state in
            re.findall(r"([\d,]+) (planned|accepted|waiting|deferred|refused)", line)}  # fmt: skip


# What a relay answers


class Talking:
    """Gives a phase's replies in order, the last one for ever."""

    def __init__(self, *replies: str) -> None:
        self._replies = replies

    def __call__(self, earlier: int) -> bytes:
        return self._replies[min(earlier, len(self._replies) - 1)].encode()


@pytest.mark.parametrize(
    ("phase", "replies", "count", "accepted"),
    [
        pytest.param(
            "RCPT", ["553 5.7.1 <newsletter@example.org>: Sender address rejected: not owned by "
                     "user news@example.org"], 8, 0, id="01-sender-refused-at-rcpt",
        ),
        pytest.param(
            "dot", ["550 5.1.8 Access denied, bad outbound sender AS(42003)"], 8, 0,
            id="02-bad-outbound-sender-at-dot",
        ),
        pytest.param(
            "dot", ["250 2.0.0 OK", "250 2.0.0 OK",
                    "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; the "
                    "sender's submission quota was exceeded"], 12, 2, id="03-submission-quota-x20",
        ),
    ],
)  # fmt: skip
def test_01_02_03_a_refusal_of_the_sender_blames_nobody(
    project: Project, phase: str, replies: list[str], count: int, accepted: int
) -> None:
    readers(project, count)
    with SmtpServer(behaviours={phase: Talking(*replies)}) as relay:
        project.settings(smtp_delivery(relay.port))
        done = project.run("send", "2017-04", "--yes")
    assert 4 == done.returncode, done.stdout + done.stderr
    assert "Complete." not in done.stdout
    assert "refused" not in numbers(done.stdout)
    assert accepted == numbers(done.stdout).get("accepted", 0) == len(relay.accepted)
    # One a connection was on its way when the relay named the sender.
    assert count - accepted == sum(numbers(done.stdout).get(s, 0) for s in ("waiting", "deferred"))


@pytest.mark.parametrize(
    ("phase", "reply"),
    [
        pytest.param(
            "dot", b"451-Requested action aborted\r\n451 Mails per session limit exceeded.",
            id="07-session-limit-at-dot",
        ),
        pytest.param(
            "DATA", b"452 4.4.5 Maximum number of messages per session exceeded.",
            id="08-session-limit-at-data",
        ),
    ],
)  # fmt: skip
def test_07_08_a_session_s_limit_costs_a_connection_and_nothing_else(
    project: Project, phase: str, reply: bytes
) -> None:
    readers(project, 60)
    with SmtpServer(session=(10, phase, reply)) as relay:
        project.settings(smtp_delivery(relay.port, connections=1))
        went_well(project.run("send", "2017-04", "--yes"), "60 planned = 60 accepted", "Complete.")
        assert {1} == set(relay.copies().values())
        assert 6 <= relay.connections <= 7


def test_10_a_relay_that_asks_for_a_token_says_so_by_name(project: Project) -> None:
    with SmtpServer(extensions=(b"PIPELINING", b"AUTH XOAUTH2")) as relay:
        project.settings(
            smtp_delivery(relay.port) + 'username = "user"\npassword = { env = "PASSWORD" }\n'
        )
        env = project.environment(PASSWORD="right-one")
        done = project.run("send", "2017-04", "--yes", env=env)
    said = " ".join((done.stdout + done.stderr).split())
    assert 4 == done.returncode, said
    assert "that this program knows (it offers XOAUTH2)" in said
    assert "cannot be reached" not in said


# What comes back


@pytest.fixture
def sent(project: Project) -> Project:
    """A send to r1, so that reports about it can come back."""
    readers(project, 1)
    went_well(project.run("send", "2017-04", "--yes"))
    return project


def reference(project: Project) -> str:
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as database:
        ((name,),) = database.execute(
            "SELECT campaign || '.' || lower(hex(message_tag)) FROM delivery"
        ).fetchall()
    return str(name)


REPORT = """\
From: MAILER-DAEMON@relay.example.net
To: newsletter@example.org
Subject: Undelivered Mail Returned to Sender
Date: Sun, 29 Nov 2026 20:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

This is the mail system.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.net

{recipients}
--B
Content-Type: text/rfc822-headers

From: Our newsletter <newsletter@example.org>
To: Reader 1 <r1@d1.example.net>
Message-ID: <{letter}@example.org>

--B--
"""
TOO_MANY = """\
Final-Recipient: rfc822; r1@d1.example.net
Action: failed
Status: 5.2.1
Diagnostic-Code: smtp; 550-5.2.1 The user you are trying to contact is receiving mail at a \
rate that 550-5.2.1 prevents additional messages from being delivered. 550 5.2.1 gsmtp
"""
ONE_OF_AN_ALIAS = """\
Original-Recipient: rfc822; r1@d1.example.net
Final-Recipient: rfc822; carol@elsewhere.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

Original-Recipient: rfc822; r1@d1.example.net
Final-Recipient: rfc822; dave@elsewhere.example
Action: delivered
Status: 2.0.0
"""


@pytest.mark.parametrize(
    "recipients",
    [
        pytest.param(TOO_MANY, id="11-rate-521-suppressed"),
        pytest.param(ONE_OF_AN_ALIAS, id="12-one-member-of-an-alias"),
    ],
)
def test_11_12_a_report_that_proves_nothing_suppresses_nobody(
    sent: Project, recipients: str
) -> None:
    report = REPORT.format(recipients=recipients, letter=reference(sent))
    (sent.folder / "bounce.eml").write_text(report)
    done = sent.run("reconcile", "2017-04", "--bounces", "bounce.eml")
    went_well(done, "0 people will not be mailed any more")
    went_well(sent.run("suppress", "show", "r1@d1.example.net"), "never left")


REACTIVATED = {
    "RecordType": "SubscriptionChange",
    "Recipient": "r1@d1.example.net",
    "Origin": "Recipient",
    "SuppressSending": False,
    "SuppressionReason": None,
    "ChangedAt": "2026-11-29T20:00:00Z",
    "Metadata": {"reference": "REFERENCE"},
}
TOO_OLD = {
    "event-data": {
        "event": "failed",
        "severity": "permanent",
        "reason": "old",
        "timestamp": 1796000000.1,
        "delivery-status": {"code": 602, "message": "Too old"},
        "user-variables": {"reference": "REFERENCE"},
        "recipient": "r1@d1.example.net",
    }
}
HARD = {
    "event": "bounce",
    "time": 1796000000,
    "hard_bounce": True,
    "error_related_to": "recipient",
    "error": "user unknown",
    "CustomID": "REFERENCE",
    "email": "r1@d1.example.net",
}


@pytest.mark.parametrize(
    ("event", "gone"),
    [
        pytest.param(REACTIVATED, False, id="13-reactivation-is-no-leave"),
        pytest.param(TOO_OLD, False, id="14-permanent-but-too-old"),
        pytest.param(HARD, True, id="18-hard-bounce-as-boolean"),
    ],
)
def test_13_14_18_an_event_suppresses_whose_mailbox_is_gone_and_nobody_else(
    sent: Project, event: dict[str, object], gone: bool
) -> None:
    (sent.folder / "event.json").write_text(json.dumps(event).replace("REFERENCE", reference(sent)))
    done = sent.run("reconcile", "2017-04", "--events", "event.json")
    assert gone == ("1 person will not" in done.stdout), done.stdout
    shown = sent.run("suppress", "show", "r1@d1.example.net")
    went_well(shown, "cannot be reached" if gone else "never left")


# What a list says


def listed(project: Project, text: str) -> None:
    (project.folder / "subscribers.csv").write_text(text, "utf-8")


def test_19_a_column_of_status_keeps_who_left_from_being_mailed(project: Project) -> None:
    listed(project, "Email,Status,First name\nanna@example.net,Active,Anna\n"
                    "bob@example.net,Unsubscribed,Bob\ncy@example.net,Bounced,Cy\n")  # fmt: skip
    said = project.run("subscribers", "check").stdout
    assert "1 person to mail" in said
    assert "Status" in said
    assert "row 3" in said
    assert "row 4" in said
    project.run("send", "2017-04", "--yes")
    assert ["anna@example.net"] == [mail["To"].addresses[0].addr_spec for mail in mails(project)]


def test_22_cells_left_out_at_the_end_of_a_row_are_empty(project: Project) -> None:
    rows = [f"r{n}@example.net,R {n}" + (f",en,Org {n}" if n < 17 else "") for n in range(1, 41)]
    listed(project, "\n".join(["email,name,language,organisation", *rows]) + "\n")
    done = project.run("send", "2017-04", "--yes")
    assert "40 planned = 40 accepted" in done.stdout, done.stdout
    assert 40 == len(outbox(project))


def test_23_cells_that_mean_nothing_are_no_names(project: Project) -> None:
    listed(project, "email,name\na@example.net,NULL\nb@example.net,\\N\nc@example.net,#N/A\n"
                    "d@example.net,nan\ne@example.net,----\n")  # fmt: skip
    assert "5 people to mail" in project.run("subscribers", "check").stdout
    project.run("send", "2017-04", "--yes")
    found = mails(project)
    assert 5 == len(found)
    for mail in found:
        assert "Dear friend," in part(mail, "plain")
        assert "" == mail["To"].addresses[0].display_name


FRENCH = """\
title: Avril 2017
date: 2017-04-28
language: fr
subject: Une nouvelle en avril
preheader: Un numéro court pour essayer le chemin d'un bout à l'autre
greeting: "Bonjour {{ name | à tous }},"
stories:
  - id: only
    headline: La seule nouvelle du mois
    blurb: Elle est courte, et c'est tout ce qu'on lui demande ici.
    links:
      - label: La nouvelle en entier
        url: https://defenders.example/only
"""


def test_25_three_letters_are_a_language_too(project: Project) -> None:
    project.issue(FRENCH, "2017-04.fr")
    listed(project, "email,name,language\na@example.net,A,fra\nb@example.net,B,fre\n"
                    "c@example.net,C,iw\n")  # fmt: skip
    project.run("send", "2017-04", "--yes")
    got = {mail["To"].addresses[0].addr_spec: mail["Subject"] for mail in mails(project)}
    assert {"a@example.net": "Une nouvelle en avril", "b@example.net": "Une nouvelle en avril",
            "c@example.net": "One story in April"} == got  # fmt: skip


# What an editor typed


def written(project: Project, rest: str) -> None:
    (project.folder / "issues" / "2026-11.yaml").write_text(f"{HEAD}{rest}", "utf-8")


def read(project: Project) -> EmailMessage:
    """The mail that is sent."""
    done = project.run("send", "2026-11", "--yes")
    assert 0 == done.returncode, done.stdout + done.stderr
    (mail,) = mails(project)
    return mail


def findings(project: Project) -> list[str]:
    done = project.run("check", "2026-11", "--format", "json")
    return [each["id"] for each in json.loads(done.stdout)["findings"]]


def test_26_a_letter_in_brackets_stays_one(project: Project) -> None:
    ways = "Three ways: (a) stay, (b) leave, (c) appeal under article 6 (c) of the Covenant."
    written(project, f"    blurb: '{ways}'\n")
    mail = read(project)
    assert "(c) appeal under article 6 (c) of" in " ".join(part(mail, "plain").split())
    assert "(c) appeal under article 6 (c) of" in part(mail, "html")
    went_well(project.run("archive", "build", "2026-11", "--no-pdf"))
    page = (project.folder / "archive" / "2026-11.en.html").read_text("utf-8")
    assert "(c) appeal under article 6 (c) of" in page


def test_28_what_follows_a_hash_sign_is_not_lost_in_silence(project: Project) -> None:
    written(
        project,
        "    blurb: Text.\n    highlight: We are #1 in the court\nposts:\n"
        "  - text: Today we stand with Ana. #StandWithAna #Veracruz\n"
        "    url: https://social.example/@us/1\n    network: Mastodon\n",
    )
    done = project.run("check", "2026-11")
    stopped(done, 2, "2026-11.yaml:10:23", "2026-11.yaml:12:36", "#1 in the court", "#StandWithAna")
    assert 2 == project.run("send", "2026-11", "--yes").returncode
    assert not outbox(project)


@pytest.mark.parametrize(
    ("line", "place"), [("    \u00a0kicker: Word", "10:5"), ("    kicker:\u00a0Word", "10:12")]
)
def test_30_an_invisible_character_is_named(project: Project, line: str, place: str) -> None:
    written(project, f"    blurb: Text.\n{line}\n")
    stopped(project.run("check", "2026-11"), 2, f"2026-11.yaml:{place}", "U+00A0 (no-break space)")


def test_31_a_link_to_our_own_international_name_is_no_lie(project: Project) -> None:
    written(project, "    blurb: See <https://münchen.example/d>.\n")
    assert findings(project) == []
    assert 'href="https://xn--mnchen-3ya.example/d"' in part(read(project), "html")


def test_33_a_name_leads_to_one_host_however_it_is_written(project: Project) -> None:
    written(
        project, "    blurb: '[a](https://MÜNCHEN.example/) and [b](https://münchen.example/)'\n"
    )
    assert 2 == part(read(project), "html").count('href="https://xn--mnchen-3ya.example/"')


def test_35_a_bare_address_is_a_link(project: Project) -> None:
    written(project, "    blurb: The report is at https://example.org/report for all to read.\n")
    assert findings(project) == []
    mail = read(project)
    assert 'href="https://example.org/report"' in part(mail, "html")
    assert "https://example.org/report" in part(mail, "plain")


def test_37_code_stays_within_a_narrow_screen(project: Project) -> None:
    written(
        project,
        "    blurb: |-\n      ```\n      newsletter test 2026-11 --to somebody.with.a.long.name"
        "@press.subdomain.example.org --sandbox --verbose --all\n      ```\n",
    )
    html = part(read(project), "html")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 320, "height": 800})
        page.set_content(html)
        assert 320 == page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize(
    "tag",
    [
        *(pytest.param(tag, id=f"38-{tag}")
          for tag in ("prs", "arz", "apc", "ary", "pbu", "ks", "iw")),
        *(pytest.param(tag, id=f"39-{tag}") for tag in ("uz-Arab", "ku-Arab")),
    ],
)  # fmt: skip
def test_38_39_a_story_runs_as_its_script_does(project: Project, tag: str) -> None:
    written(
        project,
        f"    blurb: Text.\n  - id: second\n    language: {tag}\n"
        "    headline: نامه‌ای از کابل (OHCHR)\n    blurb: این یک متن کوتاه است.\n",
    )
    assert f'lang="{tag}" dir="rtl"' in part(read(project), "html")


def test_41_a_line_that_begins_with_from_is_no_new_mail(project: Project) -> None:
    written(project, "    blurb: From here on the court will hear the case in public.\n")
    read(project)
    (path,) = outbox(project)
    assert b"=46rom here on" in path.read_bytes()
    assert not re.search(rb"^From ", path.read_bytes(), re.MULTILINE)


# What a provider and a picture hold


NAMES = {
    "a@example.net": "Anna Lind",
    "b@example.net": "International Federation of Associations for the Defence of Human Rights "
    "Defenders",
    "c@example.net": "Fédération des associations, section de Bruxelles (Belgique)",
    "d@example.net": "Dora Ray",
    "e@example.net": "Общество защиты прав человека и гражданина, Нижний Новгород; отдел " * 4,
    "f@example.net": 'The "Great", (and) <Small>; @ ' * 9,
    "g@example.net": "x" * 3000,
    "h@example.net": "👩🏽‍⚖️" * 80,
}
WAYS: dict[str, tuple[Side, str]] = {
    "brevo": (BrevoSide(), ""),
    "lettermint": (LettermintSide(), ""),
    "mailersend": (MailerSendSide(), ""),
    "mailgun": (MailgunSide(), f'domain = "{DOMAIN}"'),
    "mailjet": (MailjetSide(), ""),
    "mailtrap": (MailtrapSide(), ""),
    "postmark": (PostmarkSide(), ""),
    "resend": (ResendSide(), ""),
    "scaleway": (ScalewaySide(), f'project_id = "{PROJECT}"'),
    "sendgrid": (SendGridSide(), ""),
    "ses": (SesSide(), 'region = "eu-central-1"'),
}
SECRETS = {"lettermint": LETTERMINT_TOKEN, "mailtrap": MAILTRAP_TOKEN, "resend": API_KEY}


def recipient_names(value: Any) -> Iterator[str]:
    """The names beside addresses in a call, however its provider writes them."""
    if isinstance(value, list):
        for each in value:
            yield from recipient_names(each)
    elif isinstance(value, dict):
        lowered = {key.lower(): each for key, each in value.items()}
        if "name" in lowered and {"email", "address"} & set(lowered):
            yield lowered["name"]
        for each in (each for each in [lowered.get("to")] if each):
            for mailbox in each if isinstance(each, list) else [each]:
                if isinstance(mailbox, str):
                    yield parseaddr(mailbox)[0]
        for each in value.values():
            yield from recipient_names(each)


def encodings(name: str) -> list[int]:
    """The lengths of a name in a header's octets, in each way of encoding it (RFC 2047)."""
    if name.isascii():
        return [len(name) + 2 * bool(re.search(r'[()<>@,;:\\".\[\]]', name))]
    base = base64.b64encode(name.encode()).decode()
    quoted = Header(name, "utf-8", maxlinelen=10**6).encode()
    return [len(f"=?utf-8?b?{base}?="), len(quoted)]


def strict(name: str, request: Request) -> None:
    """Refuse the whole call for a name longer than its provider takes, or with signs it bars."""
    request.read()
    names = [] if name in {"mailgun", "ses"} else list(recipient_names(request.json()))
    for each in names:
        shown = str(make_header(decode_header(each)))
        too_long = max(encodings(shown)) > 70 if name == "brevo" else len(shown) > 128
        if too_long or (name == "mailersend" and set(",;") & set(each)):
            request.say(Reply(400, {"code": "invalid_parameter", "message": "name is not valid"}))
            return
    request.say(request.behave())


@pytest.mark.parametrize("name", WAYS)
def test_42_a_long_name_never_costs_the_mail(project: Project, name: str) -> None:
    side, more = WAYS[name]
    with (project.folder / "subscribers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("email", "name"), *NAMES.items()])
    keys = {key: SECRETS.get(name, f"{key}-0123456789") for key in secret_names(name)}
    lines = "\n".join(
        f'{key} = {{ env = "{key.upper()}" }}' for key in keys if "sandbox" not in key
    )
    env = project.environment(**{key.upper(): value for key, value in keys.items()})
    with HttpServer(side, always=partial(strict, name)) as server:
        project.settings(
            f'transport = "{name}"\n[{name}]\n{lines}\nbase_url = "{server.url}"\n{more}\n'
        )
        done = project.run("send", "2017-04", "--yes", env=env, hurried=True)
        assert "8 planned = 8 accepted" in done.stdout, done.stdout + done.stderr
        assert Counter(list(NAMES)) == server.taken()
        if name == "mailgun":  # the message as it is, of which no line may be too long (RFC 5322)
            longest = max(len(line) for each in server.mails
                          for line in each.request.body.split(b"\r\n"))  # fmt: skip
            assert longest <= 998


HISTORY = b"<rdf:li>saved by Photoshop</rdf:li>" * 40_000


@pytest.mark.parametrize(
    ("kind", "head"),
    [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0"), (b"zTXt", b"Raw profile type xmp\0\0")],
    ids=["iTXt", "zTXt"],
)
def test_44_long_metadata_does_not_damage_a_picture(
    project: Project, kind: bytes, head: bytes
) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (1400, 700), "teal").save(stream, "PNG")
    data = head + zlib.compress(HISTORY)
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    picture = stream.getvalue()
    (project.folder / "issues" / "images").mkdir()
    (project.folder / "issues" / "images" / "photo.png").write_bytes(
        picture[:33] + chunk + picture[33:]
    )
    written(
        project,
        "    blurb: Text.\n    image:\n      file: photo.png\n      alt: A wall\n"
        "      credit: Ana López\n",
    )
    assert "damaged" not in project.run("check", "2026-11").stdout
    assert 'alt="A wall"' in part(read(project), "html")
    assert b"saved by Photoshop" not in outbox(project)[0].read_bytes()
