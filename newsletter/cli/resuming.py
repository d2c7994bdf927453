"""``resume``: what must hold before a frozen send goes on, and the going on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import account, sent, unfinished, worst
from newsletter.cli.asking import confirmed
from newsletter.cli.looking import IssueName
from newsletter.cli.output import duration, moment, say, tell
from newsletter.cli.running import run_campaign
from newsletter.cli.waiting import wait_until
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, LedgerRefused, Where

if TYPE_CHECKING:
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.controls import Control
    from newsletter.transports.protocol import Transport

PAUSED = "Paused by a person."
"""Why a campaign is held that somebody paused; whoever resumes it takes that back."""

_LOOK_S = 1.0

WaitMinutes = Annotated[
    float | None,
    typer.Option(
        "--wait",
        min=0,
        max=1440,
        metavar="MINUTES",
        help="How long to stay for those put off. Default: newsletter.toml's.",
    ),
]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a send goes on.

    Attributes:
        lifts: whether a hold may be lifted: by a person who types it, or by ``--yes``.
        asks: whether there is somebody to ask.
        as_frozen: although the files changed meanwhile.
        late: although it is too late.
        patient: wait for another send to end, since nobody is there to try again.
        wait_minutes: how long to stay for those put off; None: newsletter.toml's.
    """

    lifts: bool = False
    asks: bool = False
    as_frozen: bool = False
    late: bool = False
    patient: bool = False
    wait_minutes: float | None = None

    @property
    def unattended(self) -> Terms:
        """The terms at the appointed time: what was approved goes out, and a hold holds."""
        return replace(self, lifts=False, asks=False, as_frozen=True, late=False, patient=True)


def resume(
    issue: IssueName,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask: go on, whatever it was held for.")
    ] = False,
    as_frozen: Annotated[
        bool,
        typer.Option(
            "--as-frozen", help="The issue was changed meanwhile: go on with what was frozen."
        ),
    ] = False,
    late: Annotated[
        bool, typer.Option("--late", help="Go on although the send is older than it should be.")
    ] = False,
    scheduled: Annotated[
        bool,
        typer.Option(
            "--scheduled", help="For schedulers: send what was frozen, and never what is paused."
        ),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Go on at another time than was set; or “now”."),
    ] = None,
    wait: WaitMinutes = None,
) -> None:
    """Go on with a send that was stopped: those not attempted, and those put off till later.

    Who is in doubt is not mailed; “newsletter resolve” settles them. A pause is
    taken back; if the send was stopped for another reason, it is told, and asked.

    Example: newsletter resume 2017-03
    """
    from newsletter.errors import InputError

    if scheduled and (yes or late or at is not None):
        raise InputError(
            "--scheduled decides nothing in a person's place, so it cannot stand beside "
            "--yes, --late or --at.",
            next="Leave one of them out.",
        )
    project = Project.here()
    if at is not None:
        _set_time(project, project.issue_id(issue), at)
    at_terminal = sys.stdin.isatty()
    terms = Terms(
        lifts=yes or at_terminal,
        asks=at_terminal and not yes,
        as_frozen=as_frozen,
        late=late,
        wait_minutes=wait,
    )
    raise typer.Exit(
        go_on(project, project.issue_id(issue), terms.unattended if scheduled else terms)
    )


def _set_time(project: Project, issue: str, text: str) -> None:
    """Let what is unfinished begin, or go on, at another time."""
    from newsletter.delivery.schedule import read_time

    now = project.clock.now()
    at = now if text.strip().lower() == "now" else read_time(text, now=now).at
    late = timedelta(hours=project.settings.delivery.late_after_hours)
    with project.lock(), closing(project.sound_ledger()) as ledger:
        for campaign in sent(project, ledger, issue):
            if unfinished(ledger, campaign):
                ledger.controls.begin_at(campaign.id, at, at + late)
                say(f"Campaign {campaign.id} goes on {moment(at)}.")


def go_on(project: Project, issue: str, terms: Terms) -> ExitCode:
    """Work off what an issue's campaigns left, at its time.

    The lock is not held while the time is waited for, so that the issue can be
    paused or corrected till then; everything is looked at again afterwards.

    Raises:
        NewsletterError: why it does not go on.
        typer.Exit: nobody waits, it is held, or the waiting was broken off.
    """
    while True:
        with _lock(project, terms) as check_lock:
            with closing(project.sound_ledger()) as ledger:
                waiting = _ready(project, ledger, issue, terms)
                times = [_appointed(each, ledger.controls.of(each.id)) for each in waiting]
            begins_at = max((at for at in times if at), default=None)
            if begins_at is None or begins_at <= project.clock.now():
                with closing(project.transport()) as transport:
                    return work_off(project, waiting, transport, terms, check_lock=check_lock)
        wait_until(begins_at, issue=issue, clock=project.clock)
        terms = terms.unattended


def _appointed(campaign: Campaign, control: Control) -> datetime | None:
    """The time that was set for it; None: it was to begin at once.

    Then it waits for nothing, even if the clock was set back behind the freeze.
    """
    return control.not_before if control.not_before > campaign.frozen_at else None


@contextmanager
def _lock(project: Project, terms: Terms) -> Iterator[Callable[[], None]]:
    """Hold the sender's lock; on patient terms once another send has ended.

    Raises:
        LedgerRefused: another send is running, or there can be no lock.
    """
    from newsletter.ledger.lock import SenderAtWork

    told = False
    while True:
        with ExitStack() as held:
            try:
                check_lock = held.enter_context(project.lock())
            except SenderAtWork:
                if not terms.patient:
                    raise
            else:
                yield check_lock
                return
        if not told:
            say("Another send is running here; this one begins when that has ended.")
            told = True
        project.clock.sleep(_LOOK_S)


def work_off(
    project: Project,
    campaigns: Sequence[Campaign],
    transport: Transport,
    terms: Terms,
    *,
    check_lock: Callable[[], None],
) -> ExitCode:
    """Send, account, and say where the mails are; the caller holds the lock."""
    codes = {
        run_campaign(
            project,
            campaign,
            transport,
            wait_minutes=terms.wait_minutes,
            check_lock=check_lock,
        )
        for campaign in campaigns
    }
    if project.trial:
        say("This was a trial: nobody was reached, and nothing is remembered outside this folder.")
    if project.settings.delivery.transport == "mailbox":
        say(f"Each mail is a file in {project.mails}; open one with a mail program.")
    return worst(codes)


def _ready(project: Project, ledger: Ledger, issue: str, terms: Terms) -> list[Campaign]:
    """The campaigns that may go on."""
    project.refuse_old(ledger)
    campaigns = sent(project, ledger, issue)
    waiting = [campaign for campaign in campaigns if unfinished(ledger, campaign)]
    if not waiting:
        say("Nobody is waiting, so nothing was sent.", style="bold")
        raise typer.Exit(account(ledger, campaigns))
    _refuse_mixed(project, ledger, waiting)
    if not terms.as_frozen:
        _refuse_changed(project, ledger, issue, waiting)
    for campaign in waiting:
        control = ledger.controls.of(campaign.id)
        _look_at_the_clock(project, ledger, campaign, control, late=terms.late)
        if control.held:
            _lift(ledger, campaign, control.held, terms)
    return waiting


def _refuse_mixed(project: Project, ledger: Ledger, campaigns: Sequence[Campaign]) -> None:
    """Keep trials and sends apart: in one account, nobody could tell whom it reached.

    Raises:
        LedgerRefused: one would become the other.
    """
    left = set(ledger.runs.campaigns_that_left())
    for campaign in campaigns:
        if not project.trial and ledger.runs.is_trial(campaign.id):
            raise LedgerRefused(
                "This send has been a trial so far: whoever counts as accepted in it got nothing, "
                "and would be missed if the rest were mailed.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Bring the trial to its end, with the settings that it began with: newsletter "
                f"resume {campaign.issue}. Then mail everybody: newsletter send {campaign.issue} "
                "--again",
            )
        if project.trial and campaign.id in left:
            raise LedgerRefused(
                "Some of this send has left for real; what went on now would reach nobody, and "
                "count as accepted.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Go on the way it began: set the transport again, or take trial = true out.",
            )


def _refuse_changed(
    project: Project, ledger: Ledger, issue: str, campaigns: Sequence[Campaign]
) -> None:
    """What was frozen is what goes out; say so when the files tell something else."""
    from newsletter.ledger.versions import fingerprint

    editions = {name: one.edition for name, one in project.compile(issue).items()}
    now = fingerprint(editions, project.letterhead())
    for campaign in campaigns:
        if ledger.controls.versions(campaign.id)[-1].fingerprint != now:
            raise LedgerRefused(
                "The issue, its theme or the sender's settings changed since this send began; "
                "people would get different mails.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Undo the change, or go on with the version that was frozen: "
                f"newsletter resume {issue} --as-frozen. To give the new one to all who were "
                f"not attempted yet: newsletter correct {issue}",
            )


def _look_at_the_clock(
    project: Project, ledger: Ledger, campaign: Campaign, control: Control, *, late: bool
) -> None:
    """Refuse a send that is too old, and say so when the clock cannot be right.

    Raises:
        LedgerRefused: it is too late, and nobody said that it does not matter.
    """
    now = project.clock.now()
    if now < campaign.frozen_at:
        say(f"The clock of this machine shows {moment(now)}, which is before this send began "
            f"({moment(campaign.frozen_at)}). Was it set back? Letters are dated by it.",
            style="yellow")  # fmt: skip
    if now <= control.not_after:
        return
    if late:
        ledger.controls.allow_until(campaign.id, now + _allowance(project))
        return
    began = control.not_before
    raise LedgerRefused(
        f"This send is {_age(now, began)} old: it was to begin on {moment(began)} and to be over "
        f"by {moment(control.not_after)}. Its news may be stale.",
        where=Where(item=f"campaign {campaign.id}"),
        next=f"If it should still go out: newsletter resume {campaign.issue} --late",
    )


def _allowance(project: Project) -> timedelta:
    return timedelta(hours=project.settings.delivery.late_after_hours)


def _age(now: datetime, began: datetime) -> str:
    return duration((now - began).total_seconds()).removeprefix("about ")


def _lift(ledger: Ledger, campaign: Campaign, held: str, terms: Terms) -> None:
    """Take a hold back, if the terms allow it; a stop for a reason is told before.

    Raises:
        typer.Exit: it stays held.
    """
    paused = held == PAUSED
    if not paused or not terms.lifts:
        tell(held, lead="Held: ", lead_style="bold yellow")
    if not terms.lifts or (terms.asks and not paused and not confirmed("Go on all the same?")):
        say(f"It stays held, and nothing was sent. To go on: newsletter resume {campaign.issue}"
            f"{'' if terms.asks else ' --yes'}")  # fmt: skip
        raise typer.Exit(ExitCode.TRANSPORT_STOPPED)
    ledger.controls.go_on(campaign.id)
    say("The pause is over; it goes on." if paused else "It goes on by your word.")
