"""One connection, killed at each disk sync and each disk write in turn."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.crash.judge import judge
from tests.crash.kills import DISK_WRITES, SOCKET_WRITES, SYNCS, killed, traced
from tests.crash.rounds import Job
from tests.crash.senders import Newsletter
from tests.crash.sides import SinkArrivals, postfix_sink
from tests.support.project import Project, smtp_delivery

Frozen = tuple[Newsletter, SinkArrivals]


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    """The program, imported once for both tests."""
    with Job() as shared:
        yield shared


@pytest.fixture
def frozen(tmp_path: Path, job: Job) -> Iterator[Frozen]:
    """A campaign of one connection that was killed before anybody was mailed."""
    with postfix_sink(tmp_path / "sink") as sink:
        project = Project(
            tmp_path / "project",
            delivery=smtp_delivery(sink.port, connections=1, more="batch = 5"),
            readers=150,
        )
        sender = Newsletter(project, job.first, env={})
        traced(sender, f"{SOCKET_WRITES}:signal=SIGKILL:when=1")
        yield sender, sink


def kill_at_each(frozen: Frozen, calls: str, numbers: Sequence[int]) -> int:
    """Kill at each of the calls; how many had a mail of which the ledger knew no end."""
    sender, sink = frozen
    unrecorded = 0
    for number in numbers:
        process = traced(sender, f"{calls}:signal=SIGKILL:when={number}")
        assert killed(process), f"there is no {calls} number {number}: {sender.said()}"
        states = sender.states()
        copies = judge(states, sink)
        attempted = [who for who, state in states.items() if state == "attempting"]
        assert len(attempted) <= 1
        unrecorded += sum(copies[who] for who in attempted)
    return unrecorded


@pytest.mark.needs_smtp_sink
@pytest.mark.fault("Process", "SIGKILL at every fsync", state="in_doubt, one a connection at most")
def test_killed_at_each_sync_of_one_connection_at_most_one_is_in_doubt(frozen: Frozen) -> None:
    kill_at_each(frozen, SYNCS, range(1, 13))


@pytest.mark.needs_smtp_sink
@pytest.mark.fault("Process", "SIGKILL between reply and commit", state="in_doubt, and has it")
def test_killed_between_reply_and_commit_one_is_in_doubt_and_has_it(frozen: Frozen) -> None:
    # A commit is some writes and then a sync: whoever dies in the writes has not committed.
    assert kill_at_each(frozen, DISK_WRITES, range(60, 180, 6)) > 0
