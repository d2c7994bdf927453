"""``send``: plan, ask, freeze, and send or wait for the time."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import IssueName, Segment, WaitMinutes, WithoutLog, Yes
from newsletter.cli.asking import confirmed
from newsletter.cli.output import say, show_line, tell
from newsletter.errors import ExitCode, InputError
from newsletter.phrases import people
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.cli.running import Terms
    from newsletter.project.plan import Prepared, SendOptions
    from newsletter.project.schedule import Appointment


def send(
    issue: IssueName,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; send and freeze nothing.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="NUMBER", help="Send to at most this many recipients now."),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Mail readers who have this issue once more, or continue such a round.",
        ),
    ] = False,
    subscribers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The list. Default: the one that newsletter.toml names."),
    ] = None,
    segment: Segment = "",
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Freeze now and begin then: “2027-04-01 09:00 Europe/Brussels”."
        ),
    ] = None,
    scheduler: Annotated[
        bool,
        typer.Option("--scheduler", help="With --at: do not wait, print lines for a scheduler."),
    ] = False,
    without_log: WithoutLog = False,
    wait: WaitMinutes = None,
) -> None:
    """Send an issue: check it, show the plan, ask, send, and account for everyone.

    Readers who have the issue are skipped, so a second “send” mails nobody twice.
    Ctrl-C stops cleanly; “newsletter resume” continues.

    Example: newsletter send 2017-03 --dry-run
    """
    from newsletter.cli.running import Terms
    from newsletter.project.plan import SendOptions

    project = Project.here()
    issue = project.issue_id(issue)
    options = SendOptions(
        limit=limit,
        again=again,
        subscribers=subscribers,
        appointment=_appointment(project, at, scheduler=scheduler, dry_run=dry_run),
        without_log=without_log,
        segment=segment,
    )
    if dry_run:
        _dry_run(project, issue, options)
    else:
        terms = Terms(wait_minutes=wait, without_log=without_log)
        raise typer.Exit(_send(project, issue, options, terms, ask=not yes, scheduler=scheduler))


def _appointment(
    project: Project, at: str | None, *, scheduler: bool, dry_run: bool
) -> Appointment | None:
    """The time that was asked for, if there is one.

    Raises:
        InputError: it is none, or the options contradict each other.
    """
    if scheduler and at is None:
        raise InputError(
            "--scheduler needs a time.",
            next="Add one: --at “2027-04-01 09:00”.",
        )
    if scheduler and dry_run:
        raise InputError(
            "--dry-run freezes nothing, so a scheduler would have nothing to start.",
            next="Leave --dry-run or --scheduler out.",
        )
    if at is None:
        return None
    from newsletter.project.schedule import read_time

    return read_time(at, now=project.clock.now())


def _dry_run(project: Project, issue: str, options: SendOptions) -> None:
    from newsletter.cli.planning import show_plan
    from newsletter.project.plan import prepare

    prepared = prepare(project, issue, options)
    show_plan(project, prepared)
    say(f"A dry run: {people(len(prepared.plan.recipients))} would get it; nothing was sent.")


def _send(
    project: Project, issue: str, options: SendOptions, terms: Terms, *, ask: bool, scheduler: bool
) -> ExitCode:
    from newsletter.cli.accounts import show_accounts
    from newsletter.cli.planning import show_plan
    from newsletter.cli.running import go_on, work_off
    from newsletter.project.account import earlier_accounts
    from newsletter.project.plan import examine, freeze, prepare_to_freeze
    from newsletter.project.transport import open_transport

    with project.lock() as check_lock:
        prepared = prepare_to_freeze(project, issue, options)
        show_plan(project, prepared)
        if not prepared.plan.recipients:
            say("Nobody is left to mail, so nothing was sent.", style="bold")
            return show_accounts(earlier_accounts(project, issue))
        if ask and not confirmed(_question(prepared)):
            say("Nothing was sent.")
            return ExitCode.DONE
        # Only behind the yes, since it may run commands for secrets; but before the freeze.
        with closing(open_transport(project)) as transport:
            examine(project, prepared, transport)
            campaign = freeze(project, prepared)
            if options.appointment is None:
                return work_off(project, [campaign], transport, terms, check_lock=check_lock)
    if scheduler:
        return _hand_to_scheduler(project, issue, options.appointment)
    return go_on(project, issue, terms.unattended)


def _question(prepared: Prepared) -> str:
    who = people(len(prepared.plan.recipients))
    if prepared.options.appointment is None:
        return f"Send it to {who} now?"
    return f"Freeze it now, to be sent to {who} at that time?"


def _hand_to_scheduler(project: Project, issue: str, appointment: Appointment) -> ExitCode:
    """Print what lets a scheduler begin the send in time. Starts nothing itself."""
    from newsletter.project.schedule import scheduler_lines

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
