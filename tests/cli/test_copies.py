"""One list, one sender: copies, clones, cleaned and restored folders never send by themselves.

Each refusal's advice is followed to the end: whoever was not mailed is mailed
once, nobody twice, and who left stays left.
"""

import contextlib
import json
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Gate, ended, parsed, running, stopped, went_well
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after

OLDER = "This ledger is older than what was sent to the list"
NO_LEDGER = "this folder has no ledger of it"
ANOTHER = "This list was sent from another folder"
ELSEWHERE = "is remembered in another state folder"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: SmtpServer) -> Project:
    return Project(tmp_path / "here", delivery=one_a_connection(server))


def one_a_connection(server: SmtpServer) -> str:
    return smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n"


def everyone_once(readers: int = 3) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in range(readers))


def one_of_three(project: Project, server: SmtpServer) -> None:
    """Send to the first reader; the other two wait."""
    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    done = project.run("send", "2017-04", "--yes")
    assert 4 == done.returncode, done.stdout + done.stderr
    server.behaviours.clear()
    assert "3 planned = 1 accepted" in done.stdout


def beside(project: Project, name: str) -> Project:
    """Another folder of the same user; nothing is in it yet."""
    other = Project.__new__(Project)
    other.folder = project.folder.with_name(name)
    other.home_folder = project.home
    return other


def copied(project: Project, name: str = "copy") -> Project:
    """A copy of the project's whole folder, made while nothing runs in it."""
    copy = beside(project, name)
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    return copy


def cleaned(project: Project) -> None:
    """What ``git clean -fdx`` does: all that is not in version control goes."""
    for path in project.folder.glob("newsletter.*"):
        if path.suffix != ".toml":
            path.unlink()


LEDGER_FILES = ("newsletter.db", "newsletter.db-wal", "newsletter.db-shm")


def take_ledger(source: Path, target: Path) -> None:
    for name in LEDGER_FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copy(source / name, target / name)


# Cleaned and cloned.


@pytest.mark.fault("Ledger", "cleaned folder (git clean)", state="refused, until it is adopted")
def test_a_cleaned_folder_is_refused_and_goes_on_once_adopted(
    project: Project, server: SmtpServer
) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"), "1 planned = 1 accepted")
    went_well(project.run("suppress", "add", "reader1@readers.example"))
    cleaned(project)
    for command in (("send", "2017-04", "--yes"), ("send", "2017-04", "--dry-run"),
                    ("status",), ("suppress", "list")):  # fmt: skip
        stopped(project.run(*command), 5, NO_LEDGER, "newsletter adopt")
    # Nobody is there to say yes; and no is no.
    stopped(project.run("adopt"), 2, "with --yes")
    stopped(project.run("send", "2017-04", "--yes"), 5, NO_LEDGER)
    went_well(project.run("adopt", "--yes"), " is in the ledger again")
    went_well(
        project.run("send", "2017-04", "--yes"),
        "1 person who left", "1 person has this issue already", "1 planned = 1 accepted",
    )  # fmt: skip
    assert Counter({"reader0@readers.example": 1, "reader2@readers.example": 1}) == server.copies()


def test_a_cleaned_folder_keeps_the_lists_keys(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    before = (project.folder / "newsletter.key").read_text()
    cleaned(project)
    went_well(project.run("adopt", "--yes"))
    assert before == (project.folder / "newsletter.key").read_text()


def test_what_was_left_of_a_killed_send_in_a_cleaned_folder_is_sent_once(
    project: Project, server: SmtpServer
) -> None:
    gate = Gate(at=1)
    server.behaviours["dot"] = gate
    with running(project, "send", "2017-04", "--yes") as process:
        gate.wait()
        process.kill()
        process.communicate()
    gate.opened.set()
    server.behaviours.clear()
    cleaned(project)
    stopped(project.run("send", "2017-04", "--yes"), 5, NO_LEDGER)
    went_well(project.run("adopt", "--yes"), "1 person newly in doubt", "1 person waiting")
    done = project.run("resume", "2017-04")
    assert 6 == done.returncode, done.stdout + done.stderr
    assert "reader1@readers.example" in done.stdout
    # A person has asked the relay's log.
    word = "--accepted" if server.copies()["reader1@readers.example"] else "--resend"
    went_well(project.run("resolve", "2017-04", "--all", word))
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    assert everyone_once() == server.copies()


def test_an_adoption_without_the_list_names_nobody_and_mails_nobody_twice(
    project: Project, server: SmtpServer
) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "2"))
    cleaned(project)
    readers = project.folder / "subscribers.csv"
    kept = readers.read_text()
    readers.unlink()
    went_well(project.run("adopt", "--yes"), "The list cannot be read")
    readers.write_text(kept)
    went_well(project.run("send", "2017-04", "--yes"), "1 planned = 1 accepted")
    assert everyone_once() == server.copies()
    went_well(project.run("adopt", "--yes"), " is in the ledger again, with 2 people")
    went_well(project.run("status", "2017-04"), "2 planned = 2 accepted")


@pytest.mark.fault("Ledger", "clone of the project", state="refused, until it is adopted")
def test_a_clone_with_keys_of_its_own_is_refused_and_goes_on_once_adopted(
    project: Project, server: SmtpServer
) -> None:
    """It was tried out with the mailbox before: it has a ledger, keys and leaves of its own."""
    one_of_three(project, server)
    clone = Project(project.folder.with_name("clone"), delivery='transport = "mailbox"\n')
    clone.home_folder = project.home
    text = (clone.folder / "newsletter.toml").read_text()
    (clone.folder / "newsletter.toml").write_text(text.replace("defenders.test", "other.example"))
    went_well(clone.run("send", "2017-04", "--yes"), "A trial: it reached nobody.")
    went_well(clone.run("suppress", "add", "reader2@readers.example"))
    clone.settings(one_a_connection(server))
    stopped(clone.run("send", "2017-04", "--yes"), 5, "key file is not the list's")
    went_well(clone.run("adopt", "--yes"), "kept under another name")
    assert (clone.folder / "newsletter.db.1").exists()
    done = clone.run("resume", "2017-04")
    went_well(done, "3 planned = 2 accepted + 1 left")
    # A reader who joins the list later left in the clone, under its own keys.
    went_well(clone.run("send", "2017-04", "--yes"), "1 person who left")
    stopped(project.run("resume", "2017-04"), 5, ANOTHER, str(clone.folder))
    assert {"reader0@readers.example": 1, "reader1@readers.example": 1} == server.copies()


def test_two_folders_that_both_mailed_are_not_joined(project: Project, server: SmtpServer) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"))
    other = Project(project.folder.with_name("other"), delivery=one_a_connection(server))
    went_well(other.run("send", "2017-04", "--yes", "--limit", "1"))  # as another user
    other.home_folder = project.home
    for command in (("send", "2017-04", "--yes"), ("adopt", "--yes")):
        stopped(other.run(*command), 5)
    assert {"reader0@readers.example": 2} == server.copies()
    went_well(project.run("send", "2017-04", "--yes"), "2 planned = 2 accepted")


# Copied and doubled.


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


def fired_together(*projects: Project) -> list[subprocess.CompletedProcess[str]]:
    with contextlib.ExitStack() as stack:
        command = ("resume", "2017-04", "--scheduled")
        started = [stack.enter_context(running(project, *command)) for project in projects]
        return [ended(process) for process in started]


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


# Restored.


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


# Removed in mid-send.


@pytest.mark.fault("Ledger", "ledger removed in mid-send", state="the run stops, exit 5")
@pytest.mark.parametrize("removed", ["newsletter.db", "sent.db", "lock"])
def test_a_run_stops_when_its_files_are_removed(
    project: Project, server: SmtpServer, removed: str
) -> None:
    project.list_of(60)
    project.settings(smtp_delivery(server.port, connections=1, more="rate_per_second = 10"))
    gate = Gate(at=3)
    server.behaviours["dot"] = gate
    with running(project, "send", "2017-04", "--yes") as process:
        gate.wait()
        for folder in (project.folder, project.state()):
            (folder / removed).unlink(missing_ok=True)
        gate.opened.set()
        done = ended(process)
    stopped(done, 5, "removed", removed)
    assert len(server.copies()) < 60
    assert 1 == max(server.copies().values())


def test_a_folder_cleaned_in_mid_send_goes_on_where_it_stopped(
    project: Project, server: SmtpServer
) -> None:
    project.list_of(40)
    project.settings(smtp_delivery(server.port, connections=1, more="rate_per_second = 20"))
    gate = Gate(at=3)
    server.behaviours["dot"] = gate
    with running(project, "send", "2017-04", "--yes") as process:
        gate.wait()
        cleaned(project)
        gate.opened.set()
        stopped(ended(process), 5, "removed")
    project.settings(smtp_delivery(server.port))
    went_well(project.run("adopt", "--yes"), "0 people newly in doubt")
    # The relay and its settings are as before, the issue is as it was frozen.
    went_well(project.run("resume", "2017-04"), "40 planned = 40 accepted")
    assert everyone_once(40) == server.copies()


# The state folder.


@pytest.mark.parametrize("kind", ["a file in its place", "read-only", "of another user", "full"])
def test_a_state_folder_that_cannot_be_used_stops_before_anything_is_sent(
    project: Project, server: SmtpServer, kind: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    match kind:
        case "a file in its place":
            state.write_text("")
        case "read-only":
            state = Path("/proc/newsletter")
        case "of another user":
            (state / "news.defenders.test").mkdir(parents=True)
            shutil.chown(state / "news.defenders.test", 12345)
        case "full":
            state = Path("/dev/full/state")
    project.settings(smtp_delivery(server.port, more=f'state_folder = "{state}"'))
    stopped(project.run("send", "2017-04", "--yes"), 5, "state folder", "state_folder")
    assert not server.copies()


def test_without_a_home_folder_a_send_says_what_to_set(
    project: Project, server: SmtpServer
) -> None:
    env = project.environment(HOME="/proc/nowhere", XDG_STATE_HOME="")
    stopped(project.run("send", "2017-04", "--yes", env=env), 5, "state_folder")
    assert not server.copies()


def test_a_state_folder_within_the_project_is_refused(project: Project) -> None:
    project.settings(smtp_delivery(1, more=f'state_folder = "{project.folder}/state"'))
    stopped(project.run("send", "2017-04", "--yes"), 2, "within the project's folder")
    project.settings(smtp_delivery(1, more='state_folder = "state"'))
    stopped(project.run("send", "2017-04", "--yes"), 2, "must be an absolute path")


def test_a_damaged_record_is_refused_and_adoption_makes_a_new_one(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    record = project.state() / "sent.db"
    for name in ("sent.db-wal", "sent.db-shm"):
        (project.state() / name).unlink(missing_ok=True)
    record.write_bytes(b"no database at all" * 1000)
    stopped(project.run("resume", "2017-04"), 5, "send record cannot be")
    record.rename(record.with_name("damaged"))
    stopped(project.run("resume", "2017-04"), 5, ELSEWHERE)
    went_well(project.run("adopt", "--yes"), "2 people newly in doubt")
    assert {"reader0@readers.example": 1} == server.copies()


def test_the_record_names_no_reader_and_only_its_owner_reads_it(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    went_well(project.run("suppress", "add", "reader1@readers.example"))
    files = sorted(project.state().iterdir())
    assert {"lock", "newsletter.key", "sent.db"} <= {path.name for path in files}
    for path in files:
        assert b"@readers" not in path.read_bytes()
        assert b"Reader" not in path.read_bytes()
        assert 0 == path.stat().st_mode & 0o077
    assert 0 == project.state().stat().st_mode & 0o077


# Trials.


def test_a_trial_is_remembered_nowhere_else(project: Project, server: SmtpServer) -> None:
    project.settings(smtp_delivery(server.port) + "trial = true\n")
    went_well(project.run("send", "2017-04", "--yes"), "trial", "3 planned = 3 accepted")
    assert not project.home.exists()
    cleaned(project)
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")
    went_well(project.run("adopt", "--yes"), "nothing needs adopting")
    project.settings(one_a_connection(server))
    cleaned(project)
    went_well(project.run("send", "2017-04", "--yes"), "3 planned = 3 accepted")


def test_a_trial_in_a_copy_does_not_make_it_the_latest(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    copy = copied(project)
    went_well(project.run("resume", "2017-04"))
    copy.settings(one_a_connection(server) + "trial = true\n")
    with SmtpServer() as trial:
        copy.settings(smtp_delivery(trial.port) + "trial = true\n")
        stopped(copy.run("resume", "2017-04"), 5, "has left for real")
        copy.issue(SHORT_ISSUE, "2017-05")
        went_well(copy.run("send", "2017-05", "--yes"), "3 planned = 3 accepted")
    copy.settings(one_a_connection(server))
    stopped(copy.run("send", "2017-04", "--yes"), 5, OLDER)
    went_well(project.run("send", "2017-04", "--yes"), "Nobody is left")
    assert everyone_once() == server.copies()


def test_a_list_on_an_example_domain_reaches_nobody_but_in_a_trial(
    project: Project, server: SmtpServer
) -> None:
    for example in ("news.defenders.example", "news.example.org", "news.example.com"):
        project.settings(smtp_delivery(server.port))
        settings = project.folder / "newsletter.toml"
        settings.write_text(settings.read_text().replace("news.defenders.test", example))
        for command in (("send", "2017-04", "--yes"), ("test", "2017-04", "--to", "a@b.example")):
            stopped(project.run(*command), 2, example, "trial = true")
    assert not server.copies()


def test_the_first_send_from_a_machine_says_what_it_cannot_see(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes", "--limit", "1"),
              "this machine remembers no send to this list")  # fmt: skip
    done = project.run("send", "2017-04", "--yes")
    went_well(done)
    assert "New here" not in done.stdout


# Projects of version 0.1.


def old_epochs(project: Project, **told: object) -> None:
    text = json.dumps({"what": "…", **told})
    (project.folder / "newsletter.epoch").write_text(text)


def identity(project: Project) -> str:
    with sqlite3.connect(project.folder / "newsletter.db") as database:
        (found,) = database.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()
        return str(found)


@pytest.fixture
def old_project(project: Project, server: SmtpServer) -> Project:
    """A ledger as version 0.1 left it: epoch 7, no record of it anywhere."""
    one_of_three(project, server)
    shutil.rmtree(project.home)
    with sqlite3.connect(project.folder / "newsletter.db") as database:
        database.execute("DELETE FROM meta WHERE key = 'record'")
        database.execute("UPDATE meta SET value = '7' WHERE key = 'epoch'")
    return project


def test_old_epoch_files_become_a_send_record(old_project: Project, server: SmtpServer) -> None:
    name = identity(old_project)
    old_epochs(old_project, ledger=name, epoch=7, campaigns={"2017-04.1": "2017-04"})
    at_home = old_project.state().with_name(name)
    at_home.parent.mkdir(parents=True)
    shutil.copy(old_project.folder / "newsletter.epoch", at_home)
    went_well(old_project.run("resume", "2017-04"), "3 planned = 3 accepted")
    assert not (old_project.folder / "newsletter.epoch").exists()
    assert not at_home.exists()
    assert (old_project.state() / "sent.db").exists()
    assert everyone_once() == server.copies()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"epoch": 9, "campaigns": {"2017-03.1": "2017-03"}}, OLDER),
        ({"ledger": "f" * 32, "epoch": 9, "campaigns": {"2017-03.1": "2017-03"}},
         "Another ledger than this one"),
    ],
)  # fmt: skip
def test_an_old_epoch_file_that_knows_more_still_refuses(
    old_project: Project, server: SmtpServer, told: dict[str, object], words: str
) -> None:
    old_epochs(old_project, **{"ledger": identity(old_project), **told})
    stopped(old_project.run("resume", "2017-04"), 5, words)
    went_well(old_project.run("adopt", "--yes"), "2 people newly in doubt", "2017-03")
    old_project.issue(SHORT_ISSUE.replace("2017-04-28", "2017-03-28"), "2017-03")
    stopped(old_project.run("send", "2017-03", "--yes"), 5, "knows nothing of that send")
    assert {"reader0@readers.example": 1} == server.copies()


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"ledger": 3', "[" * 100_000])
def test_a_damaged_old_epoch_file_is_refused_and_adoption_mends_it(
    old_project: Project, damage: str
) -> None:
    (old_project.folder / "newsletter.epoch").write_text(damage)
    stopped(old_project.run("resume", "2017-04"), 5, "cannot be read", "newsletter.epoch")
    went_well(old_project.run("adopt", "--yes"), "2 people newly in doubt")
