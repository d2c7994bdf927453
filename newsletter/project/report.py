"""What became of a send: its figures, and the files that tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.states import State
from newsletter.project.account import campaigns_of
from newsletter.project.project import Project
from newsletter.project.writing import refuse_own, write_private
from newsletter.report.export import as_json, csv_lines
from newsletter.report.figures import REFUSED, Figures, by_domain, by_reason, points_of, span_for
from newsletter.report.page import page

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where a report is written to, as a page, as a line a recipient, and for programs.

    ``addresses``: whether the lines name recipients by their addresses.
    """

    html: Path | None = None
    csv: Path | None = None
    json: Path | None = None
    addresses: bool = False

    @property
    def paths(self) -> list[Path]:
        """Those that are wanted."""
        return [path for path in (self.html, self.csv, self.json) if path is not None]


def report(project: Project, issue: str, files: ReportFiles | None = None) -> list[Figures]:
    """The figures of an issue's campaigns, oldest first. Writes ``files`` and nothing else.

    Raises:
        InputError: the issue was never sent, or a file must not be written there.
    """
    files = files or ReportFiles()
    for path in files.paths:
        refuse_own(project, path)
    with closing(project.ledger(create=False, follow=False)) as ledger:
        campaigns = campaigns_of(project, ledger, issue)
        figures = [_figures(ledger, campaign) for campaign in campaigns]
        if files.csv is not None:
            lines = _csv(ledger, campaigns, addresses=files.addresses)
            write_private(project, files.csv, (line.encode() for line in lines))
    if files.json is not None:
        write_private(project, files.json, [as_json(figures, issue=issue).encode()])
    if files.html is not None:
        title = f"{project.settings.list.name}, issue {issue}"
        written = page(figures, title=title, made_at=project.clock.now())
        write_private(project, files.html, [written.encode()])
    return figures


def _figures(ledger: Ledger, campaign: Campaign) -> Figures:
    queries = ledger.report
    span = queries.span(campaign.id)
    span_s = span_for(*span) if span else 1
    return Figures(
        campaign=campaign,
        trial=ledger.runs.is_trial(campaign.id),
        tally=ledger.campaigns.tally(campaign),
        runs=ledger.runs.of(campaign.id),
        points=points_of(queries.outcomes(campaign.id, span_s=span_s), span_s),
        span_s=span_s,
        reasons=by_reason(queries.replies(campaign.id, *REFUSED)),
        domains=by_domain(queries.domains_in(campaign.id, *REFUSED), queries.domains(campaign.id)),
        waiting=by_reason(queries.replies(campaign.id, State.DEFERRED)),
        doubts=by_reason(queries.replies(campaign.id, State.IN_DOUBT)),
        settled_doubts=queries.settled_doubts(campaign.id),
        attempts=queries.attempts(campaign.id),
        versions=queries.versions(campaign.id),
        events=queries.events(campaign.id),
    )


def _csv(ledger: Ledger, campaigns: Iterable[Campaign], *, addresses: bool) -> Iterator[str]:
    rows = chain.from_iterable(ledger.deliveries.all_of(campaign.id) for campaign in campaigns)
    return csv_lines(rows, addresses=addresses)
