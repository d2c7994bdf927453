"""The program started without its start-up: a process that has imported it, and forks.

Half of a short run is Python reading modules, and a kill then proves nothing.
So one process imports the whole program once and forks for each command. What
is killed is a process of its own with everything that the program does from
its first line on; only the imports are behind it. ``--cold`` does without.
"""

import contextlib
import ctypes
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from tests.support.tools import ROOT


class Running(Protocol):
    """A command under way, as :class:`subprocess.Popen` has it."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...


class Forked:
    """One command that the warm process forked; ends as a Popen would."""

    def __init__(self, pid: int, news: IO[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._news = news
        # A number could be given to another process once this one is gone; this cannot.
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._news], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            line = self._news.readline()
            assert line, "the warm process ended"
            self.returncode = json.loads(line)["ended"]
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
        assert self.returncode is not None
        return self.returncode

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def kill(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)


class Warm:
    """The warm process, seen from the harness; one command at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.warm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,  # Ctrl-C is for the harness, which ends it properly
        )
        self._last: Forked | None = None

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        said: Path,
        held: bool = False,
    ) -> Forked:
        """Fork and run ``newsletter ARGUMENTS`` in ``folder``.

        ``said`` is the file for what it prints; ``held``: stopped before its first step.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "arguments": list(arguments),
            "folder": str(folder),
            "env": dict(env),
            "said": str(said),
            "held": held,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        answer = json.loads(self._process.stdout.readline())
        self._last = Forked(answer["pid"], self._process.stdout)
        return self._last

    def close(self) -> None:
        """End the warm process, and what it forked last if that still runs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._last is not None:
            self._last.kill()
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


@contextlib.contextmanager
def warm() -> Iterator[Warm]:
    """A warm process while the block runs."""
    process = Warm()
    try:
        yield process
    finally:
        process.close()


# From here on: what runs inside the warm process.


def _import_everything() -> None:
    import newsletter

    for module in pkgutil.walk_packages(newsletter.__path__, "newsletter."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _run(order: dict[str, Any]) -> None:
    """Be the program from here on; never returns."""
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for target, source in ((0, nothing), (1, said), (2, said)):
        os.dup2(source, target)
    os.closerange(3, 64)
    # New ones: the old ones' buffers belong to the conversation with the harness.
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["newsletter", *order["arguments"]]
    if order["held"]:
        _let_anybody_trace()
        os.kill(os.getpid(), signal.SIGSTOP)
    from tests.crash.program import main

    code = 1
    try:
        main()
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _let_anybody_trace() -> None:
    """Some kernels let a process be traced by its ancestors alone; strace is none of ours."""
    pr_set_ptracer, anybody = 0x59616D61, ctypes.c_ulong(-1)
    ctypes.CDLL(None).prctl(pr_set_ptracer, anybody, 0, 0, 0)


def _serve() -> None:
    _import_everything()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    _serve()
