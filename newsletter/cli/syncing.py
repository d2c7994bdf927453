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

    Example: newsletter sync
    """
    from newsletter.cli.news import show_news
    from newsletter.project.sync import sync as read

    show_news(read(Project.here(), again=again), nothing="Nothing new in the public log.")
