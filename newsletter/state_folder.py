"""The state folder: what is remembered of each list outside the project's folder.

A project's folder can be cleaned, cloned, copied or restored, and then knows
too little of what was sent. So each list has a folder of its own, named by
its List-ID, where the platform keeps the state of programs. docs/control.md
tells what is in it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import LedgerRefused, Where
from newsletter.system import user_number

MACHINE_ID = Path("/etc/machine-id")
"""machine-id(5): systemd's; other systems may have none."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""random(4): another one after each start of the machine."""
MOUNTS = Path("/proc/self/mountinfo")
"""proc(5): every mounted file system, one a line."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "fuse.sshfs"})
_MACHINE_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class ListState:
    """The state folder of one list.

    Attributes:
        folder: where it is; need not exist.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """What whoever sends to the list holds."""
        return self.folder / "lock"

    @property
    def record(self) -> Path:
        """What was sent, as an SQLite database."""
        return self.folder / "sent.db"

    @property
    def key(self) -> Path:
        """A copy of the list's key file: without it nobody who left would be recognised."""
        return self.folder / "newsletter.key"

    def prepare(self) -> None:
        """Make the folder, for its owner alone, and see that locks and records can be kept there.

        Raises:
            LedgerRefused: it cannot be made or written, belongs to somebody
                else, or is on a network disk.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.folder.stat().st_uid
            writable = os.access(self.folder, os.W_OK | os.X_OK)
        except OSError as error:
            raise _unusable(self.folder, f"cannot be made: {error.strerror}") from None
        if user_number() not in {owner, None}:
            raise _unusable(self.folder, "belongs to another user of this machine")
        if not writable:
            raise _unusable(self.folder, "cannot be written")
        if (kind := network_kind(self.folder, _text(MOUNTS))) is not None:
            raise _unusable(
                self.folder, f"is on a network disk ({kind}), where two sends are not kept apart"
            )


def state_folder(setting: Path | None) -> Path:
    """Where lists are remembered: ``setting``, or where the platform keeps such things.

    Raises:
        LedgerRefused: there is no such place for this user.
    """
    if setting is not None:
        return setting
    # Imported late: most commands send nothing.
    from platformdirs import user_state_path

    try:
        return user_state_path("newsletter", appauthor=False)
    except RuntimeError:  # no HOME, and no entry in the user database
        raise LedgerRefused(
            "There is no home folder, so what is sent cannot be remembered.",
            next="Set state_folder under [delivery] to a folder that is kept.",
        ) from None


def moved_by_environment() -> Path | None:
    """What XDG_STATE_HOME says, if it moves the state folder; None where it is not heeded.

    Raises:
        LedgerRefused: as :func:`state_folder`.
    """
    base = state_folder(None).parent
    usual = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
    return None if sys.platform == "win32" or base == Path.home() / usual else base


def machine_name(file: Path = MACHINE_ID) -> str:
    """A name for this machine that tells nothing about it; empty where it has no id.

    A digest, since machine-id(5) asks that the id itself be shown to nobody.
    """
    content = _text(file).strip()
    digest = hashlib.sha256(b"newsletter " + content.encode()).hexdigest()
    return digest[:_MACHINE_CHARACTERS] if content else ""


def boot_name() -> str:
    """A name for the time since this machine was started; empty where it has none."""
    return _text(BOOT_ID).strip()


def network_kind(folder: Path, mounts: str) -> str | None:
    """The kind of network file system that holds ``folder``; None if it is a local one.

    Args:
        folder: an absolute path.
        mounts: what proc(5) shows in ``/proc/self/mountinfo``.
    """
    path = folder.resolve()
    found = (0, "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(fields[4].encode().decode("unicode_escape"))
        if path.is_relative_to(point):
            found = max(found, (len(point.parts), after.split(" ")[0]), key=lambda each: each[0])
    return found[1] if found[1] in _NETWORK else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unusable(folder: Path, what: str) -> LedgerRefused:
    return LedgerRefused(
        f"The state folder {what}. Without it nobody could tell, from another copy of this "
        "project, who was mailed.",
        where=Where(folder),
        next="Mend this, or set state_folder under [delivery] to a folder of this machine that "
        "is yours and is kept. Nothing was sent.",
    )
