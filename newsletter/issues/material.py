"""Reads what goes with an issue: its pictures and the documents it offers. Reads only."""

from __future__ import annotations

import functools
from pathlib import Path

from newsletter.errors import IssueError, Problem, Where
from newsletter.issues.downloads import load_document
from newsletter.issues.files import Unusable
from newsletter.issues.image_prepare import prepare
from newsletter.issues.loader import FILES_FOLDER, IMAGES_FOLDER, LoadedIssue
from newsletter.material import Document, Material, PreparedPicture
from newsletter.source import Path_
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
    pictures: dict[Path_, PreparedPicture] = {}
    documents: dict[str, Document] = {}
    prepared = functools.cache(prepare)
    for path, picture in loaded.issue.pictures():
        lead = loaded.issue.lead_story
        if picture.size:
            width = shown.small
        else:
            width = shown.lead if lead and lead.opening is picture else shown.story
        try:
            pictures[path] = prepared(
                issues / IMAGES_FOLDER / picture.file, shown=width, caption=picture.credit
            )
        except Unusable as error:
            problems.append(_problem(loaded, path, error))
    for path, name in loaded.issue.files():
        try:
            documents[name] = load_document(issues / FILES_FOLDER / name)
        except Unusable as error:
            problems.append(_problem(loaded, path, error))
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
            problems=sorted(problems, key=lambda each: each.where.line or 0),
        )
    return Material(pictures, documents, logo)


def _problem(loaded: LoadedIssue, path: Path_, error: Unusable) -> Problem:
    where = loaded.source.where(*path, "file", item=loaded.issue.item(path))
    return Problem(error.what, where, error.advice)
