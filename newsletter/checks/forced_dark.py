"""Mail programs that make a light mail dark by themselves: what becomes of its colours. No I/O.

Gmail's apps and Outlook's invert the lightness of colours, all of them or those that are not
dark yet, and ask no style sheet. What they do is not published: the two ways here follow
what can be observed of them.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.checks.styles import contrast, shown_texts
from newsletter.errors import Where
from newsletter.theme import THEME_FILE

ENOUGH = 4.5
"""Least contrast of text with its ground, large text included (WCAG 2.2, 1.4.3)."""
_OUTLOOK_GROUND = 21.25
"""The lightness, in CIE Lab, of #333333, which Outlook on the web makes of white."""
_WHITE_POINT = (0.95047, 1.0, 1.08883)
"""D65, which sRGB is defined by (IEC 61966-2-1)."""
_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_TO_RGB = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)


def inverted(colour: str) -> str:
    """``#rrggbb`` with its lightness in HSL inverted, as Gmail's apps do it."""
    hue, light, saturation = colorsys.rgb_to_hls(*_channels(colour))
    return _written(colorsys.hls_to_rgb(hue, 1 - light, saturation))


def darkened(colour: str) -> str:
    """``#rrggbb`` with its lightness in CIE Lab inverted above #333333, as Outlook does it."""
    x, y, z = (
        sum(part * _linear(channel) for part, channel in zip(row, _channels(colour), strict=True))
        for row in _TO_XYZ
    )
    fx, fy, fz = (
        _curve(value / white) for value, white in zip((x, y, z), _WHITE_POINT, strict=True)
    )
    light = 116 * fy - 16
    light = (100 - light) * (100 - _OUTLOOK_GROUND) / 100 + _OUTLOOK_GROUND
    fy, a, b = (light + 16) / 116, fx - fy, fy - fz
    xyz = [
        white * _uncurve(each)
        for white, each in zip(_WHITE_POINT, (fy + a, fy, fy - b), strict=True)
    ]
    return _written(
        _gamma(sum(part * value for part, value in zip(row, xyz, strict=True))) for row in _TO_RGB
    )


def is_light(colour: str) -> bool:
    """Whether a colour is in the lighter half, in HSL."""
    return colorsys.rgb_to_hls(*_channels(colour))[1] > 0.5


def forced(colour: str, ground: str) -> Iterator[tuple[str, str]]:
    """What programs that force dark colours make of a text's colour and ground: each result.

    First all colours inverted, then light grounds and dark texts alone.
    """
    for invert in (inverted, darkened):
        yield invert(colour), invert(ground)
        yield _if(not is_light(colour), invert, colour), _if(is_light(ground), invert, ground)


def _if(needed: bool, invert: Callable[[str], str], colour: str) -> str:
    return invert(colour) if needed else colour


@check(
    "contrast-forced-dark",
    why="Gmail and Outlook invert the colours of a mail for readers who read in the dark.",
)
def contrast_forced_dark(given: CheckInput) -> Iterator[Flaw]:
    """Text of less than 4.5 : 1 with its ground after a mail program inverted both."""
    said: dict[tuple[str, str], str] = {}
    for shown in shown_texts(given.page):
        if shown.manner.colour and shown.manner.ground:
            said.setdefault((shown.manner.colour, shown.manner.ground), shown.text)
    for (colour, ground), text in said.items():
        worst = min(contrast(*pair) for pair in forced(colour, ground))
        # What cannot be read in light is the check of the contrast's.
        if worst < ENOUGH <= contrast(colour, ground):
            yield Flaw(
                Severity.WARNING,
                f"Where a mail program forces dark colours, “{text[:40]}” can hardly be read: "
                f"{colour} on {ground} becomes {int(worst * 10) / 10} : 1; "
                f"{ENOUGH} : 1 is needed.",
                "Take a darker text on a lighter background, or a light text on a dark one.",
                Location(Where(given.theme.folder / THEME_FILE)),
            )


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _written(channels: tuple[float, float, float] | Iterator[float]) -> str:
    return "#" + "".join(f"{round(min(max(each, 0), 1) * 255):02x}" for each in channels)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _curve(value: float) -> float:
    return value ** (1 / 3) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116


def _uncurve(value: float) -> float:
    return value**3 if value**3 > 216 / 24389 else (116 * value - 16) * 27 / 24389
