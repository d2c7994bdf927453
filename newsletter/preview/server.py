"""Serves the preview on this machine until told to stop. Opens one listening socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import uvicorn

from newsletter.clock import Clock, SystemClock
from newsletter.errors import InputError, Where
from newsletter.preview.app import create_app
from newsletter.preview.build import Sources, build_preview, watched
from newsletter.preview.state import PreviewState

_HOSTS = {"127.0.0.1", "localhost"}
_GRACE_S = 2
"""How long requests under way may take once the preview is to stop, in seconds."""


def serve_preview(
    sources: Sources,
    *,
    on_ready: Callable[[str], None],
    stop: threading.Event,
    port: int = 0,
    clock: Clock | None = None,
) -> None:
    """Serve the preview of an issue, on the loopback interface only, until ``stop`` is set.

    What is wrong with the files is shown in the page and goes when it is
    mended; nothing about them is raised. Ctrl-C ends the wait as well: the
    KeyboardInterrupt reaches the caller once the server has ended.

    Args:
        sources: the project's folder and the issue's file.
        on_ready: called with the page's address once browsers can connect.
        stop: ends it from another thread.
        port: 0 takes a free one.
        clock: tells the Date header that the preview shows.

    Raises:
        InputError: the port is taken.
    """
    clock = clock or SystemClock()
    with _listen(port) as listening:
        port = listening.getsockname()[1]
        state = PreviewState(lambda: build_preview(sources, clock=clock), lambda: watched(sources))
        app = create_app(
            state,
            hosts=frozenset(f"{name}:{port}" for name in _HOSTS),
            closing=stop.is_set,
        )
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        _run(uvicorn.Server(config), listening, lambda: on_ready(f"http://127.0.0.1:{port}/"), stop)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise InputError(
            f"The preview cannot use port {port}: {error.strerror}.",
            where=Where(item=f"port {port}"),
            next="Leave the port out, and a free one is taken.",
        ) from None


def _run(
    server: uvicorn.Server,
    listening: socket.socket,
    ready: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Run the server in a thread of its own, so that this one can wait for ``stop`` or Ctrl-C."""

    def serve() -> None:
        try:
            server.run(sockets=[listening])
        finally:
            stop.set()  # else the caller would wait for a server that is gone

    thread = threading.Thread(target=serve, name="preview")
    thread.start()
    try:
        ready()
        stop.wait()
    finally:
        stop.set()
        server.should_exit = True
        thread.join()
