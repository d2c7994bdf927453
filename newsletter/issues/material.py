"""Reads what goes with an issue: its pictures and the documents it offers. Reads only."""

from __future__ import annotations

from pathlib import Path

from newsletter.errors import IssueError, Problem, Where
from newsletter.issues.downloads import load_document
from newsletter.issues.files import Unusable
from newsletter.issues.image_prepare import prepare
from newsletter.issues.loader import FILES_FOLDER, IMAGES_FOLDER, LoadedIssue
from newsletter.material import Document, Material, PreparedPicture
from newsletter.theme import ShownWidths


def load_material(loaded: LoadedIssue, issues: Path, *, shown: ShownWidths) -> Material:
    """Read and prepare the pictures and documents of an issue, and the theme's logo.

    Args:
        loaded: the issue, whose pictures and documents exist.
        issues: the folder of the issues, with ``images/`` and ``files/`` in it.
        shown: how wide the theme shows pictures, and its logo.

    Raises:
        IssueError: some of them cannot be used; names each with its place.
    """
    problems: list[Problem] = []
    pictures: dict[str, PreparedPicture] = {}
    documents: dict[str, Document] = {}
    lead = loaded.issue.lead_story
    for number, story in enumerate(loaded.issue.stories):
        if (image := story.image) is not None:
            try:
                pictures[story.id] = prepare(
                    issues / IMAGES_FOLDER / image.file,
                    shown=shown.lead if story is lead else shown.story,
                    caption=image.credit,
                )
            except Unusable as error:
                problems.append(_problem(loaded, number, "image", error))
        if story.download is not None and story.download.file is not None:
            try:
                documents[story.id] = load_document(issues / FILES_FOLDER / story.download.file)
            except Unusable as error:
                problems.append(_problem(loaded, number, "download", error))
    logo = None
    if shown.logo is not None:
        try:
            logo = prepare(shown.logo.path, shown=shown.logo.width, caption="")
        except Unusable as error:
            problems.append(Problem(error.what, Where(shown.logo.path, item="logo"), error.advice))
    if problems:
        raise IssueError(
            "Some pictures or documents cannot be used.",
            where=Where(loaded.source.file),
            problems=problems,
        )
    return Material(pictures, documents, logo)


def _problem(loaded: LoadedIssue, number: int, key: str, error: Unusable) -> Problem:
    item = f"story “{loaded.issue.stories[number].headline}”"
    where = loaded.source.where("stories", number, key, "file", item=item)
    return Problem(error.what, where, error.advice)
