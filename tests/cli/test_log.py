"""``newsletter --log FILE``."""

import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from newsletter.transports.mailbox import _Maildir

from tests.support.project import Project


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def told(file: Path) -> list[dict[str, Any]]:
    """The lines without what differs from run to run and from line to line."""
    return [{k: v for k, v in line.items() if k not in {"time", "level"}} for line in lines(file)]


def test_a_send_is_told_in_counts(project: Project) -> None:
    log = project.folder / "send.log"
    assert 0 == project.run("--log", "send.log", "send", "2017-04", "--yes").returncode
    campaign = told(log)[1]["campaign"]
    assert f"Campaign {campaign}" in project.run("status").stdout
    assert [
        {"event": "command began", "command": "send"},
        {"event": "campaign frozen", "campaign": campaign, "counts": {"planned": 3}},
        {"event": "run began", "campaign": campaign},
        {"event": "run ended", "campaign": campaign, "counts": {"accepted": 3}},
        {"event": "command ended", "command": "send", "exit_code": 0},
    ] == told(log)
    for line in lines(log):
        assert ["time", "level", "event"] == [*line][:3]
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert "info" == line["level"]
    assert 0o600 == stat.S_IMODE(log.stat().st_mode)


def test_no_line_holds_an_address_a_name_or_a_reply(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: object, *_arguments: object) -> None:
        raise OSError(28, "a secret of reader1@readers.example")

    log = ("--log", "all.log")
    monkeypatch.setattr(_Maildir, "_file", refuse)
    project.run(*log, "check", "2017-04")
    project.run(*log, "test", "2017-04", "--to", "me@example.org")
    project.run(*log, "send", "2017-04", "--yes", hurried=True)
    project.run(*log, "pause", "2017-04")
    project.run(*log, "resume", "2017-04", "--yes", hurried=True)
    project.run(*log, "suppress", "add", "reader1@readers.example", "--reason", "unsubscribed")
    project.run(*log, "resolve", "2017-04", "reader2@readers.example", "--accepted")
    project.run(*log, "subscribers", "check")
    text = (project.folder / "all.log").read_text(encoding="utf-8")
    assert not [word for word in ("@", "reader", "secret", "defenders", "250 ") if word in text]
    events = {line["event"] for line in lines(project.folder / "all.log")}
    assert {"campaign frozen", "campaign held", "campaign released", "run ended"} <= events
    assert {"pending": 3} in [line.get("counts") for line in lines(project.folder / "all.log")]
    allowed = {"time", "level", "event", "campaign", "counts", "command", "exit_code"}
    assert all(allowed >= line.keys() for line in lines(project.folder / "all.log"))
    assert {"send", "pause", "suppress"} <= {line.get("command") for line in told(
        project.folder / "all.log"
    )}  # fmt: skip


def test_a_command_that_fails_is_logged_as_an_error_with_its_exit_code(project: Project) -> None:
    done = project.run("--log", "log", "send", "2031-01", "--yes")
    assert 2 == done.returncode
    *_, last = lines(project.folder / "log")
    assert ("error", "command ended", 2) == (last["level"], last["event"], last["exit_code"])


def test_commands_add_to_a_log(project: Project) -> None:
    for _ in range(2):
        project.run("--log", "log", "subscribers", "check")
    assert 4 == len(lines(project.folder / "log"))


def test_without_it_nothing_is_logged_or_printed(project: Project) -> None:
    assert "" == project.run("send", "2031-01", "--dry-run").stdout


@pytest.mark.parametrize("name", ["newsletter.toml", "subscribers.csv", "issues", "no/such/folder"])
def test_a_log_is_never_written_into_another_file(project: Project, name: str) -> None:
    file = project.folder / name
    before = file.read_bytes() if file.is_file() else None
    done = project.run("--log", name, "subscribers", "check")
    assert 2 == done.returncode
    assert "log cannot be written" in done.stderr
    assert before == (file.read_bytes() if file.is_file() else None)
