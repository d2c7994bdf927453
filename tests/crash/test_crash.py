"""Each mode for a few kills: enough to fail when the promise breaks."""

import pytest

from tests.crash.modes import HTTP, MODES, SMTP
from tests.crash.rounds import Job, play_one

KILLS = {"cold": 2, "disk-full": 5}
READERS = {"resend": 100, "postmark": 100, "mailgun": 40, "disk-full": 300, "cold": 300}


@pytest.mark.needs_smtp_sink
@pytest.mark.parametrize("mode", SMTP + HTTP)
def test_killed_in_every_way_nobody_is_lost_and_nobody_gets_it_twice(mode: str, job: Job) -> None:
    enough = KILLS.get(mode, 4)
    score = play_one(
        job,
        mode,
        seed="2017",
        enough=lambda kills: kills >= enough,
        readers=READERS.get(mode, 200),
    )
    assert (score.lost, score.doubled) == (0, 0)
    assert score.kills > 0
    assert score.most_doubts_by_one_kill <= MODES[mode].bound
