"""``serve`` as people start it: the demo, a signal to end, and what it writes to its log."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.cli.support import WITHIN_S, prepared, stopped
from tests.support.project import Project
from tests.support.public_side import public_settings


@contextlib.contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """“newsletter serve” in a process of its own, both its outputs in one."""
    home = folder / "home"
    home.mkdir()
    process = subprocess.Popen(
        # As a shell starts it: tests may run with Ctrl-C turned off.
        prepared(
            "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)",
            [sys.executable, "-m", "newsletter", "serve", *arguments],
        ),
        cwd=folder,
        env={
            **os.environ,
            "COLUMNS": "200",
            "HOME": str(home),
            "TMPDIR": str(folder),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONUNBUFFERED": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str], words: str) -> str:
    """What it says up to a line with ``words``."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"never said: {words}\n{said}")


def test_the_demo_shows_a_leave_and_removes_what_it_made(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo") as process:
        said = told(process, "Ctrl-C ends it")
        (folder,) = tmp_path.glob("newsletter-demo-*")
        assert str(folder / "outbox" / "new") in said
        assert 13 == len(list((folder / "outbox" / "new").iterdir()))
        page = re.search(r"http://127\.0\.0\.1:\d+/leave/\S+", said)
        button = re.search(r"curl -d List-Unsubscribe=One-Click (http://\S+/1/\S+)", said)
        assert page
        assert button
        shown = requests.get(page[0], timeout=WITHIN_S)
        assert (200, True) == (shown.status_code, "<form" in shown.text)
        sign_up = re.search(r"http://127\.0\.0\.1:\d+/subscribe", said)
        assert sign_up
        assert "<form" in requests.get(sign_up[0], timeout=WITHIN_S).text
        past_issues = re.sub("/leave/.*", "/archive/", page[0])
        assert 200 == requests.get(past_issues, timeout=WITHIN_S).status_code
        answer = requests.post(button[1], {"List-Unsubscribe": "One-Click"}, timeout=WITHIN_S)
        assert "You have left." in answer.text
        told(process, "From the public log: 1 person left.")
        process.send_signal(signal.SIGINT)
        told(process, "its folder is gone")
        assert 0 == process.wait(WITHIN_S)
    assert ["home"] == [path.name for path in tmp_path.iterdir()]


def test_the_demo_shows_no_other_newsletter(project: Project) -> None:
    stopped(project.run("serve", "--demo", "--bundle", "x"), 2, "uses its own newsletter")
    stopped(project.run("serve", "--demo", "--host", "0.0.0.0"), 2, "on this machine only")


def test_a_page_that_cannot_be_made_is_told_before_anybody_is_served(project: Project) -> None:
    project.settings(public_settings())
    page = project.folder / "templates" / "default" / "web" / "public.html.j2"
    page.write_text("{% if page == 'privacy' %}{{ nowhere }}{% endif %}")
    stopped(project.run("serve", "--port", "0"), 2, "public.html.j2:1", "'nowhere' is undefined")


def test_its_output_holds_no_path_address_body_or_browser(tmp_path: Path) -> None:
    """Whatever is asked, also what makes an error; and a signal of systemd ends it well."""
    project = Project(tmp_path / "project")
    project.settings(public_settings())
    project.run("keys", "public", "--out", str(tmp_path / "public"))
    with serving(tmp_path, "--bundle", str(tmp_path / "public"), "--port", "0") as process:
        said = told(process, "Answering readers")
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found
        secret = "SECRET" * 10
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
            for path in ("1", "leave", "nowhere", "log", "health", "%ff%00", "archive/.."):
                requests.request(
                    method,
                    f"{found[0]}/{path}/{secret}?q={secret}",
                    data={"do": secret},
                    headers={"User-Agent": secret, "X-Forwarded-For": "203.0.113.77"},
                    timeout=WITHIN_S,
                )
        requests.post(f"{found[0]}/1/{secret}", timeout=WITHIN_S)
        process.send_signal(signal.SIGTERM)
        said += told(process, "The server has ended.")
        assert 0 == process.wait(WITHIN_S)
    assert not re.search(r"SECRET|203\.0|Traceback", said)
    assert "127.0.0.1" not in said.replace(found[0], "")
    # At the start that the privacy notice lacks something, and where readers are answered.
    assert 3 == len(said.splitlines()), said
