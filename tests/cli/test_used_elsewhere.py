"""A folder that was used elsewhere and came back: two histories of one list become one."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.copies.support import cleaned, everyone_once, one_a_connection, one_of_three
from tests.cli.support import stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after

ELSEWHERE = "This ledger was used elsewhere"
SEND = ("send", "2017-04", "--yes")


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: SmtpServer) -> Project:
    return Project(tmp_path / "here", delivery=smtp_delivery(server.port), readers=8)


def on_another_machine(project: Project) -> Project:
    """A copy of the folder where another state folder is, adopted there."""
    there = Project.__new__(Project)
    there.folder = project.folder.with_name("there")
    there.home_folder = project.folder.with_name("home there")
    shutil.copytree(project.folder, there.folder, symlinks=True)
    stopped(there.run(*SEND), 5, "is remembered in another state folder", "newsletter adopt")
    went_well(there.run("adopt", "--yes"))
    return there


def brought_back(there: Project, project: Project) -> None:
    shutil.rmtree(project.folder)
    shutil.copytree(there.folder, project.folder, symlinks=True)


@pytest.mark.fault("Ledger", "a folder that was used elsewhere and came back",
                   state="refused, until it is adopted; both histories are joined")  # fmt: skip
@pytest.mark.parametrize("sends_here", [0, 1, 4])
def test_nobody_is_mailed_again_for_what_was_sent_here_meanwhile(
    project: Project, server: SmtpServer, sends_here: int
) -> None:
    went_well(project.run(*SEND, "--limit", "3"))
    there = on_another_machine(project)
    went_well(there.run(*SEND, "--limit", "2"))
    for _ in range(sends_here):
        went_well(project.run(*SEND, "--limit", "1"))
    mailed = server.copies()
    brought_back(there, project)
    stopped(project.run(*SEND), 5, ELSEWHERE, "newsletter adopt")
    went_well(project.run("adopt", "--yes"))
    went_well(project.run(*SEND))
    assert everyone_once(8) == server.copies() - (mailed - everyone_once(8))
    went_well(project.run(*SEND), "Nobody is left to mail")


def test_whom_another_machine_has_mailed_does_not_wait_again(
    tmp_path: Path, server: SmtpServer
) -> None:
    project = Project(tmp_path / "here", delivery=one_a_connection(server))
    one_of_three(project, server)
    there = on_another_machine(project)
    went_well(there.run("resolve", "2017-04", "--all", "--resend"))
    went_well(there.run("resume", "2017-04"), "3 planned = 3 accepted")
    # So many changes here that this record is further than that ledger.
    strangers = (f"x{number}@elsewhere.example" for number in range(40))
    for stranger in strangers:
        went_well(project.run("suppress", "add", stranger))
    brought_back(there, project)
    stopped(project.run(*SEND), 5, ELSEWHERE)
    went_well(project.run("adopt", "--yes"))
    went_well(project.run("status", "2017-04"), "3 planned = 3 accepted")
    went_well(project.run(*SEND), "Nobody is left to mail")
    assert everyone_once() == server.copies()


def test_who_waits_there_and_was_mailed_here_is_not_mailed_again(
    tmp_path: Path, server: SmtpServer
) -> None:
    project = Project(tmp_path / "here", delivery=one_a_connection(server))
    one_of_three(project, server)
    there = on_another_machine(project)
    went_well(there.run("resolve", "2017-04", "--all", "--resend"))
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    brought_back(there, project)
    stopped(project.run("resume", "2017-04"), 5, ELSEWHERE)
    went_well(project.run("adopt", "--yes"), "Brought up to date: 2 people")
    went_well(project.run("resume", "2017-04"), "Nobody is waiting")
    assert everyone_once() == server.copies()


def test_a_backup_restored_on_another_machine_is_another_record(
    project: Project, server: SmtpServer, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    went_well(project.run(*SEND, "--limit", "3"))
    went_well(project.run("backup", str(file)))
    there = Project(tmp_path / "there", delivery=smtp_delivery(server.port), readers=8)
    there.home_folder = tmp_path / "home there"
    went_well(there.run("restore", str(file), "--yes"))
    went_well(there.run(*SEND, "--limit", "2"))
    went_well(project.run(*SEND, "--limit", "1"))
    brought_back(there, project)
    stopped(project.run(*SEND), 5, ELSEWHERE)
    went_well(project.run("adopt", "--yes"))
    before = server.copies()
    went_well(project.run(*SEND))
    # Who was mailed by both before they met has it twice; nobody gets it once more.
    assert server.copies() == before | everyone_once(8)


@pytest.mark.parametrize("list_at_adoption", ["gone", "without those of the round"])
def test_a_round_goes_on_after_a_folder_was_cleaned(
    tmp_path: Path, server: SmtpServer, list_at_adoption: str
) -> None:
    project = Project(tmp_path / "here", delivery=smtp_delivery(server.port), readers=4)
    went_well(project.run(*SEND))
    went_well(project.run(*SEND, "--again", "--limit", "2"), "in a new round (round 2)")
    twice = {address for address, copies in server.copies().items() if copies == 2}
    cleaned(project)
    listed = project.folder / "subscribers.csv"
    whole = listed.read_text()
    if list_at_adoption == "gone":
        listed.unlink()
    else:
        lines = whole.splitlines()
        listed.write_text("\n".join(x for x in lines if x.partition(",")[0] not in twice))
    went_well(project.run("adopt", "--yes"))
    listed.write_text(whole)
    went_well(project.run(*SEND, "--again"), "continues round 2")
    assert {2} == set(server.copies().values())
    went_well(project.run(*SEND, "--again"), "in a new round (round 3)")
    assert Counter(dict.fromkeys(everyone_once(4), 3)) == server.copies()


@pytest.mark.fault("Ledger", "killed between the commits of ledger and send record",
                   state="the send goes on")  # fmt: skip
def test_a_record_that_did_not_learn_of_its_first_send_is_begun_again(
    project: Project, server: SmtpServer
) -> None:
    went_well(project.run("suppress", "add", "reader7@readers.example"))  # makes the record
    record = project.state() / "sent.db"
    before = record.read_bytes()
    server.behaviours["MAIL"] = after(0, b"550 5.7.1 sender not allowed")
    assert 4 == project.run(*SEND).returncode
    server.behaviours.clear()
    record.write_bytes(before)
    for log in ("sent.db-wal", "sent.db-shm"):
        record.with_name(log).unlink(missing_ok=True)
    went_well(project.run("resume", "2017-04"), "7 planned = 7 accepted")
    assert everyone_once(7) == server.copies()
