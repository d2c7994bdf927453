"""Doubts settled through the program: by the provider, by a bounce, by a person."""

import contextlib
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.message.keys import KeyRing

from tests.cli.support import running, stopped, went_well
from tests.cli.test_resend import through
from tests.feedback.test_bounces import report, status
from tests.support.http_server import Cut, HttpServer, Request, cut_after_taking
from tests.support.project import Project
from tests.support.resend_side import API_KEY, ResendSide

READERS = 3
EVERYBODY = Counter(f"reader{number}@readers.example" for number in range(READERS))


class Doubtful:
    """A project whose sender was killed while the provider held its only call."""

    def __init__(self, project: Project, server: HttpServer) -> None:
        self.project = project
        self.server = server
        self.environment = project.environment(NEWSLETTER_API_KEY=API_KEY)

    def run(self, *arguments: str) -> str:
        done = self.project.run(*arguments, env=self.environment, hurried=True)
        self.code = done.returncode
        return done.stdout + done.stderr

    def states(self) -> Counter[str]:
        with contextlib.closing(sqlite3.connect(self.project.folder / "newsletter.db")) as db:
            return Counter(state for (state,) in db.execute("SELECT state FROM delivery"))

    def change(self, sql: str) -> None:
        with contextlib.closing(sqlite3.connect(self.project.folder / "newsletter.db")) as db, db:
            db.execute(sql)


@contextlib.contextmanager
def killed(project: Project, hold: Callable[[Request], None]) -> Iterator[Doubtful]:
    held, free = threading.Event(), threading.Event()

    def keep_waiting(request: Request) -> None:
        hold(request)
        held.set()
        free.wait(timeout=60)
        raise Cut

    with HttpServer(ResendSide()) as server:
        through(project, server)
        project.list_of(READERS)
        server.script.append(keep_waiting)
        doubtful = Doubtful(project, server)
        with running(project, "send", "2017-04", "--yes", env=doubtful.environment) as sender:
            assert held.wait(timeout=60)
            sender.kill()
        free.set()
        doubtful.run("resume", "2017-04")
        assert Counter(in_doubt=READERS) == doubtful.states()
        yield doubtful


def taken(request: Request) -> None:
    request.read()
    request.behave()


def not_taken(request: Request) -> None:
    request.read()


@pytest.mark.parametrize("hold", [taken, not_taken])
def test_a_call_is_repeated_under_its_key_and_everybody_has_one_copy(
    project: Project, hold: Callable[[Request], None]
) -> None:
    with killed(project, hold) as doubtful:
        said = doubtful.run("reconcile", "2017-04")
        assert "3 people in doubt; 3 settled by repeating a call" in said
        assert "Nobody is in doubt." in said
        assert 0 == doubtful.code
        assert Counter(accepted=READERS) == doubtful.states()
        assert EVERYBODY == doubtful.server.taken()
        first, second = doubtful.server.requests
        assert first.body == second.body
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_call_whose_reader_has_left_is_not_repeated(project: Project) -> None:
    with killed(project, not_taken) as doubtful:
        doubtful.run("suppress", "add", "reader1@readers.example", "--reason", "unsubscribed")
        assert "Still in doubt: 3 people." in doubtful.run("reconcile", "2017-04")
        assert 6 == doubtful.code
        assert not doubtful.server.taken()


def test_a_call_with_somebody_settled_is_not_repeated(project: Project) -> None:
    with killed(project, not_taken) as doubtful:
        doubtful.run("resolve", "2017-04", "reader1@readers.example", "--accepted")
        assert "Still in doubt: 2 people." in doubtful.run("reconcile", "2017-04")
        assert not doubtful.server.taken()


def test_a_call_older_than_half_its_keys_life_is_not_repeated(project: Project) -> None:
    with killed(project, not_taken) as doubtful:
        doubtful.change("UPDATE call SET first_at = first_at - 12.1 * 3600")
        assert "Still in doubt: 3 people." in doubtful.run("reconcile", "2017-04")
        assert not doubtful.server.taken()


def test_a_call_of_another_account_s_place_is_not_repeated(project: Project) -> None:
    with killed(project, not_taken) as doubtful:
        doubtful.change("UPDATE call SET place = 'resend api.resend.example'")
        assert "Still in doubt: 3 people." in doubtful.run("reconcile", "2017-04")
        assert not doubtful.server.taken()


def test_who_is_mailed_again_gets_a_letter_and_not_the_old_answer(project: Project) -> None:
    with killed(project, taken) as doubtful:
        assert "To be mailed again" in doubtful.run("resolve", "2017-04", "--all", "--resend")
        doubtful.run("resume", "2017-04")
        assert 0 == doubtful.code
        assert {2} == set(doubtful.server.taken().values())  # a person asked for the second


def test_a_provider_out_of_reach_is_said_and_settles_nothing(project: Project) -> None:
    with killed(project, taken) as doubtful:
        doubtful.server.stop()
        said = doubtful.run("reconcile", "2017-04")
        assert 4 == doubtful.code
        assert "cannot be reached" in said
        assert Counter(in_doubt=READERS) == doubtful.states()


def bounce(project: Project, reader: str, code: str) -> bytes:
    keys = KeyRing.load(project.folder / "newsletter.key")
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as ledger:
        ((campaign,),) = ledger.execute("SELECT id FROM campaign").fetchall()
    tag = keys.message_tag(campaign, Address.parse(reader))
    block = status("failed", code).replace("anna@a.example", reader)
    return report(block, letter=f"Message-ID: <{campaign}.{tag}@x.example>\n")


def test_bounces_settle_doubts_and_suppress_who_does_not_exist(project: Project) -> None:
    with killed(project, taken) as doubtful:
        folder = project.folder / "bounces" / "new"
        folder.mkdir(parents=True)
        (folder / "1").write_bytes(bounce(project, "reader0@readers.example", "5.1.1"))
        (folder / "2").write_bytes(bounce(project, "reader1@readers.example", "5.7.1"))
        (folder / "3").write_bytes(b"Subject: I am on holiday\r\n\r\n")
        doubtful.server.stop()
        said = doubtful.run("reconcile", "2017-04", "--bounces", "bounces")
        assert "2 pieces of news" in said
        assert "2 doubts settled; 1 person will not be mailed any more" in said
        assert Counter(accepted=2, in_doubt=1) == doubtful.states()
        assert "1  " in doubtful.run("suppress", "list")


def test_hostile_mails_and_events_keep_nothing_from_being_applied(project: Project) -> None:
    with killed(project, taken) as doubtful:
        folder = project.folder / "bounces"
        folder.mkdir()
        first, last = (bounce(project, f"reader{n}@readers.example", "5.1.1") for n in (0, 1))
        (folder / "0").write_bytes(first)
        (folder / "1").write_bytes(first.replace(b"To: ", b"To: a@[, ((((, a: b@c, ;;<,"))
        (folder / "2").write_bytes(first.replace(b"31 Mar 2017", b"31 Dec 99999"))
        (folder / "3").symlink_to("/dev/zero")
        (folder / "4").write_bytes(
            last.replace(b"31 Mar 2017 10:15:00 +0200", b"31 Dec 9999 23:59:59 -1400")
        )
        (project.folder / "events.json").write_text("[" + "[" * 100_000 + "\n{")
        doubtful.server.stop()
        said = doubtful.run(
            "reconcile", "2017-04", "--bounces", "bounces", "--events", "events.json"
        )
        assert "2 doubts settled; 2 people will not be mailed any more" in said
        assert "Skipped, since unreadable: 2." in said
        assert "bounces/3: It was skipped: it is a pipe or device and no file." in said
        assert "events.json, event 1: It was skipped" in said
        assert Counter(accepted=2, in_doubt=1) == doubtful.states()
        assert "reader2@readers.example" in doubtful.run("resolve", "2017-04")


def test_a_file_that_holds_no_events_is_refused(project: Project) -> None:
    with killed(project, taken) as doubtful:
        Path(project.folder / "page.html").write_text("<html>502</html>")
        said = doubtful.run("reconcile", "2017-04", "--events", "page.html")
        assert 2 == doubtful.code
        assert "The file holds no events" in said
        assert "no such file" in doubtful.run("reconcile", "2017-04", "--events", "x").lower()


def test_resolve_shows_what_is_known_and_asks(project: Project) -> None:
    with killed(project, taken) as doubtful:
        said = doubtful.run("resolve", "2017-04")
        assert 6 == doubtful.code
        assert "reader0@readers.example" in said
        assert "begins with 2017-04.1-" in said
        assert "through resend 127.0.0.1" in said
        assert "the program ended before the answer was recorded" in said


def test_what_cannot_be_meant_is_refused(project: Project) -> None:
    with killed(project, taken) as doubtful:
        everybody = doubtful.run("resolve", "2017-04", "--accepted")
        assert "no address was given" in everybody
        assert 2 == doubtful.code
        assert "either" in doubtful.run("resolve", "2017-04", "--accepted", "--resend")
        assert "not both" in doubtful.run("resolve", "2017-04", "a@a.example", "--all")
        assert "not in doubt" in doubtful.run("resolve", "2017-04", "a@a.example", "--resend")
        assert Counter(in_doubt=READERS) == doubtful.states()


def test_a_relay_cannot_be_asked(project: Project) -> None:
    went_well(project.run("send", "2017-04", "--yes"))
    with contextlib.closing(sqlite3.connect(project.folder / "newsletter.db")) as db, db:
        db.execute("UPDATE delivery SET state = 'in_doubt'")
    done = project.run("reconcile", "2017-04")
    assert 6 == done.returncode
    assert "mailbox cannot be asked" in done.stdout
    stopped(project.run("reconcile", "2017-99"), 2)


def restored(project: Project, backup: Path) -> None:
    for end in ("-wal", "-shm"):
        (project.folder / f"newsletter.db{end}").unlink(missing_ok=True)
    shutil.copy(backup, project.folder / "newsletter.db")


def test_a_restored_ledger_repeats_no_call_of_which_it_may_not_know_the_next(
    project: Project, tmp_path: Path
) -> None:
    with killed(project, not_taken) as doubtful:
        shutil.copy(project.folder / "newsletter.db", tmp_path / "backup.db")
        doubtful.run("resolve", "2017-04", "--all", "--resend")
        doubtful.run("resume", "2017-04")
        restored(project, tmp_path / "backup.db")
        assert "This ledger is older" in doubtful.run("reconcile", "2017-04")
        assert 5 == doubtful.code
        shutil.rmtree(project.state())  # as on another machine: nothing knows better
        assert "another state folder" in doubtful.run("reconcile", "2017-04")
        doubtful.run("adopt", "--yes")
        assert "Still in doubt: 3 people." in doubtful.run("reconcile", "2017-04")
        assert EVERYBODY == doubtful.server.taken()


def test_a_call_is_not_repeated_for_who_was_mailed_again_though_the_clock_was_set_back(
    project: Project,
) -> None:
    with killed(project, not_taken) as doubtful:
        doubtful.run("resolve", "2017-04", "--all", "--resend")
        doubtful.server.script.extend([cut_after_taking] * 5)
        doubtful.run("resume", "2017-04")
        assert Counter(in_doubt=READERS) == doubtful.states()
        doubtful.change(
            "UPDATE call SET first_at = first_at - 3600"
            " WHERE first_at = (SELECT MAX(first_at) FROM call)"
        )
        doubtful.run("reconcile", "2017-04")
        assert EVERYBODY == doubtful.server.taken()


@pytest.mark.parametrize(
    ("command", "says"),
    [("resolve", "Still in doubt: 3 people."), ("reconcile", "3 settled by repeating a call")],
)
def test_whom_a_killed_run_was_handing_over_is_in_doubt_without_a_resume(
    project: Project, command: str, says: str
) -> None:
    with killed(project, not_taken) as doubtful:
        doubtful.change("UPDATE delivery SET state = 'attempting', run = 'of-the-dead'")
        assert says in doubtful.run(command, "2017-04")
