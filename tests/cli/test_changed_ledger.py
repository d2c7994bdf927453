"""A ledger that was damaged or changed since the freeze: nothing is sent from it, nothing added."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.support import files, outbox, stopped
from tests.support.project import Project

LETTER = "UPDATE edition SET content = REPLACE(content, 'The only story', 'Send money')"
SENDER = "UPDATE version SET letterhead = REPLACE(letterhead, 'newsletter@', 'attacker@')"
READER = "UPDATE delivery SET address = 'victim@readers.example' WHERE id = 2"


def frozen(project: Project) -> None:
    """Freeze the issue for later, so that everybody waits."""
    later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    done = project.run("send", "2017-04", "--yes", "--at", later, "--scheduler")
    assert (4, "") == (done.returncode, done.stderr), done.stderr


def change(project: Project, *statements: str) -> None:
    """Change the ledger as whoever drops its triggers first can."""
    with closing(sqlite3.connect(project.folder / "newsletter.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount
        connection.commit()


@pytest.mark.parametrize("statement", [LETTER, SENDER, READER])
@pytest.mark.fault("Process", "a frozen message, sender or reader changed on disk",
                   state="pending; the run stops, exit 5")  # fmt: skip
def test_what_was_changed_after_the_yes_is_not_sent(project: Project, statement: str) -> None:
    frozen(project)
    change(project, statement)
    done = project.run("resume", "2017-04", "--at", "now", "--as-frozen")
    stopped(
        done, 5, "is not what was frozen", "changed by another program", "newsletter docs ledger"
    )
    assert [] == outbox(project)
    assert 5 == project.run("send", "2017-04", "--yes").returncode
    assert [] == outbox(project)


@pytest.mark.parametrize("statement", [LETTER, SENDER])
def test_what_was_changed_after_the_yes_is_no_ground_for_a_correction(
    project: Project, statement: str
) -> None:
    frozen(project)
    change(project, statement)
    stopped(project.run("correct", "2017-04", "--yes"), 5, "is not what was frozen")


def test_a_reader_changed_after_the_send_does_not_get_it_again(project: Project) -> None:
    assert 0 == project.run("send", "2017-04", "--yes").returncode
    change(project, READER)
    stopped(project.run("send", "2017-04", "--yes"), 5, "Delivery 2 is not what was frozen")
    assert 3 == len(outbox(project))


@pytest.mark.parametrize(
    "command",
    [
        ("send", "2017-04", "--yes"),
        ("resume", "2017-04"),
        ("resume", "2017-04", "--at", "now"),
        ("correct", "2017-04", "--yes"),
        ("resolve", "2017-04", "--all", "--accepted"),
        ("reconcile", "2017-04"),
        ("suppress", "add", "reader1@readers.example"),
    ],
    ids=" ".join,
)
@pytest.mark.fault("Ledger", "a damaged file, and a command that would change it",
                   state="refused, exit 5; the file stays as it is")  # fmt: skip
def test_no_command_adds_to_a_ledger_that_is_damaged(
    project: Project, command: tuple[str, ...]
) -> None:
    frozen(project)
    change(project, "UPDATE delivery SET state = 'in_doubt' WHERE id = 2")
    path = project.folder / "newsletter.db"
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'event'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    before = files(project)
    stopped(project.run(*command), 5, "The ledger is damaged")
    after = files(project)
    assert before["newsletter.db"] == after["newsletter.db"]
