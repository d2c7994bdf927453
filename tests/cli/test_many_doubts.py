"""Thousands of doubts cost thousands of times one doubt, and no more."""

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from newsletter.cli import resolving
from newsletter.clock import EARLIEST
from newsletter.delivery.reconcile import Reconciler
from newsletter.errors import ExitCode
from newsletter.ledger.database import Database
from newsletter.ledger.runs import CallRecord

from tests.cli.support import went_well
from tests.support.project import Project

MANY = 5000


def in_doubt(project: Project, readers: int) -> None:
    """Freeze the issue and put everybody in doubt, with a piece of news about each."""
    project.list_of(readers)
    later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    done = project.run("send", "2017-04", "--yes", "--at", later, "--scheduler")
    assert 4 == done.returncode, done.stderr
    with closing(sqlite3.connect(project.folder / "newsletter.db")) as connection:
        connection.execute("UPDATE delivery SET state = 'in_doubt', attempts = 1, version = 1")
        connection.execute(
            "INSERT INTO event (delivery, kind, source, at, mark)"
            " SELECT id, 'delayed', 'bounce', 0, id FROM delivery"
        )
        connection.commit()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each statement was run."""
    counted: Counter[str] = Counter()
    execute, rows = Database.execute, Database.rows

    def counting(self: Database, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        counted[sql] += 1
        return execute(self, sql, parameters)

    def counting_rows(self: Database, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        counted[sql] += 1
        return rows(self, sql, parameters)

    monkeypatch.setattr(Database, "execute", counting)
    monkeypatch.setattr(Database, "rows", counting_rows)
    return counted


def test_what_is_known_of_doubts_is_read_once_and_not_once_for_each(
    project: Project, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_doubt(project, 30)
    monkeypatch.chdir(project.folder)
    with pytest.raises(typer.Exit) as over:
        resolving.resolve("2017-04")
    assert ExitCode.IN_DOUBT == over.value.exit_code
    for_each = [sql for sql, times in asked.items() if times >= 30]
    assert ["attempt"] == [sql.partition(" FROM ")[2].split()[0] for sql in for_each]


def test_thousands_are_shown_and_settled_at_once(project: Project) -> None:
    in_doubt(project, MANY)
    shown = project.run("resolve", "2017-04")
    assert (6, MANY) == (shown.returncode, shown.stdout.count("Learned later")), shown.stderr
    went_well(project.run("resolve", "2017-04", "--all", "--accepted"), "Taken as accepted")
    went_well(project.run("status", "2017-04"), f"{MANY:,} planned = {MANY:,} accepted")


class _Everything:
    """A ledger with many calls of one letter each, and a provider that knows keys."""

    def __init__(self, calls: int) -> None:
        now = datetime(2017, 3, 31, tzinfo=UTC)
        self.found = tuple(
            CallRecord(f"key{n}", "c", "t", "p", (n // 2,), "digest", now + timedelta(seconds=n))
            for n in range(calls)
        )
        self.runs, self.adopted_at, self.replay_for_s = self, EARLIEST, 1e6
        self.id, self.name, self.place = "c", "t", "p"

    def calls(self, campaign: str) -> tuple[CallRecord, ...]:
        return self.found

    def now(self) -> datetime:
        return self.found[-1].first_at


@pytest.mark.timeout(60)
def test_which_calls_may_be_repeated_is_found_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    many = _Everything(100_000)
    reconciler = Reconciler(
        many, many, compose=None, transport=many, inquiry=many, has_left=None, clock=many  # type: ignore[arg-type] # only what is asked of each
    )  # fmt: skip
    monkeypatch.setattr(Reconciler, "_is_wanted", lambda self, member: True)
    # Of two calls for the same reader, the later one.
    assert list(many.found[1::2]) == reconciler._repeatable()
