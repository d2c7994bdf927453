"""Where everybody's mail is: the account of a campaign, and of a run that is at work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from newsletter.errors import ExitCode, InputError
from newsletter.ledger.states import State
from newsletter.project.project import Project

if TYPE_CHECKING:
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.controls import Control
    from newsletter.ledger.ledger import Ledger
    from newsletter.ledger.reading import DeliveryRow
    from newsletter.ledger.runs import RunRecord
    from newsletter.ledger.tally import Tally
    from newsletter.ledger.versions import Version

_GONE_AFTER = timedelta(seconds=10)
"""A run that was not seen for so long is gone; it shows itself every two seconds or so."""
_SNAPSHOT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class CampaignStatus:
    """What people decided about a campaign, and what its runs did.

    Attributes:
        at: when this was read.
        control: its times, its wave and whether it is held.
        versions: of its editions, oldest first.
        untried: how many wait for their first attempt.
        last_run: its latest run; None before the first.
        at_work: whether that run goes on, as far as the ledger shows.
    """

    at: datetime
    control: Control
    versions: tuple[Version, ...]
    untried: int
    last_run: RunRecord | None
    at_work: bool


@dataclass(frozen=True, slots=True)
class Account:
    """Where the mail of everybody in a campaign is.

    Attributes:
        campaign: which.
        trial: whether it reached nobody.
        tally: how many are in which state.
        in_doubt: of whom nobody knows whether the server took the message.
        orphans: whom a run that died was handing over; in doubt from the next run on.
        refused: who was refused or given up.
        next_due: when the next one may be tried, if all who wait were deferred.
        status: None where only the numbers were asked for.
    """

    campaign: Campaign
    trial: bool
    tally: Tally
    in_doubt: tuple[DeliveryRow, ...]
    orphans: tuple[DeliveryRow, ...]
    refused: tuple[DeliveryRow, ...]
    next_due: datetime | None
    status: CampaignStatus | None

    @property
    def at_work(self) -> bool:
        """Whether a run is at work on it."""
        return self.status is not None and self.status.at_work


def accounts(project: Project, issue: str) -> list[Account]:
    """The accounts of an issue's campaigns, when no run is at work on them.

    Raises:
        InputError: it was never sent, or does not exist.
    """
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return [account_of(ledger, each) for each in campaigns_of(project, ledger, issue)]


def earlier_accounts(project: Project, issue: str) -> list[Account]:
    """As :func:`accounts`, of an issue that may never have been sent."""
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return [account_of(ledger, each) for each in ledger.campaigns.of_issue(issue)]


def status(project: Project, issue: str = "") -> list[Account]:
    """The accounts of an issue's campaigns, or of all, and how they stand. Changes nothing.

    Raises:
        InputError: it was never sent, or does not exist.
        LedgerRefused: this folder lost its ledger.
    """
    project.refuse_without_ledger()
    if not issue and not project.has_ledger:
        return []
    now = project.clock.now()
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return [account_of(ledger, each, now=now) for each in _wanted(project, ledger, issue)]


def account_of(ledger: Ledger, campaign: Campaign, *, now: datetime | None = None) -> Account:
    """The account of a campaign.

    Args:
        ledger: open.
        campaign: which.
        now: the time, to tell how the campaign stands as well. Without it no run
            is taken to be at work: the caller has just ended it.
    """
    tally = ledger.campaigns.tally(campaign)
    status = None if now is None else _status(ledger, campaign, now)
    rows = ledger.deliveries.of
    idle = status is None or not status.at_work
    queued = tally[State.PENDING] or tally[State.CLAIMED] or tally[State.ATTEMPTING]
    return Account(
        campaign=campaign,
        trial=ledger.runs.is_trial(campaign.id),
        tally=tally,
        in_doubt=rows(campaign.id, State.IN_DOUBT),
        orphans=rows(campaign.id, State.ATTEMPTING) if idle else (),
        refused=rows(campaign.id, State.REJECTED, State.EXPIRED),
        next_due=None if queued else ledger.deliveries.next_due(campaign.id),
        status=status,
    )


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code for several campaigns: untrue numbers, then work left, then doubts."""
    given = set(codes)
    gravest = (ExitCode.LEDGER_REFUSES, ExitCode.TRANSPORT_STOPPED, ExitCode.IN_DOUBT)
    return next((code for code in gravest if code in given), ExitCode.DONE)


def campaigns_of(project: Project, ledger: Ledger, issue: str) -> tuple[Campaign, ...]:
    """The campaigns of an issue, oldest first.

    Raises:
        InputError: it was never sent, or does not exist.
    """
    campaigns = ledger.campaigns.of_issue(issue)
    if not campaigns:
        project.issue_file(issue)
        raise InputError(
            f"Issue “{issue}” has not been sent from here.",
            next=f"To send it: newsletter send {issue}",
        )
    return campaigns


def unfinished(ledger: Ledger, campaign: Campaign) -> bool:
    """Whether a run has something left to do, be it to settle what a dead one left."""
    tally = ledger.campaigns.tally(campaign)
    return bool(tally.open or tally[State.ATTEMPTING])


def last_run(ledger: Ledger, campaign: Campaign) -> RunRecord | None:
    """The campaign's latest run."""
    runs = ledger.runs.of(campaign.id)
    return runs[-1] if runs else None


def is_alive(run: RunRecord | None, *, now: datetime) -> bool:
    """Whether a run goes on, as far as the ledger shows."""
    return run is not None and run.ended_at is None and now - run.seen_at < _GONE_AFTER


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """The state of a run at one moment.

    Attributes:
        at: when.
        campaign: what the run works on.
        run: the run.
        tally: how many are in which state.
        due: when the next one may be tried, if all who wait were deferred.
        over: whether the run has ended; true of the last snapshot alone.
    """

    at: datetime
    campaign: Campaign
    run: RunRecord
    tally: Tally
    due: datetime | None
    over: bool = False

    @property
    def done(self) -> int:
        """How many have an end, be it a doubt."""
        return self.tally.settled + self.tally[State.IN_DOUBT]


def watch(project: Project, issue: str = "") -> Iterator[RunSnapshot]:
    """The runs at work, about every second until they are over.

    Yields nothing if no run is at work.

    Raises:
        InputError: the issue was never sent, or does not exist.
    """
    if not issue and not project.has_ledger:
        return
    with closing(project.ledger(create=False, follow=False)) as ledger:
        campaigns = _wanted(project, ledger, issue)
        seen = None
        while snapshot := _run_snapshot(ledger, campaigns, project.clock.now()):
            seen = snapshot
            yield snapshot
            project.clock.sleep(_SNAPSHOT_EVERY_S)
        if seen is not None:
            run = last_run(ledger, seen.campaign) or seen.run
            yield RunSnapshot(seen.at, seen.campaign, run, seen.tally, None, over=True)


def _wanted(project: Project, ledger: Ledger, issue: str) -> tuple[Campaign, ...]:
    return campaigns_of(project, ledger, issue) if issue else ledger.campaigns.all()


def _status(ledger: Ledger, campaign: Campaign, now: datetime) -> CampaignStatus:
    run = last_run(ledger, campaign)
    return CampaignStatus(
        at=now,
        control=ledger.controls.of(campaign.id),
        versions=ledger.controls.versions(campaign.id),
        untried=ledger.deliveries.untried(campaign.id),
        last_run=run,
        at_work=is_alive(run, now=now),
    )


def _run_snapshot(
    ledger: Ledger, campaigns: Iterable[Campaign], now: datetime
) -> RunSnapshot | None:
    """Of the campaign that a run is at work on; None: there is none."""
    for campaign in campaigns:
        run = last_run(ledger, campaign)
        if run is not None and is_alive(run, now=now):
            tally = ledger.campaigns.tally(campaign)
            queued = tally[State.CLAIMED] or tally[State.ATTEMPTING]
            due = None if queued else ledger.deliveries.next_due(campaign.id)
            return RunSnapshot(now, campaign, run, tally, due)
    return None
