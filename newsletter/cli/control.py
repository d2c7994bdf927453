"""``pause`` and ``adopt``: a person's word on whether anything goes out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import account, sent, unfinished
from newsletter.cli.asking import confirmed
from newsletter.cli.looking import IssueName
from newsletter.cli.output import joined, people, say, show_counts
from newsletter.cli.resuming import PAUSED
from newsletter.cli.standing import is_alive, last_run
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode

if TYPE_CHECKING:
    from newsletter.delivery.custody import Adopted, Custody
    from newsletter.delivery.ledger import Ledger
    from newsletter.delivery.ledger.campaigns import Campaign

_LOOK_S = 0.2
_ENDS_WITHIN = timedelta(seconds=15)
"""How long to watch a paused run end; one that waits for an answer may take longer."""


def pause(issue: IssueName) -> None:
    """Let nothing more of an issue go out, from another terminal or before its time.

    What is on its way at that moment is finished; a run at work ends. Nobody
    is lost: “newsletter resume” goes on where it stopped.

    Example: newsletter pause 2017-03
    """
    project = Project.here()
    issue = project.issue_id(issue)
    with closing(project.ledger(create=False)) as ledger:
        campaigns = sent(project, ledger, issue)
        waiting = [campaign for campaign in campaigns if unfinished(ledger, campaign)]
        if not waiting:
            say("Nobody is waiting, so there is nothing to pause.", style="bold")
            raise typer.Exit(account(ledger, campaigns))
        for campaign in waiting:
            ledger.controls.hold(campaign.id, PAUSED)
            open_ = people(ledger.campaigns.tally(campaign).open)
            say(f"Paused: campaign {campaign.id}, with {open_} waiting.", style="bold")
        _see_it_end(project, ledger, waiting)
    say(f"To go on: newsletter resume {issue}")


def _see_it_end(project: Project, ledger: Ledger, campaigns: Sequence[Campaign]) -> None:
    """Wait a little for the run at work to end, and say whether it did."""

    def at_work() -> bool:
        now = project.clock.now()
        return any(is_alive(last_run(ledger, campaign), now=now) for campaign in campaigns)

    if not at_work():
        return
    until = project.clock.now() + _ENDS_WITHIN
    while at_work() and project.clock.now() < until:
        project.clock.sleep(_LOOK_S)
    if at_work():
        say("The run that is at work still waits for an answer about what it handed over. It "
            "hands over nothing more.")  # fmt: skip
    else:
        say("The run that was at work has ended.")


def adopt(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
) -> None:
    """Take on a ledger that was restored from a backup or comes from another machine.

    Whoever waits in it becomes in doubt, since they may have been mailed from
    elsewhere or after the backup; “newsletter resolve” and “reconcile” settle
    them. It tells how many and asks before it changes anything.

    Example: newsletter adopt
    """
    from newsletter.delivery.lock import sender_lock

    project = Project.here()
    with sender_lock(project.lock_file), closing(project.ledger(create=True)) as ledger:
        custody = project.custody(ledger)
        _tell_why(custody)
        expected = custody.survey()
        _tell_what(expected)
        if not yes and not confirmed("Take this ledger on here?"):
            say("Nothing was changed.")
            raise typer.Exit(ExitCode.DONE)
        done = custody.adopt(now=project.clock.now())
    say(f"This ledger is the one of this machine now; {people(sum(done.doubts.values()))} newly "
        "in doubt.", style="bold")  # fmt: skip
    if done.doubts:
        say(
            "“newsletter status” names them. Ask the relay's or provider's log about them, or "
            "let “newsletter reconcile ISSUE” ask; “newsletter resolve ISSUE” settles the rest."
        )


def _tell_why(custody: Custody) -> None:
    from newsletter.errors import LedgerRefused

    try:
        custody.check()
    except LedgerRefused as reason:
        say(reason.what)
    else:
        say("Nothing is known here that speaks against this ledger. To take it on is needed only "
            "if you know that it is an old copy.")  # fmt: skip


def _tell_what(expected: Adopted) -> None:
    if expected.doubts:
        say("To take it on changes this:")
        show_counts(
            [
                (number, f"waiting in campaign {campaign}, to become in doubt", "red")
                for campaign, number in expected.doubts.items()
            ]
        )
        say("They are not mailed unless you say so, since they may have been mailed already.")
    else:
        say("Nobody waits in it, so nobody becomes in doubt.")
    if expected.unknown:
        say(f"It knows nothing of sends of these issues from here: "
            f"{joined(expected.unknown)}. They stay refused without --again.")  # fmt: skip
