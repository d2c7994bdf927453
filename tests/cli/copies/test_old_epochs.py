"""Projects of version 0.1, which kept an epoch file instead of a send record."""

import json
import shutil
import sqlite3

import pytest

from tests.cli.copies.support import OLDER, everyone_once, one_of_three
from tests.cli.support import stopped, went_well
from tests.support.project import SHORT_ISSUE, Project
from tests.support.smtp_server import SmtpServer


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
    stopped(old_project.run("send", "2017-03", "--yes"), 5, "has no record of that send")
    assert {"reader0@readers.example": 1} == server.copies()


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '{"ledger": 3', "[" * 100_000])
def test_a_damaged_old_epoch_file_is_refused_and_adoption_mends_it(
    old_project: Project, damage: str
) -> None:
    (old_project.folder / "newsletter.epoch").write_text(damage)
    stopped(old_project.run("resume", "2017-04"), 5, "cannot be read", "newsletter.epoch")
    went_well(old_project.run("adopt", "--yes"), "2 people newly in doubt")
