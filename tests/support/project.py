"""A newsletter project in a folder of its own, for tests that run the program."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from newsletter.clock import SystemClock

from tests.support.inside import HurriedClock, run_inside
from tests.support.tools import ROOT

SETTINGS = """
language = "en"

[list]
id = "news.defenders.test"
name = "Defenders' Newsletter"
unsubscribe_url = "https://news.defenders.example/u/{token}"

[sender]
name = "Defenders' Newsletter"
address = "newsletter@defenders.example"

[organisation]
name = "The defenders"
postal_address = "1 Example Street, Brussels"

[archive]
url = "https://news.defenders.example/"

[delivery]
"""

SHORT_ISSUE = """\
title: April 2017
date: 2017-04-28
language: en
subject: One story in April
preheader: A short issue for trying the whole road from end to end
greeting: "Dear {{ name | friend }},"
stories:
  - id: only
    headline: The only story of the month
    blurb: It is short, and that is all it has to be for the purpose at hand.
    links:
      - label: The story in full
        url: https://defenders.example/only
"""


class Project:
    """The folder, and the program run in it as a person would."""

    home_folder: Path | None = None

    def __init__(self, folder: Path, *, delivery: str = "", readers: int = 3) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "issues").mkdir()
        # A copy: were the theme edited while a test runs, resume would rightly refuse.
        shutil.copytree(ROOT / "templates", folder / "templates")
        self.settings(delivery)
        self.issue(SHORT_ISSUE)
        self.list_of(readers)

    def settings(self, delivery: str) -> None:
        (self.folder / "newsletter.toml").write_text(SETTINGS + delivery)

    def issue(self, text: str, name: str = "2017-04") -> None:
        (self.folder / "issues" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def use_march(self) -> None:
        """Take over the 15-story issue with its pictures."""
        shutil.copy(ROOT / "issues" / "2017-03.yaml", self.folder / "issues")
        (self.folder / "issues" / "images").symlink_to(ROOT / "issues" / "images")

    def list_of(self, readers: int) -> None:
        rows = [f"reader{number}@readers.example,Reader {number},en" for number in range(readers)]
        (self.folder / "subscribers.csv").write_text("\n".join(["email,name,language", *rows]))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "newsletter", *arguments]

    def environment(self, **more: str) -> Mapping[str, str]:
        # A home of its own: what each test sends must not be remembered in the real one.
        own = {"COLUMNS": "200", "PYTHONPATH": str(ROOT), "HOME": str(self.home)}
        return {**os.environ, "XDG_STATE_HOME": "", **own, **more}

    @property
    def home(self) -> Path:
        """The home folder: beside the project, unless a test says otherwise."""
        return self.home_folder or self.folder.with_name(f"{self.folder.name}-home")

    def state(self) -> Path:
        """The state folder of the project's list."""
        return self.home / ".local" / "state" / "newsletter" / "news.defenders.test"

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        hurried: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, inside this process; its output holds no traceback.

        ``hurried``: its waits take no time.
        """
        done = run_inside(
            arguments,
            folder=self.folder,
            env=env or self.environment(),
            stdin=stdin,
            clock=HurriedClock if hurried else SystemClock,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        assert "fault of the program" not in done.stderr, done.stderr
        return done

    def run_program(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as a process of its own."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=env or self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done


def newsletter_of_this_repository(folder: Path) -> Project:
    """The March 2017 issue in all its languages, with its settings and the example list."""
    project = Project(folder)
    for name in ("newsletter.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, project.folder)
    for path in (ROOT / "issues").iterdir():
        if path.is_dir():
            (project.folder / "issues" / path.name).symlink_to(path)
        elif path.name.startswith("2017-03."):
            shutil.copy(path, project.folder / "issues")
    return project


def smtp_delivery(port: int, *, connections: int = 4, more: str = "") -> str:
    return f"""
transport = "smtp"
connections = {connections}
{more}

[smtp]
host = "127.0.0.1"
port = {port}
security = "none"
"""
