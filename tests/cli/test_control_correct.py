"""A correction in the middle of a send: only who was not attempted gets it, and all is told."""

import contextlib
import re
import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.cli.support import Gate, at_a_terminal, ended, parsed, running, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

CORRECTED = SHORT_ISSUE.replace("One story", "Two stories").replace("It is short", "It is brief")

FRENCH = """\
title: Avril 2017
date: 2017-04-28
language: fr
subject: Deux nouvelles en avril
preheader: Un numéro court pour essayer toute la route
greeting: "Cher {{ name | ami }},"
stories:
  - id: only
    headline: La seule nouvelle du mois
    blurb: Elle est brève, et cela suffit pour ce que nous voulons essayer.
    links:
      - label: La nouvelle en entier
        url: https://defenders.example/only
"""


def everyone_once(readers: int = 3) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in range(readers))


def subjects(server: SmtpServer) -> dict[str, str]:
    return {mail.recipient: parsed(mail.content)["Subject"] for mail in server.accepted}


def paused_after_one(project: Project, server: SmtpServer) -> None:
    """Mail the first reader and pause before the second."""
    gate = Gate()
    server.behaviours["dot"] = gate
    project.settings(smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n")
    with running(project, "send", "2017-04", "--yes") as send:
        gate.wait()
        busy = project.run("correct", "2017-04", "--yes")
        stopped(busy, 5, "Another send is running here")
        with running(project, "pause", "2017-04") as pause:
            pause.stdout.readline()
            gate.opened.set()
            ended(pause)
        done = ended(send)
    assert "3 planned = 1 accepted + 2 waiting" in done.stdout


def test_a_correction_reaches_only_who_was_not_attempted_and_the_ledger_knows_who_got_which(
    project: Project,
) -> None:
    with SmtpServer() as server:
        paused_after_one(project, server)
        project.issue(CORRECTED)
        refused = project.run("resume", "2017-04", "--yes")
        stopped(refused, 5, "changed since this send began", "newsletter correct 2017-04")

        code, text = at_a_terminal(project, "correct", "2017-04", answer=b"n\n")
        assert (0, True) == (code, "Nothing was changed." in text), text
        stopped(project.run("resume", "2017-04", "--yes"), 5, "changed since this send began")

        done = project.run("correct", "2017-04", "--yes")
        went_well(
            done, "In the edition in “en” this differs: subject, text, HTML.",
            "Subject: … [-One story-] [+Two stories+] in April …",
            "is [-short,-] [+brief,+] and",
            "The new version goes to 2 people not attempted yet.",
            "1 person attempted before",
            "It is version 2 now.",
        )  # fmt: skip
        assert "reader" not in done.stdout
        assert not re.search(r"Zq[0-9a-f]{8}", done.stdout)  # no open slot shows its token
        went_well(project.run("resume", "2017-04", "--yes"), "3 planned = 3 accepted")
        assert everyone_once() == server.copies()
        assert {
            "reader0@readers.example": "One story in April",
            "reader1@readers.example": "Two stories in April",
            "reader2@readers.example": "Two stories in April",
        } == subjects(server)
    status = project.run("status", "2017-04")
    assert "Version 1: as first frozen; 1 person attempted" in status.stdout
    assert re.search(r"Version 2: of 20.*; 2 people attempted\n", status.stdout)
    went_well(project.run("correct", "2017-04", "--yes"), "would reach nobody")


def test_a_scheduled_send_is_corrected_as_often_as_needed_and_the_last_version_goes_out(
    project: Project,
) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    frozen = project.run("send", "2017-04", "--yes", "--at", at.isoformat(), "--scheduler")
    assert 4 == frozen.returncode, frozen.stderr
    went_well(project.run("correct", "2017-04", "--yes"), "nothing to correct")
    for version, subject in ((2, "Second"), (3, "Third")):
        project.issue(SHORT_ISSUE.replace("One story", subject))
        done = project.run("correct", "2017-04", "--yes")
        went_well(done, f"It is version {version} now.", "nobody was attempted with the old")
    # What is only in the file goes to nobody.
    project.issue(SHORT_ISSUE.replace("One story", "Fourth"))
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as ledger, ledger:
        ledger.execute("UPDATE control SET not_before = 0")  # its time has come
    went_well(project.run("resume", "2017-04", "--scheduled"), "3 planned = 3 accepted")
    mails = [path.read_bytes() for path in (project.folder / "outbox" / "new").iterdir()]
    assert 3 == sum(b"Subject: Third in April" in mail for mail in mails)


def test_a_correction_changes_neither_the_languages_nor_passes_errors(
    project: Project,
) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    frozen = project.run("send", "2017-04", "--yes", "--at", at.isoformat(), "--scheduler")
    assert 4 == frozen.returncode, frozen.stderr

    project.issue(CORRECTED.replace("headline:", "headlin:"))
    stopped(project.run("correct", "2017-04", "--yes"), 2, "headlin")
    project.issue(CORRECTED)
    project.issue(FRENCH, name="2017-04.fr")
    stopped(project.run("correct", "2017-04", "--yes"), 5, "“fr”", "nothing was changed")
    assert "Version 2" not in project.run("status", "2017-04").stdout


def test_a_wrong_sender_can_be_corrected_and_is_shown(project: Project) -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    project.run("send", "2017-04", "--yes", "--at", at.isoformat(), "--scheduler")
    settings = project.folder / "newsletter.toml"
    settings.write_text(settings.read_text().replace("newsletter@def", "editors@def"))
    stopped(project.run("resume", "2017-04"), 5, "newsletter correct 2017-04")

    done = project.run("correct", "2017-04", "--yes")
    change = "[sender] address: “newsletter@defenders.example”, now “editors@defenders.example”"
    went_well(done, change, "It is version 2 now.")
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db, db:
        db.execute("UPDATE control SET not_before = 0")
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    mails = [path.read_bytes() for path in (project.folder / "outbox" / "new").iterdir()]
    assert 3 == sum(b"<editors@defenders.example>" in mail for mail in mails)
