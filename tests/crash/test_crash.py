"""Each mode for a few kills: enough to fail when the promise breaks."""

import pytest
from _pytest.mark import ParameterSet

from tests.crash.modes import HTTP, MODES, SMTP
from tests.crash.rounds import Job, play_one

KILLS = {"cold": 1, "disk-full": 5}
READERS = {"resend": 100, "postmark": 100, "mailgun": 40, "disk-full": 250, "cold": 100}
ONE = "in_doubt, one a connection at most; all others have it once"
ROWS = {
    "smtp": ("Process", "SIGKILL at random moments", ONE),
    "cold": ("Process", "SIGKILL at random moments", ONE),
    "sync": ("Process", "SIGKILL at every fsync", "in_doubt, one a connection at most"),
    "commit": ("Process", "SIGKILL between reply and commit", "in_doubt, and has it"),
    "write": ("Process", "SIGKILL at every socket write", ONE),
    "read": ("Process", "SIGKILL between dot and reply", ONE),
    "drops": ("Process", "SIGKILL, and the relay hangs up after the dot", "in_doubt"),
    "late": ("Process", "SIGKILL, and the relay answers late or not in time",
             "accepted; in_doubt, if not in time"),
    "garbage": ("Process", "SIGKILL, and the relay answers garbage", "in_doubt"),
    "half-open": ("Process", "SIGKILL, and connections are half-open", ONE),
    "refuses": ("Process", "SIGKILL, and the relay answers 4xx, 421 and 5xx",
                "accepted in the end, rejected, or in_doubt by a kill"),
    "odd": ("Process", "SIGKILL, and the relay does all of that", "as for each of them"),
    "disk-full": ("Process", "disk full", "the run stops, exit 5; with room again it goes on"),
    "clock": ("Process", "clock backwards", ONE),
    "rival": ("Process", "second process started on the same campaign", "refused, exit 5"),
    "resend": ("Provider", "SIGKILL during a call, and the provider knows keys",
               "in_doubt, one call a worker; `newsletter reconcile` settles all"),
    "postmark": ("Provider", "SIGKILL during a call, and the provider knows no keys",
                 "in_doubt, one call a worker"),
    "mailgun": ("Provider", "SIGKILL during a call of one message", "in_doubt, one a worker"),
}  # fmt: skip


def marked(mode: str) -> ParameterSet:
    family, name, state = ROWS[mode]
    return pytest.param(mode, marks=pytest.mark.fault(family, name, state=state))


@pytest.mark.needs_smtp_sink
@pytest.mark.parametrize("mode", [marked(mode) for mode in SMTP + HTTP])
def test_killed_in_every_way_nobody_is_lost_and_nobody_gets_it_twice(mode: str, job: Job) -> None:
    enough = KILLS.get(mode, 4)
    score = play_one(
        job,
        mode,
        seed="2017",
        enough=lambda kills: kills >= enough,
        readers=READERS.get(mode, 140),
    )
    assert (score.lost, score.doubled) == (0, 0)
    assert score.kills > 0
    assert score.most_doubts_by_one_kill <= MODES[mode].bound
