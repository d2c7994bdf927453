"""``report``: what became of a send, on the terminal, as a page, and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import sent, worst
from newsletter.cli.looking import IssueName
from newsletter.cli.output import count, duration, moment, people, say, show_counts, show_table
from newsletter.cli.wiring import Project
from newsletter.cli.writing import refuse_own, write_private
from newsletter.errors import InputError
from newsletter.ledger.states import State

if TYPE_CHECKING:
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.statement import Line
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
        Path | None, typer.Option(metavar="FILE", help="Write the figures for programs.")
    ] = None,
    addresses: Annotated[
        bool, typer.Option("--addresses", help="Name recipients by their addresses in the CSV.")
    ] = False,
) -> None:
    """Show what became of a send: progress, refusals by reason and domain, doubt, time.

    No address is in it unless you ask for them. Changes nothing; the exit code
    is that of the send.

    Example: newsletter report 2017-03 --html report.html
    """
    if addresses and csv is None:
        raise InputError(
            "Only the CSV can hold addresses.",
            next="Say --csv FILE beside --addresses, or leave it out.",
        )
    project = Project.here()
    issue = project.issue_id(issue)
    for path in (html, csv, json):
        if path is not None:
            refuse_own(project, path)
    with closing(project.ledger(create=False, follow=False)) as ledger:
        campaigns = sent(project, ledger, issue)
        figures = [_figures(ledger, campaign) for campaign in campaigns]
        if csv is not None:
            lines = _csv(project, ledger, campaigns, addresses=addresses)
            write_private(project, csv, (line.encode() for line in lines))
    _write_figures(project, issue, figures, html=html, json=json)
    for number, each in enumerate(figures):
        if number:
            say("")
        _show(each)
    for path in (html, csv, json):
        if path is not None:
            say(f"Written: {path}")
    raise typer.Exit(worst({each.tally.exit_code for each in figures}))


def _write_figures(
    project: Project,
    issue: str,
    figures: Sequence[Figures],
    *,
    html: Path | None,
    json: Path | None,
) -> None:
    if json is not None:
        from newsletter.report.export import as_json

        write_private(project, json, [as_json(figures, issue=issue).encode()])
    if html is not None:
        from newsletter.report.page import page

        written = page(figures, title=_title(project, issue), made_at=project.clock.now())
        write_private(project, html, [written.encode()])


def _figures(ledger: Ledger, campaign: Campaign) -> Figures:
    from newsletter.report.figures import (
        REFUSED,
        Figures,
        by_domain,
        by_reason,
        points_of,
        span_for,
    )

    statement = ledger.statement
    span = statement.span(campaign.id)
    span_s = span_for(*span) if span else 1
    refused = statement.told(campaign.id, *REFUSED)
    return Figures(
        campaign=campaign,
        trial=ledger.runs.is_trial(campaign.id),
        tally=ledger.campaigns.tally(campaign),
        runs=ledger.runs.of(campaign.id),
        points=points_of(statement.moments(campaign.id, span_s=span_s), span_s),
        span_s=span_s,
        reasons=by_reason(refused),
        domains=by_domain(refused, statement.domains(campaign.id)),
        waiting=by_reason(statement.told(campaign.id, State.DEFERRED)),
        doubts=by_reason(statement.told(campaign.id, State.IN_DOUBT)),
        settled_doubts=statement.settled_doubts(campaign.id),
        attempts=statement.attempts(campaign.id),
        versions=statement.versions(campaign.id),
        events=statement.events(campaign.id),
    )


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
    _table("Why some are put off", "reason", figures.waiting)
    _table("Why some are in doubt", "what happened", figures.doubts)
    if figures.settled_doubts:
        say(f"{count(figures.settled_doubts, 'doubt')} settled.")
    if len(figures.attempts) > 1:
        tries = (f"{people(number)} after {count(n, 'attempt')}"
                 for n, number in figures.attempts.items())  # fmt: skip
        say(f"Accepted: {'; '.join(tries)}.")
    if len(figures.versions) > 1:
        got = (f"version {n}: {people(number)}" for n, number in figures.versions.items())
        say(f"Corrected while it was sent; {'; '.join(got)}.")
    for kind, number in figures.events.items():
        say(f"Learned later: {number:,} {EVENTS.get(kind, kind)}.")
    say(ended(tally), style="bold")


def _table(title: str, head: str, shares: Iterable[Share]) -> None:
    rows = [(f"{share.count:,}", f"{share.count / share.of:.1%}", share.label) for share in shares]
    if rows:
        say(f"{title}:")
        show_table(("people", "share", head), rows)


def _csv(
    project: Project, ledger: Ledger, campaigns: Iterable[Campaign], *, addresses: bool
) -> Iterator[str]:
    from newsletter.addresses import Address
    from newsletter.report.export import csv_lines

    def tag(campaign: str, line: Line) -> str:
        local, _, domain = line.address.rpartition("@")
        return project.keys.message_tag(campaign, Address(local, domain))

    lines = chain.from_iterable(
        ((campaign.id, line) for line in ledger.statement.lines(campaign.id))
        for campaign in campaigns
    )
    return csv_lines(lines, name=None if addresses else tag)


def _title(project: Project, issue: str) -> str:
    return f"{project.settings.list.name}, issue {issue}"
