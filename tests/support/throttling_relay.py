"""A relay in a process of its own that answers 454 beyond so many messages a second.

``python -m tests.support.throttling_relay 200`` prints its port; when its
standard input ends, it prints who got how many, and how often it refused.
"""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from newsletter.clock import SystemClock

from tests.support.smtp_server import SmtpServer
from tests.support.tools import ROOT


class Relay:
    """How to reach it, and what it tells in the end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.copies: Counter[str] = Counter()
        self.refusals = 0


@contextmanager
def throttling_relay(per_second: float) -> Iterator[Relay]:
    command = [sys.executable, "-m", __name__, str(per_second)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        relay = Relay(int(process.stdout.readline()))
        try:
            yield relay
        finally:
            told = json.loads(process.communicate()[0])
            relay.copies, relay.refusals = Counter(told["copies"]), told["refusals"]


def _throttle(per_second: float) -> tuple[SmtpServer, Counter[str]]:
    clock, lock, refusals = SystemClock(), threading.Lock(), Counter[str]()
    tokens, at = per_second, clock.monotonic()

    def mail(_earlier: int) -> bytes | None:
        nonlocal tokens, at
        with lock:
            now = clock.monotonic()
            tokens, at = min(per_second, tokens + per_second * (now - at)), now
            if tokens < 1:
                refusals["454"] += 1
                return b"454 4.7.0 Throttling failure: Maximum sending rate exceeded."
            tokens -= 1
            return None

    return SmtpServer({"MAIL": mail}), refusals


if __name__ == "__main__":
    server, refusals = _throttle(float(sys.argv[1]))
    with server:
        print(server.port, flush=True)
        sys.stdin.read()
        print(json.dumps({"copies": server.copies(), "refusals": refusals["454"]}))
