"""Subscriber and Roster: a valid row of the list; all rows with their problems. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.addresses import Address
from newsletter.errors import Problem


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One valid row. ``language`` is None where the row names none."""

    address: Address
    name: str
    language: str | None
    fields: Mapping[str, str] = field(default_factory=dict)
    row: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """A list as read: who is on it, and every row that cannot be used and why.

    ``rows`` counts all rows with anything in them, the header left out, so
    that ``rows == len(subscribers) + len(refused) + len(repeated) + len(left)`` always holds.
    """

    file: Path
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
    signed_up: int = 0
    """How many of ``rows`` stand in no file: they signed up on the public side."""
    imported: int = 0
    """How many of ``rows`` stand in no file: they were imported."""
