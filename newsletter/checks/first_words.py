"""What a machine that summarises the mail reads first: the news, or what every issue says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.page import anchors, visible_text, words
from newsletter.model import MergeField, split_merge_fields
from newsletter.render.slots import TOKEN

if TYPE_CHECKING:
    from lxml.html import HtmlElement

FIRST = 60
"""Words that a summary is made from."""
_TELLING = 5
"""Letters from which on a word of the subject counts; shorter ones stand in any sentence."""
_STEM = 4
"""Letters that two forms of a word share."""


@check(
    "first-words",
    why="Inboxes show a summary that a machine makes of the first words that readers see.",
)
def first_words(given: CheckInput) -> Iterator[Flaw]:
    """First words that the inbox line says nothing of, or a link to the web page before them."""
    headlines = [story.headline for story in given.issue.reading_order if story.headline]
    before = words(given.visible).partition(words(headlines[0]))[0] if headlines else ""
    for anchor in anchors(given.page):
        if anchor.href == given.places.page and not anchor.hidden and words(anchor.text) in before:
            yield Flaw(
                Severity.WARNING,
                f"“{anchor.text}” stands before the first story.",
                "Show it at the foot of the mail, in the theme's partials.",
                given.theme_place,
            )
            break
    edition = given.edition
    telling = _stems(f"{edition.subject} {edition.preheader}")
    if telling and not telling & _stems(read_first(given)):
        yield Flaw(
            Severity.WARNING,
            f"The first {FIRST} words of the mail hold no word of its subject or preheader.",
            "Begin with the news: shorten the introduction, or say it there.",
            given.at("introduction" if given.issue.introduction else "subject"),
        )


def read_first(given: CheckInput) -> str:
    """The first visible words below the main heading, without the greeting."""
    heading: HtmlElement | None = next(given.page.iter("h1"), None)
    text = given.visible
    if heading is not None:
        text = text.partition(visible_text(heading))[2]
    greeting = "".join(
        " " if isinstance(piece, MergeField) else piece
        for piece in split_merge_fields(given.issue.greeting or "")
    )
    lines = [line for line in text.split("\n") if words(TOKEN.sub(" ", line)) != words(greeting)]
    return " ".join(" ".join(lines).split()[:FIRST])


def _stems(text: str) -> set[str]:
    """The beginnings of the words that tell something; a wide character is a word."""
    return {
        word.removeprefix("ال")[:_STEM]
        for word in words(TOKEN.sub(" ", text)).split()
        if len(word) >= _TELLING or (len(word) == 1 and ord(word) > 0x1100)
    }
