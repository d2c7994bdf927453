"""One campaign after the other, killed until it gets through, judged after each kill."""

import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.crash.judge import OPEN, UNKNOWN, Caught, States, judge, phase, require
from tests.crash.kills import Kill, end, killed, wait_for_news
from tests.crash.modes import MODES, Mode, Side
from tests.crash.score import Score
from tests.crash.senders import ISSUE, Newsletter, Sender
from tests.crash.warm import Running, Warm, warm

KILLS_A_CAMPAIGN = 40
_MOST_TRIES = 400
_PATIENCE_S = 3.0
_PATIENCE_WITH_COLD_STARTS_S = 20.0
_TIME_PASSES_S = 20 * 60
_COMMAND_S = 60
_TRANSPORT_STOPPED = 4
_EXCUSED = frozenset({"rejected", "in_doubt"})
"""Who may be without the mail in the end: refused for good, or named as in doubt."""


class Job:
    """What campaigns share: the warm processes, the second one only where it is asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @cached_property
    def first(self) -> Warm:
        """For the sender."""
        return self._stack.enter_context(warm())

    @cached_property
    def second(self) -> Warm:
        """For its rival."""
        return self._stack.enter_context(warm())


@dataclass
class Campaign:
    """One campaign under fire."""

    mode: Mode
    sender: Sender
    side: Side
    score: Score
    name: str

    def play(self, kill: Kill, enough: Callable[[int], bool]) -> None:
        """Kill until there were ``enough``, then leave it alone until it gets through.

        Raises:
            Caught: the promise is broken.
        """
        for _ in range(_MOST_TRIES):
            before = self.sender.states()
            quiet = enough(self.score.kills)
            processes = [self._left_alone()] if quiet else kill(self.sender, self.side)
            after = self.sender.states()
            self._look(processes, before, after)
            if after == before and not self.mode.behaves:
                self._let_time_pass()  # a kill of one who waits proves little
            if self._is_through(processes, after):
                return
        raise Caught("the campaign never got through")

    def _is_through(self, processes: Sequence[Running], after: States) -> bool:
        last = processes[-1]
        if killed(last):
            return False
        known = self.sender.finished | self.sender.stopped
        require(last.returncode in known, f"ended with {last.returncode}")
        self.score.endings[f"exit {last.returncode}"] += 1
        if last.returncode == _TRANSPORT_STOPPED:
            self._let_time_pass()
        if last.returncode not in self.sender.finished:
            return False
        self._require(not OPEN & set(after.values()), "ended well, but some wait")
        return True

    def _look(self, processes: Sequence[Running], before: States, after: States) -> None:
        """Judge, and count what the kills of this turn did."""
        count = sum(killed(process) for process in processes)
        self.score.kills += count
        self.score.modes[self.name] += count
        self.score.phases[phase(after)] += count
        if self.mode.control:
            return
        judge(after, self.side)
        if self.mode.behaves:
            fresh = _unknown(after) - _unknown(before)
        else:
            fresh = sum(state == "attempting" for state in after.values())
        bound = self.mode.bound * max(1, count)
        require(fresh <= bound, f"{fresh} in doubt by {count} kills; at most {bound} may be")
        self.score.most_doubts_by_one_kill = max(
            self.score.most_doubts_by_one_kill, -(-fresh // max(1, count))
        )

    def _left_alone(self) -> Running:
        """Let it run while something happens; when nothing does, time passes."""
        patience_s = _PATIENCE_WITH_COLD_STARTS_S if self.mode.cold else _PATIENCE_S
        process = self.sender.start()
        while process.poll() is None:
            if not wait_for_news(process, self.side, patience_s=patience_s):
                end(process)
                self._let_time_pass()
        return process

    def _let_time_pass(self) -> None:
        """Nobody waits here for a schedule: the next start is twenty minutes later."""
        if isinstance(self.sender, Newsletter):
            self.sender.ahead_s += _TIME_PASSES_S

    def _require(self, holds: bool, otherwise: str) -> None:
        require(holds or bool(self.mode.control), otherwise)

    def settle(self) -> None:
        """Count at the end, ask the provider where one can be asked, and count again."""
        if isinstance(self.sender, Newsletter):
            in_doubt = _in_doubt(self.sender.states())
            self._command(self.sender, "status", ISSUE)
            said = self.sender.said()
            unnamed = [address for address in in_doubt if address not in said]
            require(not unnamed, f"in doubt, but not named: {unnamed[:5]}")
            self._reconcile(self.sender, in_doubt)
        found, copies = self.sender.states(), self.side.copies()
        in_doubt = _in_doubt(found)
        excused = {address for address, state in found.items() if state in _EXCUSED}
        self.score.campaigns += 1
        self.score.recipients += len(found)
        self.score.in_doubt += len(in_doubt)
        self.score.doubts_that_had_arrived += sum(copies[address] for address in in_doubt)
        self.score.doubled += sum(count > 1 for count in copies.values())
        self.score.lost += sum(copies[address] == 0 for address in set(found) - excused)
        self._require((self.score.lost, self.score.doubled) == (0, 0), str(self.score))

    def _reconcile(self, sender: Newsletter, in_doubt: set[str]) -> None:
        self._command(sender, "reconcile", ISSUE)
        if "No such command" in sender.said():
            return
        found = sender.states()
        judge(found, self.side)
        left = _in_doubt(found)
        self.score.settled_by_reconcile += len(in_doubt) - len(left)
        if self.mode.reconciles:
            require(not left, f"reconcile left {len(left)} of {len(in_doubt)} in doubt")

    def _command(self, sender: Newsletter, *arguments: str) -> None:
        sender.command(*arguments).wait(timeout=_COMMAND_S)
        require("Traceback" not in sender.said(), sender.said())


def _unknown(states: States) -> int:
    return sum(state in UNKNOWN for state in states.values())


def _in_doubt(states: States) -> set[str]:
    return {address for address, state in states.items() if state == "in_doubt"}


def play(
    job: Job,
    names: Sequence[str],
    *,
    seed: str,
    more: Callable[[int], bool],
) -> Iterator[tuple[str, Score]]:
    """Campaigns in the modes ``names``, in turn, while ``more(kills so far)``.

    Yields:
        Mode and score of each campaign, once it is over.

    Raises:
        Caught: the promise is broken; the words name the folder that was kept.
    """
    earlier = 0
    for number in itertools.count():
        if not more(earlier):
            return
        name = names[number % len(names)]

        def enough(kills: int, before: int = earlier) -> bool:
            return kills >= KILLS_A_CAMPAIGN or not more(before + kills)

        score = play_one(job, name, seed=f"{seed}/{number}", enough=enough)
        earlier += score.kills
        yield name, score


def play_one(
    job: Job, name: str, *, seed: str, enough: Callable[[int], bool], readers: int | None = None
) -> Score:
    """One campaign, killed until ``enough(kills)`` or until it is through; ``readers`` on its list.

    Raises:
        Caught: the promise is broken; the words name the folder that was kept.
    """
    mode, chance, score = MODES[name], random.Random(seed), Score()
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="crash-"))
    with mode.side(folder / "side", chance.randrange(2**32)) as side:
        sender = mode.sender(folder / "project", side.port, job, readers=readers or mode.readers)
        campaign = Campaign(mode, sender, side, score, name)
        try:
            campaign.play(mode.kill(chance, job), enough)
            campaign.settle()
        except AssertionError as error:
            raise Caught(
                f"{name}, seed {seed}: {error}; kept: {folder}\n{sender.said()}"
            ) from error
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    shutil.rmtree(folder)
    score.seconds = time.monotonic() - started
    return score
