"""Which part of the mail's HTML is whose: each story's, by its headline. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise

from newsletter.checks.page import words
from newsletter.model import Story

_HEADING = re.compile(r"h([1-6])")
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class StoryPart:
    """A story's part of a page.

    Attributes:
        number: the story's place in the order of reading, from 1.
        story: which it is.
        begin: the place in the page of its first character.
        end: the place after its last.
    """

    number: int
    story: Story
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Heading:
    """A heading: its level, its words and the places of the tags it stands in, its own last."""

    level: int
    words: str
    path: tuple[int, ...]


def story_parts(page: str, order: Sequence[Story]) -> Iterator[StoryPart]:
    """Each story's part, for those whose headline is a heading of the page.

    A part begins with the block that holds the story's heading and not the
    heading before it, so the picture above a headline belongs to its story,
    whatever the theme builds around both. It ends where the next story or
    section begins.
    """
    headings = _Headings(page).found
    begins = [heading.path[-1] for heading in headings[:1]]
    begins += [_parting(*pair) for pair in pairwise(headings)]
    owners: dict[int, tuple[int, Story]] = {}
    for number, story in enumerate(order, start=1):
        headline = words(story.headline or "")
        rest = range(max(owners, default=-1) + 1, len(headings))
        same = (place for place in rest if headline and headings[place].words == headline)
        found = next(same, None)
        if found is not None:
            owners[found] = (number, story)
    for place, (number, story) in owners.items():
        after = (
            begins[later]
            for later in range(place + 1, len(headings))
            if later in owners or headings[later].level <= headings[place].level
        )
        yield StoryPart(number, story, begins[place], next(after, len(page)))


def _parting(before: _Heading, heading: _Heading) -> int:
    """The place of the outermost tag around a heading that is not around the one before it."""
    pairs = zip(before.path, heading.path, strict=False)
    return next((own for other, own in pairs if other != own), heading.path[-1])


class _Headings(HTMLParser):
    """Finds the headings of a page and the places of the tags around each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[_Heading] = []
        self._lines = [0, *(found.end() for found in re.finditer("\n", page))]
        self._open: list[tuple[str, int]] = []
        self._text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - HTMLParser's name
        if tag in _VOID:
            return
        line, column = self.getpos()
        self._open.append((tag, self._lines[line - 1] + column))
        if _HEADING.fullmatch(tag):
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if tag not in [name for name, _ in self._open]:
            return
        while self._open[-1][0] != tag:
            self._open.pop()  # what was left open inside ends with it
        if level := _HEADING.fullmatch(tag):
            path = tuple(place for _, place in self._open)
            self.found.append(_Heading(int(level[1]), words("".join(self._text)), path))
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._text.append(data)
