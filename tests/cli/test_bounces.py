"""The bounce mailbox read through the program: what is told, what follows, what is remembered."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from newsletter.ledger.lock import sender_lock
from newsletter.ledger.suppressions import Return
from newsletter.project import Project as Newsletter

from tests.cli.support import ended, running_program, stopped, went_well
from tests.feedback.test_odd_bounces import qmail
from tests.support.project import Project
from tests.support.returned_mail import SOMETIME, Sent, mail, question, sent

FILES = '\n[bounces]\npath = "bounces"\n'


def maildir(project: Project, *mails: bytes) -> Path:
    """A Maildir that newsletter.toml names, with ``mails`` in it; more may follow."""
    folder = project.folder / "bounces"
    if not folder.exists():
        project.settings(FILES)
        for name in ("new", "cur", "tmp"):
            (folder / name).mkdir(parents=True)
    there = len(list((folder / "new").iterdir()))
    for number, each in enumerate(mails, there + 1):
        (folder / "new" / f"1490950000.M{number:06}.host").write_bytes(each)
    return folder


def mbox(project: Project, *mails: bytes) -> Path:
    project.settings(FILES)
    file = project.folder / "bounces"
    with file.open("ab") as opened:
        for each in mails:
            lines = each.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
            opened.write(b"From MAILER-DAEMON Fri Mar 31 10:15:00 2017\n" + lines + b"\n")
    return file


def rows(project: Project, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db:
        return db.execute(sql).fetchall()


def change(project: Project, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db, db:
        db.execute(sql)


def suppressed(project: Project) -> set[tuple[object, ...]]:
    return set(rows(project, "SELECT reason, source FROM suppression"))


def counted(project: Project, *options: str) -> dict[str, int]:
    """What the program read, by kind."""
    done = project.run("bounces", "--json", *options)
    assert (0, "") == (done.returncode, done.stderr)
    found = json.loads(done.stdout)
    assert found["read"] == sum(found["mails"].values())
    return {kind: number for kind, number in found["mails"].items() if number}


def one_of_each(letters: Sequence[Sent]) -> list[bytes]:
    gone, spam, left, away, full, late = letters[:6]
    return [gone.bounce(), spam.complaint(), left.leave(), away.absence(), full.full(),
            late.delayed(), question()]  # fmt: skip


EACH = {"bounce": 2, "complaint": 1, "leave": 1, "auto-reply": 1, "report": 1, "not understood": 1}


@pytest.fixture
def letters(project: Project) -> list[Sent]:
    project.list_of(8)
    return sent(project)


@pytest.mark.parametrize("place", [maildir, mbox])
def test_each_mail_is_accounted_for_and_who_is_gone_is_not_mailed_again(
    project: Project, letters: list[Sent], place: object
) -> None:
    assert callable(place)
    lies = place(project, *one_of_each(letters))
    before = {path: path.read_bytes() for path in [lies, *lies.rglob("*")] if path.is_file()}
    done = project.run("bounces")
    went_well(
        done,
        "Read 7 mails.",
        "2  bounces: 1 person not mailed any more",
        "1  complaint: 1 person not mailed any more",
        "1  unsubscribe mail: 1 person not mailed any more",
        "1  report of delay or arrival",
        "1  automatic reply, ignored",
        "1  not understood, kept in the mailbox",
        "Where do I find the report?",
    )
    assert {("bounced", "bounce report"), ("complained", "bounce report"),
            ("unsubscribed", "mail")} == suppressed(project)  # fmt: skip
    assert before == {path: path.read_bytes() for path in before}, "nothing is deleted or changed"
    went_well(project.run("bounces"), "Nothing new in the bounce mailbox.")
    assert "8 planned" in project.run("status").stdout


@pytest.mark.parametrize("place", [maildir, mbox])
def test_what_comes_later_is_read_alone_and_again_counts_nothing_twice(
    project: Project, letters: list[Sent], place: object
) -> None:
    assert callable(place)
    place(project, *one_of_each(letters))
    assert EACH == counted(project)
    place(project, letters[6].bounce())
    assert {"bounce": 1} == counted(project)
    everything = {**EACH, "bounce": 3}
    events = rows(project, "SELECT mark FROM event")
    leaves = rows(project, "SELECT id FROM suppression")
    done = project.run("bounces", "--again")
    went_well(done, "Read 8 mails.", "Known already: 5 pieces of news.")
    assert "not mailed any more" not in done.stdout
    assert everything == counted(project, "--again")
    assert events == rows(project, "SELECT mark FROM event")
    assert leaves == rows(project, "SELECT id FROM suppression")


def test_a_mail_that_somebody_looked_at_is_still_the_same_mail(
    project: Project, letters: list[Sent]
) -> None:
    folder = maildir(project, *one_of_each(letters))
    assert EACH == counted(project)
    for path in (folder / "new").iterdir():
        path.rename(folder / "cur" / f"{path.name}:2,S")
    assert {} == counted(project)


def test_a_bounce_settles_a_doubt_and_so_does_one_that_came_before_the_doubt(
    project: Project, letters: list[Sent]
) -> None:
    early, late = letters[:2]
    maildir(project, early.bounce())
    assert {"bounce": 1} == counted(project)
    change(project, "UPDATE delivery SET state = 'in_doubt' WHERE address IN "
                    f"('{early.address}', '{late.address}')")  # fmt: skip
    maildir(project, late.full())
    went_well(project.run("bounces"), "2 doubts settled.")
    assert [(8,)] == rows(project, "SELECT COUNT(*) FROM delivery WHERE state = 'accepted'")


def test_it_may_run_beside_a_send_and_leaves_alone_whom_that_hands_over(
    project: Project, letters: list[Sent]
) -> None:
    change(project, f"UPDATE delivery SET state = 'attempting' WHERE address = "
                    f"'{letters[0].address}'")  # fmt: skip
    maildir(project, *one_of_each(letters))
    with sender_lock(project.folder / "newsletter.lock"):
        assert EACH == counted(project)
        assert [(1,)] == rows(project, "SELECT COUNT(*) FROM delivery WHERE state = 'attempting'")
    # That run has died: its recipient is in doubt, and what was read before settles it.
    went_well(project.run("bounces"), "1 doubt settled.")


def test_a_mail_about_other_mail_or_with_a_forged_token_is_kept(
    project: Project, letters: list[Sent]
) -> None:
    other = Sent("anna@a.example", f"<2017-04.1.{'f' * 24}@defenders.example>", "x" * 60)
    unknown = letters[0].bounce().replace(letters[0].message_id.encode(), b"<some.other@id>")
    maildir(project, other.bounce(), other.leave(), unknown)
    done = project.run("bounces")
    went_well(done, "3  not understood", "a report about mail that this ledger does not know")
    assert set() == suppressed(project)


def test_a_bounce_without_a_report_counts_and_proves_nothing(
    project: Project, letters: list[Sent]
) -> None:
    one, other = letters[:2]
    said = qmail(ours=f"Message-ID: {one.message_id}").replace(
        b"<anna@a.example>", f"<{one.address}>".encode()
    )
    # Of another's address behind the reader's only their own server is known to have it.
    behind = qmail(ours=f"Message-ID: {other.message_id}")
    maildir(project, said, behind)
    assert {"bounce": 2} == counted(project)
    assert set() == suppressed(project)
    told = rows(project, "SELECT kind, source FROM event ORDER BY kind")
    assert [(kind, "bounce without a report") for kind in ("returned", "taken")] == told


@pytest.mark.parametrize(
    "fields",
    [
        ("Auto-Submitted: auto-generated",),
        ("Auto-Submitted: auto-replied (vacation)",),
        ("Precedence: auto_reply",),
        ("X-Autoreply: yes",),
        ("Subject: Abwesenheitsnotiz: bis Montag",),
        ("Subject: =?utf-8?q?R=C3=A9ponse_automatique?= : avril",),
        ("Subject: Out of Office Re: April 2017",),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b",),
    ],
)
def test_an_automatic_reply_is_counted_and_nothing_follows(
    project: Project, letters: list[Sent], fields: tuple[str, ...]
) -> None:
    subject = () if any(field.startswith("Subject") for field in fields) else ("Subject: Re: x",)
    quoted = f"I am away.\n> Message-ID: {letters[0].message_id}\n"
    maildir(project, mail(f"From: {letters[0].address}", *subject, *fields, body=quoted))
    assert {"auto-reply": 1} == counted(project)
    assert set() == suppressed(project)


def test_a_person_s_mail_and_a_bounce_in_prose_are_no_automatic_replies(
    project: Project, letters: list[Sent]
) -> None:
    prose = mail("From: Mail Delivery System <mailer-daemon@relay.example>", "Subject: Failure",
                 "Auto-Submitted: auto-replied", body="This user does not exist.")  # fmt: skip
    maildir(project, mail("Auto-Submitted: no", "Subject: Automatically yours"), prose)
    assert {"not understood": 2} == counted(project)


def test_a_leave_of_a_mailer_with_a_wrong_clock_is_not_ended_by_an_older_confirmation(
    project: Project, letters: list[Sent]
) -> None:
    with contextlib.closing(Newsletter(project.folder).ledger(create=False)) as ledger:
        (campaign,) = ledger.campaigns.all()
        reader = ledger.deliveries.by_message_tag(letters[0].tag)
        assert reader
        with ledger.transaction():
            back = Return(reader.tag, "public log", campaign.frozen_at - timedelta(days=2))
            ledger.suppressions.add(back)
    wrong = letters[0].leave().replace(SOMETIME.encode(), b"Thu, 1 Jan 1970 00:00:00 +0000")
    maildir(project, wrong)
    went_well(project.run("bounces"), "1  unsubscribe mail: 1 person not mailed any more")
    assert {} == counted(project)
    went_well(project.run("bounces", "--again"), "1  unsubscribe mail")
    assert 1 == len(rows(project, "SELECT id FROM suppression WHERE kind = 'leave'"))


def test_a_reply_that_quotes_a_token_leaves_for_nobody(
    project: Project, letters: list[Sent]
) -> None:
    token = letters[0].token
    maildir(project, mail(f"Subject: Re: {token}", "Auto-Submitted: auto-replied"))
    assert {"auto-reply": 1} == counted(project)
    assert set() == suppressed(project)
    # By a machine, but no reply: a mail program's own unsubscribe button.
    maildir(project, mail(f"Subject: {token}", "Auto-Submitted: auto-generated"))
    assert {"leave": 1} == counted(project)


@pytest.mark.fault(
    "Input",
    "bad mails in the bounce mailbox: pipes, folders, 100 MB, no head, NUL, a broken boundary, "
    "names that steer a terminal",
    state="each is kept and told; the others are read",
)
def test_one_bad_mail_never_stops_the_others(project: Project, letters: list[Sent]) -> None:
    large = letters[0].bounce()
    bad = [b"", b"\0" * 5000, b"\xff\xfe" * 900, b"Subject: " + b"=?utf-8?b?" * 9000,
           letters[1].bounce().replace(b"--b", b"--c"), b"x" * 3_000_000]  # fmt: skip
    folder = maildir(project, *bad, large, letters[2].bounce())
    with (folder / "new" / "1490950000.M000007.host").open("ab") as file:
        file.truncate(100_000_000)
    os.mkfifo(folder / "new" / "pipe")
    (folder / "new" / "folder").mkdir()
    (folder / "new" / "circle").symlink_to("circle")
    (folder / "new" / "zero").symlink_to("/dev/zero")
    for name in (b"\x1b[31mred\n", b"\xff\xfe"):
        (folder / "new" / os.fsdecode(name)).write_bytes(b"Subject: ?\n\n")
        os.mkfifo(folder / "new" / os.fsdecode(name + b"pipe"))
    done = project.run("bounces")
    assert "\x1b" not in done.stdout
    assert 8 == len(json.loads(project.run("bounces", "--json", "--again").stdout)["kept"])
    went_well(done, "Read 10 mails.", "2  bounces: 2 people", "8  not understood",
              "tried again: 6 mails", "new/pipe")  # fmt: skip
    assert {("bounced", "bounce report")} == suppressed(project)


def test_what_cannot_be_the_mailbox_is_said(project: Project, letters: list[Sent]) -> None:
    stopped(project.run("bounces"), 2, "[bounces]", "newsletter docs bounces")
    project.settings(FILES)
    stopped(project.run("bounces"), 2, "No such file")
    (project.folder / "bounces").write_text("<html>")
    stopped(project.run("bounces"), 2, "neither an mbox nor a folder")
    project.settings("\n[bounces]\n")
    stopped(project.run("bounces"), 2, "either path")


def test_in_a_folder_that_was_never_sent_from_everything_is_kept(project: Project) -> None:
    maildir(project, question())
    assert {"not understood": 1} == counted(project)


KILLED = """
import os, pkgutil, signal, sys
from newsletter.cli import main

name, left = sys.argv.pop(1), int(sys.argv.pop(1))
owner, _, method = name.rpartition(".")
owner = pkgutil.resolve_name(owner)
does = getattr(owner, method)

def dies(*args, **options):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return does(*args, **options)

setattr(owner, method, dies)
main()
"""


def killed_at(project: Project, method: str, call: int) -> int:
    """Run the program till it calls ``method`` for the time that is named; how it ended."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, method, str(call), "bounces"],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


@pytest.mark.fault(
    "Process",
    "SIGKILL while the bounce mailbox is read",
    state="what was committed is read; the rest is read at the next start, and counts once",
)
def test_a_kill_in_between_counts_nothing_twice_and_misses_nothing(project: Project) -> None:
    project.list_of(230)
    letters = sent(project)
    maildir(project, *(each.bounce() for each in letters))
    for call in (1, 150, 101):
        killed = killed_at(project, "newsletter.ledger.read_mails.ReadMails.add", call)
        assert -signal.SIGKILL == killed
    assert [(200,)] == rows(project, "SELECT COUNT(*) FROM read_mail")
    assert [(200,)] == rows(project, "SELECT COUNT(*) FROM event")
    assert {"bounce": 30} == counted(project)
    assert [(230,)] == rows(project, "SELECT COUNT(DISTINCT delivery) FROM event")
    assert [(230,)] == rows(project, "SELECT COUNT(*) FROM event")
    assert [(230,)] == rows(project, "SELECT COUNT(DISTINCT tag) FROM suppression")


def test_watching_reads_what_comes_and_ctrl_c_ends_it(
    project: Project, letters: list[Sent]
) -> None:
    project.settings(FILES + "check_every_s = 1\n")
    for name in ("new", "cur", "tmp"):
        (project.folder / "bounces" / name).mkdir(parents=True)
    with running_program(project, "bounces", "--watch") as process:
        assert process.stdout is not None
        assert "Nothing new" in process.stdout.readline()
        maildir(project, letters[0].bounce())
        assert "Read 1 mail." in process.stdout.readline()
        assert "1  bounce" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert (0, "") == (done.returncode, done.stderr)
    assert "Not watching any more." in done.stdout
