"""A provider that lets through what its token bucket allows, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from newsletter.config import Delivery
from newsletter.delivery.pacing import Pacer
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import Allowance

Words = Literal["Retry-After: 1", "a fraction", "nothing"]
"""What a refusal says about when to come back."""


@dataclass
class Throttle:
    """Allows ``rate`` a second and ``burst`` at once; from ``changes_at`` on, ``factor`` of it."""

    rate: float
    burst: float
    factor: float = 1.0
    changes_at: float = 300.0
    taken: int = 0
    refused: int = 0
    _tokens: float = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._tokens = self.burst

    def limit(self, at: float) -> float:
        return self.rate * (self.factor if at >= self.changes_at else 1.0)

    def call(self, at: float) -> float:
        """Take a call; for how many seconds it is too early, if it is."""
        if self._at < self.changes_at <= at:
            self._fill(self.changes_at, self.rate)
        self._fill(at, self.limit(at))
        if self._tokens >= 1 - 1e-9:
            self._tokens -= 1
            self.taken += 1
            return 0.0
        self.refused += 1
        return (1 - self._tokens) / self.limit(at)

    def _fill(self, at: float, rate: float) -> None:
        self._tokens = min(self.burst, self._tokens + rate * (at - self._at))
        self._at = at

    def allowed(self, seconds: float) -> float:
        before = min(seconds, self.changes_at)
        return self.rate * before + self.rate * self.factor * (seconds - before)


def race(throttle: Throttle, words: Words, *, known: bool, seconds: float = 600.0) -> None:
    """Make calls as fast as a pacer lets them go; nothing else takes any time."""
    clock = FrozenClock()
    transport = ScriptedTransport(batch_size=1)
    transport.allowance = Allowance(calls_per_second=throttle.rate if known else None)
    pacer = Pacer(transport, Delivery(), kept={}, clock=clock)
    while clock.monotonic() < seconds:
        left_at = pacer.acquire_permit(stopped=lambda: False, patience_s=seconds)
        assert left_at is not None
        early_s = throttle.call(clock.monotonic())
        if early_s:
            asked = {"Retry-After: 1": 1.0, "a fraction": early_s, "nothing": None}[words]
            pacer.throttled(left_at, asked)
        else:
            pacer.accepted()
