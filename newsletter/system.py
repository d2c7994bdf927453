"""What operating systems do differently: the only module that imports what not all of them have.

Linux and macOS share the POSIX half. On Windows a file that is open can be
neither removed nor replaced, and permission bits and owner numbers say
nothing, so that what rests on them is not asked there.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
    READ_FLAGS = os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT
else:
    import fcntl
    import resource

    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    """Ctrl-C, the end of the machine, and a closed terminal."""
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    """For ``os.open``: to read, whatever turns out to be there."""

_LOCK_LOOK_S = 0.01
"""How often a lock is asked for by who waits for it."""


def user_number() -> int | None:
    """The number of the user who runs this program; None where files carry no such number."""
    if sys.platform == "win32":
        return None
    else:  # noqa: RET505 - mypy reads one branch for each platform
        return os.geteuid()


def shared(mode: int) -> bool:
    """Whether the permission bits of a file let other users of the machine at it."""
    return sys.platform != "win32" and bool(mode & 0o077)


def take_lock(handle: int, *, wait: bool = False) -> None:
    """Lock an open file against every other process, until it is closed.

    Raises:
        BlockingIOError: another process holds the lock (without ``wait``).
        OSError: this disk keeps no locks.
    """
    from filelock import lock_descriptor

    if not lock_descriptor(handle, blocking=wait, poll_interval=_LOCK_LOOK_S):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time run the block for a folder; the others wait.

    Raises:
        OSError: the folder cannot be used, or its disk keeps no locks.
    """
    if sys.platform == "win32":  # where a folder cannot be opened as files are
        handle = os.open(folder / "newsletter.opening", os.O_RDWR | os.O_CREAT, 0o600)
    else:
        handle = os.open(folder, os.O_RDONLY)
    try:
        take_lock(handle, wait=True)
        yield
    finally:
        os.close(handle)


def sync_file(handle: int) -> None:
    """Write an open file through to the disk.

    Raises:
        OSError: the disk does not take it.
    """
    os.fsync(handle)
    if sys.platform == "darwin":
        # There fsync(2) stops at the memory of the drive. Not every disk knows more.
        with suppress(OSError):
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)


def sync_folder(folder: Path) -> None:
    """Write the names in a folder through to the disk, as syncing a file does not.

    Raises:
        OSError: the disk does not take it.
    """
    if sys.platform != "win32":  # where NTFS keeps a journal of names
        handle = os.open(folder, os.O_RDONLY)
        try:
            sync_file(handle)
        finally:
            os.close(handle)


def readiness(sock: socket.socket) -> Callable[[], bool]:
    """A function that says whether ``sock`` has something to read, without waiting."""
    if sys.platform == "win32":
        return lambda: bool(select.select([sock], [], [], 0)[0])
    else:  # noqa: RET505 - as above
        readable = select.poll()
        readable.register(sock, select.POLLIN)
        return lambda: bool(readable.poll(0))


def raise_file_limit() -> int:
    """Let this process open as many files and sockets as its user may.

    Returns:
        How many that is; 512 where it is not known.
    """
    if sys.platform == "win32":
        return 512
    else:  # noqa: RET505 - mypy reads one branch for each platform
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
        if soft == resource.RLIM_INFINITY or soft >= most:
            return most
        with suppress(OSError, ValueError):  # macOS allows fewer than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return most
        return soft


def limit_memory(most: int) -> None:
    """Let this process have at most so many bytes of memory; on Windows, as many as there are."""
    if sys.platform != "win32":
        with suppress(OSError, ValueError):  # macOS does not limit it
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


def send_pieces(sock: socket.socket, pieces: Sequence[bytes]) -> int:
    """Write ``pieces`` one after the other; returns how many octets one call took.

    Raises:
        OSError: the connection broke, or took too long.
    """
    if sys.platform == "win32":
        return sock.send(b"".join(pieces))
    else:  # noqa: RET505 - as above
        return sock.sendmsg(pieces)


def end_group(number: int) -> None:
    """End the process ``number``, which has a session of its own, and what it started.

    Never raises. On Windows what it started goes on.
    """
    with suppress(OSError):
        if sys.platform == "win32":
            os.kill(number, signal.SIGTERM)
        else:
            os.killpg(number, signal.SIGKILL)
