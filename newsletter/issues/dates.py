"""Typed dates of an issue: each is a day that exists, at an hour of its zone. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.errors import Problem
from newsletter.issue_dates import read_issue_date
from newsletter.issues.document import YamlDocument


def date_problems(document: YamlDocument) -> Iterator[Problem]:
    """Dates in “facts” that cannot be read, or that name what does not exist."""
    for path, text in document.scalars():
        match path:
            case (*_, "facts", int(), "when" | "deadline" as key):
                try:
                    read_issue_date(text)
                except ValueError as error:
                    what, _, advice = str(error).partition("; ")
                    advice = f"{advice[0].upper()}{advice[1:]}."
                    yield Problem(f"“{key}” {what}.", document.where(path), advice)
