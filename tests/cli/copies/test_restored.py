"""Ledgers from a backup or another machine: brought up to date before they send."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.cli.copies.support import ELSEWHERE, OLDER, everyone_once, one_of_three, take_ledger
from tests.cli.support import Gate, running, stopped, went_well
from tests.support.project import Project
from tests.support.smtp_server import SmtpServer


def test_a_ledger_restored_in_the_middle_of_a_send_is_brought_up_to_date(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    one_of_three(project, server)
    take_ledger(project.folder, backup)
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    take_ledger(backup, project.folder)
    for command in (("resume", "2017-04"), ("send", "2017-04", "--yes"),
                    ("send", "2017-04", "--dry-run")):  # fmt: skip
        stopped(project.run(*command), 5, OLDER, "newsletter adopt")
    went_well(project.run("adopt", "--yes"), "Brought up to date: 2 people")
    went_well(project.run("resume", "2017-04"), "Nobody is waiting", "3 planned = 3 accepted")
    assert everyone_once() == server.copies()


def test_a_hot_copy_of_a_killed_send_mails_nobody_twice(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    """Copied in mid-send, the next letter goes out, the sender dies, the copy is restored."""
    backup, first, second = tmp_path / "backup.db", Gate(at=1), Gate(at=2)
    server.behaviours["MAIL"] = first
    server.behaviours["dot"] = second
    with running(project, "send", "2017-04", "--yes") as process:
        first.wait()  # the first reader is accepted, the second not begun
        with sqlite3.connect(project.folder / "newsletter.db") as live, \
                sqlite3.connect(backup) as copy:  # fmt: skip
            live.backup(copy)
        first.opened.set()
        second.wait()  # the second is accepted, the third handed over
        process.kill()
        process.communicate()
    second.opened.set()
    server.behaviours.clear()
    take_ledger(tmp_path / "nothing", project.folder)
    shutil.copy(backup, project.folder / "newsletter.db")
    stopped(project.run("resume", "2017-04"), 5, OLDER)
    went_well(project.run("adopt", "--yes"), "1 person newly in doubt")
    assert 6 == project.run("resume", "2017-04").returncode
    assert 1 == max(server.copies().values())


def test_issues_that_a_restored_ledger_does_not_know_are_known_from_the_record(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    went_well(project.run("suppress", "add", "nobody@example.org"))
    take_ledger(project.folder, backup)
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")
    take_ledger(backup, project.folder)
    stopped(project.run("send", "2017-04", "--yes"), 5, "newsletter adopt")
    went_well(project.run("adopt", "--yes"), " is in the ledger again, with 3 people")
    went_well(project.run("send", "2017-04", "--yes"), "Nobody is left to mail")
    assert everyone_once() == server.copies()


@pytest.mark.fault(
    "Ledger", "ledger of another machine", state="refused, until a person takes it on"
)
def test_a_ledger_of_another_machine_or_user_is_taken_on_only_by_a_persons_word(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    project.home_folder = project.folder.with_name("home there")
    for command in (("resume", "2017-04"), ("send", "2017-04", "--yes")):
        stopped(project.run(*command), 5, ELSEWHERE, "newsletter adopt")
    went_well(project.run("adopt", "--yes"), "2 people newly in doubt")
    went_well(project.run("resolve", "2017-04", "reader1@readers.example",
                          "reader2@readers.example", "--resend"))  # fmt: skip
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    assert everyone_once() == server.copies()


def test_a_home_folder_of_another_machine_is_not_trusted(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    with sqlite3.connect(project.state() / "sent.db") as record:
        record.execute("UPDATE record_meta SET value = 'another' WHERE key = 'machine'")
    stopped(project.run("resume", "2017-04"), 5, "comes from another machine")
    went_well(project.run("adopt", "--yes"), "2 people newly in doubt")
    assert 6 == project.run("resume", "2017-04").returncode
