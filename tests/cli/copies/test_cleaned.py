"""Folders that were cleaned or cloned, also in mid-send: refused, until they are adopted."""

from collections import Counter

import pytest

from tests.cli.copies.support import (
    ANOTHER,
    NO_LEDGER,
    cleaned,
    everyone_once,
    one_a_connection,
    one_of_three,
)
from tests.cli.support import Gate, ended, running, stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer


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
