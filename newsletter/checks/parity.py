"""HTML and text say the same: each story, quote, credit, source and link is in both."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.page import addresses_in, anchors, words
from newsletter.render.locales import date_in_words
from newsletter.render.markdown import parse
from newsletter.web_addresses import canonical

Path = tuple[str | int, ...]
_LONG = 12
"""Letters that no other words hold by chance, wherever their words begin and end."""


@check(
    "parity-words",
    why="Readers of that part would miss it, and spam filters compare the parts.",
)
def parity_words(given: CheckInput) -> Iterator[Flaw]:
    """Every headline, text, highlight, quote, credit, source and label is in both parts."""
    parts = {"HTML": words(given.visible), "text part": words(given.edition.text)}
    needed: Counter[str] = Counter()
    for path, name, piece in _pieces(given):
        wanted = words(piece)
        needed[wanted] += 1
        for part, text in parts.items():
            if _times(wanted, text) < needed[wanted]:
                yield Flaw(
                    Severity.ERROR,
                    f"The {part} lacks the {name}: “{_short(piece)}”.",
                    "Add it to the theme's template for that part.",
                    given.at(*path),
                )


def _times(wanted: str, text: str) -> int:
    """How often the words stand in the text."""
    # Neighbours share the space between them, hence no plain count.
    times, at = 0, text.find(wanted)
    while at >= 0:
        times, at = times + 1, text.find(wanted, at + max(1, len(wanted) - 1))
    solid = wanted.replace(" ", "")
    if times or len(solid) < _LONG:
        return times
    # Marks inside a word, as in **C**alm, part it in the text and not in the HTML.
    return _solid(text).count(solid)


@functools.lru_cache(maxsize=4)
def _solid(text: str) -> str:
    return text.replace(" ", "")


def _pieces(given: CheckInput) -> Iterator[tuple[Path, str, str]]:
    """What must be said in both parts: its place, what it is, and the words."""
    for value in given.issue.parts():
        if value.says.name:
            language = given.issue.language_at(value.path)
            said = date_in_words(value.text, language) if value.says.date else value.text
            runs = _runs(said, language) if value.says.markdown else [said]
            for piece in runs:
                yield value.path, value.says.name, piece


def _runs(markdown: str, language: str) -> Iterator[str]:
    """The words of a Markdown text, apart where a link's address may stand in the text part.

    Two words with such a place between them and no space are one word in the HTML, and left out.
    """
    for block in parse(markdown, language=language):
        runs = [""]
        for token in block.children or ():
            if token.type in {"link_open", "link_close", "image"}:
                runs.append("")
            else:
                runs[-1] += token.content or " " * token.type.endswith("break")
        joined = [_is_inside(*pair) for pair in itertools.pairwise(runs)]
        for run, before, behind in zip(runs, [False, *joined], [*joined, False], strict=True):
            piece = re.sub(r"^\w+", "", run) if before else run
            yield from _worded(re.sub(r"\w+$", "", piece) if behind else piece)


def _is_inside(left: str, right: str) -> bool:
    """Whether a word goes on from one run to the next; wide characters are words each."""
    ends = left[-1:] + right[:1]
    return len(ends) == 2 and all(
        char.isalnum() and unicodedata.east_asian_width(char) not in "WF" for char in ends
    )


def _worded(run: str) -> Iterator[str]:
    if words(run).strip():
        yield run


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 70 else flat[:69] + "…"


@check("parity-links", why="Readers of one part need all links of the other.")
def parity_links(given: CheckInput) -> Iterator[Flaw]:
    """Every link as often as the issue has it in both parts, and none in one part alone."""
    html = Counter(_place(a.href) for a in anchors(given.page) if not a.hidden)
    text = Counter(map(_place, addresses_in(given.edition.text)))
    # Where no link can be, as in a headline, an address is words like any other.
    words_alone = set(map(_place, addresses_in(given.visible)))
    # A story on the issue's page: readers of the text part have the page itself.
    stories = {_place(url) for each in given.issue.stories if (url := given.places.story(each))}
    needed: Counter[str] = Counter()
    for path, url in _links(given):
        wanted = _place(url)
        needed[wanted] += 1
        for part, there in (("HTML", html), ("text part", text)):
            if there[wanted] < needed[wanted]:
                yield _missing_link(given, part, url, path)
    for part, here, there in (("text part", html, text), ("HTML", text, html)):
        for url in sorted(here.keys() - there.keys() - needed.keys()):
            if url in (words_alone if here is text else stories):
                continue
            if url.partition(":")[0] in {"http", "https", "mailto"}:
                yield _missing_link(given, part, url, None)


def _missing_link(given: CheckInput, part: str, url: str, path: Path | None) -> Flaw:
    place = given.at(*path) if path else given.place_of(url)
    return Flaw(
        Severity.ERROR,
        f"The {part} lacks the link to {url}",
        "Add it to the theme's template for that part.",
        place,
    )


def _place(url: str) -> str:
    """Where a link leads; of a mail only the address, which the text part shows alone."""
    place = canonical(url)
    return place.partition("?")[0] if place.startswith("mailto:") else place


def _links(given: CheckInput) -> Iterator[tuple[Path, str]]:
    """Every address that the issue links, as often as it does."""
    issue = given.issue
    if issue.introduction:
        yield from (
            (("introduction",), url) for url in _targets(issue.introduction, issue.language)
        )
    for value in issue.parts():
        path = value.path
        if value.says.label:
            if (url := given.places.address(path, value.part)) is not None:
                yield (*path[:-1], "url"), url
        elif value.says.address:
            yield path, value.text
        elif value.says.markdown and value.says.name:
            targets = _targets(value.text, issue.language_at(path))
            yield from ((path, url) for url in targets)
    for number, post in enumerate(issue.posts):
        yield ("posts", number, "url"), post.url


def _targets(markdown: str, language: str) -> Iterator[str]:
    """Where a text links to, each address once, since the text part lists it once."""
    tokens = (t for block in parse(markdown, language=language) for t in block.children or ())
    yield from dict.fromkeys(str(t.attrs["href"]) for t in tokens if t.type == "link_open")
