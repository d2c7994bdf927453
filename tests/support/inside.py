"""The program run inside the process of the test: the same code from its arguments to its exit
code, without the second that each start of an interpreter costs."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from newsletter.cli import main
from newsletter.clock import SystemClock
from newsletter.project import project


class HurriedClock(SystemClock):
    """The machine's clock, but whoever sleeps only puts it forward. For several threads."""

    def __init__(self) -> None:
        self._skipped_s = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The current time, and what was skipped."""
        return super().now() + timedelta(seconds=self._skipped_s)

    def monotonic(self) -> float:
        """As :meth:`now`."""
        return super().monotonic() + self._skipped_s

    def sleep(self, seconds: float) -> None:
        """Skip ``seconds``."""
        with self._lock:
            self._skipped_s += seconds
        super().sleep(0)  # other threads have something to do


def run_inside(
    arguments: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    stdin: str = "",
    clock: type[SystemClock] = SystemClock,
) -> subprocess.CompletedProcess[str]:
    """What the program prints and how it ends, run in ``folder`` with ``env`` and no terminal."""
    out, err = _stream(), _stream()
    with (
        mock.patch.object(project, "SystemClock", clock),
        _in_folder(folder),
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.multiple(
            sys,
            argv=["newsletter", *arguments],
            stdin=_stream(stdin),
            stdout=out,
            stderr=err,
        ),
    ):
        code = _ended()
    return subprocess.CompletedProcess(["newsletter", *arguments], code, _read(out), _read(err))


def _ended() -> int:
    try:
        main()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return 0


def _stream(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", write_through=True)


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    content = stream.buffer
    assert isinstance(content, io.BytesIO)
    return content.getvalue().decode("utf-8")


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
