"""Pictures: what readers without pictures get, and where the files lie."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.checks.page import words
from newsletter.model import Picture
from newsletter.source import Path_

ALT_LONG = 125
"""Longest description that screen readers read in one breath, in characters."""
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|webp|svg|avif|tiff?|bmp)\Z", re.IGNORECASE)
_CAMERA_NAME = re.compile(
    r"(?:img|dsc[nf]?|image|photo|picture|screenshot)[\s_-]*\d*\Z", re.IGNORECASE
)


@check(
    "alt-missing",
    why="Readers who are blind, or whose mail program blocks pictures, get nothing instead.",
)
def alt_missing(given: CheckInput) -> Iterator[Flaw]:
    """A picture without alt; or an empty one on a story's picture or on a link."""
    for image in given.page.iter("img"):
        alt, address = image.get("alt"), image.get("src") or ""
        linked = any(parent.tag == "a" for parent in image.iterancestors())
        content = _place_in_issue(given, address) is not None
        if alt is not None and (alt.strip() or not (linked or content)):
            continue
        place = _place_of_picture(given, address)
        yield Flaw(
            Severity.ERROR,
            f"The picture “{address.rsplit('/', 1)[-1]}” has no description.",
            "Write under “alt” in one sentence what the picture shows.",
            place,
        )


def _place_in_issue(given: CheckInput, address: str) -> Path_ | None:
    """Where the issue names the picture that has the address."""
    return next((path for path, _, made in given.pictures if made.name in address), None)


def _place_of_picture(given: CheckInput, address: str) -> Location:
    path = _place_in_issue(given, address)
    return given.theme_place if path is None else given.at(*path, "file")


def _pictures(given: CheckInput) -> Iterator[tuple[Picture, Location]]:
    for path, picture in given.issue.pictures():
        yield picture, given.at(*path, "alt")


@check("alt-file-name", why="A file name tells nobody what the picture shows.")
def alt_file_name(given: CheckInput) -> Iterator[Flaw]:
    """An alt such as IMG_2041.jpg."""
    for picture, place in _pictures(given):
        alt = picture.alt
        if _FILE_NAME.fullmatch(alt) or _CAMERA_NAME.fullmatch(alt) or alt == picture.file:
            yield Flaw(
                Severity.WARNING,
                f"The description of a picture is a file name: “{alt}”.",
                "Write under “alt” in one sentence what the picture shows.",
                place,
            )


@check(
    "alt-long",
    why="Screen readers read a description without a pause; a long one cannot be skimmed.",
)
def alt_long(given: CheckInput) -> Iterator[Flaw]:
    """An alt of more than 125 characters."""
    for picture, place in _pictures(given):
        if len(picture.alt) > ALT_LONG:
            yield Flaw(
                Severity.WARNING,
                f"The description of a picture has {len(picture.alt)} characters; "
                f"{ALT_LONG} are read well.",
                "Keep what matters for the story and move the rest to the blurb.",
                place,
            )


@check("alt-repeats", why="A screen reader would say the same words twice.")
def alt_repeats(given: CheckInput) -> Iterator[Flaw]:
    """An alt that is the headline or the credit again."""
    for picture, place in _pictures(given):
        headline = place.story.headline if place.story else None
        if words(picture.alt) in {words(headline or ""), words(picture.credit)}:
            yield Flaw(
                Severity.WARNING,
                "The description of a picture repeats the headline or the credit.",
                "Write under “alt” what the picture shows.",
                place,
            )


@check("image-address", why="Mail programs load a picture only from a public https address.")
def image_address(given: CheckInput) -> Iterator[Flaw]:
    """A picture at a local path, inside the mail (data:), or without encryption (http:)."""
    for image in given.page.iter("img"):
        address = image.get("src") or ""
        if address.startswith(("https://", "cid:")):
            continue
        plain = address.startswith("http://")
        place = _place_of_picture(given, address)
        yield Flaw(
            Severity.WARNING if plain else Severity.ERROR,
            f"A picture is loaded from “{address[:80]}”, which is no https address.",
            "Set url under [archive] in newsletter.toml to where the pictures are published.",
            place,
        )
