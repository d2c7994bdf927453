"""``suppress`` and ``subscribers``: who must not be mailed, and the list's doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.audience.suppression import Reason, Suppression
from newsletter.cli.output import people, say, say_problems
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, InputError, Problem

suppress = typer.Typer(help="Who must not be mailed, and why.", no_args_is_help=True)
subscribers = typer.Typer(help="The list of subscribers.", no_args_is_help=True)


@suppress.command("add")
def add(
    addresses: Annotated[list[str], typer.Argument(help="Addresses never to be mailed again.")],
    reason: Annotated[Reason, typer.Option(help="Why.")] = Reason.MANUAL,
) -> None:
    """Never mail these addresses again. It cannot be taken back; it holds during a send.

    Example: newsletter suppress add anna@example.org --reason unsubscribed
    """
    from newsletter.addresses import Address, AddressError

    project = Project.here()
    parsed, problems = [], []
    for text in addresses:
        try:
            parsed.append(Address.parse(text))
        except AddressError as error:
            problems.append(Problem(f"“{text}” is no address. {error}"))
    if problems:
        raise InputError("Nobody was added.", problems=problems)
    ledger = project.ledger(create=True)
    new = sum(
        ledger.suppressions.add(
            Suppression(project.keys.address_tag(address), reason, "command", project.clock.now())
        )
        for address in parsed
    )
    ledger.close()
    say(f"{people(new)} added, {len(parsed) - new} already there. They get no more mail.")


@suppress.command("list")
def list_() -> None:
    """Show how many must not be mailed, by reason. Names are not kept, so none are shown.

    Example: newsletter suppress list
    """
    project = Project.here()
    ledger = project.ledger(create=True)
    counts = ledger.suppressions.counts()
    ledger.close()
    for reason, count in counts.items():
        say(f"{reason}: {people(count)}")
    if not counts:
        say("Nobody.")


@subscribers.command("check")
def check(
    file: Annotated[
        Path | None, typer.Argument(help="The list. Default: newsletter.toml's.")
    ] = None,
) -> None:
    """Look the list over: every row that cannot be used, and why. Exit 2 if there are any.

    Example: newsletter subscribers check subscribers.csv
    """
    roster = Project.here().roster(file)
    say(f"{roster.file}: {roster.rows:,} rows, {people(len(roster.subscribers))} to mail.")
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
