"""How often somebody may ask, in memory and by the minute. Holds no address longer than that."""

from __future__ import annotations

import ipaddress
from collections import Counter

from newsletter.clock import Clock

_MOST_KEYS = 20_000
_MINUTE_S = 60


class RateLimit:
    """Counts requests by network and in total, anew each minute.

    Args:
        each: how many a network may make in a minute: an IPv4 address or an IPv6 /64.
        total: how many all may make together.
        clock: tells the minutes.
    """

    def __init__(self, *, each: int, total: int, clock: Clock) -> None:
        self._each = each
        self._total = total
        self._clock = clock
        self._minute = 0
        self._counts: Counter[str] = Counter()
        self._sum = 0

    def allows(self, host: str | None) -> bool:
        """Count one request of ``host``, and say whether it is within the limits."""
        minute = int(self._clock.now().timestamp() // _MINUTE_S)
        if minute != self._minute:
            self._minute, self._sum = minute, 0
            self._counts.clear()
        network = _network(host)
        if network in self._counts or len(self._counts) < _MOST_KEYS:
            self._counts[network] += 1
        if self._counts[network] > self._each:
            return False  # and not counted in total: one network alone would shut out the others
        self._sum += 1
        return self._sum <= self._total


def _network(host: str | None) -> str:
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
