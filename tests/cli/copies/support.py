"""A project that sends to three readers, and what befalls its folder.

One list, one sender: copies, clones, cleaned and restored folders never send by themselves.
Each refusal's advice is followed to the end: whoever was not mailed is mailed once, nobody
twice, and who left stays left.
"""

import contextlib
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from tests.cli.support import ended, running
from tests.support.project import Project, smtp_delivery
from tests.support.smtp_server import SmtpServer, after

OLDER = "This ledger is older than what was sent to the list"
NO_LEDGER = "this folder has no ledger of it"
ANOTHER = "This list was sent from another folder"
ELSEWHERE = "is remembered in another state folder"
LEDGER_FILES = ("newsletter.db", "newsletter.db-wal", "newsletter.db-shm")


def one_a_connection(server: SmtpServer) -> str:
    return smtp_delivery(server.port, connections=1) + "messages_per_connection = 1\n"


def everyone_once(readers: int = 3) -> Counter[str]:
    return Counter(f"reader{number}@readers.example" for number in range(readers))


def one_of_three(project: Project, server: SmtpServer) -> None:
    """Send to the first reader; the other two wait."""
    server.behaviours["MAIL"] = after(1, b"550 5.7.1 sender not allowed")
    done = project.run("send", "2017-04", "--yes")
    assert 4 == done.returncode, done.stdout + done.stderr
    server.behaviours.clear()
    assert "3 planned = 1 accepted" in done.stdout


def beside(project: Project, name: str) -> Project:
    """Another folder of the same user; nothing is in it yet."""
    other = Project.__new__(Project)
    other.folder = project.folder.with_name(name)
    other.home_folder = project.home
    return other


def copied(project: Project, name: str = "copy") -> Project:
    """A copy of the project's whole folder, made while nothing runs in it."""
    copy = beside(project, name)
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    return copy


def cleaned(project: Project) -> None:
    """What ``git clean -fdx`` does: all that is not in version control goes."""
    for path in project.folder.glob("newsletter.*"):
        if path.suffix != ".toml":
            path.unlink()


def take_ledger(source: Path, target: Path) -> None:
    for name in LEDGER_FILES:
        (target / name).unlink(missing_ok=True)
        if (source / name).exists():
            shutil.copy(source / name, target / name)


def fired_together(*projects: Project) -> list[subprocess.CompletedProcess[str]]:
    with contextlib.ExitStack() as stack:
        command = ("resume", "2017-04", "--scheduled")
        started = [stack.enter_context(running(project, *command)) for project in projects]
        return [ended(process) for process in started]
