"""Reads files that somebody else may have put there: bounded, and never waiting. Reads only.

A name may turn out to be a pipe that nobody writes to, a device without an end,
a folder, or a link that goes in a circle. Each is an :class:`OSError` whose
``strerror`` fits after “It cannot be read:”.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from newsletter.system import READ_FLAGS


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    handle = os.open(path, READ_FLAGS)
    try:
        _check_kind(os.fstat(handle).st_mode, path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _check_kind(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or device and no file", str(path))


def read_regular(path: Path, *, max_bytes: int) -> bytes:
    """All of a file.

    Raises:
        OSError: as for :func:`open_regular`; with ``EFBIG``, it holds more than ``max_bytes``;
            with ``EBUSY``, it was written while it was read, so nobody knows what it says.
    """
    with open_regular(path) as file:
        before = os.fstat(file.fileno())
        too_large = before.st_size > max_bytes
        content = b"" if too_large else file.read(max_bytes + 1)
        after = os.fstat(file.fileno())
    if too_large or len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it holds more than {max_bytes / 1e6:,g} MB", str(path))
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise OSError(errno.EBUSY, "it was changed while it was read", str(path))
    return content


def read_start(path: Path, *, max_bytes: int) -> bytes:
    """The first ``max_bytes`` of a file, or all of it.

    Raises:
        OSError: as for :func:`open_regular`.
    """
    with open_regular(path) as file:
        return file.read(max_bytes)
