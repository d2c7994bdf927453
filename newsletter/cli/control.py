"""``pause`` and ``adopt``: a person's word on whether anything goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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
from newsletter.errors import ExitCode, InputError

if TYPE_CHECKING:
    from newsletter.ledger import Ledger
    from newsletter.ledger.adoption import Adopted, Survey
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.recovery import Reader
    from newsletter.message.keys import KeyRing

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
        project.refuse_old(ledger)  # held here, a send from the original would go on
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
    old_copy: Annotated[
        bool,
        typer.Option(
            "--old-copy", help="All of this is an old copy, although nothing here tells it."
        ),
    ] = False,
) -> None:
    """Let a ledger go on that is refused: restored, copied, or in a folder that was cleaned.

    What this machine remembers of the list is put into it: who has each issue,
    who left. Where that is not known, whoever waits becomes in doubt;
    “newsletter resolve” and “reconcile” settle them. Tells and asks first.

    Example: newsletter adopt
    """
    from newsletter.ledger.adoption import Adoption

    project = Project.here()
    if project.trial:
        say("Mail goes to nobody from here, so nothing is refused, and nothing needs adopting.")
        raise typer.Exit(ExitCode.DONE)
    with project.lock():
        adoption = Adoption(project.place, project.key_file, project.keys, old_copy=old_copy)
        survey = adoption.survey()
        if survey.reason is None and not (survey.aside or survey.missing or old_copy):
            say("Nothing is wrong with this ledger, so there is nothing to adopt. If you know that "
                "all of this is an old copy: newsletter adopt --old-copy")  # fmt: skip
            raise typer.Exit(ExitCode.DONE)
        _tell_what(survey)
        if not yes and not confirmed("Take this ledger on here?"):
            say("Nothing was changed.")
            raise typer.Exit(ExitCode.DONE)
        done = adoption.adopt(lambda keys: readers_of(project, keys), now=project.clock.now())
    tell_adopted(done)


def readers_of(project: Project, keys: KeyRing) -> Iterator[Reader]:
    """The list, as the ledger needs its readers; says so if it cannot be read."""
    from newsletter.ledger.recovery import Reader

    try:
        roster = project.roster()
    except InputError as error:
        say(f"The list cannot be read: {error.what} Nobody is missed or mailed twice without it, "
            "but nobody can be named. Once it is there, run “newsletter adopt” again.",
            style="yellow")  # fmt: skip
        return
    for subscriber in roster.subscribers:
        yield Reader(
            tag=keys.address_tag(subscriber.address),
            address=subscriber.address.key,
            domain=subscriber.address.domain,
            name=subscriber.name,
            fields=json.dumps(dict(subscriber.fields), ensure_ascii=False),
        )


def _tell_what(survey: Survey) -> None:
    if survey.reason is not None:
        say(survey.reason.what)
    if survey.aside:
        say("The ledger in this folder is kept under another name, and one is made from what this "
            "machine remembers of the list.")  # fmt: skip
    if survey.exact and survey.reason is not None:
        say("This machine remembers where everybody's mail is, and who left; that is put into "
            "this folder's ledger.")  # fmt: skip
    elif survey.waiting and not survey.exact:
        say("To take it on changes this:")
        show_counts(
            [
                (number, f"waiting in campaign {campaign}, to become in doubt", "red")
                for campaign, number in survey.waiting.items()
            ]
        )
        say("They are not mailed unless you say so, since they may have been mailed already.")
    elif not survey.exact:
        say("Nobody waits in it, so nobody becomes in doubt.")
    if survey.unknown:
        say(f"It knows nothing of sends of these issues from here: "
            f"{joined(survey.unknown)}. They stay refused without --again.")  # fmt: skip


def tell_adopted(done: Adopted) -> None:
    """Say what an adoption did."""
    for campaign, (found, known) in done.rebuilt.items():
        gone = f"; {people(known - found)} more not on the list now" if known > found else ""
        say(f"Campaign {campaign} is in the ledger again, with {people(found)}{gone}.")
    if done.updated:
        say(f"Brought up to date: {people(done.updated)}.")
    say(f"This ledger is the one of this machine now; {people(sum(done.doubts.values()))} newly "
        "in doubt.", style="bold")  # fmt: skip
    if done.doubts:
        say(
            "“newsletter status” names them. Ask the relay's or provider's log about them, or "
            "let “newsletter reconcile ISSUE” ask; “newsletter resolve ISSUE” settles the rest, "
            "with --all everybody at once."
        )
    if done.waiting:
        say(f"{people(sum(done.waiting.values()))} waiting to be mailed. “newsletter status” "
            "tells how to go on.")  # fmt: skip
