"""One sender at a time, on this machine: advisory locks on files.

The operating system drops a lock when the process ends, however it ends, so
a crash never leaves one behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from newsletter.errors import LedgerRefused, Where
from newsletter.system import take_lock


class SenderAtWork(LedgerRefused):
    """Another process on this machine holds the lock."""


@contextmanager
def sender_lock(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock while the block runs.

    Yields:
        What makes sure that the lock's file is still the one that others would ask for; raises
        LedgerRefused if it was removed or replaced, so that it locks nobody out any more.

    Raises:
        SenderAtWork: another process holds it.
        LedgerRefused: it cannot be created.
    """
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LedgerRefused(
                f"The lock file cannot be written: {error.strerror}.",
                where=Where(path),
                next="Look at the disk's free space and the folder's permissions.",
            ) from None
        try:
            _lock(path, handle)
            # Removed between the two calls, it would be a lock that nobody else meets.
            if _is_at(path, handle):
                yield partial(_check, path, handle)
                return
        finally:
            os.close(handle)


def _lock(path: Path, handle: int) -> None:
    try:
        take_lock(handle)
    except BlockingIOError:
        raise SenderAtWork(
            "Another send is running here, to this list; two at once could mail people twice.",
            where=Where(path),
            next="“newsletter status --watch” shows it, “newsletter pause ISSUE” ends it.",
        ) from None
    except OSError as error:
        raise LedgerRefused(
            f"This disk cannot keep two sends apart: {error.strerror}.",
            where=Where(path),
            next="Keep the file's folder on a disk of this machine, not on the network.",
        ) from None


def _check(path: Path, handle: int) -> None:
    if not _is_at(path, handle):
        raise LedgerRefused(
            "The lock file was removed while mail was going out, so another send could begin.",
            where=Where(path),
            next="Leave this file alone. To go on: newsletter resume ISSUE",
        )


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False
