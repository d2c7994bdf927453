"""Whether every text can be told from its ground, in light and in dark colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.checks.styles import Manner, contrast, dark_rules, luminance, shown_texts
from newsletter.errors import Where
from newsletter.theme import THEME_FILE, Palette, Theme, setting_name

ENOUGH = 4.5
"""Least contrast of text with its ground (WCAG 2.2, 1.4.3, level AA)."""
ENOUGH_LARGE = 3.0
"""The same for large text."""
LARGE_PX = 24
LARGE_BOLD_PX = 18.66
_WORDS = ("on_band", "bright", "band", "ink", "text", "muted", "accent", "link", "on_button")
_GROUNDS = ("page", "paper", "tint", "band", "bright", "button")
_QUOTED = 40
"""Characters of a text that a finding quotes."""


@dataclass(frozen=True, slots=True)
class _Mode:
    """The light or the dark colours: their name and the table that holds them."""

    name: str
    tables: tuple[str, ...]
    palette: Palette

    def roles(self, colour: str, parts: tuple[str, ...]) -> list[str]:
        """Which of some parts have a colour; if none of them has it, which others."""
        have = [part for part in Palette.model_fields if getattr(self.palette, part) == colour]
        return [part for part in have if part in parts] or have


@check("contrast", why="Readers with low vision, or in sunlight, cannot read text of low contrast.")
def contrast_of_text(given: CheckInput) -> Iterator[Flaw]:
    """Text of less than 4.5 : 1 with its ground; 3 : 1 if it is large."""
    colours = given.theme.settings.colours
    for mode, over in (
        (_Mode("light", ("colours",), colours), []),
        (_Mode("dark", ("colours", "dark"), colours.dark), dark_rules(given.page)),
    ):
        poor: dict[tuple[str, str], list[tuple[str, float]]] = {}
        for shown in shown_texts(given.page, over):
            colour, ground = shown.manner.colour, shown.manner.ground
            if colour is None or ground is None:  # over a picture, say
                continue
            enough = _enough(shown.manner)
            if contrast(colour, ground) < enough:
                poor.setdefault((colour, ground), []).append((shown.text, enough))
        for (colour, ground), texts in poor.items():
            yield _flaw(given.theme, mode, colour, ground, texts)


def _enough(manner: Manner) -> float:
    large = manner.size >= LARGE_PX or (manner.bold and manner.size >= LARGE_BOLD_PX)
    return ENOUGH_LARGE if large else ENOUGH


def _flaw(
    theme: Theme, mode: _Mode, colour: str, ground: str, texts: list[tuple[str, float]]
) -> Flaw:
    enough = max(needed for _, needed in texts)
    quoted = next(text for text, needed in texts if needed == enough)
    if len(quoted) > _QUOTED:
        quoted = quoted[:_QUOTED].rstrip() + "…"
    others = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
    roles = mode.roles(colour, _WORDS)
    # Cut off, not rounded: 4.46 must not read as 4.5.
    ratio = int(contrast(colour, ground) * 10) / 10
    pair = f"{_told(colour, roles)} on {_told(ground, mode.roles(ground, _GROUNDS))}"
    what = (
        f"In the {mode.name} colours “{quoted}”{others} can hardly be read: "
        f"{pair} is {ratio} : 1; {enough:g} : 1 is needed."
    )
    own = theme.folder / THEME_FILE
    if not roles:
        return Flaw(
            Severity.ERROR,
            what,
            f"Look for {colour} in the templates and style sheets of the theme; "
            f"{_better(colour, ground, enough)} would do.",
            Location(Where(theme.folder)),
        )
    path = (*mode.tables, roles[0])
    where = theme.written.get(path)
    line = where.line if where is not None and where.file == own else None
    return Flaw(
        Severity.ERROR,
        what,
        f'Write {roles[0]} = "{_better(colour, ground, enough)}" under '
        f"[{'.'.join(mode.tables)}] in {own}, or change the background.",
        Location(Where(own, line, item=setting_name(path))),
    )


def _told(colour: str, roles: list[str]) -> str:
    return f"{' or '.join(f'“{role}”' for role in roles)} ({colour})" if roles else colour


def _better(colour: str, ground: str, enough: float) -> str:
    """The colour nearest to ``colour`` that can be told from ``ground``, darker or lighter."""
    target = 0 if luminance(ground) > 0.18 else 255
    channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    for step in range(101):
        mixed = "#" + "".join(f"{each + (target - each) * step // 100:02x}" for each in channels)
        if contrast(mixed, ground) >= enough:
            return mixed
    return "#000000" if target == 0 else "#ffffff"
