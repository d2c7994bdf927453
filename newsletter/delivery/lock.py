"""One sender at a time, on this machine: an advisory lock on a file.

The operating system drops the lock when the process ends, however it ends, so
a crash never leaves a lock behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import LedgerRefused, Where


class SenderAtWork(LedgerRefused):
    """Another process on this machine holds the lock."""


@contextmanager
def sender_lock(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises:
        SenderAtWork: another process holds it.
        LedgerRefused: it cannot be created.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerRefused(
            f"The lock file cannot be written: {error.strerror}.",
            where=Where(path),
            next="Look at the disk's free space and the folder's permissions.",
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SenderAtWork(
                "Another send is running here; two at once could mail people twice.",
                where=Where(path),
                next="“newsletter status --watch” shows it, “newsletter pause ISSUE” ends it.",
            ) from None
        except OSError as error:
            raise LedgerRefused(
                f"This disk cannot keep two sends apart: {error.strerror}.",
                where=Where(path),
                next="Keep the newsletter's folder on a disk of this machine, not on the network.",
            ) from None
        yield
    finally:
        os.close(handle)
