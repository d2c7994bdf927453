"""A short run of each target over its corpus and what chance makes of it, always the same."""

import traceback

import pytest

from tests.fuzz.engine import CORPUS, corpus, feed, hunt
from tests.fuzz.targets import TARGETS
from tests.fuzz.words import WORDS

PIECES = 100


def test_each_target_has_a_corpus_and_words() -> None:
    assert TARGETS.keys() == WORDS.keys() == {folder.name for folder in CORPUS.iterdir()}
    assert all(map(corpus, TARGETS))


@pytest.mark.fault(
    "Input",
    "bytes by chance for every parser of what others wrote (fuzzing)",
    state="its own errors or its documented values; bounded in time, size and memory",
)
@pytest.mark.parametrize("name", TARGETS)
def test_no_target_chokes(name: str) -> None:
    _, findings = hunt(name, seed=2017, pieces=PIECES)
    assert [] == ["".join(traceback.format_exception(each.error)) for each in findings]


def test_what_is_no_error_of_ours_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def choke(food: bytes) -> None:
        assert b"?" not in food

    monkeypatch.setitem(TARGETS, "tokens", choke)
    assert feed("tokens", b"?") is not None
    assert feed("tokens", b"!") is None
