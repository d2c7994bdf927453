"""``correct``: a changed issue for all who were not attempted yet, after a look at the change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from newsletter.cli.arguments import IssueName, Yes
from newsletter.cli.asking import confirmed
from newsletter.cli.output import say, tell
from newsletter.phrases import count, people
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.project.correct import Correction

_MOST_CHANGES = 12


def correct(issue: IssueName, yes: Yes = False) -> None:
    """Replace the frozen issue for recipients not attempted yet.

    Checks the issue, shows what changed since the freeze and how many get which
    version, and asks. Nobody is mailed twice. Pause a running send first;
    “newsletter resume” then sends the new version.

    Example: newsletter correct 2017-03
    """
    from newsletter.cli.accounts import show_accounts
    from newsletter.cli.planning import tell_worth_a_look
    from newsletter.project import correct
    from newsletter.project.account import accounts

    project = Project.here()
    issue = project.issue_id(issue)
    with project.lock():
        correction = correct.propose_correction(project, issue)
        if correction is None:
            say("All recipients were attempted already, so a correction would reach "
                "nobody. Recipients who have the mail are not mailed a second time for "
                "it.", style="bold")  # fmt: skip
            raise typer.Exit(show_accounts(accounts(project, issue)))
        tell_worth_a_look(correction.compiled)
        if correction.changes_nothing:
            say("The issue is the same as the frozen version, so there is nothing to correct.")
            return
        _show_difference(correction)
        _tell_who(correction)
        if not yes and not confirmed("Send them this version?"):
            say("Nothing was changed.")
            return
        version = correct.correct(project, correction)
    say(f"It is version {version} now. To go on: newsletter resume {issue}", style="bold")


def _show_difference(correction: Correction) -> None:
    settings, editions = correction.settings, correction.editions
    for change in settings:
        tell(change, lead="Settings: ")
    if not editions and not settings:
        say("Nothing differs that a reader would see.")
    for edition in editions:
        parts = ", ".join(edition.parts)
        say(f"In the edition in “{edition.language}” this differs: {parts}.", style="bold")
        _show(edition.subject, lead="Subject: ")
        _show(edition.text, lead="Text: ")
        if edition.looks_alone:
            say("The text part is the same; the HTML part differs in look or links. To "
                f"see it: newsletter preview {correction.campaign.issue}")  # fmt: skip


def _show(changes: Sequence[str], *, lead: str) -> None:
    for change in changes[:_MOST_CHANGES]:
        tell(change, lead=lead)
    if left_out := len(changes[_MOST_CHANGES:]):
        say(f"and {count(left_out, 'more place')}")


def _tell_who(correction: Correction) -> None:
    new, old = people(correction.untried), people(correction.attempted).capitalize()
    say(f"The new version goes to {new} not attempted yet. {old} attempted before have, "
        "may have or will get the version of their first attempt."
        if correction.attempted else f"The new version goes to {new}; nobody was attempted with "
        "the old one.")  # fmt: skip
