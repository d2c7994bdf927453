"""The judge can catch: a naive sender under the same kills is found out."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.crash.judge import Caught, States, judge
from tests.crash.kills import at_random
from tests.crash.modes import MODES
from tests.crash.rounds import Job, play_one
from tests.crash.score import Score, append, as_line, total


@pytest.mark.needs_smtp_sink
def test_a_naive_sender_loses_or_doubles_people_and_the_count_tells(job: Job) -> None:
    for mode, wrong in (("control-fetched", "lost"), ("control-sent", "doubled")):
        score = play_one(job, mode, seed="2017", enough=lambda kills: kills >= 5, readers=600)
        assert 0 < score.kills <= 5
        assert getattr(score, wrong) > 0, mode


@pytest.mark.needs_smtp_sink
def test_the_judge_catches_the_naive_sender_within_a_few_kills(tmp_path: Path, job: Job) -> None:
    mode = MODES["control-fetched"]
    with mode.side(tmp_path / "sink", 0) as side:
        sender = mode.sender(tmp_path / "project", side.port, job, readers=400)
        kill = at_random(Random(2017), within_s=0.1)

        def kill_and_judge() -> None:
            for _ in range(6):
                kill(sender, side)
                judge(sender.states(), side)

        with pytest.raises(Caught, match="is accepted, but nothing arrived"):
            kill_and_judge()


class Arrived:
    """What arrived, made up."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    def copies(self) -> Counter[str]:
        return Counter(self._addresses)

    def mark(self) -> int:
        return len(self._addresses)


@pytest.mark.parametrize(
    ("states", "arrived", "words"),
    [
        ({"a": "accepted"}, ("a", "a"), "mailed twice"),
        ({"a": "in_doubt"}, ("a", "a"), "mailed twice"),
        ({"a": "accepted"}, (), "a is accepted, but nothing arrived"),
        ({"a": "pending"}, ("a",), "a is pending, but has it"),
        ({"a": "deferred"}, ("a",), "a is deferred, but has it"),
        ({"a": "rejected"}, ("a",), "a is rejected, but has it"),
        ({"a": "accepted"}, ("a", "b"), "not in the ledger, but mailed"),
    ],
)
def test_each_untruth_of_a_ledger_is_named(
    states: States, arrived: tuple[str, ...], words: str
) -> None:
    with pytest.raises(Caught, match=words):
        judge(states, Arrived(*arrived))


def test_what_is_unknown_may_have_arrived_or_not() -> None:
    states = {"a": "attempting", "b": "in_doubt", "c": "accepted", "d": "pending"}
    assert judge(states, Arrived("a", "c")) == Counter("ac")


def test_the_record_of_a_run_stands_after_each_campaign(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    score = Score(kills=7, campaigns=1, recipients=100, most_doubts_by_one_kill=3)
    score.modes["smtp"] = 7
    for number in range(2):
        append(record, as_line(score, seed=f"2017/{number}", mode="smtp"))
    both = total(json.loads(line) for line in record.read_text().splitlines())
    assert (both.kills, both.recipients, both.most_doubts_by_one_kill) == (14, 200, 3)
    assert both.modes == {"smtp": 14}
