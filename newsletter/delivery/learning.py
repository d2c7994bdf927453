"""How fast the other side lets us go, learned from its pushback. No I/O, no clock.

After a pushback the pace halves, comes back quickly to just below the level
that hurt last time (the wall), stays there, and then tries for more: gently at
first, faster as long as nothing hurts. That is the curve of CUBIC (RFC 9438
4.1), with the rate in the place of the window. Each time that trying hurts at
about the same level, it waits longer before the next try.

Where the wall stands is measured, not only guessed. Between two pushbacks the
other side granted what was accepted: counted with the pause it asked for, that
is the least its limit can be, and counted without, the most.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

_BELOW = 0.99
"""Of the wall; where the pace rests."""
_RECOVERY_S = 0.5
_FIRST_PATIENCE_S = 4.0
_PATIENCE_GROWS = 3.0
_MOST_PATIENCE_S = 50.0
_CALLS_BETWEEN = 200
"""Trying costs a refusal, as a rule; at a low rate it must stay one of so many."""
_TRYING_S = 10.0
"""After so long the pace has doubled, if nothing hurts."""
_SURPLUS_S = 1.3
"""So many seconds' worth went beyond the wall unhurt: no saved-up burst explains that."""
_AT_ONCE_S = 0.1
_FEW = 6
"""Accepted since the last pushback, from which on their number tells something."""
_NEAR = 0.06
_FLOOR = 1 / 60
_ENDLESS = 1e9


@dataclass(slots=True)
class _Measure:
    """What was granted since the last pushback."""

    low: float
    high: float
    hurt_at: float
    granted: int
    seconds: float


class Learner:
    """A pace for one way out; all times in seconds of one clock that never goes back.

    Args:
        known: the other side's documented limit, in a second; None: not told.
        now: the time.
        memory: what :meth:`remember` gave in an earlier run.
    """

    def __init__(self, known: float | None, now: float, memory: str = "") -> None:
        self._wall = self._trusted = known
        self._upper = known or _ENDLESS
        self._patience = _MOST_PATIENCE_S if known else _FIRST_PATIENCE_S
        self._search: float | None = None
        self._cut_at = now
        self._resumed_at = now - _RECOVERY_S
        self._granted = 0
        self._early = 0
        if memory:
            self._recall(memory)

    def rate(self, now: float) -> float | None:
        """How many a second may go now; None: no limit is known."""
        since = max(0.0, now - self._resumed_at)
        if self._search is not None:
            return self._search * float(2 ** min(since, 30.0))
        if self._wall is None:
            return None
        level, recovery = self._wall * _BELOW, self._recovery_s()
        if since < recovery:
            return level * (1 - 0.5 * (1 - since / recovery) ** 3)
        return level * (1 + (max(0.0, self._trying_for(now)) / _TRYING_S) ** 3)

    def went(self, count: int) -> None:
        """Note that so many left."""
        self._granted += count

    def hurt(self, left_at: float, now: float, wait_s: float) -> bool:
        """Note a pushback.

        Args:
            left_at: when what was refused had left.
            now: when the answer came.
            wait_s: how long nothing will leave.

        Returns:
            Whether it is a new one; what had left before the last pushback was
            known tells nothing new.
        """
        self._granted = max(0, self._granted - 1)
        if left_at < self._cut_at:
            self._resumed_at = max(self._resumed_at, now + wait_s)
            return False
        self._move(self._measured(left_at), left_at)
        self._cut_at, self._resumed_at, self._granted = now, now + wait_s, 0
        return True

    def remember(self) -> str:
        """What a later run should know."""
        if self._wall is None:
            return ""
        return json.dumps({"wall": self._wall, "upper": self._upper, "patience": self._patience})

    def _recall(self, memory: str) -> None:
        try:
            kept = json.loads(memory)
            wall, upper, patience = (float(kept[key]) for key in ("wall", "upper", "patience"))
        except (ValueError, KeyError, TypeError):
            return  # of another version: to learn anew costs little
        if wall > 0:
            self._wall = self._trusted = wall
            self._upper, self._patience = upper, patience

    def _measured(self, left_at: float) -> _Measure:
        seconds = max(left_at - self._cut_at, 1e-6)
        low = self._granted / seconds
        high = self._granted / max(left_at - self._resumed_at, 1e-6)
        hurt_at = self.rate(left_at) or max(_FLOOR, self._granted / max(seconds, 1.0))
        return _Measure(low, max(low, high), hurt_at, self._granted, seconds)

    def _move(self, found: _Measure, left_at: float) -> None:
        """Put the wall where ``found`` says."""
        if self._search is not None:
            self._search = None
            self._settle(min(found.hurt_at, max(found.high, found.hurt_at * 0.85)))
        elif self._wall is None:
            # What went before tells little: it may all have been saved up.
            self._search = max(_FLOOR, found.hurt_at / 2)
        elif (trying := self._trying_for(left_at)) > 0:
            self._early = 0
            self._hurt_trying(found, trying, self._wall)
        else:
            self._hurt_resting(found)

    def _hurt_trying(self, found: _Measure, trying: float, wall: float) -> None:
        level = wall * _BELOW
        surplus = level * trying**4 / (4 * _TRYING_S**3) - (wall - level) * trying
        if surplus > max(3.0, _SURPLUS_S * wall):
            # The limit has moved up.
            self._settle(min(found.hurt_at, max(found.high, found.hurt_at * 0.95)))
            return
        self._trusted = wall
        base, top = max(found.low, wall), min(found.hurt_at, self._upper)
        # Hurt as soon as it went beyond: nothing was saved up there, so the level is the limit.
        at_once = surplus < _AT_ONCE_S * wall
        share = 0.9 if at_once else 0.7 if top / base - 1 > _NEAR else 0.2
        gap = max(0.0, top / base - 1)
        if top <= base:
            top, share, self._upper = found.hurt_at, 0.2, _ENDLESS
        self._wall = base + share * max(0.0, top - base)
        if gap <= 5 * _NEAR:
            self._patience = min(_MOST_PATIENCE_S, self._patience * _PATIENCE_GROWS)

    def _hurt_resting(self, found: _Measure) -> None:
        # Of a few, chance tells more than the limit: the first time, believe them little.
        few = found.granted < _FEW
        trust = 0.93 if few and not self._early and found.seconds < 30 else 0.5
        self._early = self._early + 1 if few else 0
        wall = max(_FLOOR, min(found.hurt_at * 0.98, max(found.high, found.hurt_at * trust)))
        if wall < 0.85 * (self._trusted or wall):
            self._patience, self._trusted = _FIRST_PATIENCE_S, wall
        self._wall, self._upper = wall, found.hurt_at

    def _settle(self, wall: float) -> None:
        """Begin anew at a level of which little is known."""
        self._wall = self._trusted = max(_FLOOR, wall)
        self._patience, self._upper = _FIRST_PATIENCE_S, _ENDLESS

    def _recovery_s(self) -> float:
        return max(_RECOVERY_S, 1 / (self._wall or 1.0))

    def _trying_for(self, now: float) -> float:
        """For how many seconds the pace has been trying for more; negative: not yet."""
        assert self._wall is not None
        sparing = _CALLS_BETWEEN / self._wall * min(1.0, self._patience / _MOST_PATIENCE_S)
        rest = max(self._patience, sparing)
        return now - self._resumed_at - self._recovery_s() - rest
