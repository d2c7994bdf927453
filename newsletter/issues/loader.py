"""Loads an issue: YAML file in, checked :class:`~newsletter.model.Issue` out.

Reads the issue file and the first bytes of its pictures and documents; writes nothing.
Whatever is wrong is reported at once, each problem with its line and column,
its story and what to write instead.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from pydantic import ValidationError

from newsletter.errors import IssueError, Problem, Where
from newsletter.issues.dates import date_problems
from newsletter.issues.document import (
    MAX_CHARACTERS,
    Unreadable,
    YamlDocument,
    position,
    read_document,
)
from newsletter.issues.downloads import download_problems
from newsletter.issues.merge_fields import merge_field_problems
from newsletter.issues.pictures import picture_problems
from newsletter.issues.problems import DATES, model_problems
from newsletter.issues.references import reference_problems
from newsletter.model import Issue
from newsletter.regular_file import read_regular
from newsletter.source import Source

IMAGES_FOLDER = "images"
FILES_FOLDER = "files"
MOST_PROBLEMS = 200
"""That are looked for before the model's own; each search for a name meant costs time."""
_FILE_NAME = re.compile(
    r"(?P<id>[a-z0-9]+(?:-[a-z0-9]+)*)(?:\.(?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*))?\.ya?ml"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class LoadedIssue:
    """An issue, where each of its values stands in its file, and what it is a translation of."""

    issue: Issue
    source: Source
    original: Issue | None = None


def load_issue(path: Path, *, fields: Sequence[str] = ()) -> LoadedIssue:
    """Read and check one issue.

    Args:
        path: ``issues/2017-03.yaml``, or ``issues/2017-03.fr.yaml`` for the
            French translation. Pictures are looked for in ``images/`` beside it,
            documents in ``files/``.
        fields: further columns of the list that merge fields may use.

    Raises:
        IssueError: the file is missing or something in it is wrong; its
            ``problems`` are all that could be found, in the order of the file.
    """
    issue_name(path)
    try:
        text = _read(path)
    except Unreadable as error:
        raise _error(path, [error.problem]) from None
    return parse_issue(text, path, fields=fields)


def parse_issue(text: str, path: Path, *, fields: Sequence[str] = ()) -> LoadedIssue:
    """Check the text of an issue as if it stood at ``path``.

    Raises:
        IssueError: as :func:`load_issue`.
    """
    issue_id, language = issue_name(path)
    try:
        document = read_document(text, path)
    except Unreadable as error:
        raise _error(path, [error.problem]) from None
    found = chain(
        document.problems,
        _heading_problems(document, language),
        reference_problems(document),
        date_problems(document),
        merge_field_problems(document, fields),
        picture_problems(document, path.parent / IMAGES_FOLDER),
        download_problems(document, path.parent / FILES_FOLDER),
    )
    problems = list(islice(found, MOST_PROBLEMS))
    issue = _validate(document, issue_id, problems)
    if issue is None or problems:
        raise _error(path, problems)
    return LoadedIssue(issue, document.source)


def issue_name(path: Path) -> tuple[str, str | None]:
    """The issue's id and the language that a file's name tells: ``2017-03``, ``fr``.

    Raises:
        IssueError: the name is none an issue can have.
    """
    found = _FILE_NAME.fullmatch(path.name)
    if not found:
        raise _error(
            path,
            [
                Problem(
                    f"“{path.name}” is not a valid name for an issue.",
                    Where(path),
                    "Use lower-case letters, digits and hyphens, such as 2017-03.yaml, "
                    "or 2017-03.fr.yaml for a translation.",
                )
            ],
        )
    return found["id"], found["language"]


def _read(path: Path) -> str:
    try:
        # UTF-8 has four bytes for a character at the most.
        raw = read_regular(path, max_bytes=4 * MAX_CHARACTERS)
    except FileNotFoundError:
        raise Unreadable(
            "There is no such issue.",
            Where(path),
            f"“newsletter new {path.name.partition('.')[0]}” starts one.",
        ) from None
    except OSError as error:
        raise Unreadable(f"The issue cannot be opened: {error.strerror}.", Where(path)) from None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("The file is UTF-16.", Where(path), "Save it as UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        line, column = position(before, len(before))
        raise Unreadable(
            "The file is not UTF-8.", Where(path, line, column), "Save it as UTF-8."
        ) from None


def _heading_problems(document: YamlDocument, language: str | None) -> Iterator[Problem]:
    """Keys of the issue itself that the file's name has a say in."""
    if ("id",) in document.keys:
        yield Problem(
            "The issue's id is taken from the file's name.",
            document.where_key(("id",)),
            "Delete this line.",
        )
    if language is None and "fallback" in document.data:
        yield Problem(
            "Only a translation can fall back to its original.",
            document.where_key(("fallback",)),
            "Delete this line; it belongs into a file such as 2017-03.fr.yaml.",
        )
    written = document.data.get("language")
    if language is not None and isinstance(written, str) and written != language:
        yield Problem(
            f"The file's name says “{language}”, its language is “{written}”.",
            document.where(("language",)),
            "Correct this line or rename the file.",
        )


def _validate(document: YamlDocument, issue_id: str, problems: list[Problem]) -> Issue | None:
    """The issue, or None; what the model refuses is added to ``problems``."""
    data = {**document.data, "id": issue_id}
    for key in DATES:
        written = data.get(key)
        # Pydantic would take a number of seconds, or a time, for a date.
        if isinstance(written, str) and not _DATE.fullmatch(written):
            data[key] = ""
    try:
        return _told_apart(Issue.model_validate(data))
    except ValidationError as error:
        problems += model_problems(error, document)
        return None


def _told_apart(issue: Issue) -> Issue:
    """The issue, with a language at those stories only whose language is another one."""
    stories = tuple(
        story.model_copy(update={"language": None}) if story.language == issue.language else story
        for story in issue.stories
    )
    return issue.model_copy(update={"stories": stories})


def _error(path: Path, problems: Sequence[Problem]) -> IssueError:
    ordered = sorted(problems, key=lambda each: (each.where.line or 0, each.where.column or 0))
    count = "one problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    return IssueError(f"The issue cannot be used: {count}.", where=Where(path), problems=ordered)
