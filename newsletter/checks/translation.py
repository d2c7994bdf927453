"""What a translation leaves in the language of its original, said or unsaid."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.finding import Flaw, Place, Severity, check
from newsletter.checks.specimen import Specimen
from newsletter.model import Issue, Story
from newsletter.source import Path_

_Words = Iterator[tuple[Path_, str]]


@check(
    "translation-fallback",
    why="Readers who chose a language get this story in another one, and some cannot read it.",
)
def translation_fallback(specimen: Specimen) -> Iterator[Flaw]:
    """A story that a translation shows in the original's language, as it says it does."""
    issue = specimen.issue
    for index, name in enumerate(issue.fallback):
        story = next(story for story in issue.stories if story.id == name)
        yield Flaw(
            Severity.NOTE,
            f"The edition in “{issue.language}” shows “{story.headline}” in "
            f"“{issue.language_of(story)}”.",
            f"Translate it when you can, and take “{name}” out of “fallback”.",
            Place(specimen.at("fallback", index).where, story),
        )


@check(
    "translation-same",
    why="A word that was overlooked stands in the wrong language among words of the right one.",
)
def translation_same(specimen: Specimen) -> Iterator[Flaw]:
    """A title, label or role that is the same in the translation as in its original."""
    issue, original = specimen.issue, specimen.original
    if original is None or _base(original.language) == _base(issue.language):
        return
    theirs = {words for _, words in _short_words(original) if any(map(str.isalpha, words))}
    for path, words in _short_words(issue):
        if words in theirs:
            yield Flaw(
                Severity.NOTE,
                f"“{words}” stands in the original, too.",
                "Translate it, unless it is the same in both languages.",
                specimen.at(*path),
            )


def _base(language: str) -> str:
    return language.partition("-")[0]


def _short_words(issue: Issue) -> _Words:
    """Words that a translation may keep, and that the loader therefore lets pass; without names."""
    yield ("title",), issue.title
    for number, section in enumerate(issue.sections):
        yield ("sections", number, "title"), section.title
    for number, story in enumerate(issue.stories):
        if story.language is None and story.id not in issue.fallback:
            yield from ((("stories", number, *path), words) for path, words in _of_story(story))
    for number, post in enumerate(issue.posts):
        yield ("posts", number, "text"), post.text


def _of_story(story: Story) -> _Words:
    roles: tuple[tuple[Path_, str | None], ...] = (
        (("kicker",), story.kicker),
        (("quote", "by"), story.quote.by if story.quote else None),
        (("image", "credit"), story.image.credit if story.image else None),
        (("source",), story.source),
    )
    yield from ((path, words) for path, words in roles if words and _is_no_name(words))
    if story.background:
        yield ("background", "title"), story.background.title
    # What leads to a page in another language may be called as it is there.
    for number, link in enumerate(story.links):
        if link.language is None:
            yield ("links", number, "label"), link.label
    if story.download and story.download.language is None:
        yield ("download", "label"), story.download.label


def _is_no_name(words: str) -> bool:
    """Whether a word begins with a small letter: “Nur Nobi Dulal, blogger”, not “Sierra Leone”."""
    return any(word[0].islower() for word in words.split())
