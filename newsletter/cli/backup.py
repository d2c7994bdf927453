"""``backup``, ``restore`` and ``adopt``: a ledger kept, put back, and taken on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import Yes
from newsletter.cli.asking import confirmed
from newsletter.cli.output import say, show_counts
from newsletter.phrases import joined, moment, people
from newsletter.project import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.ledger.adoption import AdoptionPlan, AdoptionResult
    from newsletter.ledger.backup import About


def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write. It must not exist yet.")
    ],
) -> None:
    """Write ledger, send record, keys, settings and list into one file.

    Can run during a send. Keep the file as secret as the list: it holds all
    addresses and the keys. Issues and templates are not in it.

    Example: newsletter backup newsletter-2017-03-31.backup
    """
    from newsletter.project.backup import back_up

    back_up(Project.here(), file)
    say(f"Written: {file}. It holds the ledger, the keys, the settings and the list.", style="bold")
    say("Keep it where only you can read it; it names every reader. Issues, templates and the "
        "archive are not in it.")  # fmt: skip


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that “newsletter backup” wrote.")
    ],
    yes: Yes = False,
) -> None:
    """Restore a backup into this folder, and adopt its ledger.

    A ledger and key file that are here are kept under another name; settings and
    list that are here stay. Readers mailed since the backup are not mailed again.
    Says what it will do, and asks.

    Example: newsletter restore newsletter-2017-03-31.backup
    """
    from newsletter.project.backup import restore

    def agree(about: About, in_the_way: Sequence[str]) -> bool:
        made = moment(about.made_at)
        say(f"A backup of the list {about.list_id}, made {made}.", style="bold")
        if in_the_way:
            say(f"Already here, and kept under another name: {joined(in_the_way)}.")
        return yes or confirmed("Restore it into this folder?")

    restored = restore(file, agree=agree, on_placed=_tell_placed)
    if restored is None:
        say("Nothing was changed.")
        return
    if restored.adoption is None:
        say("Sends from here are trials, so there is nothing more to do.")
        return
    _tell_adopted(restored.adoption)
    if restored.remembers:
        say("What was sent from this machine since the backup, and who left, is known from its "
            "state folder.")  # fmt: skip
    else:
        say("This machine remembers no send to the list. Who was mailed and who left since "
            f"{moment(restored.made_at)} is not known, nor which issues were sent: look into the "
            "relay's or provider's log before you send, and note who left with “newsletter "
            "suppress add”.", style="yellow")  # fmt: skip


def _tell_placed(kept: Sequence[str]) -> None:
    if kept:
        say(f"The earlier files are kept as {joined(kept)}.")
    say("Issues and templates are not in a backup: copy them here, for example from "
        "version control.")  # fmt: skip


def adopt(
    yes: Yes = False,
    old_copy: Annotated[
        bool,
        typer.Option(
            "--old-copy", help="Treat the ledger as an old copy although nothing here shows it."
        ),
    ] = False,
) -> None:
    """Accept a ledger that is refused: restored, copied, or in a cleaned folder.

    Adds what this machine remembers of the list: who has each issue, and who left.
    Where it remembers nothing, waiting recipients become in doubt; “newsletter
    reconcile” and “newsletter resolve” settle them. Says what it will do, and asks.

    Example: newsletter adopt
    """
    from newsletter.project import adopt

    project = Project.here()
    if project.trial:
        say("Sends from here are trials, so there is nothing to adopt.")
        return
    with project.lock():
        plan = adopt.plan(project, old_copy=old_copy)
        if plan.reason is None and not (plan.aside or plan.missing or old_copy):
            say("Nothing is wrong with this ledger, so there is nothing to adopt. If you "
                "know that it is an old copy: newsletter adopt --old-copy")  # fmt: skip
            return
        _tell_what(plan)
        if not yes and not confirmed("Adopt this ledger?"):
            say("Nothing was changed.")
            return
        done = adopt.adopt(project, old_copy=old_copy)
    _tell_adopted(done)


def _tell_what(plan: AdoptionPlan) -> None:
    if plan.reason is not None:
        say(plan.reason.what)
    if plan.aside:
        say("The ledger in this folder is kept under another name, and a new one is made "
            "from this machine's send record.")  # fmt: skip
    if plan.exact and plan.reason is not None:
        say("This machine's send record has the state of each recipient and who left; "
            "the ledger is brought up to date from it.")  # fmt: skip
    elif plan.waiting and not plan.exact:
        say("To adopt it changes this:")
        show_counts(
            [
                (number, f"waiting in campaign {campaign}, to become in doubt", "red")
                for campaign, number in plan.waiting.items()
            ]
        )
        say("They are not mailed unless you say so, since they may have been mailed already.")
    elif not plan.exact:
        say("No recipient waits in it, so none becomes in doubt.")
    if plan.unknown:
        say(f"It knows nothing of sends of these issues from here: "
            f"{joined(plan.unknown)}. They stay refused without --again.")  # fmt: skip


def _tell_adopted(result: AdoptionResult) -> None:
    """Say what an adoption did."""
    if result.no_list is not None:
        say(f"The list cannot be read: {result.no_list.what} Nobody is missed or mailed twice "
            "without it, but nobody can be named. Once it is there, run “newsletter adopt” again.",
            style="yellow")  # fmt: skip
    for campaign, (found, known) in result.rebuilt.items():
        gone = f"; {people(known - found)} more not on the list now" if known > found else ""
        say(f"Campaign {campaign} is in the ledger again, with {people(found)}{gone}.")
    if result.updated:
        say(f"Brought up to date: {people(result.updated)}.")
    say(f"This ledger is now in use on this machine; {people(sum(result.doubts.values()))} "
        "newly in doubt.", style="bold")  # fmt: skip
    if result.doubts:
        say(
            "“newsletter status” names them. “newsletter reconcile ISSUE” looks for "
            "proof. “newsletter resolve ISSUE” settles the rest, with --all "
            "together; look into the relay's or provider's log first."
        )
    if result.waiting:
        say(f"{people(sum(result.waiting.values()))} waiting to be mailed. “newsletter "
            "status” says how to continue.")  # fmt: skip
