"""What docs/theme.md promises of a theme beyond what the checks of an issue look at. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Check, Flaw, Severity, check
from newsletter.checks.outlook import misfits, outlook_page
from newsletter.checks.styles import declarations, rules, shown_texts
from newsletter.render.wrap import display_width

SMALLEST = {"ltr": 14, "rtl": 15}
"""Least size of text in CSS pixels, by the direction of the issue."""
WIDEST = 72
"""Columns of the text part."""
_INDENT = 12
"""Columns that may stand beside a word that is too wide."""


def _flaw(given: CheckInput, what: str, mend: str) -> Flaw:
    return Flaw(Severity.ERROR, what, mend, given.theme_place)


@check("theme-text-size", why="Readers cannot enlarge text in many mail programs.")
def text_size(given: CheckInput) -> Iterator[Flaw]:
    """Text below 14 px, in a right-to-left issue below 15 px."""
    least = SMALLEST[given.issue.direction]
    for shown in shown_texts(given.page):
        if shown.manner.size < least:
            yield _flaw(
                given,
                f"“{shown.text[:60]}” has {shown.manner.size:g} px.",
                f"Give it a font-size of {least} px or more.",
            )


@check("theme-picture-size", why="The layout moves under the reader when pictures arrive.")
def picture_size(given: CheckInput) -> Iterator[Flaw]:
    """A picture without width, height or ``height: auto``."""
    for picture in given.page.iter("img"):
        lacks = [name for name in ("width", "height") if not picture.get(name)]
        if lacks:
            yield _flaw(
                given,
                f"The picture “{picture.get('alt')}” has no {' and no '.join(lacks)}.",
                'Write width="{{ shot.width }}" height="{{ shot.height }}" in it.',
            )


@check("theme-dark-weak", why="A light colour that is written into the element would win.")
def dark_weak(given: CheckInput) -> Iterator[Flaw]:
    """A rule for dark colours without ``!important``."""
    for style in given.page.iter("style"):
        for rule in rules(style.text or ""):
            dark = "prefers-color-scheme" in rule.media or "[data-ogs" in rule.selector
            weak = [name for name, value in rule.declared.items() if "!important" not in value]
            if dark and weak:
                yield _flaw(
                    given,
                    f"The dark rule for “{rule.selector}” sets {', '.join(weak)} without "
                    "!important.",
                    "Write !important behind the value.",
                )


@check("theme-letters-apart", why="Arabic letters join, and fall apart where they are spaced.")
def letters_apart(given: CheckInput) -> Iterator[Flaw]:
    """Spaced letters in a right-to-left issue."""
    if given.issue.direction == "ltr":
        return
    for element in given.page.iter():
        spaced = declarations(element.get("style") or "").get("letter-spacing", "0")
        if spaced not in {"0", "0px", "normal"}:
            yield _flaw(
                given,
                f"“{' '.join(element.text_content().split())[:60]}” has letter-spacing {spaced}.",
                "Set it only where dir == 'ltr'.",
            )


@check("theme-text-width", why="Many programs wrap wider lines a second time.")
def text_width(given: CheckInput) -> Iterator[Flaw]:
    """A line of the text part with more than 72 columns that is no address."""
    for line in given.edition.text.split("\n"):
        columns = display_width(line)
        # A word that is wider than a line cannot be wrapped, nor can an address.
        rest = columns - max(map(display_width, line.split()), default=0)
        if columns > WIDEST and rest > _INDENT:
            yield _flaw(
                given,
                f"The text part has a line of {columns} columns: “{line[:60]}”.",
                f"Print it by “wrap({WIDEST})” or “md_text({WIDEST})”.",
            )


@check("theme-outlook-width", why="Outlook for Windows moves or cuts what does not fit.")
def outlook_width(given: CheckInput) -> Iterator[Flaw]:
    """A table, cell or picture that is wider than what it stands in, as Outlook reads the mail."""
    for misfit in misfits(outlook_page(given.edition.html)):
        yield _flaw(
            given,
            f"In Outlook for Windows {misfit}.",
            "Let widths and paddings add up to the width of what is around.",
        )


PROMISES: tuple[Check, ...] = (
    text_size,
    picture_size,
    dark_weak,
    letters_apart,
    text_width,
    outlook_width,
)
"""Each of them, in the order of docs/theme.md."""
