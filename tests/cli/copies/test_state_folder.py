"""The state folder, in which it is remembered what was sent to each list."""

import shutil
from pathlib import Path

import pytest

from tests.cli.copies.support import ELSEWHERE, one_of_three
from tests.cli.support import stopped, went_well
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer


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
    stopped(project.run("send", "2017-04", "--yes"), 2, "inside the project's folder")
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
