import pytest

from tests.crash.harness import play


@pytest.mark.needs_smtp_sink
@pytest.mark.timeout(240)
def test_killed_at_any_moment_nobody_is_lost_and_nobody_gets_it_twice() -> None:
    score = play(kills=12, seed=2017, readers=900)
    assert (0, 0) == (score.lost, score.doubled)
    assert score.kills_by_state["while sending"] > 0


@pytest.mark.needs_smtp_sink
@pytest.mark.timeout(240)
def test_killed_as_it_syncs_the_ledger_nobody_is_lost_and_nobody_gets_it_twice() -> None:
    score = play(kills=8, seed=0, readers=150, syncs=(2, 7, 9, 12, 16, 20, 25, 30))
    assert (0, 0) == (score.lost, score.doubled)
    assert score.kills_by_state["while sending"] > 0
