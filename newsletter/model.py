"""What an editor writes: the issue, its stories and their parts. No I/O.

These models are the contract between the YAML file, the templates and the
checks; the JSON Schema that editors' tools use is generated from them. A field
holds text as the editor wrote it. ``Markdown`` fields may hold Markdown; all
others are plain text. Both may hold merge fields (:data:`MERGE_FIELD`) only
where their description says so.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_RTL_SCRIPTS = frozenset({
    "Adlm", "Arab", "Aran", "Armi", "Avst", "Chrs", "Cprt", "Elym", "Gara", "Hatr", "Hebr",
    "Hung", "Khar", "Lydi", "Mand", "Mani", "Mend", "Merc", "Mero", "Narb", "Nbat", "Nkoo",
    "Orkh", "Ougr", "Palm", "Phli", "Phlp", "Phlv", "Phnx", "Prti", "Rohg", "Samr", "Sarb",
    "Sogd", "Sogo", "Syrc", "Syre", "Syrj", "Syrn", "Thaa", "Yezi",
})  # fmt: skip
"""Scripts of ISO 15924 whose letters run from right to left (Unicode's Bidi_Class R and AL)."""
# Besides controls: what starts a line of its own, what turns the order of the letters round,
# and what Unicode says is no character, which MJML's parser refuses.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\ufdd0-\ufdef\ufffe\uffff]"
)


_HIDDEN = re.compile(r"[\xa0\xad\u200b\u200e\u200f\u202f\u2060-\u206f\ufeff]")
"""What nobody sees in an address; joiners are part of some scripts' words."""


def _clean(text: str) -> str:
    found = _CONTROL.search(text)
    if found:
        raise ValueError(
            f"contains the invisible control character U+{ord(found.group()):04X}; delete it"
        )
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text or "\t" in text:
        raise ValueError("must stand on one line")
    return _clean(text)


def _language(text: str) -> str:
    if not _LANGUAGE.match(text) or text == "und":
        raise ValueError("is no language code; write one such as en, fr, ar or pt-BR")
    return text


def _web_address(text: str) -> str:
    if text.startswith("mailto:") and "@" in text:
        return text
    if hidden := _HIDDEN.search(text):
        name = unicodedata.name(hidden.group(), "control character").lower()
        code = f"U+{ord(hidden.group()):04X} ({name})"
        raise ValueError(f"holds an invisible character: {code}; delete it")
    if not re.match(r"https?://[^\s/]\S*\Z", text):
        raise ValueError("is no full web address; write it with https:// in front")
    return text


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_one_line)
]
"""Plain text on one line, never empty."""
Markdown = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_clean)
]
"""CommonMark with tables; raw HTML is shown as text, never interpreted."""
Language = Annotated[str, AfterValidator(_language)]
"""A BCP 47 tag."""
WebAddress = Annotated[str, AfterValidator(_web_address)]
"""``https://…``, ``http://…`` or ``mailto:…``."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""Lower-case letters, digits and hyphens."""


MERGE_FIELD = re.compile(
    r"\{\{\s*+(?P<field>[a-z][a-z0-9_]*+)\s*+"
    r"(?:\|\s*+(?P<fallback>[^{}|\s]++(?:[^\S\n]++[^{}|\s]++)*+)?\s*+)?\}\}"
)
"""``{{ name | friend }}``: a field of the reader, and what stands there without a value.

The group ``fallback`` is None where none is written. The words of a fallback
are matched one by one, so that no text makes the search slow.
"""


@dataclass(frozen=True, slots=True)
class MergeField:
    """One merge field: the reader's field and what stands there without a value."""

    field: str
    fallback: str = ""


def split_merge_fields(text: str) -> tuple[str | MergeField, ...]:
    """Take a text apart into plain pieces and merge fields, in order, without empty pieces.

    What looks like a merge field but is none stays in its plain piece; the
    loader refuses an issue with such a piece, so rendering never meets one.
    """
    pieces: list[str | MergeField] = []
    end = 0
    for found in MERGE_FIELD.finditer(text):
        pieces += [text[end : found.start()], MergeField(found["field"], found["fallback"] or "")]
        end = found.end()
    pieces.append(text[end:])
    return tuple(piece for piece in pieces if piece)


@lru_cache(maxsize=256)
def direction(language: str) -> Literal["ltr", "rtl"]:
    """Which way a language runs: as its script does.

    Args:
        language: a BCP 47 tag. Without a script it has the one that CLDR calls likely for
            language and region: Arabic for prs, ks and pa-PK, Latin for ku and uz.
    """
    return "rtl" if _script(language) in _RTL_SCRIPTS else "ltr"


def _script(language: str) -> str:
    """The script of a language, by its name in ISO 15924; "" if CLDR does not know it."""
    from babel.core import get_global

    primary, *subtags = language.replace("_", "-").split("-")
    if subtags and re.fullmatch("[A-Za-z]{3}", subtags[0]):  # ar-arz is arz (RFC 5646 4.5)
        primary, *subtags = subtags
    primary, region = primary.lower(), ""
    for subtag in subtags:
        if len(subtag) == 1:  # an extension or private use
            break
        if re.fullmatch("[A-Za-z]{4}", subtag):
            return subtag.title()
        if re.fullmatch("[A-Za-z]{2}|[0-9]{3}", subtag):
            region = region or subtag.upper()
    likely, aliases = get_global("likely_subtags"), get_global("language_aliases")
    replaced = aliases.get(primary, primary).split("_")
    for tag in (f"{primary}_{region}", primary, f"{replaced[0]}_{region}", replaced[0]):
        if tag in likely:
            return str(likely[tag]).split("_")[1]
    return ""


class Translated(Enum):
    """What a translation does with a value of its original."""

    ANEW = auto()
    """It says it in its own words."""
    MAYBE = auto()
    """It may keep it: the label of a link, a title."""
    UNLESS_NAME = auto()
    """It keeps a name and translates a role."""
    NEVER = auto()
    """It has the same."""


@dataclass(frozen=True, slots=True)
class Says:
    """What is said by a field of a part; stands in its annotation.

    Attributes:
        translated: what a translation does with it.
        name: what readers meet it as, in the HTML and in the text; "": not there, or elsewhere.
        markdown: it may hold Markdown.
        label: it is the label of the link that the part is.
        address: it is where the part leads to.
        date: it is a date, which readers get in the words of their language.
    """

    translated: Translated
    name: str = ""
    markdown: bool = False
    label: bool = False
    address: bool = False
    date: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """One text of an issue.

    Attributes:
        path: its place, from the part that was asked.
        text: as the editor wrote it.
        says: what it is.
        part: what holds it.
    """

    path: tuple[str | int, ...]
    text: str
    says: Says
    part: Part


class Part(BaseModel):
    """The base of all that is read from an issue: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def parts(self) -> Iterator[Value]:
        """Every text of this part and of the parts in it, in the order of the model.

        Checks, translations, the feed and what a mail refuses all follow this walk:
        a field that is added here is in all of them.
        """
        for key, field in type(self).model_fields.items():
            value = getattr(self, key)
            for path, each in _items(key, value):
                if isinstance(each, Part):
                    for inner in each.parts():
                        yield replace(inner, path=(*path, *inner.path))
                elif isinstance(each, str):
                    for says in field.metadata:
                        if isinstance(says, Says):
                            yield Value(path, each, says, self)

    @classmethod
    def inner(cls) -> dict[str, type[Part]]:
        """The parts that this part may hold, and those within them, by their keys."""
        found: dict[str, type[Part]] = {}
        for key, field in cls.model_fields.items():
            for kind in (field.annotation, *get_args(field.annotation)):
                if isinstance(kind, type) and issubclass(kind, Part):
                    found |= {key: kind, **kind.inner()}
        return found

    @classmethod
    def optional(cls) -> tuple[str, ...]:
        """The keys that may be left out, and mean that there is no such thing."""
        return tuple(
            key
            for key, field in cls.model_fields.items()
            if not field.is_required() and field.default is None
        )


def _items(key: str, value: object) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if isinstance(value, tuple):
        yield from (((key, number), each) for number, each in enumerate(value))
    else:
        yield (key,), value


class Link(Part):
    """A labelled link, with the language of what it leads to."""

    label: Annotated[Line, Says(Translated.MAYBE, "label of a link", label=True)] = Field(
        description="What the reader will find there, e.g. “Report (PDF)”."
    )
    url: WebAddress = Field(description="Where it leads.")
    language: Language | None = Field(
        default=None, description="Language of the target, when it differs from the issue's."
    )
    by: Annotated[Line | None, Says(Translated.UNLESS_NAME, "author of what a link leads to")] = (
        Field(default=None, description="Who wrote what it leads to.")
    )
    note: Annotated[Line | None, Says(Translated.ANEW, "note of a link")] = Field(
        default=None, description="A sentence about what it leads to."
    )


class Download(Part):
    """A document to download: a page on the web, or a file that goes with the issue."""

    label: Annotated[Line, Says(Translated.MAYBE, "label of the download", label=True)] = Field(
        description="What the reader will find there, e.g. “Guide (PDF)”."
    )
    url: Annotated[WebAddress | None, Says(Translated.NEVER)] = Field(
        default=None, description="Where it is on the web."
    )
    file: Line | None = Field(
        default=None, description="File name below issues/files/, instead of url."
    )
    language: Language | None = Field(
        default=None, description="Language of the document, when it differs from the issue's."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Download:
        if (self.url is None) == (self.file is None):
            raise ValueError("a download has either “url” or “file”")
        return self


class Picture(Part):
    """A picture of a story."""

    file: Annotated[Line, Says(Translated.NEVER)] = Field(
        description="File name below issues/images/."
    )
    alt: Annotated[Line, Says(Translated.ANEW)] = Field(
        description="What the picture shows, for readers who do not see it."
    )
    credit: Annotated[Line, Says(Translated.UNLESS_NAME, "picture credit")] = Field(
        description="Who made it."
    )
    url: Annotated[WebAddress | None, Says(Translated.MAYBE, address=True)] = Field(
        default=None, description="Where a click on it leads."
    )
    size: Literal["small"] | None = Field(
        default=None, description="“small” for a portrait, a logo or a cover."
    )


class Quote(Part):
    """What somebody said, and who."""

    text: Annotated[Markdown, Says(Translated.ANEW, "quote", markdown=True)] = Field(
        description="The words, without quotation marks."
    )
    by: Annotated[Line, Says(Translated.UNLESS_NAME, "name of who is quoted")] = Field(
        description="Who said it, with their role."
    )


class Background(Part):
    """Long text: a link in the mail, in full on the web page."""

    title: Annotated[Line, Says(Translated.MAYBE, "link to the background", label=True)] = Field(
        description="Label of the link, e.g. “Background information”."
    )
    text: Annotated[Markdown, Says(Translated.ANEW, markdown=True)] = Field(
        description="The text itself."
    )
    url: WebAddress | None = Field(
        default=None,
        description="The page that carries it. Default: the issue's page in the archive.",
    )


class Fact(Part):
    """A term, and a value or a date: when and where, a key figure, an opening hour."""

    term: Annotated[Line, Says(Translated.MAYBE, "term of a fact")] = Field(
        description="What is told, e.g. “Where” or “People helped”."
    )
    value: Annotated[Markdown | None, Says(Translated.MAYBE, "value of a fact", markdown=True)] = (
        Field(default=None, description="The value, in words or figures.")
    )
    when: Annotated[Line | None, Says(Translated.NEVER, "date of a fact", date=True)] = Field(
        default=None,
        description="A date: 2017-03-02, or 2017-03-02 13:00/14:30 Europe/Zurich.",
    )
    deadline: Annotated[Line | None, Says(Translated.NEVER, "deadline", date=True)] = Field(
        default=None, description="A date after which it is too late, written like “when”."
    )

    @property
    def date(self) -> str | None:
        """The date that it tells, as it was typed."""
        return self.when or self.deadline

    @model_validator(mode="after")
    def _one_value(self) -> Fact:
        if sum(each is not None for each in (self.value, self.when, self.deadline)) != 1:
            raise ValueError("must have either “value”, “when” or “deadline”; write one of them")
        return self


NO_FIGURE = "none"
"""What ``figure`` says of a highlight that begins with a number which is no key figure."""
_FIGURE = "The key figure that the highlight begins with; “none” if its number is none."
_COMPARED = re.compile(r"(?:\S+\s+){0,2}\d{1,3}(?!\d)")
"""How “in 3” and “people out of 10” go on behind a number."""
_NUMBER = re.compile(
    r"(?:\d{1,3}(?:[ \xa0\u202f.,'’]\d{3})+(?![\d.,]\d)|\d[^\s\d]{0,3}(?:\d[^\s]{0,12})?)(?=\s)"
)


@lru_cache(maxsize=1)
def _months() -> frozenset[str]:
    """What the months are called in the languages of the themes, and some more."""
    from babel.dates import get_month_names

    return frozenset(
        name.casefold().strip(".")
        for language in ("ar", "de", "en", "es", "fr", "it", "nl", "pt", "ru")
        for width in ("wide", "abbreviated")
        for name in get_month_names(width, locale=language).values()
    )


def _hold_figure(figure: str | None, highlight: str | None) -> None:
    if figure and not highlight:
        raise ValueError("has “figure” without “highlight”")
    if figure and figure != NO_FIGURE and not (highlight or "").startswith(figure):
        raise ValueError(f"has a highlight that does not begin with the figure “{figure}”")


class BodyPart(Part):
    """One part of a story, of a section's introduction or of the closing: it has one key.

    A field that is added here is a new kind of part: the file, the translations, the checks
    and the feed follow; the themes need a template of its name.
    """

    text: Annotated[Markdown | None, Says(Translated.ANEW, "text", markdown=True)] = Field(
        default=None, description="A paragraph or a few."
    )
    image: Picture | None = Field(default=None, description="A picture.")
    highlight: Annotated[Line | None, Says(Translated.ANEW, "highlight")] = Field(
        default=None, description="The key figure or sentence, set large."
    )
    figure: Annotated[Line | None, Says(Translated.MAYBE)] = Field(
        default=None, description=_FIGURE
    )
    quote: Quote | None = Field(default=None, description="A quotation.")
    facts: tuple[Fact, ...] = Field(default=(), description="Terms with values or dates.")
    links: tuple[Link, ...] = Field(default=(), description="A list of links.")
    background: Background | None = Field(
        default=None, description="Long text behind a link. In stories only."
    )
    download: Download | None = Field(default=None, description="A document to download.")
    source: Annotated[Line | None, Says(Translated.UNLESS_NAME, "source")] = Field(
        default=None, description="Where the story comes from."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> BodyPart:
        kinds = [key for key in BodyPart.model_fields if key != "figure"]
        if sum(bool(getattr(self, key)) for key in kinds) != 1:
            raise ValueError(f"must have one key; write one of: {', '.join(kinds)}")
        _hold_figure(self.figure, self.highlight)
        return self

    @property
    def figured(self) -> tuple[str, str]:
        """The figure that a highlight begins with, "" if none, and the rest of its words.

        Without ``figure``, a number counts, unless a month, or a small number near it, shows that
        it is a date or a part of a comparison.
        """
        words = self.highlight or ""
        if self.figure == NO_FIGURE:
            return "", words
        if self.figure:
            return self.figure, words.removeprefix(self.figure).strip()
        found = _NUMBER.match(words)
        rest = words[found.end() :].strip() if found else ""
        first = rest.partition(" ")[0].casefold().strip(".,")
        if not found or not rest or _COMPARED.match(rest) or first in _months():
            return "", words
        return found.group(), rest

    @property
    def kind(self) -> str:
        """The key that it has, such as ``quote``."""
        return next(key for key in BodyPart.model_fields if getattr(self, key))


NO_LEAD = "none"
"""What ``lead`` says where all stories are equal."""

SHORTHAND = {
    "image": "image",
    "blurb": "text",
    "highlight": "highlight",
    "quote": "quote",
    "background": "background",
    "links": "links",
    "download": "download",
    "source": "source",
}
"""Keys of a story → the kinds of parts that they are short for, in their usual order."""


class Story(Part):
    """One item of the newsletter."""

    id: Slug = Field(description="Unique in the issue; never changes, it is part of links.")
    headline: Annotated[Line | None, Says(Translated.ANEW, "headline")] = Field(
        default=None, description="The headline."
    )
    section: Annotated[Slug | None, Says(Translated.NEVER)] = Field(
        default=None, description="Id of the section the story belongs to, if there are sections."
    )
    kicker: Annotated[Line | None, Says(Translated.UNLESS_NAME, "kicker")] = Field(
        default=None, description="A word or two above the headline."
    )
    look: Annotated[Slug | None, Says(Translated.NEVER)] = Field(
        default=None, description="The form that the theme gives it, such as “event”."
    )
    blurb: Annotated[Markdown | None, Says(Translated.ANEW, "text", markdown=True)] = Field(
        default=None, description="The story itself: a paragraph or a few."
    )
    highlight: Annotated[Line | None, Says(Translated.ANEW, "highlight")] = Field(
        default=None, description="The key figure or sentence, set large."
    )
    figure: Annotated[Line | None, Says(Translated.MAYBE)] = Field(
        default=None, description=_FIGURE
    )
    quote: Quote | None = Field(default=None, description="One quotation.")
    image: Picture | None = Field(default=None, description="One picture.")
    background: Background | None = Field(default=None, description="Long text behind a link.")
    links: tuple[Link, ...] = Field(
        default=(), description="“Read more”, reports, language versions."
    )
    download: Download | None = Field(default=None, description="A document to download.")
    source: Annotated[Line | None, Says(Translated.UNLESS_NAME, "source")] = Field(
        default=None, description="Where the story comes from."
    )
    body: tuple[BodyPart, ...] = Field(
        default=(), description="All of the story in an order of its own, instead of these keys."
    )
    language: Language | None = Field(
        default=None, description="Language of the story, when it differs from the issue's."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Story:
        if self.body:
            for key in SHORTHAND:
                if getattr(self, key):
                    raise ValueError(f"has “{key}” beside “body”; make it a part of the body")
        elif self.blurb is None:
            raise ValueError("has no “blurb”; write it, or “body:” and a list of parts")
        _hold_figure(self.figure, self.highlight)
        if sum(part.background is not None for part in self.content) > 1:
            raise ValueError("has two backgrounds; make them one, or two stories")
        return self

    @property
    def name(self) -> str:
        """What messages call it: its headline, else its id."""
        return self.headline or self.id

    @property
    def content(self) -> tuple[BodyPart, ...]:
        """What the story says, part by part: its body, or what its other keys are short for."""
        return self.body or tuple(
            BodyPart.model_construct(
                **{kind: value} | ({"figure": self.figure} if kind == "highlight" else {})
            )
            for key, kind in SHORTHAND.items()
            if (value := getattr(self, key))
        )

    @property
    def opening(self) -> Picture | None:
        """The picture that the story begins with, which may stand above its headline."""
        first = self.content[:1]
        return first[0].image if first and first[0].image and not first[0].image.size else None

    @property
    def rest(self) -> tuple[BodyPart, ...]:
        """The content without the opening picture."""
        return self.content[1:] if self.opening else self.content

    @property
    def button(self) -> Link | None:
        """The first link, for a button; none if it leads to another language."""
        links = next((part.links for part in self.content if part.links), ())
        return links[0] if links and links[0].language is None else None


class Section(Part):
    """A group of stories under one heading."""

    id: Slug = Field(description="What stories name in their “section”.")
    title: Annotated[Line, Says(Translated.MAYBE)] = Field(description="The heading.")
    look: Annotated[Slug | None, Says(Translated.NEVER)] = Field(
        default=None, description="The form of those of its stories that name none."
    )
    body: tuple[BodyPart, ...] = Field(
        default=(), description="An introduction below the heading: a list of parts."
    )

    @field_validator("body")
    @classmethod
    def _no_background(cls, body: tuple[BodyPart, ...]) -> tuple[BodyPart, ...]:
        return _without_background(body)

    @property
    def introduction(self) -> Story | None:
        """The body as a story without a headline, so that one template shows both."""
        return _as_story(self.id, self.body)


def _without_background(body: tuple[BodyPart, ...]) -> tuple[BodyPart, ...]:
    if any(part.background for part in body):
        raise ValueError("has a background, which only a story can have; move it into one")
    return body


def _as_story(name: str, body: tuple[BodyPart, ...]) -> Story | None:
    return Story(id=name, body=body) if body else None


class Post(Part):
    """Something the organisation posted on a social network."""

    text: Annotated[Line, Says(Translated.MAYBE)] = Field(description="The words of the post.")
    url: WebAddress = Field(description="The post itself.")
    network: Line = Field(description="Where it was posted.")


class Issue(Part):
    """One issue of the newsletter in one language.

    ``id`` comes from the file's name (``issues/2017-03.yaml`` → ``2017-03``)
    and is not written in the file.
    """

    id: Slug = Field(exclude=True, description="Taken from the file's name.")
    title: Annotated[Line, Says(Translated.MAYBE)] = Field(
        description="The name of the issue, e.g. “March 2017”."
    )
    date: dt.date = Field(description="Day of publication, as YYYY-MM-DD.")
    language: Language = Field(description="Language the issue is written in, e.g. en.")
    subject: Annotated[Line, Says(Translated.ANEW)] = Field(
        description="Subject of the mail. May hold merge fields."
    )
    preheader: Annotated[Line, Says(Translated.ANEW)] = Field(
        description="The line that inboxes show after the subject. May hold merge fields."
    )
    greeting: Annotated[Line | None, Says(Translated.ANEW)] = Field(
        default=None,
        description="First words of the mail, e.g. “Dear {{ name | friend }},”. "
        "May hold merge fields.",
    )
    introduction: Annotated[Markdown | None, Says(Translated.ANEW, markdown=True)] = Field(
        default=None, description="A few sentences from the editor. May hold merge fields."
    )
    web_url: WebAddress | None = Field(
        default=None,
        description="The page of this issue on the web, for “view in browser”. "
        "Default: its page in the archive.",
    )
    corrected: dt.date | None = Field(
        default=None,
        description="Day of the latest correction to the page, as YYYY-MM-DD. "
        "Readers of the page and of the feed are told.",
    )
    strapline: Annotated[Line | None, Says(Translated.ANEW)] = Field(
        default=None, description="A line below the title, such as “News for members”."
    )
    contents: bool = Field(
        default=True, description="Whether a long issue lists its headlines after the first story."
    )
    lead: Slug | None = Field(
        default=None,
        description="Id of the story shown first and largest; “none” if all are equal. "
        "Default: the first.",
    )
    sections: tuple[Section, ...] = Field(default=(), description="Sections, in order.")
    stories: tuple[Story, ...] = Field(min_length=1, description="The stories, in order.")
    posts: tuple[Post, ...] = Field(default=(), description="“Posted on …”.")
    closing: tuple[BodyPart, ...] = Field(
        default=(), description="What stands below all stories and posts: a list of parts."
    )
    fallback: tuple[Slug, ...] = Field(
        default=(),
        description="In a translation: ids of stories that it shows in the original's language.",
    )

    @field_validator("corrected")
    @classmethod
    def _not_before_date(cls, corrected: dt.date | None, info: ValidationInfo) -> dt.date | None:
        date = info.data.get("date")
        if corrected and date and corrected < date:
            raise ValueError(f"is before the date of the issue, {date}")
        return corrected

    @field_validator("closing")
    @classmethod
    def _no_background(cls, closing: tuple[BodyPart, ...]) -> tuple[BodyPart, ...]:
        return _without_background(closing)

    @model_validator(mode="after")
    def _names_fit(self) -> Issue:
        seen: set[str] = set()
        for story in self.stories:
            if story.id in seen:
                raise ValueError(f"two stories have the id “{story.id}”; give one another id")
            seen.add(story.id)
        if NO_LEAD in seen:
            raise ValueError(f"a story has the id “{NO_LEAD}”, which means that no story leads")
        for story in self.stories:
            # Both are anchors of the page on the web.
            backgrounds = [part.background for part in story.content if part.background]
            if backgrounds and f"{story.id}-background" in seen:
                raise ValueError(
                    f"the id “{story.id}-background” stands for the background of the story "
                    f"“{story.id}”; give the story that has it another id"
                )
        if self.lead not in {None, NO_LEAD, *seen, *self.fallback}:
            raise ValueError(f"the lead story “{self.lead}” is none of the stories")
        sections = {section.id for section in self.sections}
        for story in self.stories:
            if story.section is not None and story.section not in sections:
                raise ValueError(
                    f"the story “{story.id}” is in the section “{story.section}”, "
                    "which is not listed under “sections”"
                )
        return self

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """Which way the issue's language runs."""
        return direction(self.language)

    def language_of(self, story: Story) -> str:
        """The language that one of the stories is written in."""
        return story.language or self.language

    @property
    def lead_story(self) -> Story | None:
        """The story shown first and largest; None if all are equal."""
        if self.lead == NO_LEAD:
            return None
        return next((s for s in self.stories if s.id == self.lead), self.stories[0])

    @property
    def posted(self) -> tuple[tuple[str, tuple[Post, ...]], ...]:
        """The posts in their order, neighbours on one network together."""
        runs = itertools.groupby(self.posts, key=lambda post: post.network)
        return tuple((network, tuple(posts)) for network, posts in runs)

    @property
    def closing_words(self) -> Story | None:
        """The closing as a story without a headline, so that one template shows both."""
        return _as_story("closing", self.closing)

    @property
    def grouped(self) -> tuple[tuple[Section | None, tuple[Story, ...]], ...]:
        """All stories but the lead, in reading order, by section.

        Stories without a section come first, under ``None``. Groups that say
        nothing are left out. HTML and text both walk this, so their order cannot differ.
        """
        lead = self.lead_story
        groups: list[tuple[Section | None, tuple[Story, ...]]] = []
        for section in (None, *self.sections):
            name = section.id if section else None
            stories = tuple(
                s for s in self.stories if s.section == name and not (lead and s.id == lead.id)
            )
            if stories or (section and section.body):
                groups.append((section, stories))
        return tuple(groups)

    @property
    def reading_order(self) -> tuple[Story, ...]:
        """All stories as the reader meets them: the lead, then section by section."""
        first = (self.lead_story,) if self.lead_story else ()
        return (*first, *(s for _, stories in self.grouped for s in stories))

    def story_at(self, path: tuple[str | int, ...]) -> Story | None:
        """The story that a value of the issue stands in, if it stands in one."""
        match path:
            case ("stories", int(index), *_):
                return self.stories[index]
        return None

    def language_at(self, path: tuple[str | int, ...]) -> str:
        """The language of what stands at a place of the issue."""
        story = self.story_at(path)
        return self.language_of(story) if story else self.language

    def look_of(self, story: Story) -> str | None:
        """The form that a story or else its section names."""
        section = next((each for each in self.sections if each.id == story.section), None)
        return story.look or (section.look if section else None)

    def kicker_of(self, story: Story) -> str | None:
        """What stands above a headline; the lead, without a kicker, has its section's title."""
        lead = self.lead_story
        if story.kicker or lead is None or story.id != lead.id:
            return story.kicker
        return next((each.title for each in self.sections if each.id == story.section), None)

    def pictures(self) -> Iterator[tuple[tuple[str | int, ...], Picture]]:
        """Every picture, with its place."""
        for value in self.parts():
            if isinstance(value.part, Picture) and value.path[-1] == "file":
                yield value.path[:-1], value.part

    def place_of(self, part: Part) -> tuple[str | int, ...]:
        """Where a part of the issue stands in it."""
        return next(value.path[:-1] for value in self.parts() if value.part is part)

    def files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every document that goes with the issue, by its file name, with its place."""
        for value in self.parts():
            if isinstance(value.part, Download) and value.says.label and value.part.file:
                yield value.path[:-1], value.part.file

    def item(self, path: tuple[str | int, ...]) -> str | None:
        """What messages call the story that a value stands in: story “The headline”."""
        story = self.story_at(path)
        return f"story “{story.name}”" if story else None
