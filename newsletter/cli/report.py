"""``report``: what became of a send, on the terminal, as a page, and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import IssueName
from newsletter.cli.output import say, show_counts, show_table
from newsletter.errors import InputError
from newsletter.phrases import count, duration, moment, people
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.report.figures import Figures, Share


def report(
    issue: IssueName,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one web page.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line for each recipient.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures for scripts.")
    ] = None,
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Name recipients by address in the CSV file.")
    ] = False,
) -> None:
    """Show the result of a send: states, refusals, doubts, and how long it took.

    Without --addresses it holds no address. Changes nothing; the exit code
    is that of the send.

    Example: newsletter report 2017-03 --html report.html
    """
    if addresses and csv is None:
        raise InputError(
            "Only the CSV can hold addresses.",
            next="Add --csv FILE, or leave --addresses out.",
        )
    from newsletter.cli.news import show_reasons
    from newsletter.project import report as reports
    from newsletter.project.account import worst
    from newsletter.project.suppress import reasons_given

    files = reports.ReportFiles(html, csv, json, addresses=addresses)
    project = Project.here()
    issue = project.issue_id(issue)
    figures = reports.report(project, issue, files)
    for number, each in enumerate(figures):
        if number:
            say("")
        _show(each)
    show_reasons([each for each in reasons_given(project) if each.issue == issue])
    for path in files.paths:
        say(f"Written: {path}")
    raise typer.Exit(worst(each.tally.exit_code for each in figures))


def _show(figures: Figures) -> None:
    from newsletter.report.words import EVENTS, STATES, TRIAL, ended, identity

    tally = figures.tally
    say(f"Campaign {figures.campaign.id}, begun {moment(figures.campaign.frozen_at)}", style="bold")
    if figures.trial:
        say(TRIAL)
    there = [state for state in STATES if tally[state]]
    show_counts([*((tally[state], STATES[state], "") for state in there),
                 (tally.planned, "planned", "bold")])  # fmt: skip
    say(f"{identity(tally)}.")
    if figures.began_at is not None:
        say(f"The first answer came {moment(figures.began_at)}, the last one "
            f"{duration(figures.took.total_seconds())} later.")  # fmt: skip
    _table("Why some will not get it", "reason", figures.reasons)
    _table("Where they are", "domain", figures.domains)
    _table("Why some are deferred", "reason", figures.waiting)
    _table("Why some are in doubt", "what happened", figures.doubts)
    if figures.settled_doubts:
        say(f"{count(figures.settled_doubts, 'doubt')} settled.")
    if len(figures.attempts) > 1:
        tries = (f"{people(number)} after {count(n, 'attempt')}"
                 for n, number in figures.attempts.items())  # fmt: skip
        say(f"Accepted: {'; '.join(tries)}.")
    if len(figures.versions) > 1:
        got = (f"version {n}: {people(number)}" for n, number in figures.versions.items())
        say(f"Corrected during the send; {'; '.join(got)}.")
    for kind, number in figures.events.items():
        say(f"Learned later: {number:,} {EVENTS.get(kind, kind)}.")
    say(ended(tally), style="bold")


def _table(title: str, head: str, shares: Iterable[Share]) -> None:
    rows = [(f"{share.count:,}", f"{share.count / share.of:.1%}", share.label) for share in shares]
    if rows:
        say(f"{title}:")
        show_table(("people", "share", head), rows)
