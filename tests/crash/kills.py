"""Ways to end a sender: at a random moment, at a system call, on a full disk, with a rival.

Each way starts the sender, sees to its end, and hands back the processes that
have ended; whoever was killed ended with -9.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tests.crash.judge import Arrivals, require
from tests.crash.senders import Newsletter, Sender
from tests.crash.warm import Running, Warm
from tests.support.tools import program

Kill = Callable[[Sender, Arrivals], list[Running]]

SYNCS = "fsync,fdatasync"
SOCKET_WRITES = "sendto,sendmsg"
"""What Python's sockets write with; nothing else of the program calls them."""
SOCKET_READS = "recvfrom"
DISK_WRITES = "pwrite64,ftruncate"
"""What SQLite writes with; a commit is some of these, and then a sync."""

_ENDS_WITHIN_S = 60
_LOOKS_EVERY_S = 0.003
_NEWS_WITHIN_S = 2.0
_IN_THE_MIDDLE = 0.85
"""How many of the random kills wait until this run's first mail has arrived."""
_IN_BETWEEN = 0.6
"""How many of the starts have room on the disk."""


def killed(process: Running) -> bool:
    """Whether SIGKILL ended it."""
    return process.returncode == -signal.SIGKILL


def at_random(chance: random.Random, *, within_s: float) -> Kill:
    """Kill -9 at some moment, mostly of the first ``within_s`` after mail begins to arrive."""

    def kill(sender: Sender, arrivals: Arrivals) -> list[Running]:
        process = sender.start()
        _strike(process, arrivals, chance, within_s=within_s)
        return [process]

    return kill


def _strike(
    process: Running, arrivals: Arrivals, chance: random.Random, *, within_s: float
) -> None:
    if chance.random() < _IN_THE_MIDDLE:
        wait_for_news(process, arrivals, patience_s=_NEWS_WITHIN_S)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=chance.uniform(0, within_s))
    end(process)


def end(process: Running) -> None:
    """Kill it, if it has not ended, and see it gone."""
    process.kill()
    process.wait(timeout=_ENDS_WITHIN_S)


def wait_for_news(process: Running, arrivals: Arrivals, *, patience_s: float) -> bool:
    """Wait until mail arrives, the process ends, or patience does; whether it was one of those."""
    before = arrivals.mark()
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LOOKS_EVERY_S)
        if process.returncode is not None or arrivals.mark() != before:
            return True
    return False


def at_calls(chance: random.Random, calls: str, *, most: int) -> Kill:
    """Kill -9 as a thread enters its n-th of ``calls``; every n up to ``most``, in random order."""
    numbers = _dealt(chance, most)

    def kill(sender: Sender, _arrivals: Arrivals) -> list[Running]:
        return [traced(sender, f"{calls}:signal=SIGKILL:when={next(numbers)}")]

    return kill


def on_a_full_disk(chance: random.Random, kill: Kill) -> Kill:
    """From some write on the disk is full, until the next start; every other time ``kill``."""
    numbers = _dealt(chance, 250)

    def full(sender: Sender, arrivals: Arrivals) -> list[Running]:
        if chance.random() < _IN_BETWEEN:
            return kill(sender, arrivals)
        return [traced(sender, f"{DISK_WRITES}:error=ENOSPC:when={next(numbers)}+")]

    return full


def _dealt(chance: random.Random, most: int) -> Iterator[int]:
    """The numbers from 1 to ``most`` like cards: each comes up before one comes again."""
    while True:
        yield from chance.sample(range(1, most + 1), most)


class Startable(Protocol):
    """A program that can be started: a sender, or a server."""

    def start(self, *, held: bool = False) -> Running:
        """Start it; ``held``: stopped before its first step."""


def traced(sender: Startable, *injections: str) -> Running:
    """Run a program under strace, which injects a fault at a system call."""
    process = sender.start(held=True)
    _wait_for(process, "State:\tT")
    faults = [part for each in injections for part in ("-e", f"inject={each}")]
    calls = ",".join(each.partition(":")[0] for each in injections)
    strace = subprocess.Popen(
        [program("strace"), "-f", "-qq", "-o", os.devnull, "-p", str(process.pid),
         "-e", f"trace={calls}", *faults],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(process, f"TracerPid:\t{strace.pid}", strace)
        os.kill(process.pid, signal.SIGCONT)
        process.wait(timeout=_ENDS_WITHIN_S)
    finally:
        end(process)
        strace.wait(timeout=_ENDS_WITHIN_S)
    return process


def _wait_for(process: Running, line: str, strace: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until a line of the process's status says so."""
    while line not in Path(f"/proc/{process.pid}/status").read_text():
        traceable = strace is None or strace.poll() is None
        require(traceable, "strace may not trace here (kernel.yama.ptrace_scope?)")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LOOKS_EVERY_S)


def with_the_clock_moved(chance: random.Random, kill: Kill) -> Kill:
    """Set the sender's clock back by up to two days, and once more while it runs."""

    def moved(sender: Sender, arrivals: Arrivals) -> list[Running]:
        assert isinstance(sender, Newsletter)
        true = sender.ahead_s
        sender.ahead_s = true - chance.uniform(0, 48 * 3600)
        sender.jump = (chance.uniform(0, 0.3), -chance.uniform(0, 3 * 3600))
        try:
            return kill(sender, arrivals)
        finally:
            sender.ahead_s, sender.jump = true, (0.0, 0.0)

    return moved


def with_a_rival(chance: random.Random, warm: Warm, *, within_s: float) -> Kill:
    """Start a second process on the same campaign while the first runs; kill both at random."""

    def kill(sender: Sender, arrivals: Arrivals) -> list[Running]:
        assert isinstance(sender, Newsletter)
        first = sender.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            first.wait(timeout=chance.uniform(0, within_s))
        rival = sender.beside(warm)
        second = rival.start()
        _strike(first, arrivals, chance, within_s=within_s)
        _strike(second, arrivals, chance, within_s=within_s)
        return [first, second]

    return kill
