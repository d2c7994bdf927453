"""How a run ended, where nothing failed. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class How(StrEnum):
    """The ways in which a run ends without an error."""

    DONE = "done"
    """Nobody is left whom it could still mail."""
    PAUSED = "paused"
    """Held, by a person or because a person should look."""
    WAITING = "waiting"
    """Who is left is due later than the run stays."""
    STOPPED = "stopped"
    """Asked to, by Ctrl-C or the end of the machine."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        how: in one word.
        words: in a sentence; it is kept in the ledger.
        until: when the next one is due, where it is WAITING.
        notes: what else a person should know, such as a domain that was left in peace.
    """

    how: How
    words: str
    until: datetime | None = None
    notes: tuple[str, ...] = ()
