"""How large the mail is, story by story, and where Gmail cuts it off. No I/O.

Gmail clips at 102 KB and drops large style blocks.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Severity, check
from newsletter.checks.story_parts import story_parts
from newsletter.model import Story

KB = 1024
CLIP_KB = 102
"""Where Gmail cuts a mail off."""
_CLIP = CLIP_KB * KB
_MOST_NAMED = 5
WARN_KB = 85
ERROR_KB = 100
STYLE_WARN_KB = 8
STYLE_ERROR_KB = 16


class Gmail(StrEnum):
    """What a reader at Gmail sees of a story without asking for the rest of the mail."""

    SHOWN = "shown"
    CUT = "cut"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class StorySize:
    """One story's part of the HTML, from its own block to the next story's or section's.

    Attributes:
        number: its place in the order of reading, from 1.
        story: which it is.
        start: how many bytes of HTML stand before it.
        size: its own bytes of HTML, in UTF-8.
        encoded: its own bytes as they travel, in the encoding of the HTML.
    """

    number: int
    story: Story
    start: int
    size: int
    encoded: int

    @property
    def end(self) -> int:
        """How many bytes of HTML there are up to its end."""
        return self.start + self.size

    @property
    def gmail(self) -> Gmail:
        """What Gmail shows of it."""
        if self.end <= _CLIP:
            return Gmail.SHOWN
        return Gmail.CUT if self.start < _CLIP else Gmail.HIDDEN


@dataclass(frozen=True, slots=True)
class MailSizes:
    """How large one edition is for the reader with the longest values, in bytes.

    Attributes:
        language: of the edition.
        html: the HTML in UTF-8, which Gmail measures.
        html_encoded: the HTML as it travels, in quoted-printable or base64.
        text: the text part in UTF-8.
        text_encoded: the text part as it travels.
        stories: in the order of reading; one without a heading of its own in the HTML is missing.
    """

    language: str
    html: int
    html_encoded: int
    text: int
    text_encoded: int
    stories: tuple[StorySize, ...]

    def as_data(self) -> dict[str, Any]:
        """The sizes as plain values, for JSON."""
        return {
            "language": self.language,
            "html": self.html,
            "html_encoded": self.html_encoded,
            "text": self.text,
            "text_encoded": self.text_encoded,
            "gmail_limit": _CLIP,
            "stories": [
                {
                    "number": each.number,
                    "id": each.story.id,
                    "headline": each.story.headline,
                    "html": each.size,
                    "html_encoded": each.encoded,
                    "ends_at": each.end,
                    "gmail": each.gmail.value,
                }
                for each in self.stories
            ],
        }


def mail_sizes(given: CheckInput) -> MailSizes:
    """How large the edition is, and each story of it."""
    html, text = given.largest_html, given.largest_text
    return MailSizes(
        language=given.edition.language,
        html=len(html.encode()),
        html_encoded=_shorter(html)(html),
        text=len(text.encode()),
        text_encoded=_shorter(text)(text),
        stories=tuple(_stories(html, given)),
    )


def _stories(html: str, given: CheckInput) -> Iterator[StorySize]:
    size = _shorter(html)
    for part in story_parts(html, given.issue.reading_order):
        own = html[part.begin : part.end]
        start = len(html[: part.begin].encode())
        yield StorySize(part.number, part.story, start, len(own.encode()), size(own))


def _shorter(text: str) -> Callable[[str], int]:
    """What measures in the encoding that a message has for ``text``."""
    return base64_size if base64_size(text) < encoded_size(text) else encoded_size


def base64_size(text: str) -> int:
    """How many bytes ``text`` has in base64, with CRLF inside and out (RFC 2045 6.8)."""
    octets = len(text.encode()) + text.count("\n")
    groups = -(-octets // 3)
    return groups * 4 + -(-groups // 19) * 2


def encoded_size(text: str) -> int:
    """How many bytes ``text`` has in quoted-printable with CRLF (RFC 2045 6.7), as mail carries it.

    Where a reader's value joins the text, a message has a soft line break
    more, of three bytes.
    """
    encoded = b"\n".join([binascii.b2a_qp(line) for line in text.encode().split(b"\n")])
    # “From ” at a line's start travels as “=46rom ” (RFC 2049 section 3).
    return len(encoded) + encoded.count(b"\n") + 2 * (b"\n" + encoded).count(b"\nFrom ")


def in_kb(size: int) -> str:
    """``66.5 KB``, 1 KB being 1024 bytes."""
    return f"{size / KB:.1f} KB"


def in_words(sizes: MailSizes) -> str:
    """The sizes in a sentence."""
    return (
        f"{sizes.language}: HTML {in_kb(sizes.html)} of {CLIP_KB} "
        f"({in_kb(sizes.html_encoded)} encoded), text {in_kb(sizes.text)}."
    )


def cut_in_words(sizes: MailSizes) -> str:
    """After which story Gmail cuts the mail off, and what its readers miss; nothing if it fits."""
    if sizes.html <= _CLIP:
        return ""
    shown = [each for each in sizes.stories if each.gmail is Gmail.SHOWN]
    missed = [
        f"{'the end of ' if each.gmail is Gmail.CUT else ''}“{each.story.name}”"
        for each in sizes.stories
        if each.gmail is not Gmail.SHOWN
    ]
    place = "before the end of the first story"
    if shown:
        place = f"after story {shown[-1].number}, “{shown[-1].story.name}”"
    if not missed:
        return f"Gmail cuts the mail off {place}; readers there would not see what follows."
    if len(missed) > _MOST_NAMED:
        more = len(missed) - _MOST_NAMED + 1
        missed[_MOST_NAMED - 1 :] = [f"{more} more"]
    listed = " and ".join(part for part in (", ".join(missed[:-1]), missed[-1]) if part)
    return f"Gmail cuts the mail off {place}; readers there would not see: {listed}."


HEADS = ("", "size", "encoded", "ends at", "at Gmail", "story")
"""What stands above :func:`rows`."""
_SEEN = {Gmail.SHOWN: "shown", Gmail.CUT: "cut off", Gmail.HIDDEN: "hidden"}


def rows(sizes: MailSizes) -> Iterator[tuple[str, ...]]:
    """The sizes as rows of a table: number, size, encoded, end, what Gmail shows, headline.

    After the stories come what stands around them and the sum.
    """
    for each in sizes.stories:
        yield (
            str(each.number),
            in_kb(each.size),
            in_kb(each.encoded),
            in_kb(each.end),
            _SEEN[each.gmail],
            each.story.name,
        )
    rest = sizes.html - sum(each.size for each in sizes.stories)
    rest_encoded = sizes.html_encoded - sum(each.encoded for each in sizes.stories)
    yield "", in_kb(rest), in_kb(rest_encoded), "", "", "around the stories"
    yield "", in_kb(sizes.html), in_kb(sizes.html_encoded), "", "", "the whole HTML"
    yield "", in_kb(sizes.text), in_kb(sizes.text_encoded), "", "", "the text part"


def size_kb(text: str) -> float:
    """The size of a text in UTF-8, in KB of 1024 bytes."""
    return len(text.encode()) / KB


@check(
    "html-size",
    why="Gmail cuts a mail off at 102 KB and hides the rest, the unsubscribe link included, "
    "behind “View entire message”.",
)
def html_size(given: CheckInput) -> Iterator[Flaw]:
    """The HTML of the reader with the longest values: 85 KB is much, 100 KB too much."""
    size = size_kb(given.largest_html)
    if size < WARN_KB:
        return
    sizes = mail_sizes(given)
    missed = next((each for each in sizes.stories if each.gmail is not Gmail.SHOWN), None)
    at = (given.issue.stories.index(missed.story),) if missed else ()
    kept = f"The HTML is {size:.1f} KB of the {CLIP_KB} KB that Gmail shows."
    yield Flaw(
        Severity.ERROR if size >= ERROR_KB else Severity.WARNING,
        f"{kept} {cut_in_words(sizes)}".rstrip(),
        "Shorten stories, or move long text to a page on the web and link it as background. "
        "“newsletter check ISSUE --sizes” shows what each story weighs.",
        given.at("stories", *at),
    )


@check(
    "style-size",
    why="Gmail ignores a style block of more than 16 KB as a whole, and with it the layout "
    "on phones.",
)
def style_size(given: CheckInput) -> Iterator[Flaw]:
    """Each ``<style>`` block: 8 KB is much, 16 KB too much."""
    for number, element in enumerate(given.page.iter("style"), start=1):
        size = size_kb(element.text or "")
        if size > STYLE_WARN_KB:
            yield Flaw(
                Severity.ERROR if size > STYLE_ERROR_KB else Severity.WARNING,
                f"Style block {number} is {size:.1f} KB; Gmail takes {STYLE_ERROR_KB} KB.",
                "Shorten the theme's css/head.css or css/dark.css, or split it in two blocks.",
                given.theme_place,
            )
