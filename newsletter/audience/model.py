"""Subscriber and Roster: a valid row of the list; all rows with their problems. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from newsletter.addresses import Address
from newsletter.errors import Problem
from newsletter.phrases import joined


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One valid row.

    Attributes:
        address: where the mail goes.
        name: may be empty.
        language: None where nobody named one.
        fields: further columns.
        row: in ``file``; 0: in none.
        file: where the row stands; None: they were imported or signed up.
        source: what brought them onto the list.
        joined: the first day on which they are known to be on the list; None: it is not known.
        topics: those they chose or declined; who did not say gets everything.
    """

    address: Address
    name: str
    language: str | None
    fields: Mapping[str, str] = field(default_factory=dict)
    row: int = 0
    file: Path | None = None
    source: Literal["file", "import", "sign-up"] = "file"
    joined: date | None = None
    topics: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Roster:
    """A list as read: who is on it, and every row that cannot be used and why.

    ``rows`` counts all rows with anything in them, the header left out, so
    that ``rows == len(subscribers) + len(refused) + len(repeated) + len(left) + len(unconfirmed) +
    len(excluded) + outside`` always holds.
    """

    files: tuple[Path, ...]
    """Those of newsletter.toml, or the one that was named; none: nobody is on a file."""
    subscribers: tuple[Subscriber, ...]
    refused: tuple[Problem, ...]
    """Rows that hold no usable address: nobody will be mailed for them."""
    repeated: tuple[Problem, ...]
    """Rows whose address stood further up already: mailed once."""
    warnings: tuple[Problem, ...]
    """What is odd but usable."""
    rows: int
    left: tuple[Problem, ...] = ()
    """Rows that must not be mailed by the list's own words: unsubscribed, bounced …"""
    left_keys: frozenset[str] = frozenset()
    """Of those rows: :attr:`~newsletter.addresses.Address.suppression_key` of each address."""
    unconfirmed: tuple[Problem, ...] = ()
    """Rows, of files or imports, of readers of whom an import says that they never confirmed."""
    excluded: tuple[Problem, ...] = ()
    """Rows, of files or imports, of readers of whom an import says that they are excluded."""
    signed_up: int = 0
    """How many of ``rows`` stand in no file: they signed up on the public side."""
    imported: int = 0
    """How many of ``rows`` stand in no file: they were imported."""
    outside: int = 0
    """How many of ``rows`` are of readers outside the segment that was asked for."""
    lacking: tuple[str, ...] = ()
    """Further columns that newsletter.toml names and the file does not have."""

    @property
    def named(self) -> str:
        """The files as a sentence names them."""
        return joined([str(file) for file in self.files]) or "imported and signed up"
