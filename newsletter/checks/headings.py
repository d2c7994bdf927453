"""Headings: how a screen reader's user finds the way through the mail."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.page import visible_text

_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def _headings(given: CheckInput) -> list[tuple[int, str]]:
    """Level and text of each heading, in order."""
    return [(int(e.tag[1]), visible_text(e)) for e in given.page.iter(*_TAGS)]


@check("heading-one", why="The one main heading shows screen readers where the content starts.")
def heading_one(given: CheckInput) -> Iterator[Flaw]:
    """Exactly one h1."""
    number = sum(level == 1 for level, _ in _headings(given))
    if number != 1:
        yield Flaw(
            Severity.WARNING,
            f"The mail has {number} headings of the first level (h1).",
            "Give the title of the issue an <h1>, and the rest <h2> and <h3>.",
            given.theme_place,
        )


@check(
    "heading-order", why="To screen readers, a missing level sounds as if a heading were missing."
)
def heading_order(given: CheckInput) -> Iterator[Flaw]:
    """No level is skipped on the way down."""
    last = 0
    for level, text in _headings(given):
        if level > last + 1:
            place = given.place_of(text)
            yield Flaw(
                Severity.WARNING,
                f"The heading “{text}” is of level {level} and follows level {last}.",
                f"Make it level {last + 1}; in a story's text, start with ###.",
                place,
            )
        last = level


@check("heading-empty", why="A screen reader announces a heading and then says nothing.")
def heading_empty(given: CheckInput) -> Iterator[Flaw]:
    """A heading without words."""
    empty = sum(not text for _, text in _headings(given))
    if empty:
        yield Flaw(
            Severity.ERROR,
            f"{empty} headings have no words.",
            "Remove them from the theme or the text, or give them words.",
            given.theme_place,
        )
