"""How text reaches a terminal and a pipe."""

import io
from datetime import UTC, datetime

import pytest
from newsletter.cli.output import tell
from newsletter.phrases import count, duration, joined, moment, people
from rich.console import Console


def told(text: str, *, lead: str, terminal: bool) -> list[str]:
    out = io.StringIO()
    tell(text, lead=lead, to=Console(file=out, width=36, force_terminal=terminal, no_color=True,
                                     color_system=None))  # fmt: skip
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_on_a_terminal_a_paragraph_wraps_at_words_below_itself() -> None:
    assert ["  Next:  Free some space, and then", "         go on again."] == told(
        "Free some space, and then go on again.", lead="  Next:  ", terminal=True
    )


def test_in_a_pipe_a_paragraph_stays_one_line() -> None:
    text = "Free some space and run newsletter resume."
    assert [f"  Next:  {text}"] == told(text, lead="  Next:  ", terminal=False)


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    assert ["[bold]x[/] [1]"] == told("x[/] [1]", lead="[bold]", terminal=False)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("1 error", count(1, "error")),
        ("0 errors", count(0, "error")),
        ("1,200 people", people(1200)),
        ("1 person", people(1)),
        ("", joined([])),
        ("a", joined(["a"])),
        ("a and b", joined(["a", "b"])),
        ("a, b and c", joined(["a", "b", "c"])),
        ("less than a minute", duration(59)),
        ("about 1 minute", duration(61)),
        ("about 90 minutes", duration(5400)),
        ("about 3 hours", duration(10800)),
    ],
)
def test_numbers_read_like_words(expected: str, actual: str) -> None:
    assert expected == actual


def test_a_moment_is_told_with_its_zone() -> None:
    at = datetime(2017, 3, 31, 9, tzinfo=UTC)
    local = at.astimezone()
    assert f"{local:%Y-%m-%d %H:%M} {local.tzname()}" == moment(at)
