"""What a list or an export says of a reader. Pure."""

from __future__ import annotations

from enum import StrEnum


class ReaderState(StrEnum):
    """What is said of one reader, weakest first: the strongest that is said anywhere counts."""

    IN = "in"
    """May be mailed."""
    WAIT = "wait"
    """Never confirmed."""
    NEVER = "never"
    """Excluded by whoever kept the list."""
    DEAD = "dead"
    """The mailbox is gone."""
    LEFT = "left"
    """The reader left."""
    SPAM = "spam"
    """The reader called it spam."""

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return _RANKS[self]

    @property
    def suppresses(self) -> bool:
        """Whether it holds until the reader's own confirmation or a correction."""
        return self.rank >= ReaderState.DEAD.rank


_RANKS = {state: rank for rank, state in enumerate(ReaderState)}

WORDS = {
    ReaderState.SPAM: "called the mail spam",
    ReaderState.LEFT: "left",
    ReaderState.DEAD: "cannot be reached",
    ReaderState.NEVER: "excluded by whoever kept the list",
    ReaderState.WAIT: "never confirmed",
    ReaderState.IN: "may be mailed",
}
"""Each state as a person reads it, strongest first."""
