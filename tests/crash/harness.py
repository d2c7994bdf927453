"""The crash harness: kill the sender at random moments, resume, and let the sink judge.

Each round is a campaign into Postfix's smtp-sink. ``newsletter send`` and then
``newsletter resume`` are killed with SIGKILL again and again until one of them
gets through. After every kill and at the end the sink's own count is held
against the ledger:

* nobody has two copies;
* whoever is ``accepted`` has exactly one, whoever waits has none;
* at most one recipient per connection is newly in doubt after a kill;
* in the end everybody is accepted or named as in doubt: nobody is lost.

Run it for as long as you like::

    python -m tests.crash.harness --kills 250 --seed 7
    python -m tests.crash.harness --kills 60 --at-sync

With ``--at-sync`` the kills are not at random: strace kills the sender as one
of its threads enters its first, second, third … fsync of the ledger.
"""

import argparse
import contextlib
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.project import Project, smtp_delivery
from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.tools import program

CONNECTIONS = 5
READERS = 1500
_START_UP_S = 0.4
"""Before that the sender is still importing; a kill then proves little."""
_LONGEST_S = 60
_MOST_TRIES = 400


@dataclass
class Score:
    seed: int
    kills: int = 0
    rounds: int = 0
    recipients: int = 0
    in_doubt: int = 0
    doubts_that_had_arrived: int = 0
    most_doubts_by_one_kill: int = 0
    kills_by_state: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.kills} kills in {self.rounds} campaigns, "
            f"{self.recipients} recipients: {self.lost} lost, {self.doubled} doubled, "
            f"{self.in_doubt} in doubt ({self.doubts_that_had_arrived} of them had arrived), "
            f"at most {self.most_doubts_by_one_kill} by one kill over {CONNECTIONS} connections; "
            f"killed {dict(self.kills_by_state)}"
        )


def states(project: Project) -> dict[str, str]:
    """Every recipient's state, read beside the sender as any other program would."""
    path = project.folder / "newsletter.db"
    if not path.exists():
        return {}
    connection = sqlite3.connect(path, timeout=30)
    try:
        return dict(connection.execute("SELECT address, state FROM delivery").fetchall())
    except sqlite3.OperationalError:
        return {}  # killed before the tables were there
    finally:
        connection.close()


Kill = Callable[[Project, tuple[str, ...]], subprocess.Popen[bytes]]
"""Starts a command and ends it at some moment; returned when it has ended."""


def at_random(chance: random.Random) -> Kill:
    """Kill -9 at some moment of the first seconds."""

    def start(project: Project, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        process = project.start(*command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_START_UP_S + chance.uniform(0, 2.0))
        process.kill()
        process.wait(timeout=_LONGEST_S)
        return process

    return start


def at_syncs(numbers: Sequence[int]) -> Kill:
    """Kill -9 as a thread enters its fsync of that number; one number a command, in turn."""
    turns = itertools.cycle(numbers)

    def start(project: Project, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        syncs = "fsync,fdatasync"
        process = subprocess.Popen(
            [
                *(program("strace"), "-f", "-qq", "-o", os.devnull, "-e", f"trace={syncs}"),
                *("-e", f"inject={syncs}:signal=SIGKILL:when={next(turns)}"),
                *project.command(*command),
            ],
            cwd=project.folder,
            env=project.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        process.wait(timeout=_LONGEST_S)
        return process

    return start


def left_alone(project: Project, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    process = project.start(*command)
    process.wait(timeout=_LONGEST_S)
    return process


def one_round(project: Project, sink: Sink, score: Score, *, kills: int, kill: Kill) -> None:
    """One campaign, killed until ``kills`` are used up or it gets through."""
    for _ in range(_MOST_TRIES):
        before = states(project)
        command = ("resume", "2017-04") if before else ("send", "2017-04", "--yes")
        process = (kill if score.kills < kills else left_alone)(project, command)
        after = states(project)
        judge(sink, after)
        if process.returncode == -signal.SIGKILL:
            score.kills += 1
            orphans = sum(state == "attempting" for state in after.values())
            score.most_doubts_by_one_kill = max(score.most_doubts_by_one_kill, orphans)
            assert orphans <= CONNECTIONS, f"{orphans} in doubt over {CONNECTIONS} connections"
            score.kills_by_state[phase(after)] += 1
            continue
        # Left alone it ends well: complete, or with those in doubt named.
        assert process.returncode in {0, 6}, f"{command} ended with {process.returncode}"
        assert not {"pending", "claimed", "attempting", "deferred"} & set(after.values())
        return
    raise AssertionError("the campaign never got through")


def phase(found: dict[str, str]) -> str:
    if not found:
        return "before the freeze"
    if set(found.values()) <= {"pending", "claimed"}:
        return "before the first message"
    open_ones = {"pending", "claimed", "attempting", "deferred"} & set(found.values())
    return "while sending" if open_ones else "after the last message"


def judge(sink: Sink, found: dict[str, str]) -> None:
    """Hold the ledger against the sink's own count."""
    copies = sink.copies()
    twice = {address for address, count in copies.items() if count > 1}
    assert not twice, f"mailed twice: {sorted(twice)}"
    for address, state in found.items():
        if state == "accepted":
            assert copies[address] == 1, f"{address} is accepted, but the sink has nothing"
        elif state not in {"attempting", "in_doubt"}:
            assert copies[address] == 0, f"{address} is {state}, but the sink has it"
    assert set(copies) <= set(found)


def play(*, kills: int, seed: int, readers: int = READERS, syncs: Sequence[int] = ()) -> Score:
    """Rounds until there were ``kills``, at random or, with ``syncs``, at those.

    Raises:
        AssertionError: somebody was lost or doubled.
    """
    kill = at_syncs(syncs) if syncs else at_random(random.Random(seed))
    score = Score(seed)
    while score.kills < kills:
        with tempfile.TemporaryDirectory() as folder, smtp_sink(Path(folder) / "sink") as sink:
            project = Project(
                Path(folder) / "project",
                delivery=smtp_delivery(sink.port, connections=CONNECTIONS, more="batch = 20"),
                readers=readers,
            )
            one_round(project, sink, score, kills=kills, kill=kill)
            tell_the_end(project, sink, score)
    return score


def tell_the_end(project: Project, sink: Sink, score: Score) -> None:
    found, copies = states(project), sink.copies()
    in_doubt = {address for address, state in found.items() if state == "in_doubt"}
    score.rounds += 1
    score.recipients += len(found)
    score.in_doubt += len(in_doubt)
    score.doubts_that_had_arrived += sum(copies[address] for address in in_doubt)
    score.doubled += sum(count > 1 for count in copies.values())
    score.lost += sum(copies[address] == 0 for address in set(found) - in_doubt)
    assert (score.lost, score.doubled) == (0, 0), str(score)
    named = project.run("status", "2017-04").stdout
    assert not [address for address in in_doubt if address not in named]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=250)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--at-sync", action="store_true", help="kill at each fsync in turn")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1_000_000)
    started = time.monotonic()
    if arguments.at_sync:
        score = play(
            kills=arguments.kills, seed=seed, readers=300, syncs=range(1, arguments.kills + 1)
        )
    else:
        score = play(kills=arguments.kills, seed=seed)
    print(f"{score}; {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
