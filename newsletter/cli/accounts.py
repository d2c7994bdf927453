"""Accounts on the terminal: where everybody's mail is, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from newsletter.cli.output import say, show_counts, tell
from newsletter.errors import ExitCode
from newsletter.ledger.plan import Exclusion
from newsletter.ledger.states import State
from newsletter.phrases import count, moment, people
from newsletter.project.account import Account, CampaignStatus, worst
from newsletter.report.words import STATES, TRIAL, identity

if TYPE_CHECKING:
    from newsletter.ledger.reading import DeliveryRow
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
_EXCLUSIONS = {
    Exclusion.REFUSED: ("row holds", "rows hold", "no usable address"),
    Exclusion.REPEATED: ("row repeats", "rows repeat", "an address that an earlier row has"),
    Exclusion.LEFT: ("row says", "rows say", "that the reader must not be mailed"),
    Exclusion.UNCONFIRMED: ("person", "people", "who never confirmed, by an import"),
    Exclusion.EXCLUDED: ("person", "people", "whom an import excludes"),
    Exclusion.OUTSIDE: ("person", "people", "outside the segment (--segment)"),
    Exclusion.SUPPRESSED: ("person", "people", "who left, complained or cannot be reached"),
    Exclusion.PAUSED: ("person", "people", "who paused the newsletter"),
    Exclusion.HAS_IT: ("person has", "people have", "this issue already, or may have it"),
    Exclusion.BEYOND_LIMIT: ("person", "people", "kept for a later send (--limit)"),
}
_MOST_NAMED = 10


def show_accounts(accounts: Sequence[Account]) -> ExitCode:
    """Print where everybody is.

    An account without its status names only the first few people.

    Returns:
        The gravest of the campaigns' exit codes.
    """
    for number, account in enumerate(accounts):
        if number:
            say("")
        _show(account)
    return worst(account.tally.exit_code for account in accounts)


def excluded_words(reason: Exclusion, number: int) -> str:
    """``2 rows repeat an address that stands further up``."""
    one, several, words = _EXCLUSIONS[reason]
    return f"{count(number, one, several)} {words}"


def _show(account: Account) -> None:
    campaign = account.campaign
    say(f"Campaign {campaign.id}, begun {moment(campaign.frozen_at)}", style="bold")
    if account.trial:
        say(TRIAL)
    _show_tally(account.tally)
    if campaign.excluded:
        reasons = [excluded_words(Exclusion(each), n) for each, n in campaign.excluded.items()]
        tell(f"{'; '.join(reasons)}.", lead="Not in the plan: ")
    if account.status is not None:
        _show_status(account, account.status)
    _show_people(account, most=_MOST_NAMED if account.status is None else None)
    if account.tally.complete:
        say("Complete.", style="bold green")
    elif account.tally.refused_by_all:
        say("Nobody was accepted: all were refused or given up.", style="bold red")
        say(
            "Read the server's replies above. If they are about the sender's "
            "address, the account or the message, correct that, then run: newsletter "
            f"send {campaign.issue}. It mails the refused recipients again."
        )
    elif following := _what_next(account):
        say(following, style="bold")


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


def _show_status(account: Account, status: CampaignStatus) -> None:
    """Print what a person decided about a campaign, and how its last run ended."""
    control = status.control
    if len(status.versions) > 1:
        _show_versions(status)
    if account.tally.open:
        if status.at < control.not_before and control.not_before > account.campaign.frozen_at:
            tell(f"it begins on {moment(control.not_before)}.", lead="Scheduled: ")
        if status.at > control.not_after:
            tell(f"it was to be over by {moment(control.not_after)}.", lead="Too late: ",
                 lead_style="yellow")  # fmt: skip
        if control.held:
            tell(control.held, lead="Held: ", lead_style="yellow")
    run = status.last_run
    if run is None:
        return
    if run.ended_at is not None:
        ending = f": {run.ending}" if run.ending else ""
        tell(f"ended {moment(run.ended_at)}{ending}", lead="Last run: ")
    elif not status.at_work:
        tell(f"gone without a word; last seen {moment(run.seen_at)}.", lead="Last run: ")


def _show_versions(status: CampaignStatus) -> None:
    """Print who was attempted with which, and that the rest get the latest."""
    versions = status.versions
    for version in versions:
        made = "as first frozen" if version is versions[0] else f"of {moment(version.made_at)}"
        last = status.untried and version is versions[-1]
        rest = f", {people(status.untried)} to come" if last else ""
        tell(f"{made}; {people(version.attempted)} attempted{rest}",
             lead=f"Version {version.number}: ")  # fmt: skip


def _show_people(account: Account, *, most: int | None) -> None:
    issue = account.campaign.issue
    if account.in_doubt:
        say("In doubt, and not mailed again unless you say so:")
        _name(account, account.in_doubt, most)
        say(f"Look for proof: newsletter reconcile {issue}")
        say(f"They have it: newsletter resolve {issue} ADDRESS --accepted")
        say(f"Mail them again: newsletter resolve {issue} ADDRESS --resend")
    if account.orphans:
        say("In progress when the program ended; in doubt from the next “resume” or "
            "“resolve” on:")  # fmt: skip
        for row in account.orphans[:most]:
            tell(f"{row.address} (since {moment(row.changed_at)})", lead="  • ")
        _tell_more(account, len(account.orphans), most)
    if account.refused:
        say("Refused or given up:")
        _name(account, account.refused, most)


def _name(account: Account, held: Sequence[DeliveryRow], most: int | None) -> None:
    for row in held[:most]:
        tries = count(row.attempts, "attempt")
        tell(f"{row.address}: {row.reply} ({tries}, {moment(row.changed_at)})", lead="  • ")
    _tell_more(account, len(held), most)


def _tell_more(account: Account, number: int, most: int | None) -> None:
    if most is not None and number > most:
        issue = account.campaign.issue
        say(f"  and {number - most:,} more; newsletter status {issue} names all")


def _what_next(account: Account) -> str | None:
    """What to do about a campaign that is not complete; None if no run has anything to do."""
    issue, tally = account.campaign.issue, account.tally
    if account.at_work:
        return f"It is being sent now. To watch: newsletter status {issue} --watch"
    if not tally.open and not tally[State.ATTEMPTING]:
        return None
    time = f", from {moment(account.next_due)} on" if account.next_due else ""
    return f"To go on{time}: newsletter resume {issue}"
