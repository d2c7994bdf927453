"""Who is killed: the program with its project, or the naive sender. Same strings to pull."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Protocol

from tests.crash.judge import States, read_states
from tests.crash.warm import Running, Warm
from tests.support.project import Project
from tests.support.tools import ROOT

ISSUE = "2017-04"


class Sender(Protocol):
    """Something that sends to a list, can be killed, and goes on when started again."""

    finished: frozenset[int]
    """Exit codes that mean: everybody has an end."""
    stopped: frozenset[int]
    """Exit codes that mean: not done; start me again."""

    def start(self, *, held: bool = False) -> Running:
        """Start it, or go on; ``held``: stopped before its first step."""

    def states(self) -> States:
        """What its own books say."""

    def said(self) -> str:
        """What the last command printed."""


class Newsletter:
    """``newsletter send`` and then ``newsletter resume``."""

    finished = frozenset({0, 6})
    stopped = frozenset({4, 5})

    def __init__(
        self,
        project: Project,
        warm: Warm | None,
        *,
        env: Mapping[str, str],
        said: str = "said.txt",
    ) -> None:
        self.ahead_s = 0.0
        """How far its clock is ahead of the true one."""
        self.jump = (0.0, 0.0)
        """After how many seconds its clock jumps, and by how many."""
        self._project = project
        self._warm = warm
        self._env = env
        self._said = project.folder / said

    def beside(self, warm: Warm) -> "Newsletter":
        """The same project for a second process."""
        return Newsletter(self._project, warm, env=self._env, said="said-beside.txt")

    def start(self, *, held: bool = False) -> Running:
        if self.states():
            return self.command("resume", ISSUE, "--as-frozen", held=held)
        return self.command("send", ISSUE, "--yes", held=held)

    def command(self, *arguments: str, held: bool = False) -> Running:
        clock = f"{self.ahead_s},{self.jump[0]},{self.jump[1]}"
        env = self._project.environment(**self._env, CRASH_CLOCK=clock)
        with self._said.open("w") as said:
            if self._warm is not None:
                return self._warm.start(
                    arguments,
                    folder=self._project.folder,
                    env=env,
                    stdout=said.fileno(),
                    stderr=said.fileno(),
                    held=held,
                )
            assert not held, "a cold start cannot be held"
            return subprocess.Popen(
                [sys.executable, "-m", "tests.crash.program", *arguments],
                cwd=self._project.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def states(self) -> States:
        return read_states(self._project.folder / "newsletter.db")

    def said(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")


class Naive:
    """The control; its books are its checkpoint."""

    finished = frozenset({0})
    stopped = frozenset({1})

    def __init__(self, project: Project, port: int, manner: str) -> None:
        self._list = project.folder / "subscribers.csv"
        self._checkpoint = project.folder / "checkpoint"
        self._arguments = (str(self._list), str(self._checkpoint), str(port), manner)

    def start(self, *, held: bool = False) -> Running:
        assert not held, "the control is never held"
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.naive", *self._arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def states(self) -> States:
        rows = self._list.read_text(encoding="utf-8").splitlines()[1:]
        addresses = [row.partition(",")[0] for row in rows]
        done = int(self._checkpoint.read_text()) if self._checkpoint.exists() else 0
        return {
            address: "accepted" if number < done else "pending"
            for number, address in enumerate(addresses)
        }

    def said(self) -> str:
        return ""
