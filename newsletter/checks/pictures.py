"""Pictures as files: what they weigh, whether they are sharp, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.material import PreparedPicture

KB = 1024
HEAVY_KB = 200
TOO_HEAVY_KB = 1024
ALL_HEAVY_KB = 1024
"""All pictures of a mail; none of these is a limit of mail, they are about slow lines."""
SHARP = 1.5
"""Fewest pixels for each CSS pixel of width before a telephone's screen shows it soft."""


def _shown(given: CheckInput) -> Iterator[tuple[PreparedPicture, Location]]:
    """Each picture of the mail and where it is named; the theme's logo last."""
    for path, _, made in given.pictures:
        yield made, given.at(*path, "file")
    if given.material.logo is not None:
        yield given.material.logo, given.theme_place


@check(
    "picture-heavy",
    why="Readers with a slow or expensive connection wait for it, or never see it.",
)
def picture_heavy(given: CheckInput) -> Iterator[Flaw]:
    """A picture above 200 KB as readers get it; above 1 MB it is an error."""
    for picture, place in _shown(given):
        size = len(picture.content) / KB
        if size > HEAVY_KB:
            yield Flaw(
                Severity.ERROR if size > TOO_HEAVY_KB else Severity.WARNING,
                f"The picture weighs {size:.0f} KB at {picture.width} × {picture.height} pixels; "
                f"{HEAVY_KB} KB are enough.",
                "Save it without transparency, so that it can become a JPEG, or crop it."
                if picture.media_type == "image/png"
                else "Crop it, or use one with less fine detail (leaves and crowds have much).",
                place,
            )


@check(
    "pictures-heavy",
    why="On a mobile connection they cost readers time and money.",
)
def pictures_heavy(given: CheckInput) -> Iterator[Flaw]:
    """Pictures of more than 1 MB together, where they are loaded from the web."""
    size = sum(len(picture.content) for picture in given.material.shown) / KB
    if size > ALL_HEAVY_KB and given.settings.mail.pictures == "hosted":
        heaviest, place = max(_shown(given), key=lambda pair: len(pair[0].content))
        yield Flaw(
            Severity.WARNING,
            f"The {len(given.material.shown)} pictures weigh {size / KB:.1f} MB together; this "
            f"one is the heaviest, with {len(heaviest.content) / KB:.0f} KB.",
            "Show fewer pictures, or simpler ones.",
            place,
        )


@check(
    "picture-blurred",
    why="Phones and high-resolution screens use two pixels for each pixel of the width.",
)
def picture_blurred(given: CheckInput) -> Iterator[Flaw]:
    """A picture with fewer than 1.5 pixels for each pixel of the width shown."""
    for picture, place in _shown(given):
        if picture.width < SHARP * picture.shown:
            yield Flaw(
                Severity.WARNING,
                f"The picture is {picture.width} pixels wide and shown at {picture.shown}: it "
                "will look blurred.",
                f"Take the original, at least {2 * picture.shown} pixels wide.",
                place,
            )


@check("picture-moves", why="Readers get only the first frame of an animation.")
def picture_moves(given: CheckInput) -> Iterator[Flaw]:
    """An animated GIF or PNG (WCAG 2.2, 2.2.2: what moves must be possible to stop)."""
    for picture, place in _shown(given):
        if picture.moves:
            yield Flaw(
                Severity.WARNING,
                "The picture is an animation; readers get its first frame.",
                "Choose a picture that works without motion, and link to the film.",
                place,
            )


@check(
    "credit-differs",
    why="The maker of a picture has a right to be named, and may have reasons not to be.",
)
def credit_differs(given: CheckInput) -> Iterator[Flaw]:
    """A picture whose file names somebody whom the credit does not name."""
    for path, picture, made in given.pictures:
        if made.withheld:
            names = " and ".join(f"“{each}”" for each in made.withheld)
            also = "also " if made.credit else ""
            yield Flaw(
                Severity.NOTE if made.credit else Severity.WARNING,
                f"The credit is “{picture.credit}”, the file of the picture {also}says {names}.",
                "If they should be named, add them to the credit. Names that are not in the "
                "credit are removed from the picture that readers get.",
                given.at(*path, "credit"),
            )
