"""What the tests of issues share: a small good issue, and a folder to put it in."""

from pathlib import Path

import pytest
from newsletter.errors import IssueError, Problem
from newsletter.issues.loader import LoadedIssue, load_issue

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"

GOOD = """\
# yaml-language-server: $schema=issue.schema.json
title: March 2017
date: 2017-03-31
language: en
subject: News from defenders
preheader: A year of safety in Hamburg
stories:
  - id: hamburg
    headline: A year of safety
    blurb: Nur Nobi Dulal has arrived.
    image:
      file: port.png
      alt: A harbour
      credit: The editors
    links:
      - label: Read more
        url: https://defenders.example/hamburg
"""


def write(folder: Path, content: str | bytes, name: str = "2017-03.yaml") -> Path:
    images = folder / "images"
    images.mkdir(exist_ok=True)
    (images / "port.png").write_bytes(PNG)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def load(folder: Path, content: str | bytes, name: str = "2017-03.yaml") -> LoadedIssue:
    return load_issue(write(folder, content, name))


def refusal(folder: Path, content: str | bytes, name: str = "2017-03.yaml") -> IssueError:
    path = write(folder, content, name)
    with pytest.raises(IssueError) as caught:
        load_issue(path)
    return caught.value


def problems(folder: Path, content: str | bytes, name: str = "2017-03.yaml") -> list[str]:
    """Each problem as ``line:column what next``, and the story's name if there is one."""
    return [told(problem) for problem in refusal(folder, content, name).problems]


def told(problem: Problem) -> str:
    where = problem.where
    place = ":".join(str(n) for n in (where.line, where.column) if n is not None)
    item = f", {where.item}" if where.item else ""
    return f"{place}{item}: {problem.what} {problem.next}".strip()
