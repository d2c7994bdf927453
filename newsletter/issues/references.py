"""What one part of an issue says about another: ids, sections, the lead. No I/O.

The model refuses these too, but only the file's positions can point at the
line, and the model stops at the first.
"""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.errors import Problem
from newsletter.issues.document import YamlDocument
from newsletter.issues.hints import shorten
from newsletter.model import NO_LEAD
from newsletter.phrases import did_you_mean
from newsletter.source import Path_


def reference_problems(document: YamlDocument) -> Iterator[Problem]:
    """Ids given twice, and names that lead nowhere."""
    stories = _named(document, "stories", "id")
    sections = _named(document, "sections", "id")
    yield from _repeated(document, stories, "story")
    yield from _repeated(document, sections, "section")
    section_ids = {known for _, known in sections}
    for path, name in _named(document, "stories", "section"):
        if name not in section_ids:
            yield Problem(
                f"There is no section “{shorten(name)}”.",
                document.where(path),
                did_you_mean(name, (known for _, known in sections))
                or "List it under sections:, with id: and title:.",
            )
    fallback = _fallback(document)
    if fallback and not document.data.get("stories"):
        yield Problem(
            "Every story falls back, so nothing is translated.",
            document.where_key(("fallback",)),
            "Delete the file: without it, its readers get the original.",
        )
    lead, known_ids = document.data.get("lead"), [*(known for _, known in stories), *fallback]
    for path, name in stories:
        if name == NO_LEAD:
            yield Problem(
                f"“{NO_LEAD}” cannot be the id of a story.",
                document.where(path),
                "As “lead” it means that no story leads. Give this one another id.",
            )
    if isinstance(lead, str) and lead not in [NO_LEAD, *known_ids]:
        yield Problem(
            f"The lead story “{shorten(lead)}” is none of the stories.",
            document.where(("lead",)),
            did_you_mean(lead, known_ids),
        )


def _fallback(document: YamlDocument) -> list[str]:
    """The ids of stories that a translation takes over from its original."""
    ids = document.data.get("fallback")
    return [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []


def _named(document: YamlDocument, group: str, key: str) -> list[tuple[Path_, str]]:
    """The value of ``key`` of each member of a group that has one, and its place."""
    members = document.data.get(group)
    if not isinstance(members, list):
        return []
    return [
        ((group, index, key), member[key])
        for index, member in enumerate(members)
        if isinstance(member, dict) and isinstance(member.get(key), str)
    ]


def _repeated(
    document: YamlDocument, named: list[tuple[Path_, str]], kind: str
) -> Iterator[Problem]:
    first: dict[str, Path_] = {}
    for path, name in named:
        if name in first:
            line = document.where(first[name]).line
            yield Problem(
                f"The id “{shorten(name)}” is taken by the {kind} on line {line}.",
                document.where(path),
                "Give this one another id.",
            )
        first.setdefault(name, path)
