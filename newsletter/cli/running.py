"""Frozen campaigns sent from a terminal: waiting for their time, progress, and the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import typer

from newsletter.cli.accounts import show_accounts
from newsletter.cli.asking import confirmed
from newsletter.cli.events import show_events
from newsletter.cli.news import show_news
from newsletter.cli.output import say, tell
from newsletter.cli.progress import Watch
from newsletter.cli.waiting import wait_until
from newsletter.errors import ExitCode
from newsletter.phrases import moment
from newsletter.project import Project
from newsletter.project.account import accounts, worst
from newsletter.project.events import hear_at_a_send
from newsletter.project.resume import Unfinished, lift_holds, ready
from newsletter.project.send import RunResult, run_campaign
from newsletter.project.sync import read_before_send
from newsletter.project.transport import open_transport

if TYPE_CHECKING:
    from newsletter.ledger.campaigns import Campaign
    from newsletter.transports.protocol import Transport


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a send goes on.

    Attributes:
        lifts: whether a hold may be lifted: by a person who types it, or by ``--yes``.
        asks: whether there is somebody to ask.
        as_frozen: although the files changed meanwhile.
        late: although it is too late.
        patient: wait for another send to end, since nobody is there to try again.
        without_log: although the public log cannot be read.
        wait_minutes: how long to stay for deferred recipients; None: newsletter.toml's.
    """

    lifts: bool = False
    asks: bool = False
    as_frozen: bool = False
    late: bool = False
    patient: bool = False
    without_log: bool = False
    wait_minutes: float | None = None

    @property
    def unattended(self) -> Terms:
        """The terms at the appointed time: what was approved goes out, and a hold holds."""
        return replace(self, lifts=False, asks=False, as_frozen=True, late=False, patient=True)


def go_on(project: Project, issue: str, terms: Terms) -> ExitCode:
    """Work off what an issue's campaigns left, at its time.

    The lock is not held while the time is waited for, so that the issue can be
    paused or corrected till then; everything is looked at again afterwards.

    Raises:
        NewsletterError: why it does not go on.
        typer.Exit: it stays held, or the waiting was broken off.
    """
    while True:
        with project.lock(on_wait=_tell_wait if terms.patient else None) as check_lock:
            waiting = ready(project, issue, as_frozen=terms.as_frozen, late=terms.late)
            if not waiting:
                say("Nobody is waiting, so nothing was sent.", style="bold")
                return show_accounts(accounts(project, issue))
            _lift(project, waiting, terms)
            begins_at = max((each.begins_at for each in waiting if each.begins_at), default=None)
            if begins_at is None or begins_at <= project.clock.now():
                show_news(read_before_send(project, required=not terms.without_log))
                with closing(open_transport(project)) as transport:
                    campaigns = [each.campaign for each in waiting]
                    return work_off(project, campaigns, transport, terms, check_lock=check_lock)
        wait_until(begins_at, issue=issue, clock=project.clock)
        terms = terms.unattended


def work_off(
    project: Project,
    campaigns: Sequence[Campaign],
    transport: Transport,
    terms: Terms,
    *,
    check_lock: Callable[[], None],
) -> ExitCode:
    """Send, account, and say where the mails are; the caller holds the lock.

    Raises:
        NewsletterError: why a run stopped; its account has been printed.
    """
    show_events(hear_at_a_send(project, None))
    codes = [
        _show(
            run_campaign(
                project,
                campaign,
                transport,
                Watch(),
                wait_minutes=terms.wait_minutes,
                check_lock=check_lock,
            )
        )
        for campaign in campaigns
    ]
    show_events(hear_at_a_send(project, transport))
    if project.trial:
        say("Nothing of a trial is remembered outside this folder.")
    if project.settings.delivery.transport == "mailbox":
        say(f"Each mail is a file in {project.mails}; open one with a mail program.")
    return worst(codes)


def _show(result: RunResult) -> ExitCode:
    """Print what came of a run.

    Raises:
        NewsletterError: why it failed.
    """
    if result.ending is not None:
        for note in result.ending.notes:
            tell(note, lead="Domain waits: ", lead_style="yellow")
        if result.ending.how == "paused":
            tell(result.ending.words, lead="Held: ", lead_style="yellow")
    for notice in result.notices:
        say(notice, style="yellow")
    if result.log_account:
        say(result.log_account, style="yellow")
    code = show_accounts([result.account] if result.account else [])
    if result.failure is not None:
        raise result.failure
    return code


def _tell_wait() -> None:
    say("Another send is running here; this one begins after it.")


def _lift(project: Project, waiting: Iterable[Unfinished], terms: Terms) -> None:
    """Take holds back, if the terms allow it; a stop for a reason is told before.

    Raises:
        typer.Exit: it stays held.
    """
    for each in waiting:
        if each.clock_behind:
            say(f"The clock of this machine shows {moment(project.clock.now())}, which is "
                f"before this send began ({moment(each.campaign.frozen_at)}). Was it set "
                "back? Mails are dated by it.", style="yellow")  # fmt: skip
        if each.held:
            _agree(each, each.held, terms)
    lift_holds(project, waiting)
    for each in waiting:
        if each.held:
            say(
                "The pause is over; the send continues."
                if each.paused
                else "It goes on by your word."
            )


def _agree(each: Unfinished, held: str, terms: Terms) -> None:
    """Make sure that a hold may be lifted.

    Raises:
        typer.Exit: it may not.
    """
    if not each.paused or not terms.lifts:
        tell(held, lead="Held: ", lead_style="bold yellow")
    if not terms.lifts or (terms.asks and not each.paused and not confirmed("Go on anyway?")):
        say(f"It stays held, and nothing was sent. To go on: newsletter resume "
            f"{each.campaign.issue}{'' if terms.asks else ' --yes'}")  # fmt: skip
        raise typer.Exit(ExitCode.TRANSPORT_STOPPED)
