"""``preview``, ``check`` and ``render``: looking before sending."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import IssueName
from newsletter.cli.output import say, show_findings, show_table
from newsletter.errors import ExitCode
from newsletter.phrases import count, joined
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.checks.finding import Finding


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def preview(
    issue: IssueName,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="NUMBER", help="Port on this machine. 0: a free one."
        ),
    ] = 0,
    open_browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser.")
    ] = True,
) -> None:
    """Show an issue in the browser as it will be sent, and follow your changes.

    Example: newsletter preview 2017-03
    """
    import threading
    import webbrowser

    from newsletter.preview.build import Sources
    from newsletter.preview.server import serve_preview

    project = Project.here()
    file = project.issue_file(project.issue_id(issue))

    def ready(address: str) -> None:
        say(f"The preview of {file} is at {address} on this machine only. Ctrl-C ends it.")
        if open_browser:
            webbrowser.open(address)

    try:
        serve_preview(
            Sources(project.folder, file), on_ready=ready, stop=threading.Event(), port=port
        )
    except KeyboardInterrupt:
        say("The preview ended.")


def check(
    issue: IssueName,
    format_: Annotated[
        Format,
        typer.Option("--format", metavar="FORMAT", help="text, or json for scripts."),
    ] = Format.TEXT,
    sizes: Annotated[bool, typer.Option("--sizes", help="Show the size of each story.")] = False,
) -> None:
    """Find what is wrong in an issue, where, and how to correct it. Exit code 3 on errors.

    Example: newsletter check 2017-03
    """
    from newsletter.checks import size
    from newsletter.checks.finding import Severity
    from newsletter.checks.privacy_report import in_words, privacy_report
    from newsletter.checks.run import to_json
    from newsletter.cli.planning import publish_first
    from newsletter.project.compile import compile_issue
    from newsletter.project.imports import imports_of

    project = Project.here()
    compiled = compile_issue(project, issue)
    findings = compiled.findings
    privacy = [privacy_report(each) for each in compiled.check_inputs]
    all_sizes = [size.mail_sizes(each) for each in compiled.check_inputs]
    if format_ is Format.JSON:
        typer.echo(to_json(findings, privacy, all_sizes))
    else:
        show_findings(findings)
        for sentence in in_words(privacy):
            say(sentence)
        for each in all_sizes:
            say(size.in_words(each))
            if sizes:
                show_table(size.HEADS, list(size.rows(each)))
        say(f"{issue}: {_summed_up(findings)}.")
        if on_the_web := publish_first(compiled):
            say(f"On the web: {on_the_web}")
        missing = [str(file) for file in project.list_files if not file.exists()]
        imported = project.has_ledger and imports_of(project)
        if not imported and (missing or not project.list_files):
            what = joined(missing) or "nobody was imported"
            say(f"There is no list yet: {what}. A send needs one; see “newsletter "
                "docs subscribers”.", style="yellow")  # fmt: skip
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(ExitCode.CHECKS_FAILED)


def _summed_up(findings: Sequence[Finding]) -> str:
    from newsletter.checks.run import count_by_severity

    counts = count_by_severity(findings)
    parts = [count(number, severity) for severity, number in counts.items() if number]
    return joined(parts) or "the checks found nothing to mend"


def render(
    issue: IssueName,
    folder: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Folder for the files; made if missing."),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="ADDRESS", help="A recipient on the list. Default: its first row."
        ),
    ] = "",
) -> None:
    """Write the exact HTML, text and eml files that one recipient would get.

    Example: newsletter render 2017-03 --out build/2017-03
    """
    from newsletter.project.proof import render

    project = Project.here()
    name, address = render(project, issue, folder, to=to)
    say(f"{name}.html, .txt and .eml are in {folder}, as {address} would get them.")
    if project.settings.dkim is not None:
        say("The eml is not signed (DKIM); “newsletter test” and “send” sign.")
