"""``sync``: what happened on the public side, read into the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.project import Project


def sync(
    again: Annotated[
        bool, typer.Option("--again", help="Read the whole log again, from its beginning.")
    ] = False,
) -> None:
    """Read the public log: who left, who signed up, and what readers chose.

    “send” and “resume” do this too. Reading twice, or on two machines, changes
    nothing. Webhooks of providers are verified and applied. People who had left and sign
    up again are asked by mail to confirm.

    Example: newsletter sync
    """
    from newsletter.cli.events import show_events
    from newsletter.cli.news import show_asked, show_news
    from newsletter.project.event_account import EventAccount
    from newsletter.project.sign_ups import ask_returning
    from newsletter.project.sync import sync as read
    from newsletter.project.webhooks import apply_webhooks

    project = Project.here()
    show_news(read(project, again=again), nothing="Nothing new in the public log.")
    events = EventAccount()
    apply_webhooks(project, events)
    show_events(events)
    show_asked(ask_returning(project))
