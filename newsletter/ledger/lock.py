"""One sender at a time, on this machine: advisory locks on files.

The operating system drops a lock when the process ends, however it ends, so
a crash never leaves one behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import LedgerRefused, Where
from newsletter.system import take_lock


class SenderAtWork(LedgerRefused):
    """Another process on this machine holds the lock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds."""

    path: Path
    handle: int

    def check(self) -> None:
        """Make sure that the lock's file is still the one that others would ask for.

        Raises:
            LedgerRefused: it was removed or replaced, so it locks nobody out any more.
        """
        if not _is_at(self.path, self.handle):
            raise LedgerRefused(
                "The lock file was removed while mail was going out, so another send could begin.",
                where=Where(self.path),
                next="Leave this file alone. To go on: newsletter resume ISSUE",
            )


@contextmanager
def sender_lock(path: Path) -> Iterator[Lock]:
    """Hold the lock while the block runs.

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
                yield Lock(path, handle)
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


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False
