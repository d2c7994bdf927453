"""Nothing in the mail spies on its reader: what is loaded, hidden, personal or active. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.render.slots import TOKEN
from newsletter.web_addresses import canonical

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_ACTIVE = frozenset(
    {"applet", "base", "embed", "form", "frame", "iframe", "object", "portal", "script"}
)
_HIDDEN = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|max-height:0[a-z%]*(?=;|!|$)"
    r"|opacity:0?(?:\.0\d*)?(?=;|!|$))"
)
_TINY = re.compile(r"(?:^|;)(?:max-)?(?:width|height):(?:0[a-z%]*|0?\.\d+px|1(?:px|pt)?)(?=;|!|$)")
_FAR_OFF = re.compile(r"(?:^|;)(?:left|right|top|bottom|margin-left|margin-top):-\d{3,}")
_TINY_NUMBER = re.compile(r"\s*[01](?:\.\d+)?\s*(?:px)?\s*\Z", re.IGNORECASE)
_IN_TEXT = re.compile(rf"(?<!\S)\S*{TOKEN.pattern}\S*")
_LOOKS_LIKE_ADDRESS = re.compile(r"://|^\W*(?:mailto:|www\.)", re.IGNORECASE)


@check(
    "privacy-contact",
    why=(
        "The operator of that host learns when, from where and with which program each reader "
        "opens the mail."
    ),
)
def privacy_contact(given: CheckInput) -> Iterator[Flaw]:
    """Opening the mail loads nothing but the pictures of the stories and the theme's logo."""
    listed = {canonical(address) for address in _listed(given)}
    for load in given.contacts.loads:
        if canonical(load.address) not in listed:
            yield Flaw(
                Severity.ERROR,
                f"Opening the mail contacts {load.host} for “{_short(load.address)}” "
                f"({load.how}), which is neither a picture of a story nor the theme's logo.",
                "Remove it from the theme. Pictures belong under “image” of a story, a logo "
                "into theme.toml.",
                given.place_of(load.address),
            )


def _listed(given: CheckInput) -> Iterator[str]:
    places = given.places
    shown = [places.logo(alt=""), *(places.picture(image) for _, image in given.issue.pictures())]
    yield from (picture.src for picture in shown if picture is not None)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


@check(
    "privacy-active",
    why=(
        "It acts without a click; mail programs block it, and spam filters treat the mail as an "
        "attack."
    ),
)
def privacy_active(given: CheckInput) -> Iterator[Flaw]:
    """No script, frame, form or redirection."""
    for element in given.contacts.elements:
        refresh = (element.get("http-equiv") or "").strip().lower() == "refresh"
        if element.tag in _ACTIVE or refresh:
            name = "meta http-equiv=refresh" if refresh else element.tag
            yield Flaw(
                Severity.ERROR,
                f"The mail holds <{name}>.",
                "Remove it from the theme; put what needs it on a web page, and link to that.",
                given.theme_place,
            )


@check("privacy-pixel", why="Invisible pictures are used to track who opens the mail.")
def privacy_pixel(given: CheckInput) -> Iterator[Flaw]:
    """No picture of one pixel, and none that is hidden."""
    for element in given.contacts.elements:
        if element.tag != "img":
            continue
        unseen = _unseen(element)
        if unseen:
            address = element.get("src") or ""
            yield Flaw(
                Severity.ERROR,
                f"The picture “{_short(address)}” is {unseen}.",
                "Remove it from the theme, or show it.",
                given.place_of(address),
            )


def _unseen(image: HtmlElement) -> str:
    """Why nobody sees a picture; empty if they do."""
    sizes = [image.get(name) or "" for name in ("width", "height")]
    if _TINY.search(_style(image)) or any(map(_TINY_NUMBER.match, sizes)):
        return "too small to be seen"
    around = (image, *image.iterancestors())
    if any("hidden" in each.attrib or _HIDDEN.search(_style(each)) for each in around):
        return "hidden"
    return "out of sight" if any(_FAR_OFF.search(_style(each)) for each in around) else ""


def _style(element: HtmlElement) -> str:
    return re.sub(r"\s", "", element.get("style") or "").lower()


@check(
    "privacy-personal",
    why=(
        "An address that differs from reader to reader shows who opens it, and may contain their "
        "name or email address."
    ),
)
def privacy_personal(given: CheckInput) -> Iterator[Flaw]:
    """No reader's field in an address, but for the links of the reader's own as a whole."""
    fields = {slot.token: slot.field for slot in given.edition.slots}
    own = {token for token, field in fields.items() if field in given.own_links}
    found = [
        (where, token)
        for where, value in given.contacts.addresses
        if not (where == "href of <a>" and value.strip() in own)
        for token in TOKEN.findall(value)
    ]
    for run in _IN_TEXT.findall(given.edition.text):
        if _LOOKS_LIKE_ADDRESS.search(run):
            found += [("an address of the text part", token) for token in TOKEN.findall(run)]
    for where, token in dict.fromkeys(found):
        field = fields.get(token, token)
        yield Flaw(
            Severity.ERROR,
            f"The reader's field “{field}” stands in {where}.",
            "Remove it from the theme: use the same address for all readers; only the "
            "links to unsubscribe and to preferences are each reader's own.",
            given.theme_place,
        )
