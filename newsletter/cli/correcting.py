"""``correct``: a changed issue for all who were not attempted yet, after a look at the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import account, sent, unfinished
from newsletter.cli.asking import confirmed
from newsletter.cli.looking import IssueName
from newsletter.cli.output import count, people, say, tell
from newsletter.cli.planning import refuse_on_errors
from newsletter.cli.wiring import Project
from newsletter.delivery.difference import Change, differing, settings_changes, word_changes
from newsletter.errors import ExitCode

if TYPE_CHECKING:
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.versions import Approved
    from newsletter.render.edition import Edition

_MOST_CHANGES = 12


def correct(
    issue: IssueName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
) -> None:
    """Give a changed issue to all who were not attempted yet. Mails nobody again.

    Checks the issue, shows what differs from what was frozen, tells who gets
    which, and asks. Then “newsletter resume” goes on with the new version.
    Pause a run that is at work first.

    Example: newsletter correct 2017-03
    """
    from newsletter.ledger.versions import Approved, fingerprint

    project = Project.here()
    issue = project.issue_id(issue)
    with project.lock(), closing(project.sound_ledger()) as ledger:
        project.refuse_old(ledger)
        campaign = _campaign(project, ledger, issue)
        changed = Approved(_compiled(project, campaign), project.letterhead())
        frozen = ledger.campaigns.approved(campaign)
        before = frozen[max(frozen)]
        if fingerprint(changed.editions, changed.letterhead) == fingerprint(
            before.editions, before.letterhead
        ):
            say("Nothing differs from what was frozen, so there is nothing to correct.")
            raise typer.Exit(ExitCode.DONE)
        _show_difference(campaign.issue, before, changed)
        _tell_who(ledger, campaign)
        if not yes and not confirmed("Make it the version that they get?"):
            say("Nothing was changed.")
            raise typer.Exit(ExitCode.DONE)
        version = ledger.controls.correct(campaign, changed, project.clock.now())
    say(f"It is version {version} now. To go on: newsletter resume {issue}", style="bold")


def _campaign(project: Project, ledger: Ledger, issue: str) -> Campaign:
    """The campaign that can still be corrected: the latest with somebody not attempted."""
    campaigns = sent(project, ledger, issue)
    for campaign in reversed(campaigns):
        if unfinished(ledger, campaign) and ledger.deliveries.untried(campaign.id):
            return campaign
    say("Everybody was attempted already, so a correction would reach nobody. Who has the mail "
        "is never mailed again for it.", style="bold")  # fmt: skip
    raise typer.Exit(account(ledger, campaigns))


def _compiled(project: Project, campaign: Campaign) -> Mapping[str, Edition]:
    compiled = project.compile(campaign.issue)
    refuse_on_errors(campaign.issue, compiled)
    return {language: one.edition for language, one in compiled.items()}


def _show_difference(issue: str, before: Approved, changed: Approved) -> None:
    settings = settings_changes(before.letterhead, changed.letterhead)
    for change in settings:
        tell(change, lead="Settings: ")
    differ = {
        language: parts
        for language in sorted(before.editions.keys() & changed.editions.keys())
        if (parts := differing(before.editions[language], changed.editions[language]))
    }
    if not differ and not settings:
        say("Nothing differs that a reader would see.")
    for language, parts in differ.items():
        old, new = before.editions[language], changed.editions[language]
        say(f"In the edition in “{language}” this differs: {', '.join(parts)}.", style="bold")
        if old.subject != new.subject:
            _show(word_changes(old, new, part="subject"), lead="Subject: ")
        if old.text != new.text:
            _show(word_changes(old, new, part="text"), lead="Text: ")
        elif old.html != new.html:
            say("The words of the text part are the same; the HTML part looks or links otherwise. "
                f"To see it: newsletter preview {issue}")  # fmt: skip


def _show(changes: Iterator[Change], *, lead: str) -> None:
    shown = list(changes)
    for change in shown[:_MOST_CHANGES]:
        tell(str(change), lead=lead)
    if left_out := len(shown[_MOST_CHANGES:]):
        say(f"and {count(left_out, 'more place')}")


def _tell_who(ledger: Ledger, campaign: Campaign) -> None:
    new = ledger.deliveries.untried(campaign.id)
    old = sum(version.attempted for version in ledger.controls.versions(campaign.id))
    say(f"The new version goes to {people(new)} not attempted yet. {people(old).capitalize()} "
        "with an attempt behind them have, may have or will get the one they were attempted with."
        if old else f"The new version goes to {people(new)}; nobody was attempted with the old "
        "one.")  # fmt: skip
