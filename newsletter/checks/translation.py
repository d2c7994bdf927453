"""What a translation leaves in the language of its original, said or unsaid."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Flaw, Location, Severity, check
from newsletter.model import Download, Issue, Link, Translated, Value


@check(
    "translation-fallback",
    why="Readers who chose a language get this story in another one, and some cannot read it.",
)
def translation_fallback(given: CheckInput) -> Iterator[Flaw]:
    """A story that a translation shows in the original's language, as it says it does."""
    issue = given.issue
    for index, name in enumerate(issue.fallback):
        story = next(story for story in issue.stories if story.id == name)
        yield Flaw(
            Severity.NOTE,
            f"The edition in “{issue.language}” shows “{story.name}” in "
            f"“{issue.language_of(story)}”.",
            f"Translate it when you can, and remove “{name}” from “fallback”.",
            Location(given.at("fallback", index).where, story),
        )


@check(
    "translation-same",
    why="Words that were overlooked appear in the wrong language.",
)
def translation_same(given: CheckInput) -> Iterator[Flaw]:
    """A title, label or role that is the same in the translation as in its original."""
    issue, original = given.issue, given.original
    if original is None or _base(original.language) == _base(issue.language):
        return
    theirs = {value.text for value in _short_words(original) if any(map(str.isalpha, value.text))}
    for value in _short_words(issue):
        if value.text in theirs:
            yield Flaw(
                Severity.NOTE,
                f"“{value.text}” is the same in the original.",
                "Translate it, unless it is the same in both languages.",
                given.at(*value.path),
            )


def _base(language: str) -> str:
    return language.partition("-")[0]


def _short_words(issue: Issue) -> Iterator[Value]:
    """Words that a translation may keep, and that the loader therefore lets pass; without names."""
    for value in issue.parts():
        story = issue.story_at(value.path)
        if story and (story.language is not None or story.id in issue.fallback):
            continue
        match value.says.translated, value.part:
            case Translated.MAYBE, Link(language=str()) | Download(language=str()):
                pass  # what leads to a page in another language may be called as it is there
            case Translated.MAYBE, _:
                yield value
            case Translated.UNLESS_NAME, _ if _is_no_name(value.text):
                yield value


def _is_no_name(words: str) -> bool:
    """Whether a word begins with a small letter: “Nur Nobi Dulal, blogger”, not “Sierra Leone”."""
    return any(word[0].islower() for word in words.split())
