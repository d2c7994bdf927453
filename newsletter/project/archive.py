"""The past issues on the web: which are published, and where they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from newsletter.archive.build import Built, build_archive
from newsletter.archive.pdf import find_browser
from newsletter.config import FILE_NAME, Archive
from newsletter.errors import ConfigError, InputError, Where
from newsletter.issues.day import day_of
from newsletter.project.compile import compile_issue
from newsletter.project.project import Project
from newsletter.project.writing import refuse_own
from newsletter.render.web import InLanguages
from newsletter.render.web_urls import WebIssue


@dataclass(frozen=True, slots=True)
class Published:
    """What a build of the archive did.

    Attributes:
        built: what became of its files.
        folder: where they are.
        url: where they are to be published.
        issues: how many issues are in it.
        later: the day of each issue that was left out.
        no_browser: whether there was no browser to make PDFs with.
    """

    built: Built
    folder: Path
    url: str
    issues: int
    later: Mapping[str, date]
    no_browser: bool


def build(
    project: Project,
    issues: Sequence[str] = (),
    *,
    folder: Path | None = None,
    pdf: bool | None = None,
    on_pdf: Callable[[str], None] = lambda _: None,
) -> Published:
    """Write every issue up to today as a web page in each language, an index and feeds.

    Args:
        project: whose issues.
        issues: further ones, dated later.
        folder: where to write; None: newsletter.toml's.
        pdf: whether to make PDFs; None: if there is a browser for it.
        on_pdf: told each PDF's place before it is made.

    Raises:
        ConfigError: newsletter.toml names no place for the archive.
        InputError, IssueError, TemplateError: something in an issue is wrong, there is
            none, or the folder must not be written to. Nothing was written.
    """
    place = _archive(project)
    folder = folder or project.folder / place.folder
    _refuse_the_project(project, folder)
    chosen, later = _choose(project, issues, project.clock.now().astimezone().date())
    browser = None if pdf is False else find_browser()
    built = build_archive(
        chosen,
        project.theme,
        project.settings,
        folder=folder,
        browser=browser,
        scratch=project.folder,
        on_pdf=on_pdf,
    )
    return Published(built, folder, place.url, len(chosen), later, no_browser=browser is None)


def _archive(project: Project) -> Archive:
    place = project.settings.archive
    if place is None:
        raise ConfigError(
            "The archive has no address yet.",
            where=Where(project.folder / FILE_NAME),
            next='Add a table [archive] with url = "https://…/": the address where you will '
            "publish it.",
        )
    return place


def _refuse_the_project(project: Project, folder: Path) -> None:
    """What is published must not hold the list, the ledger and the key, nor lie among the issues.

    Raises:
        InputError: it would.
    """
    refuse_own(project, folder)
    own, wanted = project.folder.resolve(), folder.resolve()
    if own.is_relative_to(wanted):
        raise InputError(
            "That folder holds the project with its list and key, so it must not be published.",
            where=Where(folder),
            next="Name a separate folder, such as archive.",
        )


def _choose(
    project: Project, named: Sequence[str], today: date
) -> tuple[list[InLanguages], dict[str, date]]:
    """What to publish, and the day of each issue that is left out.

    Raises:
        InputError: an issue is wrong or not there, or nothing is left to publish.
    """
    wanted = {project.issue_id(name) for name in named}
    chosen: list[InLanguages] = []
    later: dict[str, date] = {}
    for name in sorted(wanted | set(project.issue_names())):
        # Its day alone is read first: who is still writing the next issue may have made mistakes.
        day = day_of(project.issue_file(name))
        issue = None
        if name in wanted or day is None or day <= today:
            issue = _on_web(project, name)
            day = next(iter(issue.values())).issue.date
        if issue is not None and (name in wanted or day <= today):
            chosen.append(issue)
        else:
            later[name] = day
    if not chosen:
        first = next(iter(later), None)
        raise InputError(
            "There is no issue to publish: all are dated later than today."
            if first
            else "There is no issue to publish.",
            where=Where(project.issues_folder),
            next=f"To publish one before its date: newsletter archive build {first}"
            if first
            else "Start one with “newsletter new ID”.",
        )
    return chosen, later


def _on_web(project: Project, name: str) -> dict[str, WebIssue]:
    """The issue in all its languages as its pages show it; its mail must compile, too."""
    compiled = compile_issue(project, name)
    return {
        language: WebIssue(one.loaded.issue, one.given.material)
        for language, one in compiled.languages.items()
    }
