"""``theme check``: whether a theme keeps what every theme promises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.output import say, show_findings
from newsletter.errors import ExitCode
from newsletter.phrases import count, joined

theme = typer.Typer(no_args_is_help=True, help="How mails look: check a theme.")


@theme.callback()
def _group() -> None:
    """Keep ``check`` a command of its own."""


@theme.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with theme.toml.")],
) -> None:
    """Try out a theme: make sample mails with it and check them. Exit code 3 on errors.

    It needs no project and runs no code of the theme.

    Example: newsletter theme check templates/ours
    """
    from newsletter.checks.finding import Severity
    from newsletter.checks.run import count_by_severity
    from newsletter.project.theme_check import check_theme

    tried, findings = check_theme(folder)
    show_findings(findings)
    counts = count_by_severity(findings)
    parts = [count(number, severity) for severity, number in counts.items() if number]
    say(f"Tried with {count(len(tried), 'sample issue')}: {joined(tried)}.")
    say(f"{folder}: {joined(parts) or 'the theme keeps what a theme promises'}.")
    if counts[Severity.ERROR]:
        raise typer.Exit(ExitCode.CHECKS_FAILED)
