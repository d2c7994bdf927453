"""The accounting identity: planned = the sum of the states. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.errors import ExitCode
from newsletter.ledger.states import TERMINAL, State


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a campaign's ``planned`` recipients are in which state."""

    planned: int
    counts: Mapping[State, int]

    def __getitem__(self, state: State) -> int:
        """How many are in ``state``."""
        return self.counts.get(state, 0)

    @property
    def adds_up(self) -> bool:
        """Whether every planned recipient is in exactly one state."""
        return self.planned == sum(self.counts.values())

    @property
    def open(self) -> int:
        """How many a run can still work on, now or when they are due."""
        return self[State.PENDING] + self[State.CLAIMED] + self[State.DEFERRED]

    @property
    def settled(self) -> int:
        """How many have a definite end."""
        return sum(self[state] for state in TERMINAL)

    @property
    def refused_by_all(self) -> bool:
        """Whether everybody has a definite end, and nobody was accepted but some were refused.

        More likely a fault of ours than of all of them.
        """
        refused = self[State.REJECTED] + self[State.EXPIRED]
        return self._all_settled and refused > 0 and not self[State.ACCEPTED]

    @property
    def complete(self) -> bool:
        """Whether everybody has a definite end; said of a campaign only then."""
        return self._all_settled and not self.refused_by_all

    @property
    def _all_settled(self) -> bool:
        return self.adds_up and self.settled == self.planned

    @property
    def exit_code(self) -> ExitCode:
        """The exit status that this tally deserves."""
        if not self.adds_up:
            return ExitCode.LEDGER_REFUSES
        if self.open or self.refused_by_all:
            return ExitCode.TRANSPORT_STOPPED
        if not self.complete:
            return ExitCode.IN_DOUBT
        return ExitCode.DONE
