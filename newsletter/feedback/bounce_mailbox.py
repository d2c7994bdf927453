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
from typing import BinaryIO, Protocol

from newsletter.errors import InputError, Where
from newsletter.feedback.bounces import MAX_BYTES
from newsletter.regular_file import open_regular

ID_BYTES = 16
_LONGEST_LINE = 64_000


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


class BounceMailbox(Protocol):
    """Where mails come from."""

    def mails(self, is_read: IsRead) -> Iterator[Mail | UnreadableMail]:
        """Those that were not read before, one at a time.

        Raises:
            InputError: the mailbox cannot be opened, or a setting is wrong.
            MailboxUnreachable: its server cannot be reached, or broke off.
        """

    def move(self, is_understood: IsRead) -> int:
        """Move away the mails whose news is applied, if the settings say so; how many."""

    def close(self) -> None:
        """End the connection, if there is one. Never raises."""


class FileMailbox:
    """A Maildir, a folder of mails, or an mbox.

    Args:
        path: the folder or file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def mails(self, is_read: IsRead) -> Iterator[Mail | UnreadableMail]:
        """See :class:`BounceMailbox`."""
        try:
            if not self._path.is_dir():
                with open_regular(self._path) as file:
                    _refuse_others(file)
                    yield from _mbox(file, str(self._path), is_read)
                return
            names = [(folder, name) for folder in _folders(self._path) for name in _names(folder)]
        except OSError as error:
            raise InputError(
                f"The bounce mailbox cannot be read: {error.strerror or type(error).__name__}.",
                where=Where(self._path),
                next="Name a Maildir, a folder of mails or an mbox that you may read, as path "
                "under [bounces] in newsletter.toml.",
            ) from None
        for folder, name in names:
            if found := _file(self._path, folder / name, is_read):
                yield found

    def move(self, is_understood: IsRead) -> int:
        """See :class:`BounceMailbox`; files stay where they are."""
        del is_understood
        return 0

    def close(self) -> None:
        """See :class:`BounceMailbox`."""


def mail_id(*names: str) -> bytes:
    """The id of the mail that a mailbox, and a name in it, stand for."""
    return hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).digest()[:ID_BYTES]


def _folders(folder: Path) -> list[Path]:
    """The folder itself and, of a Maildir, where its mails are."""
    return [folder, *(each for each in (folder / "new", folder / "cur") if each.is_dir())]


def _names(folder: Path) -> list[str]:
    names = sorted(os.listdir(folder))  # noqa: PTH208 - names alone, of a million mails
    return [name for name in names if name not in {"new", "cur", "tmp"} and name[:1] != "."]


def _file(mailbox: Path, path: Path, is_read: IsRead) -> Mail | UnreadableMail | None:
    # What follows the colon are flags, which change when somebody looks at the mail.
    unique = path.name.partition(":")[0]
    id_ = mail_id("files", str(mailbox.absolute()), unique)
    if is_read(id_):
        return None
    try:
        with open_regular(path) as file:
            return Mail(id_, str(path), file.read(MAX_BYTES))
    except OSError as error:
        return UnreadableMail(str(path), error.strerror or type(error).__name__)


def _refuse_others(file: BinaryIO) -> None:
    if file.read(5) not in {b"", b"From "}:
        raise OSError(errno.EINVAL, "it is neither an mbox nor a folder")
    file.seek(0)


def _mbox(file: BinaryIO, place: str, is_read: IsRead) -> Iterator[Mail | UnreadableMail]:
    """Mails behind lines that begin with “From ” (RFC 4155), each named by its digest."""
    data, digest, number, begins = bytearray(), hashlib.sha256(), 0, True

    def whole() -> Iterator[Mail]:
        id_ = mail_id("mbox", digest.hexdigest())
        if number and not is_read(id_):
            yield Mail(id_, f"{place}, mail {number}", bytes(data))

    try:
        while line := file.readline(_LONGEST_LINE):
            if begins and line.startswith(b"From "):
                yield from whole()
                data, digest, number = bytearray(), hashlib.sha256(), number + 1
            else:
                digest.update(line)
                data += line[: MAX_BYTES - len(data)]
            begins = not line.strip()
        yield from whole()
    except OSError as error:
        why = f"its rest cannot be read, {error.strerror or type(error).__name__}"
        yield UnreadableMail(place, why)
