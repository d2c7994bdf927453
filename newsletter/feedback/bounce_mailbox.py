"""The mailbox that bounces, complaints and unsubscribe mails come to: a Maildir or an mbox.

Reads those files and changes nothing in them. feedback/imap.py has the mailbox on a server.
Anybody can write to it, so of each mail only the beginning is kept, one at a time, and
nothing in one keeps the others from being read.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import InputError, Where
from newsletter.feedback.bounces import MAX_BYTES
from newsletter.regular_file import open_regular, read_start

ID_BYTES = 16
_LONGEST_LINE = 64_000
_FROM = b"From "
"""How an mbox begins, and each mail in it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it lies in the mailbox.

    Attributes:
        id: names mailbox and mail, :data:`ID_BYTES` long.
        place: where a person finds it.
        data: its beginning, at most :data:`newsletter.feedback.bounces.MAX_BYTES`.
    """

    id: bytes
    place: str
    data: bytes


@dataclass(frozen=True, slots=True)
class UnreadableMail:
    """A mail that cannot be read: where, and a clause that says why. It is tried again."""

    place: str
    why: str


IsRead = Callable[[bytes], bool]
"""Whether the mail of an id was read before."""


class FileMailbox:
    """A Maildir, a folder of mails, or an mbox.

    Args:
        path: the folder or file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def mails(self, is_read: IsRead) -> Iterator[Mail | UnreadableMail]:
        """Those that were not read before, one at a time.

        Raises:
            InputError: it cannot be opened.
        """
        try:
            _refuse_others(self._path)
            yield from file_mails(self._path, is_read)
        except OSError as error:
            raise InputError(
                f"The bounce mailbox cannot be read: {reason(error)}.",
                where=Where(self._path),
                next="Name a Maildir, a folder of mails or an mbox that you may read, as path "
                "under [bounces] in newsletter.toml.",
            ) from None

    def move(self, is_understood: IsRead) -> int:
        """Move nothing: files stay where they are."""
        del is_understood
        return 0

    def close(self) -> None:
        """Nothing is open."""


def mail_id(*names: str) -> bytes:
    """The id of the mail that a mailbox, and a name in it, stand for."""
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).digest()[:ID_BYTES]


def _nothing(id_: bytes) -> bool:  # noqa: ARG001 - whatever it is
    return False


def file_mails(path: Path, is_read: IsRead = _nothing) -> Iterator[Mail | UnreadableMail]:
    """The mails in a Maildir, a folder or an mbox, or the one that a file holds.

    Args:
        path: the folder or file.
        is_read: which are left out.

    Raises:
        OSError: nothing of it can be read.
    """
    if not path.is_dir():
        with open_regular(path) as file:
            start = file.read(len(_FROM))
            file.seek(0)
            if start == _FROM:
                yield from _mbox(file, str(path), is_read)
            elif found := _file(path, path, is_read):
                yield found
        return
    for folder in (path, *(each for each in (path / "new", path / "cur") if each.is_dir())):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone, of a million mails
        except OSError as error:
            if folder == path:
                raise
            yield UnreadableMail(str(folder), reason(error))
            continue
        for name in names:
            is_mail = name not in {"new", "cur", "tmp"} and name[:1] != "."
            if is_mail and (found := _file(path, folder / name, is_read)):
                yield found


def _file(mailbox: Path, path: Path, is_read: IsRead) -> Mail | UnreadableMail | None:
    # What follows the colon are flags, which change when somebody looks at the mail.
    unique = path.name.partition(":")[0]
    id_ = mail_id("files", str(mailbox.absolute()), unique)
    if is_read(id_):
        return None
    try:
        return Mail(id_, str(path), read_start(path, max_bytes=MAX_BYTES))
    except OSError as error:
        return UnreadableMail(str(path), reason(error))


def reason(error: OSError) -> str:
    """Why a file cannot be read, in a clause."""
    return error.strerror or type(error).__name__


def _refuse_others(path: Path) -> None:
    if not path.is_dir() and read_start(path, max_bytes=len(_FROM)) not in {b"", _FROM}:
        raise OSError(errno.EINVAL, "it is neither an mbox nor a folder")


def _mbox(file: BinaryIO, place: str, is_read: IsRead) -> Iterator[Mail | UnreadableMail]:
    """Mails behind lines that begin with “From ” (RFC 4155), each named by its digest."""
    data, digest, number, begins = bytearray(), hashlib.sha256(), 0, True

    def whole() -> Iterator[Mail]:
        id_ = mail_id("mbox", digest.hexdigest())
        if number and not is_read(id_):
            yield Mail(id_, f"{place}, mail {number}", bytes(data))

    try:
        while line := file.readline(_LONGEST_LINE):
            if begins and line.startswith(_FROM):
                yield from whole()
                data, digest, number = bytearray(), hashlib.sha256(), number + 1
            else:
                digest.update(line)
                data += line[: MAX_BYTES - len(data)]
            begins = not line.strip()
        yield from whole()
    except OSError as error:
        yield UnreadableMail(place, f"its rest cannot be read, {reason(error)}")
