"""``send``: plan, ask, freeze, and send or wait for the time."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import account, unfinished
from newsletter.cli.asking import confirmed
from newsletter.cli.looking import IssueName
from newsletter.cli.output import people, say, show_line, tell
from newsletter.cli.planning import Prepared, Wish, prepare
from newsletter.cli.resuming import Terms, WaitMinutes, go_on, work_off
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, InputError, LedgerRefused, Where

if TYPE_CHECKING:
    from newsletter.delivery.schedule import Appointment
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.transports.protocol import Transport


def send(
    issue: IssueName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; send and freeze nothing.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="NUMBER", help="At most so many recipients; the rest later."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Mail those who have this issue once more, or go on with doing so.",
        ),
    ] = False,
    subscribers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The list. Default: newsletter.toml's.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Freeze now, begin then, e.g. “2027-04-01 09:00 Europe/Brussels”."
        ),
    ] = None,
    scheduler: Annotated[
        bool,
        typer.Option("--scheduler", help="With --at: do not wait; print lines for a scheduler."),
    ] = False,
    wait: WaitMinutes = None,
) -> None:
    """Send an issue: checks it, shows the plan, asks, sends, and accounts for everyone.

    Whoever has the issue already is left out, so to run it twice mails nobody
    twice. Ctrl-C stops cleanly; “newsletter resume” goes on.

    Example: newsletter send 2017-03 --dry-run
    """
    project = Project.here()
    issue = project.issue_id(issue)
    wish = Wish(
        limit=limit,
        again=again,
        subscribers=subscribers,
        appointment=_appointment(project, at, scheduler=scheduler, dry_run=dry_run),
    )
    if dry_run:
        _dry_run(project, issue, wish)
    else:
        terms = Terms(wait_minutes=wait)
        raise typer.Exit(_send(project, issue, wish, terms, ask=not yes, scheduler=scheduler))


def _appointment(
    project: Project, at: str | None, *, scheduler: bool, dry_run: bool
) -> Appointment | None:
    """The time that was asked for, if there is one.

    Raises:
        InputError: it is none, or the options contradict each other.
    """
    if scheduler and at is None:
        raise InputError(
            "--scheduler prints what starts a send at a time, but there is no time.",
            next="Add one: --at “2027-04-01 09:00”.",
        )
    if scheduler and dry_run:
        raise InputError(
            "--dry-run freezes nothing, so there would be nothing for a scheduler to start.",
            next="Leave --dry-run or --scheduler out.",
        )
    if at is None:
        return None
    from newsletter.delivery.schedule import read_time

    return read_time(at, now=project.clock.now())


def _dry_run(project: Project, issue: str, wish: Wish) -> None:
    project.refuse_without_ledger()
    if project.has_ledger:
        with closing(project.ledger(create=False)) as ledger:
            project.refuse_old(ledger, issue, again=wish.again)
            prepared = prepare(project, issue, wish, ledger=ledger)
    else:
        prepared = prepare(project, issue, wish, ledger=None)
    say(f"A dry run: {people(len(prepared.plan.recipients))} would get it; nothing was sent.")


def _send(
    project: Project, issue: str, wish: Wish, terms: Terms, *, ask: bool, scheduler: bool
) -> ExitCode:
    with project.lock() as check_lock:
        prepared = _prepared(project, issue, wish)
        if not prepared.plan.recipients:
            return _nobody_left(project, issue)
        if ask and not confirmed(_question(prepared, wish)):
            say("Nothing was sent.")
            return ExitCode.DONE
        # Only behind the yes, since it may run commands for secrets; but before the freeze.
        with closing(project.transport()) as transport:
            _try_on(project, prepared, transport)
            campaign = _freeze(project, prepared, wish)
            if wish.appointment is None:
                return work_off(project, [campaign], transport, terms, check_lock=check_lock)
    if scheduler:
        return _hand_to_scheduler(project, issue, wish.appointment)
    return go_on(project, issue, terms.unattended)


def _try_on(project: Project, prepared: Prepared, transport: Transport) -> None:
    """Look at a letter in each language, as the transport would carry it.

    Raises:
        ConfigError: the transport cannot take them. Frozen, they could never be sent.
    """
    from newsletter.message.compose import Uncomposable

    letterhead, now = project.letterhead(), project.clock.now()
    first = {each.recipient.language: each.recipient for each in reversed(prepared.plan.recipients)}
    for language, recipient in first.items():
        composer = project.composer(
            prepared.compiled[language].edition, letterhead=letterhead, campaign="trial"
        )
        with suppress(Uncomposable):  # theirs alone; said when it is their turn
            transport.examine(composer.compose(recipient, date=now))


def _prepared(project: Project, issue: str, wish: Wish) -> Prepared:
    project.issue_file(issue)
    project.refuse_without_ledger()
    with closing(project.sound_ledger(create=True)) as ledger:
        project.refuse_old(ledger, issue, again=wish.again)
        if not project.trial:
            project.copy_guard(ledger).prepare()
        _refuse_unfinished(ledger, issue)
        return prepare(project, issue, wish, ledger=ledger)


def _refuse_unfinished(ledger: Ledger, issue: str) -> None:
    for campaign in ledger.campaigns.of_issue(issue):
        if unfinished(ledger, campaign):
            waiting = people(ledger.campaigns.tally(campaign).open)
            raise LedgerRefused(
                f"An earlier send of this issue is not finished: {waiting} waiting.",
                where=Where(item=f"campaign {campaign.id}"),
                next=f"Finish it first: newsletter resume {issue}",
            )


def _nobody_left(project: Project, issue: str) -> ExitCode:
    say("Nobody is left to mail, so nothing was sent.", style="bold")
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return account(ledger, ledger.campaigns.of_issue(issue))


def _question(prepared: Prepared, wish: Wish) -> str:
    who = people(len(prepared.plan.recipients))
    if wish.appointment is None:
        return f"Send it to {who} now?"
    return f"Freeze it now, to be sent to {who} at that time?"


def _freeze(project: Project, prepared: Prepared, wish: Wish) -> Campaign:
    editions = {language: one.edition for language, one in prepared.compiled.items()}
    with closing(project.ledger(create=True)) as ledger:
        guard = None if project.trial else project.copy_guard(ledger)
        return ledger.campaigns.freeze(
            prepared.plan,
            editions=editions,
            letterhead=project.letterhead(),
            now=project.clock.now(),
            again=prepared.new_round,
            not_before=wish.appointment.at if wish.appointment else None,
            late_after_s=project.settings.delivery.late_after_hours * 3600,
            round_elsewhere=guard.latest_round(prepared.plan.issue) if guard else 1,
        )


def _hand_to_scheduler(project: Project, issue: str, appointment: Appointment) -> ExitCode:
    """Print what lets a scheduler begin the send in time. Starts nothing itself."""
    from newsletter.delivery.schedule import scheduler_lines

    say(f"Frozen, and nothing was sent. It begins on {appointment} if one of these lines is "
        "run now; each starts it at that time.", style="bold")  # fmt: skip
    command = (*_environment(project), *_program(), "resume", issue, "--scheduled")
    for each in scheduler_lines(command, folder=project.folder.absolute(), at=appointment.at):
        say("")
        tell(each.note, lead=f"{each.scheduler}: ")
        show_line(each.line)
    return ExitCode.TRANSPORT_STOPPED


def _environment(project: Project) -> tuple[str, ...]:
    """What a scheduler does not know of the shell, and needs to find the same state folder."""
    from newsletter.state_folder import moved_by_environment

    if project.trial or project.settings.delivery.state_folder is not None:
        return ()
    base = moved_by_environment()
    return () if base is None else ("env", f"XDG_STATE_HOME={base}")


def _program() -> tuple[str, ...]:
    """How this program is started, wherever it is started from."""
    started_as = Path(sys.argv[0]).absolute()
    if started_as.name == "newsletter" and started_as.is_file():
        return (str(started_as),)
    return (sys.executable, "-m", "newsletter")
