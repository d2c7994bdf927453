"""kill -9 of ``newsletter serve`` under load: whoever was told that they left is in the log."""

from __future__ import annotations

import contextlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.kills import SYNCS, end, killed, traced
from tests.crash.warm import Running, Warm, warm
from tests.support.tools import PROVE, program
from tests.web.process import Leavers, ServerProcess, wait_for, write_bundle

KILLS = 260 if PROVE else 10
_A_LOG_LASTS = 8
"""Rounds after which a new log is begun, so that some kills hit its making."""
_SYNCS = 40
_WITHIN_S = 0.5
"""So long a server lives at most that is killed at random, once it answers."""
_IN_THE_MIDDLE = 0.85
"""How many of the random kills wait until somebody was answered."""


@pytest.fixture(scope="module")
def forks() -> Iterator[Warm]:
    with warm() as process:
        yield process


class Rounds:
    """Kill a server again and again, and look into its log each time."""

    def __init__(self, folder: Path, forks: Warm) -> None:
        self._server = ServerProcess(write_bundle(folder), forks)
        self._told: set[str] = set()
        self._known: set[str] = set()
        self._last = 0
        self.kills = 0
        self.leaves = 0

    def new_log(self) -> None:
        """Begin a new log; what the old one held was looked at."""
        self._look(from_the_start=True)
        for file in self._server.folder.glob("public.db*"):
            file.unlink()
        self._told, self._known, self._last = set(), set(), 0

    def at_sync(self, number: int) -> None:
        """Kill it as it enters its n-th sync."""
        with Leavers(self._server.port) as leavers:
            process = traced(self._server, f"{SYNCS}:signal=SIGKILL:when={number}")
        self._ended(process, leavers)

    def at_random(self, chance: random.Random) -> None:
        """Kill it at some moment, mostly after it began to answer."""
        process = self._server.start()
        seconds = chance.uniform(0, _WITHIN_S)
        with Leavers(self._server.port) as leavers:
            if chance.random() < _IN_THE_MIDDLE:
                wait_for(lambda: bool(leavers.answered))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
            end(process)
        self._ended(process, leavers)

    def _ended(self, process: Running, leavers: Leavers) -> None:
        assert killed(process), self._server.said()
        assert leavers.statuses <= {200}
        self.kills += 1
        self._told.update(leavers.answered)
        self.leaves += len(leavers.answered)
        self._look()

    def _look(self, *, from_the_start: bool = False) -> None:
        """The chain is sound, and whoever was told is there."""
        if from_the_start:
            self._last, self._known = 0, set()
        events = self._server.events(self._last)
        self._known |= {event["campaign"] for event in events}
        self._last += len(events)
        assert self._told <= self._known


@pytest.mark.fault(
    "Public",
    "SIGKILL of the server, at each sync and at random",
    state="who was told that they left is in the log",
)
@pytest.mark.timeout(3600 if PROVE else 180)
@pytest.mark.parametrize("way", ["at each sync", "at random"])
def test_no_leave_that_was_answered_is_lost(tmp_path: Path, forks: Warm, way: str) -> None:
    chance = random.Random(way)
    if way == "at each sync":
        program("strace")
    rounds = Rounds(tmp_path / "public", forks)
    numbers = chance.sample(range(1, _SYNCS + 1), _SYNCS)
    for number in range(KILLS):
        if number % _A_LOG_LASTS == 0:
            rounds.new_log()
        if way == "at each sync":
            rounds.at_sync(numbers[number % _SYNCS])
        else:
            rounds.at_random(chance)
    rounds.new_log()
    print(f"{rounds.kills} kills {way}, {rounds.leaves} answered leaves, none lost")
    assert rounds.kills == KILLS
    assert rounds.leaves > KILLS
