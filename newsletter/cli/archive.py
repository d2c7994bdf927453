"""``archive build``: the past issues as web pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import count, joined, say
from newsletter.cli.wiring import Compiled, Project
from newsletter.cli.writing import refuse_own
from newsletter.config import FILE_NAME, Archive
from newsletter.errors import ConfigError, InputError, Where

if TYPE_CHECKING:
    from newsletter.archive.build import Built
    from newsletter.render.web import InLanguages

archive = typer.Typer(
    no_args_is_help=True, help="The past issues on the web: pages, an index, feeds, PDFs."
)


@archive.callback()
def _group() -> None:
    """Keep ``build`` a command of its own."""


@archive.command()
def build(
    issues: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ISSUE]...", help="Issues dated later than today that shall be in it, too."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to write. Default: newsletter.toml's."),
    ] = None,
    pdf: Annotated[
        bool | None,
        typer.Option("--pdf/--no-pdf", help="PDFs by Chromium. Default: if it is installed."),
    ] = None,
) -> None:
    """Write every issue up to today as a web page in each language, an index and feeds.

    An issue dated later is left out unless you name it. Nothing is deleted, and
    nothing is written if an issue has an error.

    Example: newsletter archive build
    """
    from newsletter.archive.build import build_archive
    from newsletter.archive.pdf import find_browser

    project = Project.here()
    place = _archive(project)
    folder = out or project.folder / place.folder
    _refuse_the_project(project, folder)
    today = project.clock.now().astimezone().date()
    chosen, later = _choose(project, issues or [], today)
    browser = None if pdf is False else find_browser()
    built = build_archive(
        chosen,
        project.theme,
        project.settings,
        place,
        folder=folder,
        browser=browser,
        scratch=project.folder,
        on_pdf=lambda name: say(f"Printing {name}."),
    )
    _tell(built, folder, issues=len(chosen))
    for name, day in later.items():
        say(f"Left out, since it is dated {day}: {name}. "
            f"To publish it: newsletter archive build {name}")  # fmt: skip
    if pdf and browser is None:
        say("No PDF was made, since neither Chromium nor Chrome is installed.", style="yellow")
    say(f"Next: copy the folder {folder} to {place.url}", style="bold")


def publish_first(project: Project, compiled: Mapping[str, Compiled]) -> str:
    """What the mails load from the archive or lead to in it, and how to publish it; else empty."""
    from newsletter.archive_layout import page_path
    from newsletter.render.urls import ascii_url

    if (place := project.settings.archive) is None:
        return ""
    base, issue = ascii_url(place.url), next(iter(compiled.values())).loaded.issue.id
    needed = [
        words
        for words, below in (
            ("pictures", {"images/"}),
            ("documents", {"files/"}),
            ("the page in the browser", {page_path(issue, language) for language in compiled}),
        )
        if any(base + path in one.edition.html for one in compiled.values() for path in below)
    ]
    if not needed:
        return ""
    return f"{joined(needed)}, from {base}; publish first: newsletter archive build {issue}"


def _archive(project: Project) -> Archive:
    place = project.settings.archive
    if place is None:
        raise ConfigError(
            "There is no place for the archive yet.",
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
            "That folder holds the project itself, with the list and the key, so it must not be "
            "published.",
            where=Where(folder),
            next="Name a folder of its own, such as archive.",
        )


def _choose(
    project: Project, named: list[str], today: date
) -> tuple[list[InLanguages], dict[str, date]]:
    """What to publish, and the day of each issue that is left out.

    Raises:
        InputError: an issue is wrong or not there, or nothing is left to publish.
    """
    from newsletter.issues.day import day_of

    wanted = {project.issue_id(name) for name in named}
    chosen: list[InLanguages] = []
    later: dict[str, date] = {}
    for name in sorted(wanted | set(project.issue_names())):
        # Its day alone is read first: who is still writing the next issue may have made mistakes.
        day = day_of(project.issue_file(name))
        issue = None
        if name in wanted or day is None or day <= today:
            issue = project.issue_on_web(name)
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
            next=f"To publish one before its day: newsletter archive build {first}"
            if first
            else "Start one with “newsletter new ID”.",
        )
    return chosen, later


def _tell(built: Built, folder: Path, *, issues: int) -> None:
    written = built.written
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (len(written.new), "new"),
            (len(written.changed), "changed"),
            (len(written.unchanged), "unchanged"),
        )
        if number
    ]
    parts = [count(issues, "issue"), count(built.pages, "page")]
    if built.pdfs:
        parts.append(count(built.pdfs, "PDF"))
    say(f"{folder} holds {joined(parts)}; files: {joined(changes)}.")
    if built.no_pdf:
        say(f"Some pages have no PDF: {built.no_pdf}.", style="yellow")
