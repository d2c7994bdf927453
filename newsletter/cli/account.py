"""``status`` and ``resolve``: where everybody's mail is, and settling what is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.looking import IssueName
from newsletter.cli.output import count, joined, moment, people, say, show_counts, tell
from newsletter.cli.planning import excluded_words
from newsletter.cli.wiring import Project
from newsletter.delivery.plan import Exclusion
from newsletter.delivery.states import State, Step
from newsletter.errors import ExitCode, InputError

if TYPE_CHECKING:
    from newsletter.delivery.ledger import Ledger
    from newsletter.delivery.ledger.campaigns import Campaign
    from newsletter.delivery.ledger.deliveries import Held
    from newsletter.delivery.tally import Tally

_STATES = {
    State.ACCEPTED: ("accepted by the next mail server", "accepted", "green"),
    State.PENDING: ("not attempted yet", "not attempted", "yellow"),
    State.CLAIMED: ("taken up by a run", "taken up", "yellow"),
    State.ATTEMPTING: ("being handed over", "being handed over", "yellow"),
    State.DEFERRED: ("put off by the other side, to be tried again", "put off", "yellow"),
    State.REJECTED: ("refused for good", "refused", "red"),
    State.IN_DOUBT: ("in doubt: they may have it", "in doubt", "red"),
    State.SUPPRESSED: ("left before their turn; not mailed", "left", "cyan"),
    State.EXPIRED: ("given up after too many delays", "given up", "red"),
}
"""In the order they are shown: a line of its own, a term of the sum, a colour."""
_MOST_REFUSED = 10
_NOTHING_YET = "Nothing was sent from here yet. “newsletter send ISSUE” sends an issue."


def status(
    issue: Annotated[
        str, typer.Argument(metavar="[ISSUE]", help="The issue; all of them if left out.")
    ] = "",
) -> None:
    """Show where everybody's mail is, and whether the numbers add up. Changes nothing.

    The exit code is that of the send: 4 if some still wait, 6 if some are in doubt.

    Example: newsletter status 2017-03
    """
    project = Project.here()
    if not issue and not project.has_ledger:
        say(_NOTHING_YET)
        return
    with closing(project.ledger(create=False)) as ledger:
        campaigns = (
            sent(project, ledger, project.issue_id(issue)) if issue else ledger.campaigns.all()
        )
        if not campaigns:  # the ledger was begun by “newsletter suppress add”
            say(_NOTHING_YET)
        code = account(ledger, campaigns, all_refused=True)
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
    ledger: Ledger, campaigns: Sequence[Campaign], *, all_refused: bool = False
) -> ExitCode:
    """Show where everybody is.

    Args:
        ledger: open.
        campaigns: which to show.
        all_refused: name everybody who was refused, not only the first few.

    Returns:
        The gravest of the campaigns' exit codes.
    """
    codes = set()
    for number, campaign in enumerate(campaigns):
        if number:
            say("")
        codes.add(_show(ledger, campaign, most=None if all_refused else _MOST_REFUSED))
    return worst(codes)


def worst(codes: set[ExitCode]) -> ExitCode:
    """The exit code for several campaigns: untrue numbers, then work left, then doubts."""
    gravest = (ExitCode.LEDGER_REFUSES, ExitCode.TRANSPORT_STOPPED, ExitCode.IN_DOUBT)
    return next((code for code in gravest if code in codes), ExitCode.DONE)


def _show(ledger: Ledger, campaign: Campaign, *, most: int | None) -> ExitCode:
    tally = ledger.campaigns.tally(campaign)
    say(f"Campaign {campaign.id}, begun {moment(campaign.frozen_at)}", style="bold")
    _show_tally(tally)
    if campaign.excluded:
        reasons = [excluded_words(Exclusion(each), n) for each, n in campaign.excluded.items()]
        tell(f"{'; '.join(reasons)}.", lead="Not in the plan: ")
    _show_people(ledger, campaign, most=most)
    if tally.complete:
        say("Complete.", style="bold green")
    elif tally[State.CLAIMED] or tally[State.ATTEMPTING]:
        say(f"A run is at work on it now, or was killed. If none is: newsletter resume "
            f"{campaign.issue}", style="bold")  # fmt: skip
    elif tally.open:
        due = None if tally[State.PENDING] else ledger.deliveries.next_due(campaign.id)
        time = f", from {moment(due)} on" if due else ""
        say(f"To go on{time}: newsletter resume {campaign.issue}", style="bold")
    return tally.exit_code


def _show_tally(tally: Tally) -> None:
    there = [state for state in _STATES if tally[state]]
    show_counts(
        [
            *((tally[state], _STATES[state][0], _STATES[state][2]) for state in there),
            (tally.planned, "planned", "bold"),
        ]
    )
    if tally.adds_up:
        terms = " + ".join(f"{tally[state]:,} {_STATES[state][1]}" for state in there)
        say(f"The numbers add up: {tally.planned:,} planned = {terms or 0}.")
    else:
        say("The numbers do not add up. Do not send; see docs/ledger.md.", style="bold red")


def _show_people(ledger: Ledger, campaign: Campaign, *, most: int | None) -> None:
    in_doubt = ledger.deliveries.held(campaign.id, State.IN_DOUBT)
    if in_doubt:
        say("In doubt, and not mailed again unless you say so:")
        _name(in_doubt)
        say(f"They have it: newsletter resolve {campaign.issue} ADDRESS --accepted")
        say(f"Mail them again: newsletter resolve {campaign.issue} ADDRESS --resend")
    refused = ledger.deliveries.held(campaign.id, State.REJECTED, State.EXPIRED)
    if refused:
        say("Refused or given up:")
        _name(refused[:most])
    if most is not None and len(refused) > most:
        say(f"  and {len(refused) - most:,} more; newsletter status {campaign.issue} names all")


def _name(held: Sequence[Held]) -> None:
    for row in held:
        tries = count(row.attempts, "attempt")
        tell(f"{row.address}: {row.reply} ({tries}, {moment(row.changed_at)})", lead="  • ")


def resolve(
    issue: IssueName,
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Who is in doubt.")],
    accepted: Annotated[
        bool, typer.Option("--accepted", help="They have it, or you do not want to risk a second.")
    ] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="Mail them again at the next resume.")
    ] = False,
) -> None:
    """Settle a doubt by your own word: they have it, or they get it again.

    Example: newsletter resolve 2017-03 anna@example.org --accepted
    """
    if accepted == resend:
        raise InputError(
            "Say either --accepted or --resend.",
            next="--accepted: they have it. --resend: they get it again, perhaps a second time.",
        )
    project = Project.here()
    issue = project.issue_id(issue)
    step, words = (
        (Step.ASSUME, "Taken as accepted by a person's word.")
        if accepted
        else (Step.RESEND, "To be mailed again by a person's word.")
    )
    with closing(project.ledger(create=False)) as ledger:
        held = _in_doubt(project, ledger, issue, addresses)
        for row in held:
            ledger.deliveries.decide(row.id, step, note=words, now=project.clock.now().timestamp())
    names = joined(sorted({row.address for row in held}))
    if resend:
        say(f"To be mailed again: {names}. Now: newsletter resume {issue}")
    else:
        say(f"Taken as accepted: {names}.")


def _in_doubt(project: Project, ledger: Ledger, issue: str, addresses: Sequence[str]) -> list[Held]:
    """The rows in doubt of all ``addresses``.

    Raises:
        InputError: one of them is not in doubt; nobody is settled then.
    """
    wanted = {_key(address) for address in addresses}
    held = [
        row
        for campaign in sent(project, ledger, issue)
        for row in ledger.deliveries.held(campaign.id, State.IN_DOUBT)
        if row.address in wanted
    ]
    strangers = sorted(wanted - {row.address for row in held})
    if strangers:
        raise InputError(
            f"{people(len(strangers))} named here {'is' if len(strangers) == 1 else 'are'} not "
            f"in doubt: {joined(strangers)}.",
            next=f"“newsletter status {issue}” lists who is. Nobody was settled.",
        )
    return held


def _key(text: str) -> str:
    from newsletter.addresses import Address, AddressError

    try:
        return Address.parse(text).key
    except AddressError:
        return text
