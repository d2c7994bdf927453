"""Pausing a send, setting its time, and what must hold before it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from newsletter.errors import LedgerRefused, Where
from newsletter.ledger.controls import Hold
from newsletter.log import note
from newsletter.phrases import duration, moment
from newsletter.project.account import campaigns_of, is_alive, last_run, unfinished
from newsletter.project.project import Project

if TYPE_CHECKING:
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.controls import Control
    from newsletter.ledger.ledger import Ledger

_LOOK_S = 0.2
_ENDS_WITHIN = timedelta(seconds=15)
"""How long to watch a paused run end; one that waits for an answer may take longer."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A campaign that a run has something left to do for.

    Attributes:
        campaign: which.
        waiting: how many wait to be mailed.
        held: why nothing of it is attempted; None if it is not held.
        paused: whether it is held by a person's pause alone.
        begins_at: the time that was set for it; None: it waits for none.
        clock_behind: whether this machine's clock is before the campaign's freeze.
    """

    campaign: Campaign
    waiting: int
    held: str | None
    paused: bool
    begins_at: datetime | None
    clock_behind: bool


def pause(project: Project, issue: str) -> list[Unfinished]:
    """Let nothing more of an issue's campaigns be attempted, in whatever process.

    Returns:
        What is held now; nothing if nobody waits.

    Raises:
        InputError: the issue was never sent, or does not exist.
        LedgerRefused: this ledger is not the list's.
    """
    with closing(project.ledger(create=False)) as ledger:
        project.refuse_old(ledger)  # held here, a send from the original would go on
        waiting = _unfinished(project, ledger, issue)
        hold = Hold("Paused by a person.", by_person=True)
        with ledger.transaction():
            for each in waiting:
                ledger.controls.hold(each.campaign.id, hold)
    for each in waiting:
        note("campaign held", campaign=each.campaign.id)
    return waiting


def see_runs_end(project: Project, waiting: Sequence[Unfinished]) -> bool | None:
    """Wait a little for the runs at work to end.

    Returns:
        Whether they did; None: none was at work.
    """
    with closing(project.ledger(create=False, follow=False)) as ledger:

        def at_work() -> bool:
            now = project.clock.now()
            return any(is_alive(last_run(ledger, each.campaign), now=now) for each in waiting)

        if not at_work():
            return None
        until = project.clock.now() + _ENDS_WITHIN
        while at_work() and project.clock.now() < until:
            project.clock.sleep(_LOOK_S)
        return not at_work()


def begin_at(project: Project, issue: str, at: datetime) -> list[Unfinished]:
    """Let what is unfinished begin, or go on, at another time. The caller holds the lock.

    Raises:
        InputError: the issue was never sent, or does not exist.
    """
    with closing(project.sound_ledger()) as ledger:
        waiting = _unfinished(project, ledger, issue)
        with ledger.transaction():
            for each in waiting:
                ledger.controls.begin_at(each.campaign.id, at, at + _allowance(project))
    return waiting


def ready(project: Project, issue: str, *, as_frozen: bool, late: bool) -> list[Unfinished]:
    """What of an issue may go on; held campaigns too. The caller holds the lock.

    Args:
        project: the project.
        issue: its id.
        as_frozen: whether it may go on although its files changed.
        late: whether it may go on although it is too late; then it gets more time.

    Returns:
        Nothing if nobody waits.

    Raises:
        InputError: the issue was never sent, or does not exist.
        LedgerRefused: it must not go on; says why.
    """
    with closing(project.sound_ledger()) as ledger:
        project.refuse_old(ledger)
        waiting = _unfinished(project, ledger, issue)
        _refuse_mixed(project, ledger, waiting)
        if waiting and not as_frozen:
            _refuse_changed(project, ledger, issue, waiting)
        for each in waiting:
            _refuse_late(project, ledger, each.campaign, late=late)
    return waiting


def lift_holds(project: Project, waiting: Iterable[Unfinished]) -> None:
    """Lift every hold; a person's word."""
    held = [each.campaign for each in waiting if each.held]
    if not held:
        return
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        for campaign in held:
            ledger.controls.go_on(campaign.id)
    for campaign in held:
        note("campaign released", campaign=campaign.id)


def _unfinished(project: Project, ledger: Ledger, issue: str) -> list[Unfinished]:
    now = project.clock.now()
    return [
        _unfinished_campaign(ledger, campaign, now)
        for campaign in campaigns_of(project, ledger, issue)
        if unfinished(ledger, campaign)
    ]


def _unfinished_campaign(ledger: Ledger, campaign: Campaign, now: datetime) -> Unfinished:
    control = ledger.controls.of(campaign.id)
    # One that was to begin at once waits for nothing, even if the clock was set back
    # behind the freeze.
    scheduled = control.not_before > campaign.frozen_at
    return Unfinished(
        campaign,
        waiting=ledger.campaigns.tally(campaign).open,
        held=control.held,
        paused=bool(control.holds) and all(hold.by_person for hold in control.holds),
        begins_at=control.not_before if scheduled else None,
        clock_behind=now < campaign.frozen_at,
    )


def _refuse_mixed(project: Project, ledger: Ledger, waiting: Iterable[Unfinished]) -> None:
    """Keep trials and sends apart: in one account, nobody could tell whom it reached.

    Raises:
        LedgerRefused: one would become the other.
    """
    left = set(ledger.runs.campaigns_that_left())
    for each in waiting:
        campaign = each.campaign
        if not project.trial and ledger.runs.is_trial(campaign.id):
            raise LedgerRefused(
                "This send has been a trial so far: its accepted recipients got "
                "nothing, and would be missed if the rest were mailed.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Finish the trial with the settings that it began with: newsletter "
                f"resume {campaign.issue}. Then mail everybody: newsletter send "
                f"{campaign.issue} --again",
            )
        if project.trial and campaign.id in left:
            raise LedgerRefused(
                "Some mails of this send reached readers. With these settings the "
                "others would reach nobody, and count as accepted.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Restore the settings that it began with: set the transport again, "
                "or remove trial = true.",
            )


def _refuse_changed(
    project: Project, ledger: Ledger, issue: str, waiting: Iterable[Unfinished]
) -> None:
    """What was frozen is what goes out; say so when the files tell something else."""
    # Imported late: what goes on as it was frozen compiles nothing.
    from newsletter.ledger.versions import fingerprint
    from newsletter.project.compile import compile_issue
    from newsletter.project.compose import letterhead

    now = fingerprint(compile_issue(project, issue).editions, letterhead(project.settings))
    for each in waiting:
        if ledger.controls.versions(each.campaign.id)[-1].fingerprint != now:
            raise LedgerRefused(
                "The issue, theme or settings changed since this send began, so "
                "readers would get different mails.",
                where=Where(item=f"campaign {each.campaign.id}"),
                next="Undo the change, or send the frozen version: newsletter resume "
                f"{issue} --as-frozen. To send the new one to recipients not "
                f"attempted yet: newsletter correct {issue}",
            )


def _refuse_late(project: Project, ledger: Ledger, campaign: Campaign, *, late: bool) -> None:
    """Refuse a send that is too old, unless it is to go out ``late``: then it gets more time.

    Raises:
        LedgerRefused: it is too late.
    """
    now = project.clock.now()
    control = ledger.controls.of(campaign.id)
    if now <= control.not_after:
        return
    if not late:
        raise _too_late(campaign, control, now)
    with ledger.transaction():
        ledger.controls.allow_until(campaign.id, now + _allowance(project))


def _too_late(campaign: Campaign, control: Control, now: datetime) -> LedgerRefused:
    began = control.not_before
    age = duration((now - began).total_seconds()).removeprefix("about ")
    return LedgerRefused(
        f"This send is {age} old: it was to begin on {moment(began)} and to be over by "
        f"{moment(control.not_after)}. Its news may be stale.",
        where=Where(item=f"campaign {campaign.id}"),
        next=f"To send it anyway: newsletter resume {campaign.issue} --late",
    )


def _allowance(project: Project) -> timedelta:
    return timedelta(hours=project.settings.delivery.late_after_hours)
