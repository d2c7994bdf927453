"""Programs that force dark colours: what they make of a colour, and of the themes."""

from __future__ import annotations

import pytest
from newsletter.checks.forced_dark import darkened, forced, inverted
from newsletter.checks.styles import contrast, shown_texts

from tests.render.themes import THEMES, edition_of, march_of, page_of


@pytest.mark.parametrize(
    ("colour", "in_hsl", "in_lab"),
    [
        ("#ffffff", "#000000", "#333333"),
        ("#000000", "#ffffff", "#ffffff"),
        ("#808080", "#7f7f7f", "#8b8b8b"),
        ("#ffc93c", "#c38d00", "#6d4b00"),
    ],
)
def test_lightness_is_inverted_and_the_hue_stays(colour: str, in_hsl: str, in_lab: str) -> None:
    assert (in_hsl, in_lab) == (inverted(colour), darkened(colour))


def test_dark_words_on_yellow_are_lost_and_light_words_on_dark_are_not() -> None:
    yellow = [round(contrast(*pair), 2) for pair in forced("#171b45", "#ffc93c")]
    assert [1.63, 1.63] == yellow[:2]
    # Of a dark ground under light words, a partial inversion leaves both.
    assert ("#ffffff", "#171b45") in list(forced("#ffffff", "#171b45"))
    assert all(contrast(*pair) > 4.5 for pair in forced("#ffffff", "#171b45"))


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_of_a_theme_can_be_read_in_forced_dark(theme: str) -> None:
    pairs = {
        (shown.manner.colour, shown.manner.ground)
        for edition in (edition_of(theme, "en"), edition_of(theme, "ar"), march_of(theme)[2])
        for shown in shown_texts(page_of(edition))
    }
    assert len(pairs) > 8
    poor = {
        (colour, ground): worst
        for colour, ground in pairs
        if colour and ground and (worst := min(contrast(*p) for p in forced(colour, ground))) < 4.5
    }
    assert {} == poor


@pytest.mark.parametrize("theme", THEMES)
def test_a_button_is_seen_against_the_paper_in_forced_dark(theme: str) -> None:
    buttons = page_of(edition_of(theme, "en")).cssselect("td.button")
    colours = THEMES[theme].settings.colours
    assert buttons
    assert all(colours.muted in (button.get("style") or "") for button in buttons)
    for border, paper in forced(colours.muted, colours.paper):
        assert contrast(border, paper) > 2
