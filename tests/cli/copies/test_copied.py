"""Copies beside the original: exactly one of them sends."""

import shutil
import sqlite3
from collections import Counter

import pytest

from tests.cli.copies.support import (
    ANOTHER,
    OLDER,
    beside,
    cleaned,
    copied,
    everyone_once,
    fired_together,
    one_a_connection,
    one_of_three,
)
from tests.cli.support import Gate, ended, parsed, running, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after


@pytest.mark.fault(
    "Ledger", "copy beside the original", state="refused, exit 5; nothing is sent from the copy"
)
def test_a_copy_is_refused_while_and_after_the_original_sends(
    project: Project, server: SmtpServer
) -> None:
    gate = Gate()
    one_of_three(project, server)
    copy = copied(project)
    server.behaviours["dot"] = gate
    gate.at = 1
    with running(project, "resume", "2017-04") as process:
        gate.wait()
        stopped(copy.run("resume", "2017-04"), 5, "Another send is running here")
        gate.opened.set()
        process.communicate(timeout=60)
    assert 0 == process.returncode
    stopped(copy.run("resume", "2017-04"), 5, OLDER, f"Send from {project.folder}")
    went_well(copy.run("adopt", "--yes"), "Brought up to date: 2 people", "0 people newly in doubt")
    went_well(copy.run("resume", "2017-04"), "Nobody is waiting", "3 planned = 3 accepted")
    stopped(project.run("resume", "2017-04"), 5, OLDER)
    assert everyone_once() == server.copies()


@pytest.mark.fault("Ledger", "two copies fire together", state="one completes, the other refused")
@pytest.mark.parametrize("attempt", range(3))
def test_of_two_copies_that_fire_together_exactly_one_completes(
    project: Project, server: SmtpServer, attempt: int
) -> None:
    """On demand 100 times: ``python -m tests.crash.copies``."""
    del attempt
    project.list_of(12)
    frozen = project.run("send", "2017-04", "--yes", "--at", "2028-01-01 09:00", "--scheduler")
    assert 4 == frozen.returncode, frozen.stderr
    with sqlite3.connect(project.folder / "newsletter.db") as database:
        database.execute("UPDATE control SET not_before = 0")
    copy = copied(project)
    done = fired_together(project, copy)
    assert [0, 5] == sorted(each.returncode for each in done), [each.stderr for each in done]
    assert everyone_once(12) == server.copies()


@pytest.mark.fault("Ledger", "copy that nobody has used yet", state="refused, exit 5")
def test_a_copy_is_refused_before_the_original_has_sent_again(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    copy = copied(project)
    for command in (("resume", "2017-04"), ("send", "2017-04", "--again", "--yes"),
                    ("pause", "2017-04")):  # fmt: skip
        stopped(copy.run(*command), 5, f"a copy of {project.folder}", f"Send from {project.folder}")
    # Whoever only looks, or notes that somebody left, may do so; it makes no copy the latest.
    assert 4 == copy.run("status").returncode
    went_well(copy.run("suppress", "add", "reader2@readers.example"))
    went_well(project.run("resume", "2017-04"), "3 planned = 2 accepted + 1 left")
    assert everyone_once(2) == server.copies()


def test_a_folder_that_was_moved_is_no_copy(project: Project, server: SmtpServer) -> None:
    one_of_three(project, server)
    moved = copied(project, "moved")
    shutil.rmtree(project.folder)
    went_well(moved.run("resume", "2017-04"), "3 planned = 3 accepted")
    assert everyone_once() == server.copies()
    link = beside(moved, "link")
    link.folder.symlink_to(moved.folder)
    went_well(link.run("send", "2017-04", "--yes"), "Nobody is left to mail")


def test_a_copy_that_is_adopted_makes_the_original_the_old_one(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    copy = copied(project)
    went_well(copy.run("adopt", "--yes"), "0 people newly in doubt", "2 people waiting")
    stopped(project.run("resume", "2017-04", "--yes"), 5, OLDER, f"Send from {copy.folder}")
    went_well(copy.run("resume", "2017-04", "--yes"), "3 planned = 3 accepted")
    assert everyone_once() == server.copies()


def test_who_left_in_one_folder_is_mailed_from_none(project: Project, server: SmtpServer) -> None:
    one_of_three(project, server)
    copy = copied(project)
    went_well(project.run("resume", "2017-04"))
    went_well(copy.run("suppress", "add", "reader2@readers.example"))
    done = project.run("send", "2017-04", "--yes", "--again")
    went_well(done, "1 person who left", "2 planned = 2 accepted")
    assert 1 == server.copies()["reader2@readers.example"]


def test_who_left_by_another_key_file_is_not_mailed_from_here(
    project: Project, server: SmtpServer
) -> None:
    """Nothing was sent yet: the record holds those who left, and nothing else."""
    other = Project(project.folder.with_name("other"), delivery=one_a_connection(server))
    went_well(other.run("render", "2017-04", "--out", "build"))  # makes a key file
    other.home_folder = project.home
    went_well(project.run("suppress", "add", "reader1@readers.example"))
    stopped(other.run("send", "2017-04", "--yes"), 5, "key file is not the list's")
    went_well(other.run("adopt", "--yes"))
    went_well(other.run("send", "2017-04", "--yes"), "1 person who left", "2 planned = 2 accepted")
    assert "reader1@readers.example" not in server.copies()


def test_who_leaves_by_another_folder_in_mid_send_is_not_mailed(
    project: Project, server: SmtpServer
) -> None:
    project.list_of(40)
    project.settings(smtp_delivery(server.port, connections=1, more="rate_per_second = 8"))
    clone = Project(project.folder.with_name("clone"), delivery=one_a_connection(server))
    clone.home_folder = project.home
    gate = Gate(at=3)
    server.behaviours["dot"] = gate
    with running(project, "send", "2017-04", "--yes") as process:
        gate.wait()
        went_well(clone.run("suppress", "add", "reader39@readers.example"))
        gate.opened.set()
        done = ended(process)
    went_well(done, "1 left", "40 planned")
    assert "reader39@readers.example" not in server.copies()


def test_rows_whose_addresses_differ_in_case_are_one_reader_also_after_an_adoption(
    project: Project, server: SmtpServer
) -> None:
    rows = [f"{name}{n}@readers.example,R,en" for n in range(6) for name in ("anna", "Anna")]
    (project.folder / "subscribers.csv").write_text("\n".join(["email,name,language", *rows]))
    server.behaviours["MAIL"] = after(3, b"550 5.7.1 sender not allowed")
    assert 4 == project.run("send", "2017-04", "--yes").returncode
    server.behaviours.clear()
    cleaned(project)
    went_well(project.run("adopt", "--yes"), "with 6 people", "3 people waiting")
    went_well(project.run("resume", "2017-04"), "6 planned = 6 accepted")
    assert {1} == set(server.copies().values())
    assert 6 == len(server.copies())


def test_an_original_whose_copy_is_gone_is_adopted_in_turn(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    clone = Project(project.folder.with_name("clone"), delivery=one_a_connection(server))
    clone.home_folder = project.home
    went_well(clone.run("adopt", "--yes"), "2 people waiting")
    went_well(clone.run("resume", "2017-04"), "3 planned = 3 accepted")
    shutil.rmtree(clone.folder)
    stopped(project.run("resume", "2017-04"), 5, ANOTHER)
    went_well(project.run("adopt", "--yes"), "kept under another name", "with 3 people")
    went_well(project.run("resume", "2017-04"), "Nobody is waiting", "3 planned = 3 accepted")
    assert everyone_once() == server.copies()


def test_to_adopt_again_changes_nothing_but_by_a_persons_word(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    cleaned(project)
    went_well(project.run("adopt", "--yes"), "0 people newly in doubt", "2 people waiting")
    went_well(project.run("adopt", "--yes"), "nothing to adopt")
    went_well(project.run("adopt", "--yes", "--old-copy"), "2 people newly in doubt")
    assert 6 == project.run("resume", "2017-04").returncode


def test_a_correction_and_a_pause_outlive_the_folder(project: Project, server: SmtpServer) -> None:
    one_of_three(project, server)
    project.issue(SHORT_ISSUE.replace("One story in April", "A corrected story"))
    went_well(project.run("correct", "2017-04", "--yes"))
    went_well(project.run("pause", "2017-04"))
    cleaned(project)
    went_well(project.run("adopt", "--yes"))
    assert 4 == project.run("resume", "2017-04", "--scheduled").returncode
    went_well(project.run("resume", "2017-04", "--yes"), "3 planned = 3 accepted")
    assert everyone_once() == server.copies()
    subjects = Counter(parsed(mail.content)["Subject"] for mail in server.accepted)
    assert {"One story in April": 1, "A corrected story": 2} == subjects
