"""The other side: sinks and providers, each a process of its own that outlives the kills."""

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.tools import ROOT


class SinkArrivals:
    """What Postfix's smtp-sink keeps: one file a message."""

    def __init__(self, sink: Sink) -> None:
        self.port = sink.port
        self._sink = sink

    def copies(self) -> Counter[str]:
        return self._sink.copies()

    def mark(self) -> int:
        assert self._sink.folder is not None
        return self._sink.folder.stat().st_mtime_ns


class RecordedArrivals:
    """What our own sink or provider wrote: one line a message, before it answered."""

    def __init__(self, port: int, record: Path) -> None:
        self.port = port
        self._record = record

    def copies(self) -> Counter[str]:
        # Without its end a line is being written; it counts next time.
        return Counter(self._record.read_text(encoding="utf-8").split("\n")[:-1])

    def mark(self) -> int:
        return self._record.stat().st_size


@contextlib.contextmanager
def postfix_sink(folder: Path) -> Iterator[SinkArrivals]:
    """smtp-sink, which behaves."""
    with smtp_sink(folder) as sink:
        yield SinkArrivals(sink)


@contextlib.contextmanager
def own_side(module: str, folder: Path, manner: str, seed: int) -> Iterator[RecordedArrivals]:
    """A process of ours (``tests.crash.MODULE``) in some manner."""
    folder.mkdir(parents=True)
    record = folder / "arrived.txt"
    record.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.crash.{module}", str(record), manner, str(seed)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield RecordedArrivals(int(process.stdout.readline()), record)
        assert process.poll() is None, f"{module} did not outlive its sender"
    finally:
        process.kill()
        process.communicate(timeout=30)
