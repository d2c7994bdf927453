"""The witness: how far this newsletter was sent from here, told outside the ledger.

A ledger that was restored from a backup, or copied to another machine, does
not know what was sent since; it would mail those people again. So two small
files testify against it: ``newsletter.epoch`` in the project's folder, which
outlives a ledger that is replaced alone, and one in the home folder, which
outlives a folder that is replaced whole. Both hold the ledger's identity, the
highest epoch that it had when something was about to leave, and which
campaigns were begun: ids, and nothing about any reader.

:mod:`newsletter.delivery.custody` draws the conclusions.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.errors import LedgerRefused, Where

FILE_NAME = "newsletter.epoch"
MACHINE_ID = Path("/etc/machine-id")
"""machine-id(5): systemd's; other systems may have none."""

_HOME = Path(".local", "state", "newsletter")
"""Below the home folder, as the XDG Base Directory Specification has it."""
_MACHINE_CHARACTERS = 16
_NOTE = (
    "Tells newsletter how far it has sent, should newsletter.db be an old copy. "
    "Names no reader. Keep it; see docs/control.md."
)


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a witness tells.

    Attributes:
        ledger: identity of the ledger that it speaks of.
        epoch: the highest that this ledger had.
        campaigns: the issue of each campaign that was begun, by the campaign's id.
    """

    ledger: str
    epoch: int
    campaigns: Mapping[str, str] = field(default_factory=dict)

    def joined(self, other: Testimony) -> Testimony:
        """Both together: the campaigns of both, and what the later one says of the ledger."""
        later = max(self, other, key=lambda each: each.epoch)
        return Testimony(later.ledger, later.epoch, {**self.campaigns, **other.campaigns})

    def to_json(self) -> str:
        """What stands in the file."""
        return json.dumps(
            {
                "what": _NOTE,
                "ledger": self.ledger,
                "epoch": self.epoch,
                "campaigns": dict(self.campaigns),
            },
            ensure_ascii=False,
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Testimony:
        """Read back what :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        match json.loads(text):
            case {"ledger": str(ledger), "epoch": int(epoch), "campaigns": dict(campaigns)}:
                return cls(
                    ledger, epoch, {str(key): str(issue) for key, issue in campaigns.items()}
                )
        raise ValueError("no testimony")


class Witness:
    """The two files that testify for one ledger.

    Args:
        folder: the project's.
        identity: the ledger's.
        home: the home folder; None if there is none.
    """

    def __init__(self, folder: Path, *, identity: str, home: Path | None) -> None:
        self._in_folder = folder / FILE_NAME
        self._at_home = home / _HOME / identity if home else None

    def in_folder(self) -> Testimony | None:
        """What the folder's file tells, perhaps of another ledger; None: there is no file.

        Raises:
            LedgerRefused: it is damaged or cannot be read.
        """
        try:
            return _read(self._in_folder)
        except OSError as error:
            raise LedgerRefused(
                f"The file that tells how far was sent cannot be read: {error.strerror}.",
                where=Where(self._in_folder),
                next="Give yourself permission to read it.",
            ) from None

    def at_home(self) -> Testimony | None:
        """What the home folder's file tells of this ledger; None: there is none to be had.

        Raises:
            LedgerRefused: it is damaged.
        """
        if self._at_home is None:
            return None
        try:
            return _read(self._at_home)
        except OSError:
            return None

    def testify(self, testimony: Testimony) -> None:
        """Write both files, each whole or not at all, and on disk when this returns.

        A home folder that cannot be written is done without.

        Raises:
            LedgerRefused: the project's folder cannot be written.
        """
        text = testimony.to_json()
        try:
            _write(self._in_folder, text)
        except OSError as error:
            raise LedgerRefused(
                f"How far this send has come cannot be written down: {error.strerror}.",
                where=Where(self._in_folder),
                next="Look at the disk's free space and the folder's permissions; then run "
                "“newsletter resume ISSUE”.",
            ) from None
        if self._at_home is not None:
            with suppress(OSError):
                self._at_home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(self._at_home, text)


def home_folder() -> Path | None:
    """The home folder of whoever runs the program, if they have one."""
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry in the user database
        return None


def machine_name(file: Path = MACHINE_ID) -> str:
    """A name for this machine that tells nothing about it; empty where it has no id.

    A digest, since machine-id(5) asks that the id itself be shown to nobody.
    """
    try:
        content = file.read_bytes().strip()
    except OSError:
        return ""
    digest = hashlib.sha256(b"newsletter " + content).hexdigest()
    return digest[:_MACHINE_CHARACTERS] if content else ""


def _read(file: Path) -> Testimony | None:
    try:
        return Testimony.from_json(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise LedgerRefused(
            "The file that tells how far was sent is damaged, so nobody knows whether this "
            "ledger is the latest.",
            where=Where(file),
            next="If you are sure that it is, remove that file; else run “newsletter adopt”, "
            "which explains what it does and asks.",
        ) from None


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f"{file.name}.new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(handle)
        draft.replace(file)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
