"""What the tests of the command line share: reading what it said, and programs left running."""

import atexit
import contextlib
import email
import email.policy
import functools
import os
import pty
import re
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from tests.crash.warm import Piped, Warm
from tests.support.project import Project

WITHIN_S = 60


def stopped(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The program stopped with ``code`` and told the ``words`` on stderr, what to do next too."""
    assert code == done.returncode, done.stdout + done.stderr
    assert done.stderr.count("Stopped: ") == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def went_well(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The program ended with 0, complained of nothing and told the ``words``."""
    assert (0, "") == (done.returncode, done.stderr), done.stdout + done.stderr
    for word in words:
        assert word in done.stdout, done.stdout


def files(project: Project) -> dict[str, bytes]:
    """Every file of the project but its theme, to see whether a command changed any."""
    return {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for path in sorted(project.folder.rglob("*"))
        if path.is_file() and "templates" not in path.parts
    }


def mails(project: Project) -> list[EmailMessage]:
    """The mails in the outbox, read by the standard library's parser."""
    return [parsed(path.read_bytes()) for path in sorted(outbox(project))]


def outbox(project: Project) -> list[Path]:
    return list((project.folder / "outbox" / "new").glob("*"))


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def part(message: EmailMessage, kind: str) -> str:
    """The decoded html or plain part."""
    body = message.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content


@dataclass
class Gate:
    """A server's behaviour that holds its answer back until the test lets it go."""

    at: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self, earlier: int) -> None:
        if earlier == self.at:
            self.reached.set()
            self.opened.wait(WITHIN_S)

    def wait(self) -> None:
        assert self.reached.wait(WITHIN_S), "the program never came so far"


@functools.cache
def warm() -> Warm:
    """One warm process for all tests: a start of Python costs more than most commands."""
    process = Warm()
    atexit.register(process.close)
    return process


@contextlib.contextmanager
def running(
    project: Project, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[Piped]:
    """A command in a process of its own while the block runs; it is ended with it."""
    process = warm().start_piped(arguments, folder=project.folder, env=env or project.environment())
    try:
        yield process
    finally:
        process.close()


@contextlib.contextmanager
def running_program(
    project: Project, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The same with an interpreter of its own: for how it starts, hears signals and exits."""
    process = subprocess.Popen(
        project.command(*arguments),
        cwd=project.folder,
        env=env or project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str] | Piped) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a command and take what it said."""
    stdout, stderr = process.communicate(timeout=WITHIN_S)
    assert "Traceback" not in stdout + stderr, stderr
    assert process.returncode is not None
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def prepared(statement: str, command: Sequence[str]) -> list[str]:
    """``command``, its process made ready by a statement of Python."""
    imports = "import fcntl, os, resource, sys, termios"
    become = "os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", f"{imports}; {statement}; {become}", *command]


CTRL_C = b"\x03"
_TYPED_AGAIN_AFTER_S = 2
_OWN_TERMINAL = "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
"""Else Ctrl-C typed there would not reach the program."""


def at_a_terminal(project: Project, *arguments: str, answer: bytes) -> tuple[int, str]:
    """Run a command at a terminal of 80 columns and ``answer`` its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        prepared(_OWN_TERMINAL, project.command(*arguments)),
        cwd=project.folder,
        env=project.environment(COLUMNS="80", TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    watchdog = threading.Timer(WITHIN_S, process.kill)
    watchdog.start()
    seen, typed = b"", False
    with contextlib.suppress(OSError):  # how Linux tells that the other side has ended
        while True:
            readable, _, _ = select.select([ours], [], [], _TYPED_AGAIN_AFTER_S)
            if readable:
                seen += os.read(ours, 4096)
            # A Ctrl-C in the very moment before the program reads goes unheard.
            unheard = typed and not readable and answer == CTRL_C
            if re.search(rb"\[(y/N|1-\d+)\]", seen) and (unheard or not typed):
                os.write(ours, answer)
                typed = True
    os.close(ours)
    code = process.wait(timeout=WITHIN_S)
    watchdog.cancel()
    text = seen.decode()
    assert "Traceback" not in text, text
    return code, text
