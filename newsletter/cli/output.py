"""How anything reaches the person at the keyboard: paragraphs, facts, counts, errors.

On a terminal text wraps at words and hangs below itself. In a pipe or a file
each sentence stays on one line, so that it can be searched; colours are for
terminals alone. Files and servers bring names and words that could steer a
terminal, so what would is shown by its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from newsletter.errors import NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.checks.finding import Finding

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_SEVERITIES = {"error": "red", "warning": "yellow", "note": "cyan"}
_MOST_PROBLEMS = 40
_NARROWEST = 24
_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows (Unicode UAX 9)."""


def harmless(text: str) -> str:
    """``text`` without what steers a terminal: ``⟨U+001B⟩`` in the place of an escape."""
    return _STEERS.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)


def tell(
    text: str, *, lead: str = "", style: str = "", lead_style: str = "dim", to: Console = out
) -> None:
    """Print a paragraph behind ``lead``, which stands once and indents what follows."""
    head, words = Text(harmless(lead), style=lead_style), Text(harmless(text), style=style)
    if not to.is_terminal:
        to.print(Text.assemble(head, words), soft_wrap=True)
        return
    width = max(_NARROWEST, to.width - head.cell_len)
    for line in words.wrap(to, width):
        to.print(Text.assemble(head, line), soft_wrap=True)
        head = Text(" " * head.cell_len)


def say(text: str, *, style: str = "") -> None:
    """Print a sentence."""
    tell(text, style=style)


def show_line(text: str) -> None:
    """Print a line as it is, however long, so that it can be copied and run."""
    out.print(Text(text), soft_wrap=True)


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print labelled facts, one below the other; a label that repeats is left out."""
    width = max(len(label) for label, _ in facts) + 2
    before = ""
    for label, fact in facts:
        tell(fact, lead=("" if label == before else label).ljust(width))
        before = label


def show_counts(counts: Sequence[tuple[int, str, str]]) -> None:
    """Print numbers, right-aligned, with what they count and its colour."""
    width = max(len(f"{number:,}") for number, *_ in counts)
    for number, words, style in counts:
        tell(words, lead=f"  {number:>{width},}  ", lead_style=style)


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their heads; columns are right-aligned but the last, which may be long."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)][:-1]
    for row in (heads, *rows):
        cells = zip(row[:-1], widths, strict=True)
        tell(row[-1], lead="".join(f"{cell:>{width}}  " for cell, width in cells))


def say_error(error: NewsletterError) -> None:
    """Print an error: what, where, what next."""
    tell(error.what, lead="Stopped: ", lead_style="bold red", to=err)
    place = str(error.where)
    if place:
        tell(place, lead="  Where: ", to=err)
    say_problems(error.problems, most=_MOST_PROBLEMS, to=err)
    if error.next:
        tell(error.next, lead="  Next:  ", to=err)


def say_problems(
    problems: Sequence[Problem], *, most: int | None = None, to: Console = out
) -> None:
    """Print problems, at most so many, and how many more there are."""
    for problem in problems[:most]:
        tell(str(problem), lead="  • ", to=to)
    left_out = len(problems[most:]) if most is not None else 0
    if left_out:
        tell(f"and {left_out:,} more.", lead="  • ", to=to)


def show_findings(findings: Iterable[Finding], *, to: Console = out) -> None:
    """Print what the checks found, and how to mend it."""
    for finding in findings:
        tell(
            f"{finding.what} ({finding.id})",
            lead=f"{finding.severity}: ",
            lead_style=_SEVERITIES[finding.severity],
            to=to,
        )
        place = str(finding.where)
        if place:
            tell(place, lead="  where  ", to=to)
        tell(finding.why, lead="  why    ", to=to)
        tell(finding.mend, lead="  mend   ", to=to)
