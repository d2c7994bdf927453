"""``status``: where everybody's mail is."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.cli.output import say
from newsletter.project import Project

_NOTHING_YET = "Nothing has been sent from here yet. “newsletter send ISSUE” sends an issue."


def status(
    issue: Annotated[
        str, typer.Argument(metavar="ISSUE", help="The issue. Default: all of them.")
    ] = "",
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Follow a send until it ends. Ctrl-C ends the view alone."),
    ] = False,
) -> None:
    """Show the state of each recipient, and whether the numbers add up.

    Changes nothing. The exit code is that of the send: 4 if some recipients still
    wait, 6 if some are in doubt.

    Example: newsletter status 2017-03
    """
    from newsletter.cli.accounts import show_accounts
    from newsletter.project import account

    project = Project.here()
    issue = issue and project.issue_id(issue)
    if watch:
        from newsletter.cli.watching import follow

        follow(account.watch(project, issue))
    found = account.status(project, issue)
    if not found:  # nothing yet, or only what “newsletter suppress add” wrote
        say(_NOTHING_YET)
    raise typer.Exit(show_accounts(found))
