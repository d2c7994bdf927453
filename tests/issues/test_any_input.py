"""Never a traceback: whatever stands in the file, it is loaded or refused in sentences."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.errors import IssueError, Problem
from newsletter.issues.loader import load_issue

from tests.issues.support import GOOD, write

WORDS = [
    *GOOD.split(),
    "{{",
    "}}",
    "|",
    ">-",
    "&a",
    "*a",
    "!!int",
    "---",
    "\t",
    "\r",
    "\0",
    '"',
    "- ",
]
SCRAPS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=30).map(" ".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
# A busy machine is no failure.
UNHURRIED = settings(deadline=None)
PLACES = ["title", "date", "language", "subject", "lead", "sections", "posts", "stories"]
IN_STORY = ["id", "headline", "blurb", "section", "image", "links", "quote", "background", "x"]


def outcome(content: str | bytes) -> None:
    """Load, and see that a refusal is made of sentences."""
    told: tuple[Problem, ...] = ()
    with TemporaryDirectory() as folder:
        path = write(Path(folder), content)
        try:
            load_issue(path)
        except IssueError as error:
            told = error.problems or pytest.fail("refused without saying why")
    assert [problem for problem in told if not problem.what.endswith(".")] == []


@UNHURRIED
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    outcome(content)


@UNHURRIED
@given(st.text(max_size=200))
def test_any_text(content: str) -> None:
    outcome(content.encode("utf-8", "surrogatepass"))


@UNHURRIED
@given(st.integers(0, len(GOOD)), st.integers(0, 30), SCRAPS)
def test_a_good_issue_with_a_stretch_replaced(start: int, length: int, scrap: str) -> None:
    content = GOOD[:start] + scrap + GOOD[start + length :]

    outcome(content.encode("utf-8", "surrogatepass"))


@UNHURRIED
@given(
    st.dictionaries(st.sampled_from(PLACES), VALUES),
    st.dictionaries(st.sampled_from(IN_STORY), VALUES),
)
def test_any_values_in_any_place(heading: dict[str, object], story: dict[str, object]) -> None:
    data = yaml.safe_load(GOOD)
    data["stories"][0] |= story

    outcome(yaml.safe_dump(data | heading, allow_unicode=True))


@pytest.mark.parametrize("key", ["<<", "=", "?", "-"])
def test_keys_that_yaml_reads_in_a_special_way(key: str) -> None:
    outcome(GOOD + f"{key}: x\n")
