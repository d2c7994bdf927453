"""Who must not be mailed, through the program: on what evidence, and what undoes it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.config import load_settings
from newsletter.message.keys import KeyRing
from newsletter.message.tokens import Purpose, Token, sign

from tests.cli.copies.support import cleaned, one_a_connection
from tests.cli.support import stopped, went_well
from tests.support.project import Project
from tests.support.smtp_server import SmtpServer

READER = "reader0@readers.example"
BOUNCE = """\
From: MAILER-DAEMON@relay.example.net
Date: Sat, 01 Apr 2017 09:00:00 +0000
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.net

Final-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {words}

--B
Content-Type: text/rfc822-headers

Message-ID: <{letter}@example.org>

--B--
"""


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def sent(tmp_path: Path, server: SmtpServer) -> Project:
    project = Project(tmp_path / "here", delivery=one_a_connection(server))
    went_well(project.run("send", "2017-04", "--yes"))
    return project


def bounce(project: Project, status: str, words: str, name: str = "bounce.eml") -> None:
    """A report about the reader's latest letter."""
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as database:
        ((letter,),) = database.execute(
            "SELECT campaign || '.' || lower(hex(message_tag)) FROM delivery WHERE address = ?"
            " ORDER BY id DESC LIMIT 1",
            (READER,),
        ).fetchall()
    report = BOUNCE.format(recipient=READER, status=status, words=words, letter=letter)
    (project.folder / name).write_text(report)


def test_a_suppression_keeps_its_evidence_and_a_wrong_one_is_lifted_everywhere(
    sent: Project, server: SmtpServer
) -> None:
    bounce(sent, "5.1.1", f"550 5.1.1 <{READER}> no such user reader0")
    read = ("reconcile", "2017-04", "--bounces", "bounce.eml")
    went_well(sent.run(*read), "1 person will not be mailed any more")
    shown = sent.run("suppress", "show", READER)
    went_well(shown, "cannot be reached", "bounce report", "5.1.1", "no such user", "bounce.eml",
              "2017-04.1-", "is not mailed")  # fmt: skip
    assert READER not in shown.stdout.replace(f"{READER} is", "")
    went_well(sent.run("suppress", "list"), "cannot be reached")
    stopped(sent.run("suppress", "lift", READER, "--reason", " "), 2, "reason is missing")
    went_well(sent.run("suppress", "lift", READER, "--reason", "moved to a new server"))
    went_well(sent.run("suppress", "show", READER), "moved to a new server", "mailed again")
    # The same news again is the same leave, which is lifted.
    went_well(sent.run(*read), "1 known already")
    went_well(sent.run("suppress", "list"), "Nobody has left yet.")
    cleaned(sent)
    went_well(sent.run("adopt", "--yes"))
    went_well(sent.run("suppress", "show", READER), "moved to a new server", "mailed again")
    stopped(sent.run("suppress", "lift", READER, "--reason", "again"), 2, "is not suppressed")
    went_well(sent.run("send", "2017-04", "--yes", "--again"), "3 planned = 3 accepted")
    assert 2 == server.copies()[READER]


@pytest.mark.parametrize("reason", ["unsubscribed", "complained"])
def test_who_left_or_complained_cannot_be_lifted(sent: Project, reason: str) -> None:
    went_well(sent.run("suppress", "add", READER, "--reason", reason))
    went_well(sent.run("suppress", "add", READER))
    refused = sent.run("suppress", "lift", READER, "--reason", "she asked me to")
    stopped(refused, 2, "only the reader can undo", "sign up again")
    shown = sent.run("suppress", "show", READER)
    went_well(shown, "taken off by hand", "is not mailed")
    assert "lifted" not in shown.stdout


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.2.1", "550-5.2.1 The user is receiving mail at a rate that prevents additional mail"),
        ("5.0.0", "602 Too old"),
        ("5.1.1", "550 5.1.1 blocked by policy"),
    ],
)
def test_what_proves_nothing_suppresses_nobody(sent: Project, status: str, words: str) -> None:
    bounce(sent, status, words)
    went_well(sent.run("reconcile", "2017-04", "--bounces", "bounce.eml"), "0 people will not be")
    went_well(sent.run("suppress", "show", READER), "never left")


def test_tokens_that_readers_mailed_or_that_stand_on_lines_make_them_leave(sent: Project) -> None:
    keys = KeyRing.load(sent.folder / "newsletter.key")
    list_id = load_settings(sent.folder / "newsletter.toml").list.id

    def token(number: int) -> str:
        tag = keys.address_tag(Address.parse(f"reader{number}@readers.example"))
        return sign(Token(Purpose.HEADER, tag, bytes(8), 1), keys=keys, list_id=list_id)

    forged = "A" * 52
    mbox = "".join(
        f"From someone Sat Apr  1 09:00:00 2017\nDate: Sat, 01 Apr 2017 09:00:00 +0000\n"
        f"Subject: {subject}\n\nbody\n\n"
        for subject in (token(0), f"=?utf-8?Q?{token(0).replace('_', '=5F')}?=", forged, "Hello")
    )
    (sent.folder / "box").write_text(mbox)
    (sent.folder / "lines").write_text(
        f"https://news.example.org/u/{token(1)}\n{forged}\nGET /u/{token(2)} HTTP/1.1\n"
    )
    went_well(sent.run("suppress", "token", "box"), "1 person left", "ours: 2 items")
    went_well(sent.run("suppress", "token", "box"), "0 people left, 1 person had left already")
    went_well(sent.run("suppress", "token", "lines"), "1 person left", "ours: 2 items")
    went_well(sent.run("suppress", "show", READER), "left the list", "source: mail", "box, mail")
    went_well(sent.run("suppress", "show", "reader2@readers.example"), "never left")
    stopped(sent.run("suppress", "token", "nowhere"), 2, "cannot be read", "Name a file or Maildir")


def test_a_file_to_suppress_that_is_not_there_is_named_as_one(project: Project) -> None:
    done = project.run("suppress", "add", "gone.csv", "left")
    stopped(
        done, 2, "“gone.csv” is no address. There is no file of that name", "“left” is no address"
    )
    went_well(project.run("suppress", "list"), "Nobody has left yet.")


def test_a_file_to_suppress_with_nobody_in_it_asks_nothing(project: Project) -> None:
    (project.folder / "left.csv").write_text("email,name\n")
    done = project.run("suppress", "add", "left.csv")
    stopped(done, 2, "Nobody was added", "No address was found")


def test_a_title_above_the_header_of_a_file_to_suppress_is_to_be_taken_out(
    project: Project,
) -> None:
    """The settings of [audience] are those of the newsletter's own list."""
    (project.folder / "left.csv").write_text("Our members,\nEmail,Name\na@a.example,Anna\n")
    done = project.run("suppress", "add", "left.csv", "--yes")
    stopped(done, 2, "Row 2 looks like the header", "Delete what stands above row 2")
    assert "[audience]" not in done.stdout + done.stderr
    (project.folder / "left.csv").write_text("Contact,Name\na@a.example,Anna\n")
    done = project.run("suppress", "add", "left.csv", "--yes")
    stopped(done, 2, "Addresses stand in “Contact”", "Call that column “email”")
    (project.folder / "left.csv").write_text("email,Name\na@a.example,Anna\n")
    went_well(project.run("suppress", "add", "left.csv", "--yes"), "1 person added")
