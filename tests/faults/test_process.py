"""One message at a time, killed at each disk sync in turn."""

from pathlib import Path

import pytest

from tests.crash.judge import judge
from tests.crash.kills import SOCKET_WRITES, SYNCS, killed, traced
from tests.crash.rounds import Job
from tests.crash.senders import Newsletter
from tests.crash.sides import postfix_sink
from tests.support.project import Project, smtp_delivery

LAST_SYNC = 14


@pytest.mark.needs_smtp_sink
@pytest.mark.fault("Process", "SIGKILL at every fsync", state="in_doubt, one a connection at most")
@pytest.mark.fault("Process", "SIGKILL between reply and commit", state="in_doubt, and has it")
def test_killed_at_each_sync_of_one_connection_at_most_one_is_in_doubt(tmp_path: Path) -> None:
    has_it_unrecorded = 0
    with Job() as job, postfix_sink(tmp_path / "sink") as sink:
        project = Project(
            tmp_path / "project",
            delivery=smtp_delivery(sink.port, connections=1, more="batch = 5"),
            readers=120,
        )
        sender = Newsletter(project, job.first, env={})
        traced(sender, f"{SOCKET_WRITES}:signal=SIGKILL:when=1")  # frozen, and nobody mailed
        for number in range(1, LAST_SYNC + 1):
            process = traced(sender, f"{SYNCS}:signal=SIGKILL:when={number}")
            assert killed(process), f"no sync number {number}: {sender.said()}"
            states = sender.states()
            copies = judge(states, sink)
            attempted = [who for who, state in states.items() if state == "attempting"]
            assert len(attempted) <= 1
            has_it_unrecorded += sum(copies[who] for who in attempted)
    assert has_it_unrecorded > 0, "no kill fell between a reply and its commit"
