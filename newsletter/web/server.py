"""Serves the public side until told to stop. Opens one listening socket.

uvicorn waits for ever for a request that never comes whole. Behind its protocol
stands a clock for each connection, and a limit for all of them: the one that has
been silent longest makes room for a new one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from newsletter.errors import InputError, LedgerRefused, Where
from newsletter.system import STOP_SIGNALS, take_lock

REQUEST_S = 20.0
"""How long a client may take until its request is there whole, in seconds."""
MOST_CONNECTIONS = 500
"""Connections that wait for the rest of a request; beyond it the oldest is closed."""
_GRACE_S = 5


class Unfinished:
    """The connections whose request is not there yet, the oldest first."""

    def __init__(self, *, most: int = MOST_CONNECTIONS, seconds: float = REQUEST_S) -> None:
        self.most = most
        self.seconds = seconds
        self._waiting: OrderedDict[BoundedProtocol, None] = OrderedDict()

    def add(self, protocol: BoundedProtocol) -> None:
        """One more waits; the oldest goes if there are too many."""
        self._waiting[protocol] = None
        if len(self._waiting) > self.most:
            oldest, _ = self._waiting.popitem(last=False)
            oldest.give_up()

    def remove(self, protocol: BoundedProtocol) -> None:
        """It waits no more."""
        self._waiting.pop(protocol, None)


class BoundedProtocol(H11Protocol):
    """A connection that is closed if its request does not come whole in time."""

    unfinished: Unfinished

    def connection_made(self, transport: Any) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._begin_to_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end_of_wait()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """After each piece of a request: wait on, unless it is whole."""
        super().handle_events()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._end_of_wait()

    def on_response_complete(self) -> None:
        """The next request on this connection has as much time again."""
        if not self.transport.is_closing():
            self._begin_to_wait()
        super().on_response_complete()

    def give_up(self) -> None:
        """Close the connection without an answer."""
        self._end_of_wait()
        self.transport.abort()

    def _begin_to_wait(self) -> None:
        self._end_of_wait()
        self.unfinished.add(self)
        loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = loop.call_later(
            self.unfinished.seconds, self.give_up
        )

    def _end_of_wait(self) -> None:
        self.unfinished.remove(self)
        timer: asyncio.TimerHandle | None = getattr(self, "_timer", None)
        if timer is not None:
            timer.cancel()
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
            "Another server is at work on this log.",
            where=Where(log),
            next="End that one first: one process serves a log.",
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
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InputError(
            f"The server cannot listen on {host}, port {port}: {error.strerror}.",
            where=Where(item=f"port {port}"),
            next="Name another with --port, or end the program that has it.",
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
    protocol = type("Protocol", (BoundedProtocol,), {"unfinished": Unfinished()})
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=16_384,
    )
    server = _Server(config)

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
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
