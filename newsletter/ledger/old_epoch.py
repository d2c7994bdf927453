"""The epoch files of version 0.1: read once, when a list gets its send record.

``newsletter.epoch`` in the project's folder, and a file of the ledger's
identity in the home folder, held a ledger's identity, its epoch and the ids of
the campaigns that were begun, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from newsletter.errors import LedgerRefused, Where

FILE_NAME = "newsletter.epoch"

_HOME = Path(".local", "state", "newsletter")
_LARGEST = 16_000_000


def old_epoch_files(folder: Path, *, identity: str, home: Path | None) -> list[Path]:
    """The files of a project that there are.

    Args:
        folder: the project's.
        identity: the ledger's.
        home: the home folder; None if there is none.
    """
    places = [folder / FILE_NAME]
    if home is not None and identity:
        places.append(home / _HOME / identity)
    return [place for place in places if place.is_file()]


def read_old_epochs(files: Iterable[Path]) -> tuple[str, int, dict[str, str]]:
    """Read them.

    Returns:
        The identity of the ledger that got furthest (empty: they tell of none), how far it
        got, and the issue of each campaign that was begun, by the campaign's id.

    Raises:
        LedgerRefused: one cannot be read or is damaged.
    """
    ledger, highest, campaigns = "", -1, dict[str, str]()
    for file in files:
        told, epoch, begun = _read(file)
        campaigns |= begun
        if epoch > highest:
            ledger, highest = told, epoch
    return ledger, max(highest, 0), campaigns


def _read(file: Path) -> tuple[str, int, dict[str, str]]:
    try:
        with file.open("rb") as stream:
            content = json.loads(stream.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        content = None
    match content:
        case {"ledger": str(ledger), "epoch": int(epoch), "campaigns": dict(campaigns)}:
            return ledger, epoch, {str(key): str(issue) for key, issue in campaigns.items()}
        case _:
            raise LedgerRefused(
                "The file that records how far the send got cannot be read, so it is unknown "
                "whether this ledger is the latest.",
                where=Where(file),
                next="If you are sure that it is, remove that file; else run “newsletter adopt”, "
                "which explains what it does and asks.",
            )
