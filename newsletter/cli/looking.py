"""``preview``, ``check`` and ``render``: looking before sending."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.archive import publish_first
from newsletter.cli.output import count, joined, say, show_findings, show_table
from newsletter.cli.wiring import Compiled, Project
from newsletter.cli.writing import refuse_own, write_private
from newsletter.errors import ExitCode, InputError, Where

if TYPE_CHECKING:
    from newsletter.checks.check_input import CheckInput
    from newsletter.checks.finding import Finding
    from newsletter.message.model import Recipient

IssueName = Annotated[
    str, typer.Argument(metavar="ISSUE", help="The issue: its id (2017-03) or its file.")
]


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def preview(
    issue: IssueName,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="NUMBER", help="Port on this machine; 0 takes a free one."
        ),
    ] = 0,
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
    format_: Annotated[
        Format, typer.Option("--format", help="For people or for programs.")
    ] = Format.TEXT,
    sizes: Annotated[bool, typer.Option("--sizes", help="Show what each story weighs.")] = False,
) -> None:
    """Check an issue: what is wrong, where, why it matters, how to mend it. Exit 3 on errors.

    Example: newsletter check 2017-03
    """
    from newsletter.checks import weight
    from newsletter.checks.finding import Severity
    from newsletter.checks.privacy_report import in_words, privacy_report
    from newsletter.checks.run import to_json

    project = Project.here()
    compiled = project.compile(issue)
    inputs = check_inputs(compiled)
    findings = all_findings(inputs)
    privacy = [privacy_report(each) for each in inputs]
    weights = [weight.weigh(each) for each in inputs]
    if format_ is Format.JSON:
        typer.echo(to_json(findings, privacy, weights))
    else:
        show_findings(findings)
        for sentence in in_words(privacy):
            say(sentence)
        for each in weights:
            say(weight.in_words(each))
            if sizes:
                show_table(weight.HEADS, list(weight.rows(each)))
        say(f"{issue}: {_summed_up(findings)}.")
        if on_the_web := publish_first(project, compiled):
            say(f"On the web: {on_the_web}")
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(ExitCode.CHECKS_FAILED)


def _summed_up(findings: Sequence[Finding]) -> str:
    from newsletter.checks.run import count_by_severity

    counts = count_by_severity(findings)
    parts = [count(number, severity) for severity, number in counts.items() if number]
    return joined(parts) or "the checks found nothing to mend"


def check_inputs(compiled: dict[str, Compiled]) -> list[CheckInput]:
    """What the checks look at, in every language."""
    from newsletter.checks.check_input import CheckInput

    return [CheckInput.of(one.given, one.edition, one.loaded.original) for one in compiled.values()]


def all_findings(inputs: Sequence[CheckInput]) -> list[Finding]:
    """What the checks find in every language; of a story that several show, once."""
    from newsletter.checks.run import run_checks

    return list(dict.fromkeys(found for each in inputs for found in run_checks(each)))


def render(
    issue: IssueName,
    folder: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Folder for the files; made if missing."),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="ADDRESS", help="An address of the list. Default: its first row."
        ),
    ] = "",
) -> None:
    """Write the exact html, txt and eml that one recipient would get.

    Example: newsletter render 2017-03 --out build/2017-03
    """
    from newsletter.cli.recipients import compose_one

    project = Project.here()
    compiled = project.compile(issue)
    recipient = _recipient(project, compiled, to)
    edition = compiled[recipient.language].edition
    composer = project.composer(
        edition, letterhead=project.letterhead(), campaign="preview", signed=False
    )
    message = compose_one(composer, recipient, date=project.clock.now())
    content = message.as_content()
    name = f"{edition.issue_id}.{edition.language}"
    files = {"html": content.html.encode(), "txt": content.text.encode(), "eml": message.as_bytes()}
    refuse_own(project, folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The files cannot be written: {error.strerror}.",
            where=Where(folder),
            next="Name another folder with --out.",
        ) from None
    for kind, data in files.items():
        write_private(project, folder / f"{name}.{kind}", [data], replaces_any=True)
    say(f"{name}.html, .txt and .eml are in {folder}, as {recipient.address} would get them.")
    if project.settings.dkim is not None:
        say("The eml is not signed (DKIM); “newsletter test” and “send” sign.")


def _recipient(project: Project, compiled: dict[str, Compiled], address: str) -> Recipient:
    """The first reader of the list, or the one with ``address``.

    Raises:
        InputError: they are not on the list.
    """
    from newsletter.audience.languages import edition_for
    from newsletter.cli.recipients import as_recipient, parse_addresses

    wanted = parse_addresses([address])[0].suppression_key if address else None
    roster = project.roster()
    default = project.default_language(compiled)
    for subscriber in roster.subscribers:
        if wanted in {None, subscriber.address.suppression_key}:
            language = edition_for(subscriber.language, set(compiled), default)
            return as_recipient(subscriber, language=language)
    raise InputError(
        f"“{address}” is not on the list." if address else "Nobody on the list can be mailed.",
        where=Where(roster.file),
        next="Name an address that is, or leave --to out."
        if address
        else "“newsletter subscribers check” tells why.",
    )
