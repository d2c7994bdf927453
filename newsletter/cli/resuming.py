"""``pause`` and ``resume``: a person's word on whether a frozen send goes on."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from newsletter.cli.arguments import IssueName, WaitMinutes, WithoutLog
from newsletter.cli.output import say
from newsletter.errors import InputError
from newsletter.phrases import moment, people
from newsletter.project import Project


def pause(issue: IssueName) -> None:
    """Stop a running or scheduled send, from another terminal.

    Messages in progress are finished, then the run ends. No recipient is lost:
    “newsletter resume” continues.

    Example: newsletter pause 2017-03
    """
    from newsletter.cli.accounts import show_accounts
    from newsletter.project import resume
    from newsletter.project.account import accounts

    project = Project.here()
    issue = project.issue_id(issue)
    paused = resume.pause(project, issue)
    if not paused:
        say("Nobody is waiting, so there is nothing to pause.", style="bold")
        raise typer.Exit(show_accounts(accounts(project, issue)))
    for each in paused:
        say(f"Paused: campaign {each.campaign.id}, with {people(each.waiting)} waiting.",
            style="bold")  # fmt: skip
    match resume.see_runs_end(project, paused):
        case True:
            say("The run has ended.")
        case False:
            say("The running send still waits for an answer. It sends nothing more.")  # fmt: skip
    say(f"To go on: newsletter resume {issue}")


def resume(
    issue: IssueName,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask, whatever the send was held for.")
    ] = False,
    as_frozen: Annotated[
        bool,
        typer.Option("--as-frozen", help="Send the frozen version although the issue changed."),
    ] = False,
    late: Annotated[
        bool, typer.Option("--late", help="Continue although it is later than late_after_hours.")
    ] = False,
    scheduled: Annotated[
        bool,
        typer.Option(
            "--scheduled", help="For schedulers: send the frozen version, and nothing that is held."
        ),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Continue at another time, or “now”."),
    ] = None,
    without_log: WithoutLog = False,
    wait: WaitMinutes = None,
) -> None:
    """Continue a send: recipients not attempted yet, and deferred ones.

    Recipients in doubt are not mailed; “newsletter resolve” settles them. A pause
    ends. If the send was held for another reason, the command says why and asks.

    Example: newsletter resume 2017-03
    """
    from newsletter.cli.running import Terms, go_on

    if scheduled and (yes or late or at is not None):
        raise InputError(
            "--scheduled makes no decisions, so it cannot be used with --yes, --late or --at.",
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
        without_log=without_log,
        wait_minutes=wait,
    )
    raise typer.Exit(
        go_on(project, project.issue_id(issue), terms.unattended if scheduled else terms)
    )


def _set_time(project: Project, issue: str, text: str) -> None:
    """Let what is unfinished begin, or go on, at another time."""
    from newsletter.project.resume import begin_at
    from newsletter.project.schedule import read_time

    now = project.clock.now()
    at = now if text.strip().lower() == "now" else read_time(text, now=now).at
    with project.lock():
        for each in begin_at(project, issue, at):
            say(f"Campaign {each.campaign.id} goes on {moment(at)}.")
