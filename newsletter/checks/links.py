"""Where links lead, and what they say about it. Nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.page import Anchor, anchors, words
from newsletter.render.slots import TOKEN
from newsletter.web_addresses import ascii_host, host_in

_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_SCRIPTS = frozenset({"javascript", "vbscript", "data", "file", "blob"})
_LOOKS_LIKE_HOST = re.compile(
    r"(?:https?://)?(?P<host>(?:[\w-]+\.)+[^\W\d_]{2,24})(?::\d+)?(?:[/?#]\S*)?\Z", re.IGNORECASE
)
_FILE_KINDS = frozenset(
    {"csv", "doc", "docx", "epub", "html", "jpeg", "jpg", "js", "mp3", "mp4", "odt", "pdf"}
    | {"php", "png", "ppt", "pptx", "rtf", "txt", "xls", "xlsx", "xml"}
)
"""What ends the name of a file, not of a site."""
_GENERIC = frozenset(
    words(text)
    for text in (
        "read more", "more", "click here", "here", "link", "this link", "learn more", "details",
        "continue reading", "find out more", "see more", "go", "read on", "website",
        "en savoir plus", "lire la suite", "cliquez ici", "ici", "plus", "lire plus",
        "leer más", "más", "haga clic aquí", "aquí", "ver más", "saber más",
        "mehr", "weiterlesen", "hier", "hier klicken", "mehr erfahren", "mehr lesen",
        "leia mais", "saiba mais", "clique aqui", "aqui", "leggi di più", "clicca qui", "qui",
        "подробнее", "читать далее", "здесь", "далее", "детальніше", "читати далі", "тут",
        "اقرأ المزيد", "المزيد", "اضغط هنا", "هنا",
    )
)  # fmt: skip


def _scheme(href: str) -> str:
    return href.partition(":")[0].lower() if re.match(r"[A-Za-z][\w+.-]*:", href) else ""


def _flaw(given: CheckInput, anchor: Anchor, severity: Severity, what: str, mend: str) -> Flaw:
    place = given.place_of(anchor.href)
    if place == given.theme_place and anchor.text:
        place = given.place_of(anchor.text)
    return Flaw(severity, what, mend, place)


def _name(anchor: Anchor) -> str:
    return f"“{anchor.text}”" if anchor.text else "without words"


@check("link-empty", why="The reader clicks and nothing happens.")
def link_empty(given: CheckInput) -> Iterator[Flaw]:
    """A link to nowhere, or to a place in the mail that does not exist."""
    places = {element.get("id") for element in given.page.iter()}
    places |= {element.get("name") for element in given.page.iter("a")}
    for anchor in anchors(given.page):
        if anchor.href and not (anchor.href.startswith("#") and anchor.href[1:] not in places):
            continue
        yield _flaw(
            given,
            anchor,
            Severity.ERROR,
            f"The link {_name(anchor)} leads nowhere.",
            "Write the full address of the page, or remove the link.",
        )


@check(
    "link-script",
    why="Mail programs block such links, and spam filters treat the mail as an attack.",
)
def link_script(given: CheckInput) -> Iterator[Flaw]:
    """javascript: and its kin."""
    for anchor in anchors(given.page):
        if _scheme(anchor.href) in _SCRIPTS:
            yield _flaw(
                given,
                anchor,
                Severity.ERROR,
                f"The link {_name(anchor)} starts with “{_scheme(anchor.href)}:”.",
                "Write the https address of the page that the reader should see.",
            )


@check("link-relative", why="A mail has no site of its own, so only full addresses work.")
def link_relative(given: CheckInput) -> Iterator[Flaw]:
    """A link that is no full address."""
    for anchor in anchors(given.page):
        known = _scheme(anchor.href) in _SCHEMES | _SCRIPTS
        if known or not anchor.href or anchor.href.startswith("#") or TOKEN.match(anchor.href):
            continue
        yield _flaw(
            given,
            anchor,
            Severity.ERROR,
            f"The link {_name(anchor)} leads to “{anchor.href}”, which is not a full address.",
            "Write the address with https:// in front.",
        )


@check(
    "link-http",
    why="The operator of the reader's network can see and change the page.",
)
def link_http(given: CheckInput) -> Iterator[Flaw]:
    """A link without encryption."""
    for anchor in anchors(given.page):
        if _scheme(anchor.href) == "http":
            yield _flaw(
                given,
                anchor,
                Severity.WARNING,
                f"The link {_name(anchor)} is not encrypted: {anchor.href}",
                "Write https:// if the site has it; nearly all do.",
            )


@check(
    "link-host",
    why="Readers and spam filters take a link that names one site and opens another for phishing.",
)
def link_host(given: CheckInput) -> Iterator[Flaw]:
    """A link whose text is the address of another site."""
    for anchor in anchors(given.page):
        shown = _LOOKS_LIKE_HOST.match(anchor.text)
        if shown is None or _scheme(anchor.href) not in {"http", "https"}:
            continue
        host, target = ascii_host(shown["host"]), host_in(anchor.href).partition(":")[0]
        if host.rpartition(".")[2] in _FILE_KINDS or _related(host, target):
            continue
        yield _flaw(
            given,
            anchor,
            Severity.ERROR,
            f"The link says “{anchor.text}” and leads to {target}.",
            "Say in words what the reader will find, or name the site that the link opens.",
        )


def _related(one: str, other: str) -> bool:
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


@check(
    "link-text",
    why="Screen readers list the links of a mail without the text around them.",
)
def link_text(given: CheckInput) -> Iterator[Flaw]:
    """A link that says no more than “Read more”."""
    for anchor in anchors(given.page):
        if anchor.hidden or words(anchor.label) not in _GENERIC:
            continue
        yield _flaw(
            given,
            anchor,
            Severity.NOTE,
            f"The link “{anchor.text}” does not say where it leads.",
            "Name what the reader will find, e.g. “Read the report on Veracruz”.",
        )


@check(
    "link-words",
    why="Readers who block pictures cannot see a link without words, nor screen readers read it.",
)
def link_words(given: CheckInput) -> Iterator[Flaw]:
    """A link with nothing to click on."""
    for anchor in anchors(given.page):
        if not anchor.label.strip() and not anchor.hidden and anchor.href:
            yield _flaw(
                given,
                anchor,
                Severity.ERROR,
                f"The link to {anchor.href} has no words.",
                "Write a label for it.",
            )
