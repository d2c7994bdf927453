"""Whom a provider's error is about: the word that the tables of errors are written in. No I/O."""

from __future__ import annotations

from enum import Enum, auto


class Blame(Enum):
    """Whom or what an error is about; nothing was taken in any case."""

    READER = auto()
    """The reader's address."""
    LETTER = auto()
    """The letter, unless the error names a field of the reader's."""
    ACCOUNT = auto()
    """The key, the domain, the plan, a quota, the address of the API: a person must act."""
    PACE = auto()
    """How fast or when it was asked."""
