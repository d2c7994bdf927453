"""``status`` and ``resolve``: where everybody's mail is, and settling what is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import count, moment, say, show_counts, tell
from newsletter.cli.planning import excluded_words
from newsletter.cli.standing import is_alive, last_run, show_standing, what_next
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, InputError
from newsletter.ledger.plan import Exclusion
from newsletter.ledger.states import State
from newsletter.report.words import STATES, identity

if TYPE_CHECKING:
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.deliveries import Held
    from newsletter.ledger.tally import Tally

_COLOURS = {
    State.ACCEPTED: "green",
    State.PENDING: "yellow",
    State.CLAIMED: "yellow",
    State.ATTEMPTING: "yellow",
    State.DEFERRED: "yellow",
    State.REJECTED: "red",
    State.IN_DOUBT: "red",
    State.SUPPRESSED: "cyan",
    State.EXPIRED: "red",
}
_MOST_NAMED = 10
_NOTHING_YET = "Nothing was sent from here yet. “newsletter send ISSUE” sends an issue."


def status(
    issue: Annotated[
        str, typer.Argument(metavar="[ISSUE]", help="The issue; all of them if left out.")
    ] = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow a send that goes on, until its run is over.")
    ] = False,
) -> None:
    """Show where everybody's mail is, and whether the numbers add up. Changes nothing.

    The exit code is that of the send: 4 if some still wait, 6 if some are in
    doubt. Ctrl-C ends the watching, never the send.

    Example: newsletter status 2017-03
    """
    project = Project.here()
    project.refuse_without_ledger()
    if not issue and not project.has_ledger:
        say(_NOTHING_YET)
        return
    with closing(project.ledger(create=False, follow=False)) as ledger:
        campaigns = (
            sent(project, ledger, project.issue_id(issue)) if issue else ledger.campaigns.all()
        )
        if not campaigns:  # the ledger was begun by “newsletter suppress add”
            say(_NOTHING_YET)
        if watch:
            from newsletter.cli.watching import follow

            follow(ledger, campaigns, clock=project.clock)
        code = account(ledger, campaigns, now=project.clock.now())
    raise typer.Exit(code)


def sent(project: Project, ledger: Ledger, issue: str) -> tuple[Campaign, ...]:
    """The campaigns of an issue.

    Raises:
        InputError: it was never sent, or does not exist.
    """
    campaigns = ledger.campaigns.of_issue(issue)
    if not campaigns:
        project.issue_file(issue)
        raise InputError(
            f"Issue “{issue}” was never sent from here.",
            next=f"To send it: newsletter send {issue}",
        )
    return campaigns


def account(
    ledger: Ledger, campaigns: Sequence[Campaign], *, now: datetime | None = None
) -> ExitCode:
    """Show where everybody is.

    Args:
        ledger: open.
        campaigns: which to show.
        now: the time, to show all there is to tell: how each campaign stands,
            and everybody who was refused. Without it only the first few of them.

    Returns:
        The gravest of the campaigns' exit codes.
    """
    codes = set()
    for number, campaign in enumerate(campaigns):
        if number:
            say("")
        codes.add(_show(ledger, campaign, now=now))
    return worst(codes)


def unfinished(ledger: Ledger, campaign: Campaign) -> bool:
    """Whether a run has something left to do, be it to settle what a dead one left."""
    tally = ledger.campaigns.tally(campaign)
    return bool(tally.open or tally[State.ATTEMPTING])


def worst(codes: set[ExitCode]) -> ExitCode:
    """The exit code for several campaigns: untrue numbers, then work left, then doubts."""
    gravest = (ExitCode.LEDGER_REFUSES, ExitCode.TRANSPORT_STOPPED, ExitCode.IN_DOUBT)
    return next((code for code in gravest if code in codes), ExitCode.DONE)


def _show(ledger: Ledger, campaign: Campaign, *, now: datetime | None) -> ExitCode:
    tally = ledger.campaigns.tally(campaign)
    say(f"Campaign {campaign.id}, begun {moment(campaign.frozen_at)}", style="bold")
    if ledger.runs.is_trial(campaign.id):
        say("A trial: it reached nobody.")
    _show_tally(tally)
    if campaign.excluded:
        reasons = [excluded_words(Exclusion(each), n) for each, n in campaign.excluded.items()]
        tell(f"{'; '.join(reasons)}.", lead="Not in the plan: ")
    if now is not None:
        show_standing(ledger, campaign, tally, now=now)
    _show_people(ledger, campaign, most=_MOST_NAMED if now is None else None, now=now)
    if tally.complete:
        say("Complete.", style="bold green")
    elif following := what_next(ledger, campaign, tally, now=now):
        say(following, style="bold")
    return tally.exit_code


def _show_tally(tally: Tally) -> None:
    there = [(tally[state], words, _COLOURS[state]) for state, words in STATES.items()]
    show_counts([*(line for line in there if line[0]), (tally.planned, "planned", "bold")])
    if tally.adds_up:
        say(f"The numbers add up: {identity(tally)}.")
    else:
        say(
            "The numbers do not add up. Do not send; see “newsletter docs ledger”.",
            style="bold red",
        )


def _show_people(
    ledger: Ledger, campaign: Campaign, *, most: int | None, now: datetime | None
) -> None:
    in_doubt = ledger.deliveries.held(campaign.id, State.IN_DOUBT)
    if in_doubt:
        say("In doubt, and not mailed again unless you say so:")
        _name(in_doubt[:most])
        _tell_more(campaign, len(in_doubt), most)
        say(f"Ask who may know: newsletter reconcile {campaign.issue}")
        say(f"They have it: newsletter resolve {campaign.issue} ADDRESS --accepted")
        say(f"Mail them again: newsletter resolve {campaign.issue} ADDRESS --resend")
    _show_orphans(ledger, campaign, most=most, now=now)
    refused = ledger.deliveries.held(campaign.id, State.REJECTED, State.EXPIRED)
    if refused:
        say("Refused or given up:")
        _name(refused[:most])
        _tell_more(campaign, len(refused), most)


def _show_orphans(
    ledger: Ledger, campaign: Campaign, *, most: int | None, now: datetime | None
) -> None:
    """Name whom a run that died was handing over; only the next command makes them in doubt."""
    if now is not None and is_alive(last_run(ledger, campaign), now=now):
        return
    if orphans := ledger.deliveries.held(campaign.id, State.ATTEMPTING):
        say("Being handed over when the program ended, and so in doubt from the next “resume” or "
            "“resolve” on:")  # fmt: skip
        for row in orphans[:most]:
            tell(f"{row.address} (since {moment(row.changed_at)})", lead="  • ")
        _tell_more(campaign, len(orphans), most)


def _tell_more(campaign: Campaign, number: int, most: int | None) -> None:
    if most is not None and number > most:
        say(f"  and {number - most:,} more; newsletter status {campaign.issue} names all")


def _name(held: Sequence[Held]) -> None:
    for row in held:
        tries = count(row.attempts, "attempt")
        tell(f"{row.address}: {row.reply} ({tries}, {moment(row.changed_at)})", lead="  • ")
