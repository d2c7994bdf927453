"""What the person at the keyboard reads: errors, findings, plans and tallies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from newsletter.checks.finding import Finding, Severity
from newsletter.delivery.plan import Exclusion, Plan
from newsletter.delivery.states import State
from newsletter.delivery.tally import Tally
from newsletter.errors import NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.delivery.ledger.deliveries import Held

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_EXCLUSIONS = {
    Exclusion.REFUSED: "rows hold no usable address",
    Exclusion.REPEATED: "rows repeat an address that stands further up",
    Exclusion.SUPPRESSED: "left the list, complained, or their mailbox is gone",
    Exclusion.HAS_IT: "have this issue already, or may have it",
    Exclusion.BEYOND_LIMIT: "wait for a later send (--limit)",
}
_STATES = {
    State.ACCEPTED: ("accepted by the next hop", "green"),
    State.PENDING: ("not attempted yet", "yellow"),
    State.CLAIMED: ("taken up by a run", "yellow"),
    State.ATTEMPTING: ("being handed over now", "yellow"),
    State.DEFERRED: ("asked us to come back later", "yellow"),
    State.REJECTED: ("refused for good", "red"),
    State.IN_DOUBT: ("in doubt: they may have it", "red"),
    State.SUPPRESSED: ("left before their turn; not mailed", "dim"),
    State.EXPIRED: ("given up after too many delays", "red"),
}
_SEVERITIES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def people(count: int) -> str:
    """``1 person``, ``12 people``."""
    return "1 person" if count == 1 else f"{count:,} people"


def say(text: str, *, style: str = "") -> None:
    """Print a sentence."""
    out.print(escape(text), style=style, soft_wrap=True)


def say_error(error: NewsletterError) -> None:
    """Print an error: what, where, what next."""
    err.print(f"[bold red]Stopped:[/] {escape(error.what)}", soft_wrap=True)
    place = str(error.where)
    if place:
        err.print(f"  [dim]Where:[/] {escape(place)}", soft_wrap=True)
    say_problems(error.problems, to=err)
    if error.next:
        err.print(f"  [dim]Next:[/]  {escape(error.next)}", soft_wrap=True)


def say_problems(problems: Iterable[Problem], *, to: Console = out) -> None:
    """Print problems, one a line."""
    for problem in problems:
        to.print(f"  • {escape(str(problem))}", soft_wrap=True)


def show_findings(findings: Iterable[Finding]) -> None:
    """Print what the checks found, and how to mend it."""
    for finding in findings:
        colour = _SEVERITIES[finding.severity]
        place = str(finding.where)
        out.print(
            f"[{colour}]{finding.severity}[/] [dim]{finding.id}[/]  {escape(finding.what)}",
            soft_wrap=True,
        )
        if place:
            out.print(f"    [dim]where[/]  {escape(place)}", soft_wrap=True)
        out.print(f"    [dim]why[/]    {escape(finding.why)}", soft_wrap=True)
        out.print(f"    [dim]mend[/]   {escape(finding.mend)}", soft_wrap=True)


def show_plan(plan: Plan, *, subject: str, way: str, folder: str) -> None:
    """Print who gets the issue, who does not, and why."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Issue", escape(plan.issue))
    table.add_row("Subject", escape(subject))
    table.add_row("Way", escape(f"{way}{folder}"))
    table.add_row("List", f"{plan.listed:,} rows")
    languages = ", ".join(f"{count:,} in {name}" for name, count in sorted(plan.languages.items()))
    mailed = f"[bold]{people(len(plan.recipients))}[/]"
    table.add_row("Will get it", mailed + (f" ({languages})" if languages else ""))
    for reason, count in plan.excluded.items():
        table.add_row("Will not", f"{count:,} {_EXCLUSIONS[reason]}")
    out.print(table)


def show_tally(tally: Tally, *, title: str, excluded: Mapping[str, int]) -> None:
    """Print where everybody's mail is, and whether the numbers add up."""
    out.print(f"[bold]{escape(title)}[/]")
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    for state, (words, colour) in _STATES.items():
        if tally[state]:
            table.add_row(f"[{colour}]{tally[state]:,}[/]", words)
    table.add_row(f"[bold]{tally.planned:,}[/]", "planned")
    out.print(table)
    if tally.adds_up:
        terms = " + ".join(f"{tally[state]:,}" for state in _STATES if tally[state])
        out.print(f"The numbers add up: {tally.planned:,} planned = {terms or '0'}.")
    else:
        out.print("[bold red]The numbers do not add up.[/] Do not send; see docs/ledger.md.")
    if excluded:
        reasons = "; ".join(
            f"{count:,} {_EXCLUSIONS[Exclusion(reason)]}" for reason, count in excluded.items()
        )
        out.print(f"[dim]Of the list, left out when it was planned: {reasons}.[/]")


def show_held(held: Iterable[Held], *, title: str) -> None:
    """Print single people and what is known of their mail."""
    out.print(f"[bold]{escape(title)}[/]")
    table = Table(box=None, padding=(0, 2))
    for column in ("address", "since (UTC)", "attempts", "what is known"):
        table.add_column(column, overflow="fold")
    for row in held:
        table.add_row(
            escape(row.address), moment(row.changed_at), str(row.attempts), escape(row.reply)
        )
    out.print(table)


def moment(at: datetime) -> str:
    """``2017-03-31 09:00``."""
    return at.strftime("%Y-%m-%d %H:%M")
