"""An issue in all its languages: finds its files, reads them, holds them against each other.

Reads what :mod:`newsletter.issues.loader` reads, and the names in the folder. A
translation lists under ``fallback`` the stories that it shows in the original's
language. Nothing falls back by itself: what is neither translated nor listed is
missing, and stops the issue.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from newsletter.errors import IssueError, Problem, Where
from newsletter.issues.loader import LoadedIssue, load_issue
from newsletter.issues.translations import translation_problems
from newsletter.model import Story
from newsletter.source import Path_, Source


def issue_files(original: Path) -> tuple[Path, ...]:
    """The issue's file, then its translations: ``2017-03.yaml``, ``2017-03.fr.yaml``."""
    return (original, *sorted(original.parent.glob(f"{original.stem}.*{original.suffix}")))


def load_languages(original: Path, *, fields: Sequence[str] = ()) -> dict[str, LoadedIssue]:
    """Read and check an issue and its translations.

    Args:
        original: the file in the issue's first language, ``issues/2017-03.yaml``.
        fields: further columns of the list that merge fields may use.

    Returns:
        The issue in each language, the original first, each with all stories.

    Raises:
        IssueError: a file is wrong, a translation lacks something that the
            original has, or two files are in one language. Its ``problems``
            are those of all files.
    """
    loaded: dict[str, LoadedIssue] = {}
    problems: list[Problem] = []
    for path in issue_files(original):
        try:
            one = load_issue(path, fields=fields)
        except IssueError as error:
            problems += error.problems
            continue
        taken = loaded.setdefault(one.issue.language, one)
        if taken is not one:
            problems.append(_taken(one, taken))
    # An original that cannot be read makes every translation look wrong.
    if problems:
        raise _error(original, problems)
    first, *translations = loaded.values()
    problems = [found for each in translations for found in translation_problems(first, each)]
    if problems:
        raise _error(original, problems)
    whole = {one.issue.language: _with_fallback(first, one) for one in translations}
    return {first.issue.language: first, **whole}


def _with_fallback(original: LoadedIssue, translation: LoadedIssue) -> LoadedIssue:
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


def _taken(one: LoadedIssue, other: LoadedIssue) -> Problem:
    return Problem(
        f"{other.source.file} is in “{one.issue.language}” already.",
        one.source.where("language"),
        "An issue has one file a language: delete one of the two, or correct its language.",
    )


def _error(original: Path, problems: Sequence[Problem]) -> IssueError:
    files = {problem.where.file for problem in problems}
    count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    where = problems[0].where.file if len(files) == 1 else original
    return IssueError(f"The issue cannot be used: {count}.", where=Where(where), problems=problems)
