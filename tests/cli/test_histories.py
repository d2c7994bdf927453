"""What was sent stays known, whatever order losses, copies and adoptions come in."""

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.copies.support import (
    ANOTHER,
    NO_LEDGER,
    beside,
    cleaned,
    copied,
    everyone_once,
    one_a_connection,
    one_of_three,
)
from tests.cli.support import parsed, stopped, went_well
from tests.crash.histories import STEPS, World
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after

MAY = SHORT_ISSUE.replace("2017-04-28", "2017-05-28").replace("April", "May")
SEND = ("send", "2017-04", "--yes")


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: SmtpServer) -> Project:
    return Project(tmp_path / "here", delivery=one_a_connection(server))


def test_a_new_record_remembers_what_was_sent_before_it(
    project: Project, server: SmtpServer
) -> None:
    went_well(project.run(*SEND))
    shutil.rmtree(project.home)
    went_well(project.run("adopt", "--yes"))
    project.issue(MAY, "2017-05")
    went_well(project.run("send", "2017-05", "--yes"))
    cleaned(project)
    stopped(project.run(*SEND), 5, NO_LEDGER)
    went_well(project.run("adopt", "--yes"))
    for issue in ("2017-04", "2017-05"):
        went_well(project.run("send", issue, "--yes"), "Nobody is left to mail")
    assert {2} == set(server.copies().values())


def test_a_send_that_was_rebuilt_is_no_trial(project: Project, server: SmtpServer) -> None:
    one_of_three(project, server)
    cleaned(project)
    went_well(project.run("adopt", "--yes"))
    with SmtpServer() as trial:
        project.settings(smtp_delivery(trial.port) + "trial = true\n")
        stopped(project.run("resume", "2017-04"), 5, "of this send reached readers")
        assert {} == trial.copies()
    project.settings(one_a_connection(server))
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    assert "trial" not in project.run(*SEND).stdout
    assert everyone_once() == server.copies()


def test_a_ledger_that_was_rebuilt_has_mailed_readers(project: Project, server: SmtpServer) -> None:
    went_well(project.run(*SEND, "--limit", "1"))
    cleaned(project)
    went_well(project.run("adopt", "--yes"))
    colleague = Project(project.folder.with_name("colleague"), delivery=one_a_connection(server))
    shutil.copy(project.folder / "newsletter.key", colleague.folder)
    (colleague.folder / "subscribers.csv").write_text("email,name\nreader7@readers.example,R\n")
    went_well(colleague.run(*SEND))
    project.home_folder = colleague.home
    stopped(project.run(*SEND), 5, ANOTHER)
    stopped(project.run("adopt", "--yes"), 5, "The two cannot be joined")
    assert {1} == set(server.copies().values())


def test_a_ledger_that_was_given_up_and_used_elsewhere_is_not_thrown_away(
    project: Project, server: SmtpServer
) -> None:
    one_of_three(project, server)
    clone = Project(project.folder.with_name("clone"), delivery=one_a_connection(server))
    clone.home_folder = home = project.home
    went_well(clone.run("adopt", "--yes"))
    project.home_folder = project.folder.with_name("other home")
    went_well(project.run("adopt", "--yes"))
    went_well(project.run("resolve", "2017-04", "--all", "--resend"))
    went_well(project.run("resume", "2017-04"), "3 planned = 3 accepted")
    project.home_folder = home
    stopped(project.run(*SEND), 5, ANOTHER)
    stopped(project.run("adopt", "--yes"), 5, "The two cannot be joined")
    assert everyone_once() == server.copies()


def test_a_clone_with_a_key_and_no_ledger_is_adopted_for_good(
    project: Project, server: SmtpServer
) -> None:
    went_well(project.run(*SEND, "--limit", "1"))
    clone = Project(project.folder.with_name("clone"), delivery=one_a_connection(server))
    clone.home_folder = clone.folder.with_name("no home yet")
    went_well(clone.run("render", "2017-04", "--out", "build"))  # makes a key
    clone.home_folder = project.home
    went_well(clone.run("adopt", "--yes"))
    went_well(clone.run(*SEND), "2 planned = 2 accepted")
    went_well(clone.run("suppress", "add", "reader9@readers.example"))
    assert everyone_once() == server.copies()


@pytest.mark.parametrize("begun", [False, True])
def test_a_trial_in_an_old_copy_is_not_taken_for_the_send(
    tmp_path: Path, server: SmtpServer, begun: bool
) -> None:
    project = Project(tmp_path / "here", delivery=one_a_connection(server), readers=6)
    went_well(project.run(*SEND, "--limit", "1"))
    copy = copied(project)
    server.behaviours["MAIL"] = after(2, b"550 5.7.1 sender not allowed")
    assert 4 == project.run(*SEND).returncode
    server.behaviours.clear()
    assert everyone_once(2) == server.copies()
    shutil.rmtree(project.folder)
    with SmtpServer() as trial:
        copy.settings(smtp_delivery(trial.port) + "trial = true\n")
        copy.issue(SHORT_ISSUE.replace("One story in April", "Not approved"))
        if begun:
            went_well(copy.run(*SEND))
        else:
            assert 4 == copy.run(*SEND, "--at", "2028-01-01 09:00", "--scheduler").returncode
    copy.settings(one_a_connection(server))
    went_well(copy.run("adopt", "--yes"), "Campaign 2017-04.2-")
    went_well(copy.run("resume", "2017-04", "--yes", "--as-frozen"), "5 planned = 5 accepted")
    assert everyone_once(6) == server.copies()
    subjects = Counter(parsed(mail.content)["Subject"] for mail in server.accepted)
    assert Counter({"One story in April": 6}) == subjects


def test_two_corrections_stay_two(tmp_path: Path, server: SmtpServer) -> None:
    project = Project(tmp_path / "here", delivery=one_a_connection(server), readers=5)

    def corrected(where: Project, words: str) -> None:
        """One reader more gets the mail, in these words."""
        where.issue(SHORT_ISSUE.replace("One story in April", words))
        went_well(where.run("correct", "2017-04", "--yes"))
        first: list[int] = []

        def one_more(earlier: int) -> bytes | None:
            first.append(earlier)
            return b"550 5.7.1 sender not allowed" if earlier > first[0] else None

        server.behaviours["MAIL"] = one_more
        assert 4 == where.run("resume", "2017-04", "--yes").returncode
        server.behaviours.clear()

    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    assert 4 == project.run(*SEND).returncode
    server.behaviours.clear()
    copy = beside(project, "copy")
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    copy.home_folder = tmp_path / "home of the copy"
    corrected(project, "Corrected here")
    went_well(copy.run("adopt", "--yes"))
    went_well(copy.run("resolve", "2017-04", "reader3@readers.example",
                       "reader4@readers.example", "--resend"))  # fmt: skip
    corrected(copy, "Corrected there")
    copy.home_folder = project.home
    shutil.rmtree(project.folder)
    stopped(copy.run("resume", "2017-04", "--yes"), 5, "used elsewhere")
    went_well(copy.run("adopt", "--yes"))
    went_well(copy.run("resolve", "2017-04", "--all", "--resend"))
    went_well(copy.run("resume", "2017-04", "--yes", "--as-frozen"), "5 planned = 5 accepted")
    words = defaultdict(set)
    for mail in server.accepted:
        words[parsed(mail.content)["Message-ID"]].add(parsed(mail.content)["Subject"])
    assert everyone_once(5) == server.copies()
    assert all(len(subjects) == 1 for subjects in words.values())
    assert {"Corrected here", "Corrected there", "One story in April"} == set.union(*words.values())


def test_a_pipe_is_no_backup_and_is_not_waited_for(project: Project) -> None:
    os.mkfifo(project.folder / "pipe")
    stopped(project.run("restore", "pipe", "--yes"), 2, "pipe")


def test_random_orders_of_everything(tmp_path: Path, server: SmtpServer) -> None:
    """On demand for as long as you like: ``python -m tests.crash.histories``."""
    world = World(tmp_path, server, homes=2, seed=7)
    for _ in range(STEPS):
        world.step()
    assert any("adopt --yes → 0" in line for line in world.told)
    assert server.accepted
