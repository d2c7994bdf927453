"""What keeps the sign-up form from being used against strangers. All of it in memory only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict, deque

from newsletter.addresses import Address
from newsletter.clock import Clock

_AN_HOUR_S, _A_DAY_S, _A_WEEK_S = 3600, 86_400, 7 * 86_400
_MOST_A_WEEK = 3
_MOST_ADDRESSES = 100_000
_FREE = 100
"""Confirmations without an answer within a day that are no sign of misuse yet."""
_FOR_EACH_CONFIRMED = 9
"""Each that is confirmed allows so many more that are not."""
_CLOSED_S = 12 * _AN_HOUR_S


class Cooldown:
    """How often an address may be asked to confirm: once an hour, three times a week.

    It knows keyed hashes under a key of this process alone, and those for a week.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._asked: OrderedDict[bytes, tuple[float, ...]] = OrderedDict()

    def allows(self, address: Address) -> bool:
        """Whether the address may be asked now; if so, it counts as asked."""
        now, mailbox = self._clock.now().timestamp(), self._mailbox(address)
        asked = tuple(at for at in self._asked.pop(mailbox, ()) if now - at < _A_WEEK_S)
        allowed = len(asked) < _MOST_A_WEEK and (not asked or now - asked[-1] >= _AN_HOUR_S)
        self._asked[mailbox] = (*asked, now) if allowed else asked
        if len(self._asked) > _MOST_ADDRESSES:
            self._asked.popitem(last=False)
        return allowed

    def take_back(self, address: Address) -> None:
        """The latest time does not count: nothing was mailed."""
        mailbox = self._mailbox(address)
        self._asked[mailbox] = self._asked.get(mailbox, ())[:-1]

    def _mailbox(self, address: Address) -> bytes:
        # Many servers deliver anna+1@ and anna+2@ to one mailbox (RFC 5233).
        local, _, domain = address.suppression_key.rpartition("@")
        name = f"{local.partition('+')[0] or local}@{domain}"
        return hmac.digest(self._key, name.encode(), hashlib.sha256)[:16]


class FormBreaker:
    """Closes the form for a time when far more is asked than confirmed: somebody misuses it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked: deque[float] = deque()
        self._confirmed: deque[float] = deque()
        self._until = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether the form is closed now."""
        return self._now() < self._until

    def asked(self) -> tuple[int, int] | None:
        """Note that a confirmation was asked for.

        Returns:
            How many were asked and confirmed within a day, if that just closed the form.
        """
        self._asked.append(self._now())
        asked, confirmed = self._recent(self._asked), self._recent(self._confirmed)
        if asked - confirmed <= _FREE + _FOR_EACH_CONFIRMED * confirmed:
            return None
        self._until = self._now() + _CLOSED_S
        self._asked.clear()
        self._confirmed.clear()
        return asked, confirmed

    def confirmed(self) -> None:
        """Note that somebody confirmed."""
        self._confirmed.append(self._now())

    def _recent(self, times: deque[float]) -> int:
        while times and self._now() - times[0] > _A_DAY_S:
            times.popleft()
        return len(times)

    def _now(self) -> float:
        return self._clock.now().timestamp()
