"""Pause and resume, a time to begin, and a send that is too old."""

import json
import re
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.support import (
    CTRL_C,
    Gate,
    at_a_terminal,
    ended,
    outbox,
    running,
    stopped,
    warm,
    went_well,
)
from tests.crash.warm import Piped
from tests.support.project import SHORT_ISSUE, Project, smtp_delivery
from tests.support.smtp_server import SmtpServer

CANARY = "Too many of the first were refused."


@pytest.fixture(autouse=True, scope="module")
def ready() -> None:
    """Times are seconds ahead here: what commands are forked from stands before they count."""
    warm()


def _clocks_go_back() -> str:
    """Next year's last Sunday of October."""
    last = date(datetime.now(UTC).year + 1, 10, 31)
    return f"{last - timedelta(days=(last.weekday() + 1) % 7)}"


def everyone_once(readers: int = 3) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in range(readers))


def one_at_a_time(project: Project, server: SmtpServer) -> None:
    project.settings(smtp_delivery(server.port, connections=1))


def scheduled(project: Project, *, in_: timedelta = timedelta(days=30)) -> datetime:
    """Freeze the issue for later; everybody waits."""
    at = (datetime.now(UTC) + in_).replace(microsecond=0)
    done = project.run("send", "2017-04", "--yes", "--at", at.isoformat(), "--scheduler")
    assert (4, "") == (done.returncode, done.stderr), done.stderr
    return at


def set_control(project: Project, assignment: str, value: object) -> None:
    """Put a value into the ledger that only time or a run would."""
    connection = sqlite3.connect(project.folder / "newsletter.db")
    with connection:
        connection.execute(f"UPDATE control SET {assignment} = ?", (value,))
    connection.close()


class ForwardClock:
    """The clock of commands that run in a process of their own; the test puts it forward."""

    def __init__(self, project: Project) -> None:
        self._file = project.folder.with_name("clock")
        self._ahead = timedelta()
        self.put_to(datetime.now(UTC))
        self.env: Mapping[str, str] = project.environment(CLOCK_FILE=str(self._file))

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def put_to(self, moment: datetime) -> None:
        self._ahead = moment - datetime.now(UTC)
        written = Path(f"{self._file}.new")
        written.write_text(str(self._ahead.total_seconds()))
        written.replace(self._file)


def waits(process: Piped) -> list[str]:
    """What a send says until it waits for its time."""
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Waiting until"):
            return said
    raise AssertionError(said)


def test_a_pause_from_another_terminal_ends_the_run_and_resume_takes_it_back(
    project: Project,
) -> None:
    gate = Gate(at=1)
    with SmtpServer(behaviours={"dot": gate}) as server:
        one_at_a_time(project, server)
        with running(project, "send", "2017-04", "--yes") as send:
            gate.wait()
            with running(project, "pause", "2017-04") as pause:
                assert pause.stdout.readline().startswith("Paused: campaign 2017-04.1")
                gate.opened.set()
                paused = ended(pause)
            assert (0, "") == (paused.returncode, paused.stderr)
            assert "To go on: newsletter resume 2017-04" in paused.stdout
            done = ended(send)
        assert 4 == done.returncode
        assert "3 planned = 2 accepted + 1 waiting" in done.stdout
        assert "Held: Paused by a person." in project.run("status", "2017-04").stdout

        # cron must not take back what a person decided.
        for options in ([], ["--scheduled"]):
            nobody = project.run("resume", "2017-04", *options)
            assert (4, "") == (nobody.returncode, nobody.stderr)
            assert "It stays held, and nothing was sent." in nobody.stdout
        assert 2 == server.copies().total()

        code, text = at_a_terminal(project, "resume", "2017-04", answer=b"")
        assert (0, True) == (code, "The pause is over; the send continues." in text), text
        assert everyone_once() == server.copies()
    went_well(project.run("pause", "2017-04"), "nothing to pause", "Complete.")


@pytest.mark.parametrize(
    ("answer", "code", "mails"), [(b"n\n", 4, 0), (CTRL_C, 4, 0), (b"y\n", 0, 3)]
)
def test_a_stop_for_a_reason_is_told_and_asked_before_it_goes_on(
    project: Project, answer: bytes, code: int, mails: int
) -> None:
    scheduled(project)
    set_control(project, "not_before", 0)
    set_control(project, "held", json.dumps([("brake", CANARY)]))
    found, text = at_a_terminal(project, "resume", "2017-04", answer=answer)
    assert (code, mails) == (found, len(outbox(project))), text
    assert CANARY in text
    assert "Go on anyway? [y/N]" in text


def test_a_stop_for_a_reason_is_lifted_by_yes_in_a_script(project: Project) -> None:
    scheduled(project)
    set_control(project, "not_before", 0)
    holds = [("pause", "Paused by a person."), ("brake", CANARY)]
    set_control(project, "held", json.dumps(holds))
    assert 4 == project.run("resume", "2017-04").returncode
    went_well(project.run("resume", "2017-04", "--yes"), "3 accepted", CANARY)


def test_a_send_at_a_time_waits_and_sends_what_was_approved_whatever_happens_to_the_files(
    project: Project,
) -> None:
    at, clock = datetime.now(UTC) + timedelta(hours=1), ForwardClock(project)
    command = ("send", "2017-04", "--yes", "--at", at.isoformat())
    with running(project, *command, env=clock.env) as process:
        said = waits(process)
        assert any(line.startswith("Begins ") and "UTC" in line for line in said)
        assert "Scheduled: it begins on" in project.run("status", "2017-04").stdout
        project.issue(SHORT_ISSUE.replace("One story", "Another story"))
        went_well(project.run("suppress", "add", "reader1@readers.example"))
        clock.put_to(at - timedelta(seconds=2))
        assert not outbox(project)
        done = ended(process)
    assert clock.now() >= at
    went_well(done, "3 planned = 2 accepted + 1 left", "Complete.")
    assert all(b"Subject: One story in April" in path.read_bytes() for path in outbox(project))
    assert 2 == len(outbox(project))


def test_ctrl_c_ends_the_waiting_and_resume_waits_again(project: Project) -> None:
    at = datetime.now(UTC) + timedelta(hours=3)
    for command in (("send", "2017-04", "--yes", "--at", at.isoformat()), ("resume", "2017-04")):
        with running(project, *command) as process:
            waits(process)
            process.send_signal(signal.SIGINT)
            done = ended(process)
        assert (4, "") == (done.returncode, done.stderr)
        assert "To wait again: newsletter resume 2017-04" in done.stdout
    assert not outbox(project)
    # It is frozen, so it cannot be sent a second time beside it.
    stopped(project.run("send", "2017-04", "--yes"), 5, "not finished: 3 people waiting")


def test_the_countdown_stands_in_the_terminal(project: Project) -> None:
    at = datetime.now(UTC) + timedelta(seconds=12)
    code, text = at_a_terminal(project, "send", "2017-04", "--at", at.isoformat(), answer=b"y\n")
    assert 0 == code, text
    assert re.search(r"It begins in \d+ seconds?", text)
    assert "Freeze it now, to be sent to 3 people at that time? [y/N]" in text
    assert 3 == len(outbox(project))


@pytest.mark.parametrize("again", [False, True])
def test_a_pause_before_the_time_holds_when_the_time_has_come(
    project: Project, again: bool
) -> None:
    at, clock = datetime.now(UTC) + timedelta(hours=1), ForwardClock(project)
    command: tuple[str, ...] = ("send", "2017-04", "--yes", "--at", at.isoformat())
    if again:
        assert 4 == project.run(*command, "--scheduler").returncode
        command = ("resume", "2017-04", "--yes")  # lifts what was paused before, not after it
    with running(project, *command, env=clock.env) as process:
        waits(process)
        went_well(
            project.run("pause", "2017-04"), "Paused: campaign 2017-04.1-", "with 3 people waiting"
        )
        clock.put_to(at)
        done = ended(process)
    assert (4, "") == (done.returncode, done.stderr)
    assert "Held: Paused by a person." in done.stdout
    assert not outbox(project)


def test_the_scheduler_gets_a_line_that_sends_what_was_frozen_at_its_time(
    project: Project,
) -> None:
    at = datetime.now(UTC) + timedelta(minutes=5)
    done = project.run("send", "2017-04", "--yes", "--at", at.isoformat(), "--scheduler")
    assert (4, "") == (done.returncode, done.stderr)
    assert not outbox(project)
    lines = done.stdout.splitlines()
    (cron,) = (line for line in lines if re.match(r"\d+ \d+ \d+ \d+ \* ", line))
    assert any(line.startswith("systemd-run ") for line in lines)
    assert any(" | at -t " in line for line in lines)

    set_control(project, "not_before", 0)
    project.issue(SHORT_ISSUE.replace("One story", "Another story"))
    job = cron.split(" ", 5)[5].replace("\\%", "%")
    ran = subprocess.run(
        ["sh", "-c", job], cwd="/", env=project.environment(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    went_well(ran, "3 planned = 3 accepted")
    assert 3 == len(outbox(project))
    # cron runs it again next year.
    again = subprocess.run(
        ["sh", "-c", job], cwd="/", env=project.environment(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    went_well(again, "Nobody is waiting")
    assert 3 == len(outbox(project))


def test_a_send_whose_time_comes_while_another_one_runs_begins_after_it(
    project: Project,
) -> None:
    scheduled(project)
    set_control(project, "not_before", 0)
    project.issue(SHORT_ISSUE, name="2017-05")
    gate = Gate()
    with SmtpServer(behaviours={"dot": gate}) as server:
        one_at_a_time(project, server)
        with running(project, "send", "2017-05", "--yes") as other:
            gate.wait()
            stopped(project.run("resume", "2017-04", "--as-frozen"), 5, "Another send is running")
            with running(project, "resume", "2017-04", "--scheduled") as due:
                assert due.stdout.readline().startswith("Another send is running here; this one")
                gate.opened.set()
                went_well(ended(other), "3 planned = 3 accepted")
                went_well(ended(due), "3 planned = 3 accepted")
        assert 6 == server.copies().total()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--at", "tomorrow"], "is not a date and time"),
        (["--at", "2017-04-28 09:00 UTC"], "is past"),
        (["--at", f"{_clocks_go_back()} 02:30 Europe/Brussels"], "comes twice"),
        (["--at", "9999-12-31 23:59"], "more than 2 years ahead"),
        (["--at", "9999-12-31 23:59:59.5"], "is not a date and time"),
        (["--at", "0001-01-01 00:00+14:00"], "is past"),
        (["--scheduler"], "needs a time"),
        (["--at", "2096-01-01 09:00", "--scheduler", "--dry-run"], "--dry-run freezes nothing"),
    ],
)
def test_what_contradicts_itself_or_is_no_time_is_refused_before_anything_is_frozen(
    project: Project, options: list[str], words: str
) -> None:
    stopped(project.run("send", "2017-04", "--yes", *options), 2, words)
    assert not (project.folder / "newsletter.db").exists()


@pytest.mark.parametrize("command", ["pause", "resume", "correct"])
def test_an_issue_that_was_never_sent_or_does_not_exist_is_named(
    project: Project, command: str
) -> None:
    stopped(project.run(command, "2017-04"), 2, "Nothing has been sent from here yet")
    went_well(project.run("suppress", "add", "nobody@example.org"))
    stopped(project.run(command, "2017-04"), 2, "“2017-04” has not been sent from here")
    stopped(project.run(command, "2017-05"), 2, "no issue “2017-05”", "2017-04")


def test_scheduled_decides_nothing_in_a_persons_place(project: Project) -> None:
    for option in ("--yes", "--late"):
        stopped(project.run("resume", "2017-04", "--scheduled", option), 2, "--scheduled")


def test_a_send_that_is_too_old_goes_on_only_by_a_persons_word(project: Project) -> None:
    scheduled(project)
    began = datetime.now(UTC) - timedelta(hours=80)
    set_control(project, "not_before", began.timestamp())
    set_control(project, "not_after", (began + timedelta(hours=72)).timestamp())
    for options in ([], ["--scheduled"], ["--yes"]):
        old = project.run("resume", "2017-04", *options)
        stopped(old, 5, "This send is 80 hours old", "newsletter resume 2017-04 --late")
    assert "Too late: " in project.run("status", "2017-04").stdout
    assert not outbox(project)
    went_well(project.run("resume", "2017-04", "--late"), "3 planned = 3 accepted")


@pytest.mark.fault("Process", "clock before the freeze", state="told; the run goes on")
def test_a_clock_before_the_freeze_is_told_and_stops_nothing(project: Project) -> None:
    scheduled(project)
    set_control(project, "not_before", 0)
    connection = sqlite3.connect(project.folder / "newsletter.db")
    with connection:
        connection.execute("DROP TRIGGER IF EXISTS campaign_is_frozen")
        connection.execute("UPDATE campaign SET frozen_at = frozen_at + 7200")
    connection.close()
    went_well(project.run("resume", "2017-04"), "Was it set back?", "3 planned = 3 accepted")


def test_a_time_can_be_moved_and_a_send_begun_at_once(project: Project) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = tomorrow + timedelta(days=5)
    project.run("send", "2017-04", "--yes", "--at", tomorrow.isoformat(), "--scheduler")
    with running(project, "resume", "2017-04", "--at", later.isoformat()) as process:
        waits(process)
        assert f"{later.astimezone():%Y-%m-%d}" in project.run("status", "2017-04").stdout
        went_well(project.run("resume", "2017-04", "--at", "now"), "3 planned = 3 accepted")
        process.send_signal(signal.SIGINT)
        ended(process)
    assert 3 == len(outbox(project))
    stopped(project.run("resume", "2017-04", "--at", "yesterday"), 2, "is not a date and time")
    stopped(project.run("resume", "2017-04", "--at", "now", "--scheduled"), 2, "--at")


@pytest.mark.fault("Process", "a clock behind the freeze", state="it is said, and the send goes on")
def test_a_clock_behind_the_freeze_does_not_make_a_send_wait(project: Project) -> None:
    with SmtpServer() as server:
        one_at_a_time(project, server)
        server.behaviours["MAIL"] = lambda earlier: b"421 4.3.2 later"
        assert 4 == project.run("send", "2017-04", "--yes", "--wait", "0", hurried=True).returncode
        server.behaviours.clear()
        # As if the clock had been a day ahead then; only one thing differs: the present.
        ahead = datetime.now(UTC).timestamp() + 86400
        connection = sqlite3.connect(project.folder / "newsletter.db")
        with connection:
            connection.execute("DROP TRIGGER campaign_is_frozen")
            connection.execute("UPDATE campaign SET frozen_at = ?", (ahead,))
            connection.execute("UPDATE control SET not_before = ?", (ahead,))
            connection.execute("UPDATE delivery SET next_attempt_at = 0")
            connection.execute("DELETE FROM bucket")
        connection.close()
        assert "Scheduled" not in project.run("status", "2017-04").stdout
        went_well(project.run("resume", "2017-04"), "Was it set back?", "3 planned = 3 accepted")
        assert everyone_once() == server.copies()


@pytest.mark.parametrize("seconds", [1e18, -1e18, 253402300800.0])
def test_a_time_that_nobody_can_tell_stops_no_command(project: Project, seconds: float) -> None:
    scheduled(project)
    for assignment in ("not_before", "not_after"):
        set_control(project, assignment, seconds)
    for command in (
        ("status",),
        ("status", "2017-04"),
        ("report", "2017-04"),
        ("pause", "2017-04"),
    ):
        assert project.run(*command).returncode in {0, 4}
    for table, column in (("delivery", "changed_at"), ("run", "seen_at")):
        connection = sqlite3.connect(project.folder / "newsletter.db")
        with connection:
            connection.execute(f"UPDATE {table} SET {column} = ?", (seconds,))
        connection.close()
    assert 4 == project.run("status", "2017-04").returncode
