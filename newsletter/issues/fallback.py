"""Stories that a translation shows in the original's language, because it says so. No I/O.

A translation lists their ids under ``fallback``. Nothing falls back by itself:
what is neither translated nor listed is missing, and stops the issue.
"""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.errors import Problem
from newsletter.issues.loader import LoadedIssue
from newsletter.model import Story
from newsletter.phrases import did_you_mean
from newsletter.source import Path_, Source


def fallback_problems(original: LoadedIssue, translation: LoadedIssue) -> Iterator[Problem]:
    """Ids that lead to no story of the original, or to one that is translated as well."""
    theirs = [story.id for story in original.issue.stories]
    ours = [story.id for story in translation.issue.stories]
    for index, name in enumerate(translation.issue.fallback):
        where = translation.source.where("fallback", index)
        if name not in theirs:
            yield Problem(
                f"The original has no story “{name}” to fall back to.",
                where,
                did_you_mean(name, theirs),
            )
        elif name in ours:
            line = translation.source.where("stories", ours.index(name)).line
            yield Problem(
                f"The story “{name}” falls back, and is translated on line {line} as well.",
                where,
                "Delete one of the two.",
            )


def with_fallback(original: LoadedIssue, translation: LoadedIssue) -> LoadedIssue:
    """The translation with the stories that fall back, each where the original has it.

    They say which language they are in, and what is found in them is told with
    the place in the original's file.
    """
    ours = {story.id: number for number, story in enumerate(translation.issue.stories)}
    stories: list[Story] = []
    taken: dict[Path_, tuple[Source, Path_]] = {}
    for number, story in enumerate(original.issue.stories):
        here: Path_ = ("stories", number)
        if story.id in ours:
            stories.append(translation.issue.stories[ours[story.id]])
            taken[here] = translation.source, ("stories", ours[story.id])
        else:
            language = original.issue.language_of(story)
            foreign = language if language != translation.issue.language else None
            stories.append(story.model_copy(update={"language": foreign}))
            taken[here] = original.source, here
    positions = {
        path: place
        for path, place in translation.source.positions.items()
        if path[:1] != ("stories",) or len(path) == 1
    }
    return LoadedIssue(
        translation.issue.model_copy(update={"stories": tuple(stories)}),
        Source(translation.source.file, positions, taken),
        original.issue,
    )
