"""Reads what goes with an issue: its pictures and the documents it offers. Reads only."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from newsletter.errors import IssueError, Problem, Where
from newsletter.issues.darkroom import Unusable, prepare
from newsletter.issues.loader import IMAGES_FOLDER, LoadedIssue
from newsletter.material import Document, Material, PreparedPicture
from newsletter.theme import ShownWidths

FILES_FOLDER = "files"


def load_material(loaded: LoadedIssue, issues: Path, *, shown: ShownWidths) -> Material:
    """Read and prepare the pictures and documents of an issue.

    Args:
        loaded: the issue, whose pictures and documents exist.
        issues: the folder of the issues, with ``images/`` and ``files/`` in it.
        shown: how wide the theme shows pictures.

    Raises:
        IssueError: some of them cannot be used; names each with its place.
    """
    problems: list[Problem] = []
    pictures: dict[str, PreparedPicture] = {}
    documents: dict[str, Document] = {}
    lead = loaded.issue.lead_story
    for number, story in enumerate(loaded.issue.stories):
        where = loaded.source.where("stories", number, item=f"story “{story.headline}”")
        if story.image is not None:
            width = shown.lead if story is lead else shown.story
            try:
                pictures[story.id] = prepare(issues / IMAGES_FOLDER / story.image.file, shown=width)
            except Unusable as error:
                problems.append(Problem(error.what, where, error.advice))
        if story.download is not None and story.download.file is not None:
            try:
                documents[story.id] = _document(issues / FILES_FOLDER / story.download.file)
            except Unusable as error:
                problems.append(Problem(error.what, where, error.advice))
    if problems:
        raise IssueError(
            "Some pictures or documents cannot be used.",
            where=Where(loaded.source.file),
            problems=problems,
        )
    return Material(pictures, documents)


def _document(path: Path) -> Document:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unusable(f"“{path.name}” cannot be read: {error.strerror}.", "Check it.") from None
    return Document(
        path.name,
        hashlib.sha256(content).hexdigest()[:8],
        mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        content,
    )
