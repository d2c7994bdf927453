"""Simulated sends, of which nobody is wrongly refused and none is stopped without a cause."""

import random

import pytest
from benchmarks.judgement import BAD, TROUBLES, Trouble, send


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_trouble_in_the_middle_of_a_list_with_bad_addresses_blames_nobody(
    trouble: Trouble,
) -> None:
    chance = random.Random(trouble.name)
    result = send(chance, readers=200, bad=0.1, said=BAD[0], trouble=trouble, begins=0.4)
    assert 0 == result.blamed
    assert result.stopped or result.held


@pytest.mark.parametrize("said", BAD)
@pytest.mark.parametrize("bad", [0.05, 0.2])
def test_a_sound_list_with_bad_addresses_is_not_stopped(said: str, bad: float) -> None:
    result = send(random.Random(said), readers=200, bad=bad, said=said, trouble=None)
    assert (False, 0) == (result.stopped, result.blamed)
    assert 0 == result.kept or result.held  # a domain that waits, waits with its last ones
