"""``preview``, ``check`` and ``render``: looking before sending."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import out, say, show_findings
from newsletter.cli.wiring import Compiled, Project
from newsletter.errors import ExitCode, InputError, Where

if TYPE_CHECKING:
    from newsletter.checks.finding import Finding
    from newsletter.message.model import Recipient

IssueName = Annotated[str, typer.Argument(help="The issue: its id (2017-03) or its file.")]


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def preview(
    issue: IssueName,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 0,
    open_browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the browser.")
    ] = True,
) -> None:
    """Look at an issue in the browser, exactly as it will be sent, while you write it.

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
    format_: Annotated[Format, typer.Option("--format", help="text or json.")] = Format.TEXT,
) -> None:
    """Check an issue: what is wrong, where, why it matters, how to mend it. Exit 3 on errors.

    Example: newsletter check 2017-03
    """
    from newsletter.checks.finding import Severity
    from newsletter.checks.run import to_json

    project = Project.here()
    findings = all_findings(project, project.compile(issue))
    if format_ is Format.JSON:
        out.print_json(to_json(findings))
    else:
        show_findings(findings)
        counts = ", ".join(
            f"{sum(f.severity is severity for f in findings)} {severity}s" for severity in Severity
        )
        say(f"{issue}: {counts}.")
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(ExitCode.CHECKS_FAILED)


def all_findings(project: Project, compiled: dict[str, Compiled]) -> list[Finding]:
    """What the checks find in every language."""
    from newsletter.checks.run import run_checks

    return [
        finding
        for one in compiled.values()
        for finding in run_checks(
            one.loaded.issue, one.loaded.source, one.edition, project.settings
        )
    ]


def render(
    issue: IssueName,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the files; made if missing.")],
    to: Annotated[
        str, typer.Option("--to", help="An address of the list. Default: its first row.")
    ] = "",
) -> None:
    """Write the exact html, txt and eml that one recipient would get.

    Example: newsletter render 2017-03 --out build/2017-03
    """
    project = Project.here()
    compiled = project.compile(issue)
    recipient = _recipient(project, to, set(compiled))
    edition = compiled[recipient.language].edition
    message = project.composer(
        edition, letterhead=project.letterhead(), campaign="preview"
    ).compose(recipient, date=project.clock.now())
    content = message.as_content()
    name = f"{edition.issue_id}.{edition.language}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.html").write_text(content.html, encoding="utf-8")
        (folder / f"{name}.txt").write_text(content.text, encoding="utf-8")
        (folder / f"{name}.eml").write_bytes(message.as_bytes())
    except OSError as error:
        raise InputError(
            f"The files cannot be written: {error.strerror}.", where=Where(folder)
        ) from None
    say(f"{name}.html, .txt and .eml are in {folder}.")


def _recipient(project: Project, address: str, languages: set[str]) -> Recipient:
    from newsletter.delivery.plan import make_plan

    roster = project.roster()
    plan = make_plan(
        roster,
        issue="preview",
        languages=languages,
        default_language=project.settings.language,
        tag=project.keys.address_tag,
        suppressed=frozenset(),
        has_it=frozenset(),
    )
    for planned in plan.recipients:
        if address in {"", planned.recipient.address.key}:
            return planned.recipient
    raise InputError(
        f"“{address}” is not on the list.",
        where=Where(roster.file),
        next="Name an address that is, or leave --to out.",
    )
