"""The fault matrix is whole, and its page is what the marks would give."""

from typing import Any

import pytest

from tests.faults.collect import rows
from tests.faults.document import PAGE, page
from tests.faults.rows import DEMANDS, FAMILIES, Demand


@pytest.fixture(scope="module")
def marks() -> list[dict[str, Any]]:
    found, code = rows("--collect-only", "-q", "-n", "0")
    assert code == 0
    return found


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda demand: f"{demand.family}: {demand.words}")
def test_each_fault_that_must_be_covered_has_its_tests(
    demand: Demand, marks: list[dict[str, Any]]
) -> None:
    there = {mark["name"] for mark in marks if mark["family"] == demand.family}
    assert set(demand.rows) <= there


def test_each_mark_is_of_a_known_family(marks: list[dict[str, Any]]) -> None:
    assert {mark["family"] for mark in marks} <= set(FAMILIES)


def test_the_page_is_what_the_marks_give(marks: list[dict[str, Any]]) -> None:
    expected, written = page(marks), PAGE.read_text(encoding="utf-8")
    assert written == expected, "run “make faults” and commit docs/fault-matrix.md"
