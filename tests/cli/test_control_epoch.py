"""A restored backup, a second machine, a crash: an old ledger never sends again by itself."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from newsletter.delivery.ledger import Ledger
from newsletter.message.keys import KeyRing

from tests.cli.support import Gate, ended, parsed, running, stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after

OLDER = "This ledger is older than what was sent from here"
ELSEWHERE = "This ledger comes from another machine"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that a backup of the project does not hold."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def everyone_once(readers: int = 3) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in range(readers))


def at(project: Project, home: Path) -> Mapping[str, str]:
    return project.environment(HOME=str(home))


def one_of_three(project: Project, server: SmtpServer, home: Path) -> None:
    """Send to the first reader; the other two wait."""
    project.settings(smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n")
    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    done = project.run("send", "2017-04", "--yes", env=at(project, home))
    assert 4 == done.returncode, done.stdout + done.stderr
    server.behaviours.clear()
    assert "3 planned = 1 accepted" in done.stdout


def noticed(project: Project) -> None:
    """Wait until the ledger has begun another epoch, so that a beat has looked at the witness.

    If none comes for many beats' time, one has looked before, and was the last.
    """
    ledger = ledger_of(project)
    until = time.monotonic() + _MANY_BEATS_S
    before = ledger.epoch
    while ledger.epoch == before and time.monotonic() < until:
        pass
    ledger.close()


def copied(project: Project, folder: Path) -> Project:
    """A copy of the project's whole folder, made while nothing runs in it."""
    copy = Project.__new__(Project)
    copy.folder = folder
    shutil.copytree(project.folder, folder, symlinks=True)
    return copy


_MANY_BEATS_S = 10


def ledger_of(project: Project) -> Ledger:
    keys = KeyRing.load(project.folder / "newsletter.key")
    return Ledger(
        project.folder / "newsletter.db",
        key_check=keys.pepper_id,
        seal_key=keys.seal_key,
        create=False,
    )


def test_a_ledger_restored_in_the_middle_of_a_send_mails_nobody_again(
    project: Project, home: Path, tmp_path: Path
) -> None:
    database, backup = project.folder / "newsletter.db", tmp_path / "backup.db"
    env = at(project, home)
    with SmtpServer() as server:
        one_of_three(project, server, home)
        shutil.copy(database, backup)
        went_well(project.run("resume", "2017-04", env=env), "3 planned = 3 accepted")
        shutil.copy(backup, database)

        for command in (("resume", "2017-04"), ("send", "2017-04", "--yes")):
            stopped(project.run(*command, env=env), 5, OLDER, "newsletter adopt")
        # Nobody is there to say yes; and no is no.
        stopped(project.run("adopt", env=env), 2, "with --yes")
        done = project.run("adopt", "--yes", env=env)
        went_well(done, "2  waiting in campaign 2017-04.1, to become in doubt",
                  "2 people newly in doubt")  # fmt: skip
        again = project.run("resume", "2017-04", env=env)
        assert (6, True) == (again.returncode, "nothing was sent" in again.stdout)
        assert everyone_once() == server.copies()

        # A person has asked the relay's log, and finds that all but one have it.
        for reader, word in (("reader1", "--accepted"), ("reader2", "--resend")):
            settled = project.run("resolve", "2017-04", f"{reader}@readers.example", word, env=env)
            assert 0 == settled.returncode, settled.stderr
        went_well(project.run("resume", "2017-04", env=env), "3 planned = 3 accepted")
        assert everyone_once() + Counter({"reader2@readers.example": 1}) == server.copies()


def test_a_whole_folder_restored_is_noticed_by_the_home_folder(
    project: Project, home: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    with SmtpServer() as server:
        one_of_three(project, server, home)
        shutil.copytree(project.folder, backup, symlinks=True)
        went_well(project.run("resume", "2017-04", env=at(project, home)), "3 planned = 3 accepted")
        shutil.rmtree(project.folder)
        backup.rename(project.folder)
        stopped(project.run("resume", "2017-04", env=at(project, home)), 5, OLDER)
        stopped(project.run("send", "2017-04", "--dry-run", env=at(project, home)), 5, OLDER)
        assert everyone_once() == server.copies()


@pytest.mark.fault(
    "Ledger", "copy beside the original", state="refused, exit 5; nothing is sent from the copy"
)
def test_a_copy_beside_the_original_is_refused_while_and_after_the_original_sends(
    project: Project, home: Path, tmp_path: Path
) -> None:
    gate = Gate()
    with SmtpServer() as server:
        one_of_three(project, server, home)
        copy = copied(project, tmp_path / "copy")
        server.behaviours["dot"] = gate
        gate.at = 1
        with running(project, "resume", "2017-04", env=at(project, home)) as process:
            gate.wait()
            stopped(copy.run("resume", "2017-04", env=at(copy, home)), 5, OLDER)
            gate.opened.set()
            process.communicate(timeout=60)
        assert 0 == process.returncode
        stopped(copy.run("resume", "2017-04", env=at(copy, home)), 5, OLDER)
        assert everyone_once() == server.copies()


def test_a_run_stops_when_a_copy_of_its_ledger_was_taken_on_beside_it(
    project: Project, home: Path, tmp_path: Path
) -> None:
    gate = Gate(at=1)
    with SmtpServer() as server:
        one_of_three(project, server, home)
        copy = copied(project, tmp_path / "copy")
        server.behaviours["dot"] = gate
        with running(project, "resume", "2017-04", env=at(project, home)) as process:
            gate.wait()
            went_well(copy.run("adopt", "--yes", env=at(copy, home)), "2 people newly in doubt")
            # The next beat notices it, whatever the relay does.
            noticed(project)
            gate.opened.set()
            done = ended(process)
        stopped(done, 5, "Another copy of this ledger is sending from this machine")
        assert 1 == max(server.copies().values())


def test_issues_that_a_restored_ledger_does_not_know_stay_refused(
    project: Project, home: Path, tmp_path: Path
) -> None:
    database, backup = project.folder / "newsletter.db", tmp_path / "backup.db"
    env = at(project, home)
    went_well(project.run("suppress", "add", "nobody@example.org", env=env))
    shutil.copy(database, backup)
    went_well(project.run("send", "2017-04", "--yes", env=env), "3 planned = 3 accepted")
    shutil.copy(backup, database)

    stopped(project.run("send", "2017-04", "--yes", env=env), 5, OLDER)
    done = project.run("adopt", "--yes", env=env)
    went_well(done, "nobody becomes in doubt", "knows nothing of sends of these issues", "2017-04")
    stopped(
        project.run("send", "2017-04", "--yes", env=env), 5,
        "the ledger knows nothing of that send", "newsletter send 2017-04 --again",
    )  # fmt: skip
    tried = project.run("send", "2017-04", "--dry-run", env=env)
    stopped(tried, 5, "the ledger knows nothing of that send")
    assert 3 == len(list((project.folder / "outbox" / "new").iterdir()))
    again = project.run("send", "2017-04", "--yes", "--again", env=env)
    went_well(again, "Campaign 2017-04.2", "3 accepted")
    mails = [parsed(path.read_bytes()) for path in (project.folder / "outbox" / "new").iterdir()]
    assert 6 == len({mail["Message-ID"] for mail in mails})


def test_a_ledger_begun_anew_where_another_one_sent_mails_nobody(
    project: Project, home: Path
) -> None:
    env = at(project, home)
    went_well(project.run("send", "2017-04", "--yes", env=env), "3 planned = 3 accepted")
    (project.folder / "newsletter.db").unlink()
    stopped(
        project.run("send", "2017-04", "--yes", env=env), 5,
        "Another ledger than this one has sent from this folder",
    )  # fmt: skip
    went_well(project.run("adopt", "--yes", env=env), "2017-04")
    stopped(project.run("send", "2017-04", "--yes", env=env), 5, "knows nothing of that send")


@pytest.mark.fault(
    "Ledger", "ledger of another machine", state="refused, until a person takes it on"
)
def test_a_ledger_of_another_machine_is_taken_on_only_by_a_persons_word(
    project: Project, home: Path, tmp_path: Path
) -> None:
    with SmtpServer() as server:
        one_of_three(project, server, home)
        ledger = ledger_of(project)
        ledger.machine = "another machine"
        ledger.close()
        there = at(project, tmp_path / "home there")
        for command in (("resume", "2017-04"), ("send", "2017-04", "--yes")):
            stopped(project.run(*command, env=there), 5, ELSEWHERE, "newsletter adopt")
        went_well(project.run("adopt", "--yes", env=there), "2 people newly in doubt")
        went_well(project.run("resolve", "2017-04", "reader1@readers.example",
                              "reader2@readers.example", "--resend", env=there))  # fmt: skip
        went_well(project.run("resume", "2017-04", env=there), "3 planned = 3 accepted")
        assert everyone_once() == server.copies()


def test_a_crash_between_ledger_and_witness_does_no_harm(project: Project, home: Path) -> None:
    with SmtpServer() as server:
        one_of_three(project, server, home)
        ledger = ledger_of(project)
        with ledger.transaction():
            ledger.advance_epoch()
        ledger.close()
        went_well(project.run("resume", "2017-04", env=at(project, home)), "3 planned = 3 accepted")
        assert everyone_once() == server.copies()


def test_without_a_home_folder_the_projects_own_witness_remains(
    project: Project, tmp_path: Path
) -> None:
    database, backup = project.folder / "newsletter.db", tmp_path / "backup.db"
    home = tmp_path / "no folder"
    home.write_text("")
    env = at(project, home)
    with SmtpServer() as server:
        one_of_three(project, server, home)
        shutil.copy(database, backup)
        went_well(project.run("resume", "2017-04", env=env), "3 planned = 3 accepted")
        shutil.copy(backup, database)
        stopped(project.run("resume", "2017-04", env=env), 5, OLDER)
        assert everyone_once() == server.copies()


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"ledger": 3'])
def test_a_damaged_witness_is_refused_and_adoption_mends_it(
    project: Project, home: Path, damage: str
) -> None:
    env = at(project, home)
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1", env=env))
    (project.folder / "newsletter.epoch").write_text(damage)
    stopped(project.run("send", "2017-04", "--yes", env=env), 5, "is damaged", "newsletter.epoch")
    went_well(project.run("adopt", "--yes", env=env))
    went_well(project.run("send", "2017-04", "--yes", env=env), "2 planned = 2 accepted")


def test_the_witness_names_no_reader_and_only_its_owner_reads_it(
    project: Project, home: Path
) -> None:
    went_well(project.run("send", "2017-04", "--yes", env=at(project, home)))
    (at_home,) = (home / ".local" / "state" / "newsletter").iterdir()
    for path in (project.folder / "newsletter.epoch", at_home):
        text = path.read_text()
        assert {"2017-04.1": "2017-04"} == json.loads(text)["campaigns"]
        assert "@" not in text
        assert "Reader" not in text
        assert 0 == path.stat().st_mode & 0o077
