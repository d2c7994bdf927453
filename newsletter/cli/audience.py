"""``suppress`` and ``subscribers``: who must not be mailed, and the list's doctor."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import count, people, say, say_problems, show_counts
from newsletter.cli.recipients import parse_addresses
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, NewsletterError
from newsletter.ledger.suppressions import Reason, Suppression

if TYPE_CHECKING:
    from newsletter.addresses import Address
    from newsletter.ledger import Ledger

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
        typer.Argument(metavar="ADDRESS...", help="Addresses never to be mailed again."),
    ],
    reason: Annotated[Reason, typer.Option(help="Why.")] = Reason.MANUAL,
) -> None:
    """Never mail these addresses again. It cannot be taken back; it holds during a send.

    Example: newsletter suppress add anna@example.org --reason unsubscribed
    """
    project = Project.here()
    parsed = parse_addresses(addresses)
    at = project.clock.now()
    with closing(project.sound_ledger(create=True)) as ledger:
        new = sum(
            ledger.suppressions.add(
                Suppression(project.keys.address_tag(address), reason, "command", at)
            )
            for address in parsed
        )
        _remember(project, ledger, parsed, reason)
    already = len(parsed) - new
    there = f", {people(already)} already there" if already else ""
    say(f"{people(new)} added{there}. They get no more mail.")


def _remember(project: Project, ledger: Ledger, addresses: list[Address], reason: Reason) -> None:
    """Let the list's send record know of them as well, so that it outlives this folder."""
    if project.trial:
        return
    try:
        project.copy_guard(ledger).note_leaves(addresses, reason, at=project.clock.now())
    except NewsletterError as error:
        say(f"They are noted in this folder's ledger only: {error.what}", style="yellow")
        say(error.next)


@suppress.command("list")
def list_() -> None:
    """Show how many must not be mailed, by reason. Names are not kept, so none are shown.

    Example: newsletter suppress list
    """
    project = Project.here()
    project.refuse_without_ledger()
    counts = {}
    if project.has_ledger:
        with closing(project.ledger(create=False, follow=False)) as ledger:
            counts = ledger.suppressions.counts()
    if not counts:
        say("Nobody has left yet.")
        return
    show_counts([(number, _REASONS[Reason(reason)], "") for reason, number in counts.items()])


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
    roster = Project.here().roster(file)
    mailable = people(len(roster.subscribers))
    say(f"{roster.file}: {count(roster.rows, 'row')}, {mailable} to mail.")
    for title, problems in (
        ("Cannot be used; nobody is mailed for these:", roster.refused),
        ("Repeated; mailed once:", roster.repeated),
        ("Worth a look:", roster.warnings),
    ):
        if problems:
            say(title)
            say_problems(problems)
    if roster.refused:
        raise typer.Exit(ExitCode.BAD_INPUT)
