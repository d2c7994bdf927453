"""The judge: what the ledger says, held against what arrived on the other side."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Protocol

OPEN = frozenset({"pending", "claimed", "attempting", "deferred"})
"""States that a campaign which got through leaves nobody in."""
UNKNOWN = frozenset({"attempting", "in_doubt"})
"""States in which the mail may or may not have arrived."""

States = dict[str, str]
"""Every recipient's state by address."""


class Caught(AssertionError):
    """Somebody was lost or doubled, or the books do not tell the truth."""


class Arrivals(Protocol):
    """The other side's own count; outlives every kill of the sender."""

    def copies(self) -> Counter[str]:
        """How many complete messages each recipient got."""

    def mark(self) -> int:
        """A number that changes when something arrives; cheap to ask for."""


def read_states(ledger: Path) -> States:
    """Read the ledger beside the sender, as any other program would.

    Raises:
        Caught: planned is not the number of its rows.
    """
    if not ledger.exists():
        return {}
    with closing(sqlite3.connect(ledger, timeout=30)) as connection:
        try:
            rows = connection.execute("SELECT address, state FROM delivery").fetchall()
            (planned,) = connection.execute(
                "SELECT coalesce(sum(planned), 0) FROM campaign"
            ).fetchone()
        except sqlite3.OperationalError:
            return {}  # killed before the tables were there
    found = dict(rows)
    require(len(rows) == len(found) == planned, f"{planned} planned, {len(rows)} rows")
    return found


def require(holds: bool, otherwise: str) -> None:
    """Raise :class:`Caught` with the words, unless it holds."""
    if not holds:
        raise Caught(otherwise)


def judge(states: States, arrivals: Arrivals) -> Counter[str]:
    """Hold the ledger against what arrived.

    Returns:
        How many copies each recipient has.

    Raises:
        Caught: somebody has two, is accepted without one, or has one although
            the ledger knows of none.
    """
    copies = arrivals.copies()
    twice = sorted(address for address, count in copies.items() if count > 1)
    require(not twice, f"mailed twice: {twice[:5]}")
    for address, state in states.items():
        if state == "accepted":
            require(copies[address] == 1, f"{address} is accepted, but nothing arrived")
        elif state not in UNKNOWN:
            require(copies[address] == 0, f"{address} is {state}, but has it")
    strangers = set(copies) - set(states)
    require(not strangers, f"not in the ledger, but mailed: {sorted(strangers)[:5]}")
    return copies


def phase(states: States) -> str:
    """Where in a campaign a kill fell."""
    if not states:
        return "before the freeze"
    there = set(states.values())
    if there <= {"pending", "claimed"}:
        return "before the first message"
    return "while sending" if OPEN & there else "after the last message"
