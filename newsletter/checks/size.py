"""How large the mail is. Gmail clips at 102 KB and drops large style blocks."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.weight import CLIP_KB, KB, Gmail, cut_in_words, weigh

WARN_KB = 85
ERROR_KB = 100
STYLE_WARN_KB = 8
STYLE_ERROR_KB = 16


def size_kb(text: str) -> float:
    """The size of a text in UTF-8, in KB of 1024 bytes."""
    return len(text.encode()) / KB


@check(
    "html-size",
    why="Gmail cuts a mail off at 102 KB and hides the rest, the unsubscribe link included, "
    "behind “View entire message”.",
)
def html_size(given: CheckInput) -> Iterator[Flaw]:
    """The HTML of the reader with the longest values: 85 KB is much, 100 KB too much."""
    size = size_kb(given.largest_html)
    if size < WARN_KB:
        return
    weight = weigh(given)
    missed = next((each for each in weight.stories if each.gmail is not Gmail.SHOWN), None)
    at = (given.issue.stories.index(missed.story),) if missed else ()
    kept = f"The HTML is {size:.1f} KB of the {CLIP_KB} KB that Gmail shows."
    yield Flaw(
        Severity.ERROR if size >= ERROR_KB else Severity.WARNING,
        f"{kept} {cut_in_words(weight)}".rstrip(),
        "Shorten stories, or move long text to a page on the web and link it as background. "
        "“newsletter check ISSUE --sizes” shows what each story weighs.",
        given.at("stories", *at),
    )


@check(
    "style-size",
    why="Gmail ignores a style block of more than 16 KB as a whole, and with it the layout "
    "on phones.",
)
def style_size(given: CheckInput) -> Iterator[Flaw]:
    """Each ``<style>`` block: 8 KB is much, 16 KB too much."""
    for number, element in enumerate(given.page.iter("style"), start=1):
        size = size_kb(element.text or "")
        if size > STYLE_WARN_KB:
            yield Flaw(
                Severity.ERROR if size > STYLE_ERROR_KB else Severity.WARNING,
                f"Style block {number} is {size:.1f} KB; Gmail takes {STYLE_ERROR_KB} KB.",
                "Shorten the theme's css/head.css or css/dark.css, or split it in two blocks.",
                given.theme_place,
            )
