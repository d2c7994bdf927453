"""``suppress`` and ``subscribers``: who must not be mailed, and the list's doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.arguments import Yes
from newsletter.cli.asking import confirmed
from newsletter.cli.output import say, say_problems, show_counts
from newsletter.errors import ExitCode
from newsletter.ledger.suppressions import Reason
from newsletter.phrases import count, people
from newsletter.project import Project

_REASONS = {
    Reason.UNSUBSCRIBED: "left the list",
    Reason.COMPLAINED: "called it spam",
    Reason.BOUNCED: "cannot be reached",
    Reason.MANUAL: "taken off by hand",
}

suppress = typer.Typer(help="Who must not be mailed, and why.", no_args_is_help=True)
subscribers = typer.Typer(help="The list of subscribers.", no_args_is_help=True)


@suppress.command("add")
def add(
    addresses: Annotated[
        list[str],
        typer.Argument(
            metavar="ADDRESS...",
            help="Addresses never to be mailed again, or CSV files of them.",
        ),
    ],
    reason: Annotated[Reason, typer.Option(help="Why.")] = Reason.MANUAL,
    yes: Yes = False,
) -> None:
    """Never mail these addresses again. It cannot be taken back; it holds during a send.

    Example: newsletter suppress add anna@example.org --reason unsubscribed
    """
    from newsletter.project.suppress import read_suppressible
    from newsletter.project.suppress import suppress as note

    project = Project.here()
    read, from_file = read_suppressible(project, addresses)
    if read.refused:
        say("Without a usable address, left out:", style="yellow")
        say_problems(read.refused)
    if read.active:
        say(f"{count(read.active, 'row')} left out, which say that their readers may be mailed.")
    if from_file and not yes:
        say(f"{people(len(read.addresses))} would never be mailed again.")
        if not confirmed("Suppress them?"):
            say("Nobody was added.")
            return
    done = note(project, read.addresses, reason)
    if done.folder_only:
        say(f"They are noted in this folder's ledger only: {done.folder_only.what}", style="yellow")
        say(done.folder_only.next)
    already = f", {people(done.known)} already there" if done.known else ""
    say(f"{people(done.new)} added{already}. They get no more mail.")


@suppress.command("list")
def list_() -> None:
    """Show how many must not be mailed, by reason. Names are not kept, so none are shown.

    Example: newsletter suppress list
    """
    from newsletter.project.suppress import suppressed

    counts = suppressed(Project.here())
    if not counts:
        say("Nobody has left yet.")
        return
    show_counts([(number, _REASONS[reason], "") for reason, number in counts.items()])


@subscribers.command("check")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The list. Default: newsletter.toml's."),
    ] = None,
) -> None:
    """Look the list over: every row that cannot be used, and why. Exit 2 if there are any.

    Example: newsletter subscribers check subscribers.csv
    """
    from newsletter.project.suppress import gone_from

    project = Project.here()
    roster = project.roster(file)
    gone = gone_from(project, roster)
    mailable = people(len(roster.subscribers) - gone)
    say(f"{roster.file}: {count(roster.rows, 'row')}, {mailable} to mail.")
    if gone:
        say(f"{people(gone)} on it left, complained or cannot be reached, and will not be mailed.")
    for title, problems in (
        ("Cannot be used; nobody is mailed for these:", roster.refused),
        ("Repeated; mailed once:", roster.repeated),
        ("Not mailed, since the list says so:", roster.left),
        ("Worth a look:", roster.warnings),
    ):
        if problems:
            say(title)
            say_problems(problems)
    if roster.refused:
        raise typer.Exit(ExitCode.BAD_INPUT)
