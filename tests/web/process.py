"""The public side as a process of its own: ``newsletter serve`` with a bundle, and its readers."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from newsletter.message.tokens import Purpose, Token, sign
from newsletter.web.log import Entry, PublicLog, first_head, next_head
from newsletter.web.seal import unseal

from tests.crash.warm import Running, Warm
from tests.support.tools import ROOT
from tests.web.served import LIST, bundle, key_ring

BEARER = b"b" * 32
_UP_WITHIN_S = 60


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def write_bundle(folder: Path) -> Path:
    """A bundle for a separate server, whose log may be read with :data:`BEARER`."""
    bundle(bearer_hash=hashlib.sha256(BEARER).hexdigest()).write(folder)
    return folder


class ServerProcess:
    """One server after another, on one port, with one bundle and its log.

    Args:
        folder: where the bundle is, and the log will be.
        warm: forks it from a process that has imported the program; None: from scratch.
        limits: what ``bash`` is told before it, such as ``ulimit -n 900``.
    """

    def __init__(self, folder: Path, warm: Warm | None = None, *, limits: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "public.db"
        self._warm = warm
        self._limits = limits

    def start(self, *, held: bool = False) -> Running:
        """Start it; with ``held``, stopped before its first step."""
        arguments = ["serve", "--bundle", str(self.folder), "--port", str(self.port)]
        said = self.folder.with_name(f"{self.folder.name}.said")
        with said.open("ab") as out:
            if self._warm:
                return self._warm.start(
                    arguments,
                    folder=self.folder,
                    env=os.environ,
                    stdout=out.fileno(),
                    stderr=out.fileno(),
                    held=held,
                )
            command = [sys.executable, "-m", "newsletter", *arguments]
            if self._limits:
                command = ["bash", "-c", f'{self._limits}; exec "$@"', "bash", *command]
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @contextlib.contextmanager
    def running(self) -> Iterator[Running]:
        """Run it, answering, while the block runs; then end it as ``systemctl stop`` does."""
        process = self.start()
        try:
            self.wait_until_up(process)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=20)

    def wait_until_up(self, process: Running) -> None:
        """Wait until it answers, or has ended."""
        deadline = time.monotonic() + _UP_WITHIN_S
        while process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/health")[0] == 200:
                    return
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Any = None
    ) -> tuple[int, bytes]:
        """One request over a connection of its own: the status and the answer's body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def said(self) -> str:
        """What it printed."""
        return self.folder.with_name(f"{self.folder.name}.said").read_text(encoding="utf-8")

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """What its log holds behind a place, opened with the officer's key; the chain is sound."""
        keys = key_ring().box_keys(LIST)
        opened = []
        for entry in entries(self.log, after):
            content = unseal(entry.box, keys)
            assert content is not None
            opened.append({"seq": entry.seq, "id": entry.id.hex(), **content})
        return opened


def entries(path: Path, after: int = 0) -> list[Entry]:
    """The entries behind a place of a log that nobody serves, whose chain was followed."""
    found: list[Entry] = []
    with contextlib.closing(PublicLog(path)) as log:
        page = log.page(after)
        head = page.head or first_head(page.log_id)
        while page.entries:
            for entry in page.entries:
                head = next_head(head, entry.id, entry.box)
                assert head == entry.head
                assert entry.seq == (found[-1].seq if found else after) + 1
                found.append(entry)
            page = log.page(found[-1].seq)
        assert page.last == (found[-1].seq if found else after)
    return found


_numbers = itertools.count(1)


def leave_token(purpose: Purpose = Purpose.HEADER, *, minutes_ago: int = 600) -> tuple[str, str]:
    """A token of a reader and campaign of its own; the campaign's tag names it, hexadecimal."""
    number = next(_numbers)
    campaign = struct.pack(">II", os.getpid(), number)
    tag = hashlib.sha256(campaign).digest()[:12]
    minute = int(time.time() / 60) - minutes_ago
    made = Token(purpose, tag, campaign, minute)
    return sign(made, keys=key_ring(), list_id=LIST), campaign.hex()


class Leavers:
    """Readers who leave by the header's address, over a few connections, until they are stopped.

    Args:
        port: of the server, which may come and go.
        threads: how many leave at once.
        twice: also post each token a second time, as some mail programs do.
    """

    def __init__(self, port: int, *, threads: int = 6, twice: bool = True) -> None:
        self.answered: list[str] = []
        """The campaigns' tags of those who were told that they left."""
        self.statuses: set[int] = set()
        self._port = port
        self._twice = twice
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._leave_on) for _ in range(threads)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(60)

    def _leave_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.is_set():
            token, campaign = leave_token()
            try:
                for _ in range(1 + self._twice):
                    connection.request("POST", f"/1/{token}", b"List-Unsubscribe=One-Click")
                    answer = connection.getresponse()
                    answer.read()
                    self.statuses.add(answer.status)
                    if answer.status == 200:
                        self.answered.append(campaign)
            except (OSError, http.client.HTTPException):
                connection.close()
                self._stop.wait(0.01)
        connection.close()


def wait_for(what: Callable[[], bool], *, within_s: float = 30) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)
