"""Serves the public side until told to stop. Opens one listening socket.

uvicorn waits for ever for a request that never comes whole, or an answer that is
not read. Behind its protocol stands a clock for each connection, and a limit for
all of them: the one that has been silent longest makes room for a new one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from newsletter.errors import InputError, LedgerRefused, Where
from newsletter.system import STOP_SIGNALS, raise_file_limit, take_lock

REQUEST_S = 20.0
"""How long a client may take until its request is there whole, in seconds."""
ANSWER_S = 120.0
"""How long it may then take until it has read the answer."""
MOST_OCTETS = 2_000_000
"""Of a request. Pages of ours read far less; what comes behind it is not waited for."""
MOST_CONNECTIONS = 10_000
"""Beyond it the one is closed that has waited longest for a request; each costs some 5 kB."""
_GRACE_S = 5
_BACKLOG = 2048
_ACCEPTED_AT_ONCE = 100
"""So that a flood of connections does not keep those waiting that are there."""
_OTHER_FILES = 100
_SWITCH_S = 0.0005
"""The log's thread and the one that answers take turns so often; Python's 5 ms would be waited
for at each entry."""


class Connections:
    """All connections: those whose request is not there whole, and those being answered."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._unfinished: dict[BoundedProtocol, None] = {}
        self._answered: dict[BoundedProtocol, None] = {}

    def wait_for_request(self, protocol: BoundedProtocol) -> None:
        """One more waits for a request; the oldest goes if there are too many."""
        self.remove(protocol)
        self._unfinished[protocol] = None
        if len(self._unfinished) + len(self._answered) > self._most:
            next(iter(self._unfinished)).give_up()

    def answer(self, protocol: BoundedProtocol) -> None:
        """Its request is there whole."""
        self.remove(protocol)
        self._answered[protocol] = None

    def remove(self, protocol: BoundedProtocol) -> None:
        """It is closed, or goes on to the next step."""
        self._unfinished.pop(protocol, None)
        self._answered.pop(protocol, None)


class BoundedProtocol(H11Protocol):
    """A connection that is closed if its request or its answer takes too long."""

    open: Connections
    _timer: asyncio.TimerHandle | None = None
    _octets = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end_of_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request, unless there were too many."""
        self._octets += len(data)
        if self._octets > MOST_OCTETS:
            self.give_up()
        else:
            super().data_received(data)

    def handle_events(self) -> None:
        """After each piece of a request: wait on, unless it is whole."""
        super().handle_events()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._end_of_wait()
            self.open.answer(self)
            self._timer = self.loop.call_later(ANSWER_S, self.give_up)

    def on_response_complete(self) -> None:
        """The next request on this connection has as much time again."""
        if not self.transport.is_closing():
            self._wait_for_request()
        super().on_response_complete()

    def give_up(self) -> None:
        """Close the connection without an answer."""
        self._end_of_wait()
        self.transport.abort()

    def _wait_for_request(self) -> None:
        self._end_of_wait()
        self._octets = 0
        self._timer = self.loop.call_later(REQUEST_S, self.give_up)
        self.open.wait_for_request(self)

    def _end_of_wait(self) -> None:
        self.open.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@contextmanager
def alone(log: Path) -> Iterator[None]:
    """Hold the log while it is served: of two servers, one would not know the other's undos.

    Raises:
        LedgerRefused: another server holds it.
    """
    try:
        handle = os.open(f"{log}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerRefused(
            f"The public log's lock cannot be written: {error.strerror}.", where=Where(log)
        ) from None
    try:
        take_lock(handle)
    except OSError:
        os.close(handle)
        raise LedgerRefused(
            "Another server uses this log.",
            where=Where(log),
            next="Stop that one first: one process serves a log.",
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def listen(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        InputError: the address or port cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        # Python adds the address in its own notation.
        why = (error.strerror or str(error)).partition(" (while")[0]
        raise InputError(
            f"The server cannot listen on {host}, port {port}: {why}.",
            where=Where(item=f"port {port}"),
            next="Name another port with --port, or stop the program that uses it.",
        ) from None


def serve(
    app: Any, listening: socket.socket, *, on_ready: Callable[[], None], stop: threading.Event
) -> None:
    """Serve until ``stop`` is set, or Ctrl-C or a signal to end arrives.

    Args:
        app: the ASGI application.
        listening: the socket.
        on_ready: called once requests are answered.
        stop: ends it from another thread.
    """
    most = min(MOST_CONNECTIONS, raise_file_limit() - _OTHER_FILES)
    sys.setswitchinterval(_SWITCH_S)
    server = _Server(_config(app, Connections(most)))

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        listening.listen(_BACKLOG)  # asyncio made it as short as what it accepts at once
        on_ready()
        while not serving.done():
            if stop.is_set():
                server.should_exit = True
            await asyncio.wait({serving}, timeout=0.1)
        await serving

    try:
        with _told_to_stop(stop):
            asyncio.run(run())
    finally:
        listening.close()


def _config(app: Any, connections: Connections) -> uvicorn.Config:
    """Uvicorn's settings: it writes no log, does not name itself, and bounds each connection."""
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=type("Protocol", (BoundedProtocol,), {"open": connections}),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        backlog=_ACCEPTED_AT_ONCE,
        server_header=False,
        date_header=True,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=16_384,
    )


class _Server(uvicorn.Server):
    """uvicorn, which would send itself each signal again once it has ended."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to :func:`_told_to_stop`."""
        yield


@contextmanager
def _told_to_stop(stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` at Ctrl-C and the signals to end, while the block runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in STOP_SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup has it
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
