"""Simulated sends, of which nobody is wrongly refused and none is stopped without a cause."""

import random

import pytest
from benchmarks.judgement import BAD, TROUBLES, Send, Trouble


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_trouble_in_the_middle_of_a_list_with_bad_addresses_blames_nobody(
    trouble: Trouble,
) -> None:
    chance = random.Random(trouble.name)
    send = Send(chance, readers=300, bad=0.1, said=BAD[0], trouble=trouble)
    send._begins_at = 2.0
    assert 0 == send.run().blamed


@pytest.mark.parametrize("said", BAD)
@pytest.mark.parametrize("bad", [0.05, 0.2])
def test_a_sound_list_with_bad_addresses_is_not_stopped(said: str, bad: float) -> None:
    result = Send(random.Random(said), readers=300, bad=bad, said=said, trouble=None).run()
    assert (False, 0, 0) == (result.stopped, result.blamed, result.kept)
