"""How a campaign stands: held or scheduled, its versions, its last run, and what to do next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from newsletter.cli.output import moment, people, tell
from newsletter.ledger.states import State

if TYPE_CHECKING:
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.runs import RunRecord
    from newsletter.ledger.tally import Tally
    from newsletter.ledger.versions import Version

GONE_AFTER = timedelta(seconds=10)
"""A run that was not seen for so long is gone; it shows itself every two seconds or so."""


def last_run(ledger: Ledger, campaign: Campaign) -> RunRecord | None:
    """The campaign's latest run."""
    runs = ledger.runs.of(campaign.id)
    return runs[-1] if runs else None


def is_alive(run: RunRecord | None, *, now: datetime) -> bool:
    """Whether a run goes on, as far as the ledger shows."""
    return run is not None and run.ended_at is None and now - run.seen_at < GONE_AFTER


def show_standing(ledger: Ledger, campaign: Campaign, tally: Tally, *, now: datetime) -> None:
    """Print what a person decided about a campaign, and how its last run ended."""
    control = ledger.controls.of(campaign.id)
    versions = ledger.controls.versions(campaign.id)
    if len(versions) > 1:
        _show_versions(versions, ledger.deliveries.untried(campaign.id))
    if tally.open:
        if now < control.not_before and control.not_before > campaign.frozen_at:
            tell(f"it begins on {moment(control.not_before)}.", lead="Scheduled: ")
        if now > control.not_after:
            tell(f"it was to be over by {moment(control.not_after)}.", lead="Too late: ",
                 lead_style="yellow")  # fmt: skip
        if control.held:
            tell(control.held, lead="Held: ", lead_style="yellow")
    run = last_run(ledger, campaign)
    if run is None:
        return
    if run.ended_at is not None:
        ending = f": {run.ending}" if run.ending else ""
        tell(f"ended {moment(run.ended_at)}{ending}", lead="Last run: ")
    elif not is_alive(run, now=now):
        tell(f"gone without a word; last seen {moment(run.seen_at)}.", lead="Last run: ")


def what_next(
    ledger: Ledger, campaign: Campaign, tally: Tally, *, now: datetime | None
) -> str | None:
    """What to do about a campaign that is not complete; None if no run has anything to do."""
    issue = campaign.issue
    if now is not None and is_alive(last_run(ledger, campaign), now=now):
        return f"A run is at work on it now. To watch it: newsletter status {issue} --watch"
    if not tally.open and not tally[State.ATTEMPTING]:
        return None
    due = None
    if not (tally[State.PENDING] or tally[State.CLAIMED] or tally[State.ATTEMPTING]):
        due = ledger.deliveries.next_due(campaign.id)
    time = f", from {moment(due)} on" if due else ""
    return f"To go on{time}: newsletter resume {issue}"


def _show_versions(versions: tuple[Version, ...], waiting: int) -> None:
    """Print who was attempted with which, and that the rest get the latest."""
    for version in versions:
        made = "as first frozen" if version is versions[0] else f"of {moment(version.made_at)}"
        rest = f", {people(waiting)} to come" if waiting and version is versions[-1] else ""
        tell(f"{made}; {people(version.attempted)} attempted{rest}",
             lead=f"Version {version.number}: ")  # fmt: skip
