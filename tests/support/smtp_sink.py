"""Postfix's smtp-sink as the judge: a program we did not write counts who got what.

It writes one file for each message whose final dot it answered, and removes
the file of a message that broke off; the file's ``X-Rcpt-Args`` names the
recipient.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.tools import program

_STARTS_WITHIN_S = 10


class Sink:
    def __init__(self, port: int, folder: Path | None, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.folder = folder
        self.process = process

    def copies(self) -> Counter[str]:
        """How many complete messages each recipient got."""
        assert self.folder is not None
        # Listed first: what is closed afterwards may be complete, and is counted next time.
        paths = set(self.folder.iterdir())
        found = (_recipient(path) for path in paths - self._unfinished())
        return Counter(address for address in found if address is not None)

    def _unfinished(self) -> set[Path]:
        """The files of messages whose dot has not come: the sink still writes to them."""
        targets = set()
        for descriptor in Path(f"/proc/{self.process.pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                targets.add(descriptor.readlink())
        return targets

    def forget(self) -> None:
        assert self.folder is not None
        for path in self.folder.iterdir():
            path.unlink()


@contextlib.contextmanager
def smtp_sink(folder: Path | None = None, *arguments: str) -> Iterator[Sink]:
    """A sink on a free port; with ``folder`` it keeps every message there."""
    command = [program("smtp-sink"), *arguments]
    if os.getuid() == 0:
        command += ["-u", "nobody"]  # it refuses to stay root
    if folder is not None:
        folder.mkdir(parents=True)
        if os.getuid() == 0:
            shutil.chown(folder, "nobody")
        # Relative to where it works: the user nobody may not enter by the whole path.
        command += ["-d", "%H%M%S."]
    with _reserved_port() as port:
        process = subprocess.Popen(
            [*command, f"127.0.0.1:{port}", "1000"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            _wait_for(port, process)
            yield Sink(port, folder, process)
        finally:
            process.kill()
            process.wait(timeout=10)


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """A port for the sink alone: it cannot take port 0 and tell what it got.

    The socket stays bound, so that no other test gets the port. It does not
    listen and lets its address be used again, so that the sink may.
    """
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield held.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "smtp-sink ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
    raise AssertionError("smtp-sink did not start")


def _recipient(path: Path) -> str | None:
    """Whose message it is; None where it broke off meanwhile or when the sink ended."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            if line.startswith(b"X-Rcpt-Args:"):
                return line.split(b"<", 1)[1].split(b">", 1)[0].decode()
        assert path.stat().st_size == 0, f"{path.name} names no recipient"
    return None
