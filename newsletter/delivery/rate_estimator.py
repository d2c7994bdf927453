"""How fast the server lets us go, estimated from its throttling. No I/O, no clock.

When throttled, the rate halves, comes back quickly to just below the level that
was throttled last time (the ceiling), stays there, and then probes for more:
gently at first, faster as long as the server takes it. That is the curve of
CUBIC (RFC 9438 4.1), with the rate in the place of the window. Each time that a
probe is throttled at about the same level, the next one waits longer.

The ceiling is measured, not only guessed. Between two refusals the server
granted what it accepted: counted with the pause that it asked for, that is the
least its limit can be, and counted without, the most.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

_BELOW = 0.99
"""Of the ceiling; where the rate rests."""
_RECOVERY_S = 0.5
_FIRST_PROBE_INTERVAL_S = 4.0
_PROBE_INTERVAL_GROWS = 3.0
_LONGEST_PROBE_INTERVAL_S = 50.0
_CALLS_BETWEEN = 200
"""A probe costs a refusal, as a rule; at a low rate it must stay one of so many."""
_PROBE_S = 10.0
"""After so long a probe has doubled the rate, if it is not throttled."""
_SURPLUS_S = 1.3
"""So many seconds' worth were taken beyond the ceiling: no saved-up burst explains that."""
_AT_ONCE_S = 0.1
_FEW = 6
"""Accepted since the last throttling, from which on their number tells something."""
_NEAR = 0.06
_FLOOR = 1 / 60
_ENDLESS = 1e9


@dataclass(slots=True)
class _Measure:
    """What was granted since the last throttling."""

    low: float
    high: float
    limited_at: float
    granted: int
    seconds: float


class RateEstimator:
    """A rate for one way out; all times in seconds of one clock that never goes back.

    Args:
        known: the server's documented limit, in a second; None: not told.
        now: the time.
        memory: what :meth:`remember` gave in an earlier run.
    """

    def __init__(self, known: float | None, now: float, memory: str = "") -> None:
        self._ceiling = self._trusted = known
        self._upper = known or _ENDLESS
        self._probe_interval = _LONGEST_PROBE_INTERVAL_S if known else _FIRST_PROBE_INTERVAL_S
        self._slow_start: float | None = None
        self._cut_at = now
        self._resumed_at = now - _RECOVERY_S
        self._granted = 0
        self._early = 0
        if memory:
            self._recall(memory)

    def rate(self, now: float) -> float | None:
        """How many a second may go now; None: no limit is known."""
        since = max(0.0, now - self._resumed_at)
        if self._slow_start is not None:
            return self._slow_start * float(2 ** min(since, 30.0))
        if self._ceiling is None:
            return None
        level, recovery = self._ceiling * _BELOW, self._recovery_s()
        if since < recovery:
            return level * (1 - 0.5 * (1 - since / recovery) ** 3)
        return level * (1 + (max(0.0, self._probing_for(now)) / _PROBE_S) ** 3)

    def sent(self, count: int) -> None:
        """Note that so many left."""
        self._granted += count

    def throttled(self, left_at: float, now: float, wait_s: float) -> bool:
        """Note a throttling.

        Args:
            left_at: when what was refused had left.
            now: when the answer came.
            wait_s: how long nothing will leave.

        Returns:
            Whether it is a new one; what had left before the last one was known tells
            nothing new.
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
        if self._ceiling is None:
            return ""
        return json.dumps(
            {"ceiling": self._ceiling, "upper": self._upper, "probe_interval": self._probe_interval}
        )

    def _recall(self, memory: str) -> None:
        try:
            kept = json.loads(memory)
            ceiling, upper, probe_interval = (
                float(kept[key]) for key in ("ceiling", "upper", "probe_interval")
            )
        except (ValueError, KeyError, TypeError):
            return  # of another version: to learn anew costs little
        if ceiling > 0:
            self._ceiling = self._trusted = ceiling
            self._upper, self._probe_interval = upper, probe_interval

    def _measured(self, left_at: float) -> _Measure:
        seconds = max(left_at - self._cut_at, 1e-6)
        low = self._granted / seconds
        high = self._granted / max(left_at - self._resumed_at, 1e-6)
        limited_at = self.rate(left_at) or max(_FLOOR, self._granted / max(seconds, 1.0))
        return _Measure(low, max(low, high), limited_at, self._granted, seconds)

    def _move(self, found: _Measure, left_at: float) -> None:
        """Put the ceiling where ``found`` says."""
        if self._slow_start is not None:
            self._slow_start = None
            self._settle(min(found.limited_at, max(found.high, found.limited_at * 0.85)))
        elif self._ceiling is None:
            # What went before tells little: it may all have been saved up.
            self._slow_start = max(_FLOOR, found.limited_at / 2)
        elif (probing := self._probing_for(left_at)) > 0:
            self._early = 0
            self._throttled_probing(found, probing, self._ceiling)
        else:
            self._throttled_resting(found)

    def _throttled_probing(self, found: _Measure, probing: float, ceiling: float) -> None:
        level = ceiling * _BELOW
        surplus = level * probing**4 / (4 * _PROBE_S**3) - (ceiling - level) * probing
        if surplus > max(3.0, _SURPLUS_S * ceiling):
            # The limit has moved up.
            self._settle(min(found.limited_at, max(found.high, found.limited_at * 0.95)))
            return
        self._trusted = ceiling
        base, top = max(found.low, ceiling), min(found.limited_at, self._upper)
        # Throttled right above the ceiling without burst credit: the limit is exact.
        at_once = surplus < _AT_ONCE_S * ceiling
        share = 0.9 if at_once else 0.7 if top / base - 1 > _NEAR else 0.2
        gap = max(0.0, top / base - 1)
        if top <= base:
            top, share, self._upper = found.limited_at, 0.2, _ENDLESS
        self._ceiling = base + share * max(0.0, top - base)
        if gap <= 5 * _NEAR:
            self._probe_interval = min(
                _LONGEST_PROBE_INTERVAL_S, self._probe_interval * _PROBE_INTERVAL_GROWS
            )

    def _throttled_resting(self, found: _Measure) -> None:
        # Of a few, chance tells more than the limit: the first time, believe them little.
        few = found.granted < _FEW
        trust = 0.93 if few and not self._early and found.seconds < 30 else 0.5
        self._early = self._early + 1 if few else 0
        ceiling = max(
            _FLOOR, min(found.limited_at * 0.98, max(found.high, found.limited_at * trust))
        )
        if ceiling < 0.85 * (self._trusted or ceiling):
            self._probe_interval, self._trusted = _FIRST_PROBE_INTERVAL_S, ceiling
        self._ceiling, self._upper = ceiling, found.limited_at

    def _settle(self, ceiling: float) -> None:
        """Begin anew at a level of which little is known."""
        self._ceiling = self._trusted = max(_FLOOR, ceiling)
        self._probe_interval, self._upper = _FIRST_PROBE_INTERVAL_S, _ENDLESS

    def _recovery_s(self) -> float:
        return max(_RECOVERY_S, 1 / (self._ceiling or 1.0))

    def _probing_for(self, now: float) -> float:
        """For how many seconds the rate has been probing for more; negative: not yet."""
        assert self._ceiling is not None
        sparing = (
            _CALLS_BETWEEN
            / self._ceiling
            * min(1.0, self._probe_interval / _LONGEST_PROBE_INTERVAL_S)
        )
        rest = max(self._probe_interval, sparing)
        return now - self._resumed_at - self._recovery_s() - rest
