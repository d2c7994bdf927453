"""What one part of a mail says, as multisets: what the judge of parity compares.

Texts are compared without spaces and line breaks, which wrapping moves, and
character by character otherwise. Longer texts are compared by the numbers that
their words end in, since a mail sets marks between the words.
"""

from __future__ import annotations

import re
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field

from tests.render.generated_texts import END, HEAD, NUMBER

NUMBERED = re.compile(rf"([{NUMBER}{HEAD}])([0-9]+){END}")

Told = tuple[tuple[str, ...], frozenset[str]]
"""A longer text by the numbers of its words: those in order, and those of its tables' heads."""


@dataclass
class Reading:
    """What a part says.

    Attributes:
        opening: greeting and introduction, as one text.
        contents: the headlines that the list of contents names.
        sections: headings of sections.
        titles: kicker and headline of each story.
        blurbs: the stories' texts.
        highlights: their key sentences.
        quotes: the words and who said them.
        pictures: description and credit.
        sources: where stories come from.
        links: label and address of each link that stands alone.
        addresses: of all links, those within texts too.
        posts: network, text and address.
        whole: all of the part, without spaces.
    """

    opening: Told = ((), frozenset())
    contents: Counter[str] = field(default_factory=Counter)
    sections: Counter[str] = field(default_factory=Counter)
    titles: Counter[str] = field(default_factory=Counter)
    blurbs: Counter[Told] = field(default_factory=Counter)
    highlights: Counter[str] = field(default_factory=Counter)
    quotes: Counter[tuple[Told, str]] = field(default_factory=Counter)
    pictures: Counter[tuple[str, str]] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    links: Counter[tuple[str, str]] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)
    posts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    whole: str = ""


def flat(text: str) -> str:
    """``text`` without spaces and line breaks; spaces that may not break stay."""
    return re.sub(r"[ \n]+", "", text)


def core(text: str) -> str:
    """A text up to its last number: without the colon, arrow or language that follows."""
    ends = [found.end() for found in NUMBERED.finditer(text)]
    return flat(text[: ends[-1]]) if ends else flat(text)


def address(url: str | None) -> str:
    """An address as people read it, however it was encoded."""
    return urllib.parse.unquote(url or "").replace("xn--mnchen-3ya", "münchen")


def told(text: str) -> Told:
    """A longer text as its numbers."""
    found = NUMBERED.findall(text)
    return (
        tuple(number for mark, number in found if mark == NUMBER),
        frozenset(number for mark, number in found if mark == HEAD),
    )
