"""Marks that readers would see as they were typed, and footnotes that lack an end. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.render.markdown import faults_of_notes, parse, raw_in, raw_in_line

_LONGEST = 40


@check("markdown-raw", why="Readers see the marks instead of what they stand for.")
def markdown_raw(given: CheckInput) -> Iterator[Flaw]:
    """HTML, and Markdown of other kinds or in a line."""
    for value in given.issue.parts():
        if value.says.markdown:
            found = raw_in(parse(value.text, language=given.issue.language_at(value.path)))
            mend = (
                "“newsletter docs issue-file” tells what Markdown may hold. If readers are to see "
                "these marks, put a backslash before each."
            )
        else:
            found = () if value.says.address else raw_in_line(value.text)
            mend = "This is plain text; write it without marks."
        for raw in dict.fromkeys(found):
            yield Flaw(
                Severity.WARNING,
                f"“{_short(raw)}” is shown as it is typed.",
                mend,
                given.at(*value.path),
            )


def _short(raw: str) -> str:
    return raw if len(raw) <= _LONGEST else f"{raw[:_LONGEST]}…"


@check("footnote", why="Readers look for a note that is not there, or find one without a place.")
def footnote(given: CheckInput) -> Iterator[Flaw]:
    """A footnote without a text, or that nothing refers to."""
    for value in given.issue.parts():
        if value.says.markdown:
            tokens = parse(value.text, language=given.issue.language_at(value.path))
            for what, mend in faults_of_notes(tokens):
                yield Flaw(Severity.ERROR, what, mend, given.at(*value.path))
