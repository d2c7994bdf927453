"""Providers' events, heard by themselves: webhooks from the public log, and the provider asked."""

from __future__ import annotations

from newsletter.errors import LogUnreachable
from newsletter.project.event_account import EventAccount
from newsletter.project.log_source import has_public_log
from newsletter.project.project import Project
from newsletter.project.sync import sync
from newsletter.project.webhooks import apply_webhooks


def hear_providers(project: Project) -> EventAccount | None:
    """Read the public log for webhooks, and apply what they tell. May run during a send.

    Returns:
        What became of each event; None if no provider tells any here.

    Raises:
        LedgerRefused: the ledger cannot be used. What was applied stays.
    """
    if not project.settings.webhooks.providers:
        return None
    account = EventAccount()
    if has_public_log(project):
        try:
            account.log = sync(project)
        except LogUnreachable as error:
            account.tell(error.what)
    apply_webhooks(project, account)
    return account
