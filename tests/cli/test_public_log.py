"""Sending with a public log: whoever left gets nothing, and how long it was not read is told."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from newsletter.message.keys import KeyRing
from newsletter.project.public import served_from
from newsletter.web.log import PublicLog

from tests.cli.support import Gate, ended, mails, running, stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.public_side import PublicSide, log_app, public_settings, public_side, served
from tests.support.smtp_server import SmtpServer

PACED = "rate_per_second = 2\ncanary_share = 0"


@pytest.fixture
def relay() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def reader(number: int) -> str:
    return f"reader{number}@readers.example"


def use(project: Project, relay: SmtpServer, more: str, *, paced: str = "") -> None:
    project.settings(smtp_delivery(relay.port, connections=1, more=paced) + more)


def with_bearer(project: Project) -> KeyRing:
    KeyRing.load_or_create(project.folder / "newsletter.key")
    return KeyRing.with_bearer(project.folder / "newsletter.key")


# sync


def test_sync_tells_what_is_new_in_plain_words(project: Project) -> None:
    project.settings(public_settings())
    with public_side(project.folder) as side:
        leave = side.leave(reader(0))
        side.leave(reader(1))
        side.undo(leave)
        side.add(kind="hologram")
        side.log.append(b"junk")
        said = project.run("sync")
        went_well(said, "From the public log: 2 people left and 1 person undid leaving.")
        assert "1 entry cannot be read" in said.stdout
        assert "hologram (1)" in said.stdout
        again = project.run("sync").stdout
    assert "From the public log" not in again
    assert "1 entry cannot be read" in again


def test_sync_without_news_and_without_a_public_side(project: Project) -> None:
    stopped(project.run("sync"), 2, "no public side", "newsletter docs public")
    project.settings(public_settings())
    stopped(project.run("sync"), 4, "There is no public log yet", "newsletter serve")
    with public_side(project.folder):
        went_well(project.run("sync"), "Nothing new in the public log.")
        went_well(project.run("sync", "--again"), "Nothing new in the public log.")


def test_the_log_of_a_server_in_this_folder_is_read_from_its_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.settings(public_settings("http://127.0.0.1:9"))
    monkeypatch.chdir(project.folder)
    served_from(None)
    with public_side(project.folder) as side:
        side.leave(reader(1))
        went_well(project.run("sync"), "From the public log: 1 person left.")


# Before the plan


def test_who_left_before_the_send_is_not_in_the_plan(project: Project, relay: SmtpServer) -> None:
    use(project, relay, public_settings())
    with public_side(project.folder) as side:
        side.leave(reader(1))
        said = project.run("send", "2017-04", "--yes")
    went_well(said, "From the public log: 1 person left.", "2 planned = 2 accepted")
    assert Counter([reader(0), reader(2)]) == relay.copies()


def test_a_send_does_not_begin_without_the_log(project: Project, relay: SmtpServer) -> None:
    use(project, relay, public_settings("http://127.0.0.1:9"))
    with_bearer(project)
    said = project.run("send", "2017-04", "--yes")
    stopped(said, 4, "The public log cannot be read", "Nothing was sent", "--without-log")
    assert not relay.copies()
    said = project.run("send", "2017-04", "--yes", "--without-log")
    went_well(said, "3 planned = 3 accepted", "The public log was never read", "newsletter sync")
    assert 3 == relay.copies().total()
    assert "The public log was never read" in project.run("status", "2017-04").stdout


def test_sync_says_in_plain_words_why_the_server_gave_no_log(
    project: Project, relay: SmtpServer
) -> None:
    with_bearer(project)
    for url, why in (
        ("http://127.0.0.1:9", "nothing answers at this address and port"),
        (f"https://127.0.0.1:{relay.port}", "the server there does not speak HTTPS"),
        ("https://no.server.invalid", "no server of this name is known"),
    ):
        project.settings(public_settings(url))
        stopped(project.run("sync"), 4, why, url, "[public] url")
    project.settings(public_settings(f"http://127.0.0.1:{relay.port}"))
    said = project.run("sync").stderr
    assert 3 == len(said.splitlines()), said  # what a stranger wrote breaks no line


def test_a_send_does_not_begin_while_the_server_lacks_the_newest_key(
    project: Project, relay: SmtpServer
) -> None:
    use(project, relay, public_settings())
    with public_side(project.folder) as side:
        side.log.note_secret(1)
        went_well(project.run("keys", "rotate"))
        side.leave(reader(1))
        said = project.run("send", "2017-04", "--yes")
        stopped(said, 2, "does not have the newest key", "Nothing was sent", "--without-log")
        assert not relay.copies()
        assert "does not have the newest key" in project.run("sync").stdout
        said = project.run("send", "2017-04", "--yes", "--without-log")
    went_well(said, "does not have the newest key", "2 planned = 2 accepted")


def test_a_send_does_not_begin_while_entries_are_missed(
    project: Project, relay: SmtpServer
) -> None:
    use(project, relay, public_settings())
    with public_side(project.folder) as side:
        for number in (1, 2):
            side.leave(reader(number))
        side.log.note_synced(1)  # by another machine
        assert 1 == side.log.drop_synced(10**6)
        went_well(project.run("sync"), "1 entry left the log before this machine read it")
        said = project.run("send", "2017-04", "--yes")
        stopped(said, 2, "1 entry left the log", "Nothing was sent", "--without-log")
        assert not relay.copies()
        went_well(project.run("sync", "--again"))
        said = project.run("send", "2017-04", "--yes")
    went_well(said, "2 planned = 2 accepted")
    assert "left the log" not in said.stdout


def test_a_trial_begins_without_it_and_says_so(project: Project) -> None:
    project.settings(public_settings())
    said = project.run("send", "2017-04", "--yes")
    went_well(said, "There is no public log yet", "3 planned = 3 accepted")
    assert 3 == len(mails(project))


def test_resume_reads_it_too(project: Project, relay: SmtpServer) -> None:
    gate = Gate(at=1)
    relay.behaviours["dot"] = gate
    use(project, relay, public_settings())
    with public_side(project.folder) as side:
        with running(project, "send", "2017-04", "--yes") as send:
            gate.wait()
            with running(project, "pause", "2017-04") as pause:
                assert pause.stdout.readline().startswith("Paused: ")
                gate.opened.set()
                ended(pause)
            ended(send)
        side.leave(reader(2))
        relay.behaviours.clear()
        said = project.run("resume", "2017-04", "--yes")
    went_well(said, "From the public log: 1 person left.")
    assert reader(2) not in relay.copies()
    assert 2 == relay.copies().total()


def test_resume_does_not_begin_without_it(project: Project, relay: SmtpServer) -> None:
    use(project, relay, public_settings())
    soon = (datetime.now(UTC) + timedelta(days=9)).strftime("%Y-%m-%d 09:00")
    with public_side(project.folder):
        said = project.run("send", "2017-04", "--yes", "--at", soon, "--scheduler")
        assert 4 == said.returncode, said.stderr
    log, aside = project.folder / "public.db", project.folder / "aside.db"
    log.rename(aside)
    now = ("resume", "2017-04", "--yes", "--at", "now")
    stopped(project.run(*now), 4, "no public log yet", "Nothing was sent", "--without-log")
    assert not relay.copies()
    aside.rename(log)
    went_well(project.run(*now), "3 planned = 3 accepted")


def test_a_dry_run_reads_no_log(project: Project, relay: SmtpServer) -> None:
    use(project, relay, public_settings())
    went_well(project.run("send", "2017-04", "--dry-run"), "3 people would get it")


# In mid-send


def wait_for(relay: SmtpServer, number: int) -> None:
    deadline = time.monotonic() + 60
    while relay.copies().total() < number and time.monotonic() < deadline:
        time.sleep(0.02)
    assert relay.copies().total() >= number


@pytest.mark.parametrize("elsewhere", [False, True], ids=["file", "server"])
def test_a_leave_in_mid_send_reaches_whoever_is_not_mailed_yet(
    project: Project, relay: SmtpServer, tmp_path: Path, elsewhere: bool
) -> None:
    """Each waits for its turn for half a second; the log is read every second."""
    project.list_of(14)
    keys = with_bearer(project)
    path = tmp_path / "elsewhere.db" if elsewhere else project.folder / "public.db"
    with closing(PublicLog(path)) as log, served(log_app(log, keys)) as port:
        where = "" if elsewhere else f'log = "{path}"'
        settings = public_settings(f"http://127.0.0.1:{port}", where)
        use(project, relay, settings, paced=PACED)
        with running(project, "send", "2017-04", "--yes") as send:
            wait_for(relay, 3)
            side = PublicSide(log, keys)
            for number in (12, 13):
                side.leave(reader(number))
            said = ended(send)
    went_well(said, "14 planned = 12 accepted + 2", "Complete.")
    assert "could not be read" not in said.stdout
    assert Counter(map(reader, range(12))) == relay.copies()


def test_a_server_that_dies_in_mid_send_stops_nobody_and_is_told(
    project: Project, relay: SmtpServer, tmp_path: Path
) -> None:
    project.list_of(12)
    keys = with_bearer(project)
    with ExitStack() as sending, closing(PublicLog(tmp_path / "elsewhere.db")) as log:
        side = PublicSide(log, keys)
        with served(log_app(log, keys)) as port:
            use(project, relay, public_settings(f"http://127.0.0.1:{port}"), paced=PACED)
            process = sending.enter_context(running(project, "send", "2017-04", "--yes"))
            wait_for(relay, 2)
        side.leave(reader(11))
        said = ended(process)
        went_well(said, "12 planned = 12 accepted")
        assert "The public log could not be read for less than a minute" in said.stdout
        assert "Readers who left in that time may have been mailed." in said.stdout
        assert "The public log could not be read" in project.run("status", "2017-04").stdout
        with served(log_app(log, keys), port):
            went_well(project.run("sync"), "1 person left")


def test_a_log_that_is_rolled_back_in_mid_send_is_told(
    project: Project, relay: SmtpServer, tmp_path: Path
) -> None:
    project.list_of(12)
    keys = with_bearer(project)
    with ExitStack() as sending, closing(PublicLog(tmp_path / "first.db")) as log:
        with served(log_app(log, keys)) as port:
            PublicSide(log, keys).leave(reader(11))
            use(project, relay, public_settings(f"http://127.0.0.1:{port}"), paced=PACED)
            process = sending.enter_context(running(project, "send", "2017-04", "--yes"))
            wait_for(relay, 2)
        with (
            closing(PublicLog(tmp_path / "second.db")) as other,
            served(log_app(other, keys), port),
        ):
            said = ended(process)
    went_well(said, "11 planned = 11 accepted", "This is another log than the one read before")
    assert "This is another log" in project.run("status", "2017-04").stdout


def test_a_server_that_comes_back_in_mid_send_is_read_again(
    project: Project, relay: SmtpServer, tmp_path: Path
) -> None:
    project.list_of(18)
    keys = with_bearer(project)
    with ExitStack() as sending, closing(PublicLog(tmp_path / "elsewhere.db")) as log:
        side = PublicSide(log, keys)
        with served(log_app(log, keys)) as port:
            use(project, relay, public_settings(f"http://127.0.0.1:{port}"), paced=PACED)
            process = sending.enter_context(running(project, "send", "2017-04", "--yes"))
            wait_for(relay, 2)
        side.leave(reader(17))
        wait_for(relay, 7)
        with served(log_app(log, keys), port):
            said = ended(process)
        assert reader(17) not in relay.copies()
    went_well(said, "18 planned = 17 accepted", "could not be read for less than a minute")
