"""Several campaigns side by side, each job in a process of its own."""

import contextlib
import multiprocessing
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from tests.crash.judge import Caught
from tests.crash.rounds import Job, play
from tests.crash.score import Score, append, as_line, total

_LOOKS_EVERY_S = 2.0


@dataclass(frozen=True)
class Order:
    """What a job is to do."""

    modes: tuple[str, ...]
    seed: str
    kills: int
    """0: as many as the time allows."""
    until: float
    """On the monotonic clock, in seconds, which all processes of a machine share."""

    def more(self, kills: int) -> bool:
        return time.monotonic() < self.until and (not self.kills or kills < self.kills)


class News(Protocol):
    """Where a job tells what it did."""

    def put(self, line: dict[str, Any]) -> None: ...
    def get(self, block: bool = True, timeout: float | None = None) -> dict[str, Any]: ...


def work(orders: Sequence[Order], record: Path | None) -> tuple[Score, str | None]:
    """Run the jobs until they are done, one of them catches something, or Ctrl-C.

    Returns:
        What they showed together, and what was caught, if anything was.
    """
    spawned = multiprocessing.get_context("spawn")
    news: News = spawned.Queue()
    jobs = [spawned.Process(target=_job, args=(order, news)) for order in orders]
    for job in jobs:
        job.start()
    score = Score()
    failure = None
    try:
        failure = _listen(jobs, news, score, record)
    except KeyboardInterrupt:
        print("Stopped; what is shown until here stands.")
    for job in jobs:
        if failure is not None:
            job.terminate()
        job.join()
    return score, failure


def _listen(
    jobs: Sequence[BaseProcess], news: News, score: Score, record: Path | None
) -> str | None:
    at_work = len(jobs)
    while at_work:
        try:
            line = news.get(timeout=_LOOKS_EVERY_S)
        except queue.Empty:
            if not any(job.is_alive() for job in jobs):
                return "a job ended without a word"
            continue
        if "caught" in line:
            return str(line["caught"])
        if "over" in line:
            at_work -= 1
            continue
        campaign = total([line])
        score.add(campaign)
        if record:
            append(record, line)
        print(f"{line['seed']} {line['mode']}: {campaign}", flush=True)
    return None


def _job(order: Order, news: News) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        try:
            with Job() as job:
                for name, score in play(job, order.modes, seed=order.seed, more=order.more):
                    news.put(as_line(score, seed=order.seed, mode=name))
        except Caught as error:
            news.put({"caught": str(error)})
    news.put({"over": True})
