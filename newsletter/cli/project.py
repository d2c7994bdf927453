"""``init`` and ``new``: starting a project and an issue."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.output import say
from newsletter.cli.wiring import Project
from newsletter.clock import SystemClock


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project; made if missing.")],
) -> None:
    """Start a newsletter project in a folder. Overwrites nothing.

    Example: newsletter init our-newsletter
    """
    from newsletter.issues.scaffold import init_project, scaffold_folder

    written = init_project(folder, scaffold=scaffold_folder())
    say(f"The project is in {folder}: {len(written)} files.")
    say("Next:")
    say(f"  cd {folder}")
    say("  newsletter preview first-issue     look at it while you write")
    say("  newsletter send first-issue        into outbox/, to try the whole road")


def new(
    issue: Annotated[str, typer.Argument(help="Id of the issue, e.g. 2017-04.")],
    title: Annotated[str, typer.Option(help="Its title. Default: the id.")] = "",
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Day of publication. Default: today."),
    ] = None,
    language: Annotated[str, typer.Option(help="Its language. Default: newsletter.toml's.")] = "",
) -> None:
    """Start an issue: a file with one story and a note on every key. Overwrites nothing.

    Example: newsletter new 2017-04 --title "April 2017" --date 2017-04-28
    """
    from newsletter.issues.scaffold import new_issue

    project = Project.here()
    path = project.issues_folder / f"{issue}.yaml"
    new_issue(
        path,
        title=title or issue,
        date=day.date() if day else _today(),
        language=language or project.settings.language,
        web_url=None,
    )
    say(f"{path} is there. Write, and watch with “newsletter preview {issue}”.")


def _today() -> date:
    return SystemClock().now().date()
