"""The program started without its start-up: a process that has imported it, and forks.

Half of a short run is Python reading modules, and a kill then proves nothing.
So one process imports the whole program once and forks for each command. What
is killed is a process of its own with everything that the program does from
its first line on; only the imports are behind it, and compiling the theme's
templates. ``--cold`` does without.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from tests.support.project import Project
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


F = TypeVar("F", bound="Forked")


class Forked:
    """One command that the warm process forked; ends as a Popen would."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = self._number()
        self.returncode: int | None = None
        # A number could be given to another process once this one is gone; this cannot.
        try:
            self._handle: int | None = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._handle = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = self._number()
            self._told.close()
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
        return self.returncode

    def _number(self) -> int:
        """What the warm process tells next; the rest is left where ``wait`` looks for it."""
        line = b""
        while not line.endswith(b"\n"):
            char = self._told.recv(1)
            assert char, "the warm process ended"
            line += char
        return int(line)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Piped(Forked):
    """One whose output the test reads."""

    def __init__(self, told: socket.socket, stdout: int, stderr: int, args: Sequence[str]) -> None:
        super().__init__(told)
        self.args = args
        self.stdout: IO[str] = os.fdopen(stdout, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(stderr, encoding="utf-8")

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end; returns what is still unread of its output and of its errors."""
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.append(self.stderr.read()))
        listener.start()
        watchdog = threading.Timer(timeout or threading.TIMEOUT_MAX, self.kill)
        watchdog.start()
        out = self.stdout.read()
        listener.join()
        watchdog.cancel()
        self.wait(timeout)
        return out, said[0]

    def close(self) -> None:
        """End it."""
        self.kill()
        self.wait(timeout=60)
        self.stdout.close()
        self.stderr.close()


class Warm:
    """The warm process, seen from a test."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.warm", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the harness, which ends it properly
            )
        assert self._orders.recv(1), "the warm process ended"
        self._started: list[Forked] = []

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        held: bool = False,
    ) -> Forked:
        """Fork and run ``newsletter ARGUMENTS`` in ``folder``.

        ``stdout`` and ``stderr`` are open files; ``held``: stopped before its first step.
        """
        told = self._order(arguments, folder, env, stdout, stderr, held=held)
        return self._known(Forked(told))

    def start_piped(
        self, arguments: Sequence[str], *, folder: Path, env: Mapping[str, str]
    ) -> Piped:
        """The same, with pipes for what it prints."""
        (out, stdout), (err, stderr) = os.pipe(), os.pipe()
        told = self._order(arguments, folder, env, stdout, stderr, held=False)
        os.close(stdout)
        os.close(stderr)
        return self._known(Piped(told, out, err, arguments))

    def _order(
        self,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        *,
        held: bool,
    ) -> socket.socket:
        order = {
            "arguments": list(arguments),
            "folder": str(folder),
            "env": dict(env),
            "held": held,
        }
        ours, theirs = socket.socketpair()
        with theirs:
            files = [stdout, stderr, theirs.fileno()]
            socket.send_fds(self._orders, [json.dumps(order).encode() + b"\n"], files)
        return ours

    def _known(self, forked: F) -> F:
        self._started = [each for each in self._started if each.poll() is None]
        self._started.append(forked)
        return forked

    def close(self) -> None:
        """End the warm process, and what it forked if that still runs."""
        for forked in self._started:
            forked.kill()
            forked.wait(timeout=60)
        self._orders.close()
        self._process.wait(timeout=60)


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


def _compile_once() -> None:
    """Compile an issue: what that imports, and the templates, every command would read anew."""
    with tempfile.TemporaryDirectory() as folder:
        done = Project(Path(folder) / "project").run("send", "2017-04", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert threading.active_count() == 1, "a fork would lose the other threads"


def _run(order: dict[str, Any], stdout: int, stderr: int) -> None:
    """Be the program from here on; never returns."""
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["folder"])
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 64)
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
    except BaseException:  # noqa: BLE001 - as the interpreter does at the end
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _let_anybody_trace() -> None:
    """Some kernels let a process be traced by its ancestors alone; strace is none of ours."""
    pr_set_ptracer, anybody = 0x59616D61, ctypes.c_ulong(-1)
    ctypes.CDLL(None).prctl(pr_set_ptracer, anybody, 0, 0, 0)


def _serve(orders: socket.socket) -> None:
    _import_everything()
    _compile_once()
    gc.collect()
    gc.freeze()  # else each child copies what its collector looks at
    orders.send(b"\n")  # ready
    running: dict[int, tuple[int, int]] = {}
    while True:
        readable, _, _ = select.select([orders.fileno(), *running], [], [])
        for handle in running.keys() & set(readable):
            child, told = running.pop(handle)
            _, status = os.waitpid(child, 0)
            with contextlib.suppress(BrokenPipeError):
                os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(told)
            os.close(handle)
        if orders.fileno() in readable:
            line, files, _, _ = socket.recv_fds(orders, 1_000_000, 3)
            if not line:
                return
            while not line.endswith(b"\n"):
                line += orders.recv(1_000_000)
            stdout, stderr, told = files
            child = os.fork()
            if child == 0:
                _run(json.loads(line), stdout, stderr)
            os.close(stdout)
            os.close(stderr)
            os.write(told, b"%d\n" % child)
            running[os.pidfd_open(child)] = child, told


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
