"""``sync``: what happened on the public side, read into the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.project import Project


def sync(
    again: Annotated[
        bool, typer.Option("--again", help="Read the whole log, whatever was read before.")
    ] = False,
) -> None:
    """Read from the public log who left, so that nobody of them is mailed.

    “send” and “resume” do so themselves. To read twice, or from two machines, changes nothing.
    Who had left and signed up again is asked by mail whether that was them.

    Example: newsletter sync
    """
    from newsletter.cli.news import show_asked, show_news
    from newsletter.project.sign_ups import ask_returning
    from newsletter.project.sync import sync as read

    project = Project.here()
    show_news(read(project, again=again), nothing="Nothing new in the public log.")
    show_asked(ask_returning(project))
