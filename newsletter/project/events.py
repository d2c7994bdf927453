"""Providers' events, heard by themselves: webhooks from the public log, and the provider asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from newsletter.errors import ConfigError, LogUnreachable, NewsletterError, TransportStopped
from newsletter.feedback.apply import Applied
from newsletter.feedback.provider_events import read_listed
from newsletter.project.event_account import EventAccount, Fate, conclude, event_applier
from newsletter.project.log_source import has_public_log
from newsletter.project.project import Project
from newsletter.project.sync import sync
from newsletter.project.transport import open_transport
from newsletter.project.webhooks import apply_webhooks
from newsletter.transports.provider import provider_class

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger
    from newsletter.transports.protocol import Transport

_FIRST_SPAN = timedelta(days=30)
"""How far back a provider is asked the first time."""
_LONGEST_S = 300.0
_AT_SEND_S = 20.0


def hear_providers(project: Project) -> EventAccount | None:
    """Read the public log for webhooks, ask the provider, and apply what they tell.

    May run during a send. A provider whose key is missing is told in the account.

    Returns:
        What became of each event; None if no provider tells any here.

    Raises:
        LedgerRefused: the ledger cannot be used. What was applied stays.
    """
    has_webhooks = bool(project.settings.webhooks.providers)
    asks = project.settings.provider is not None and bool(
        provider_class(project.settings.delivery.transport).events_listed
    )
    if not asks and not has_webhooks:
        return None
    account = EventAccount()
    if has_webhooks and has_public_log(project):
        try:
            account.log = sync(project)
        except LogUnreachable as error:
            account.tell(error.what)
    if asks and project.has_ledger:
        try:
            with closing(open_transport(project)) as transport:
                ask_provider(project, transport, account, within_s=_LONGEST_S)
        except ConfigError as error:
            account.tell(error.what)
    apply_webhooks(project, account)
    return account


def hear_at_a_send(project: Project, transport: Transport | None) -> EventAccount:
    """Apply webhooks as a run begins and, as it ends, ask its provider, too; in a short time.

    What goes wrong is told in the account: no send fails because of it.
    """
    account = EventAccount()
    try:
        if transport is not None:
            ask_provider(project, transport, account, within_s=_AT_SEND_S)
        if project.settings.webhooks.providers:
            apply_webhooks(project, account, within_s=_AT_SEND_S)
    except NewsletterError as error:
        account.tell(error.what)
    return account


def ask_provider(
    project: Project, transport: Transport, account: EventAccount, *, within_s: float
) -> None:
    """Ask a provider what happened since it was last asked, and apply that page by page.

    The next time begins where this one ended, if all was read.

    Args:
        project: with a ledger.
        transport: which provider.
        account: takes what became of the events, and why not all were heard.
        within_s: no further page is read after so many seconds.

    Raises:
        LedgerRefused: the ledger cannot be written. What was applied stays.
    """
    from newsletter.transports.api import ApiTransport

    if not isinstance(transport, ApiTransport) or not transport.lists_events:
        return
    now = project.clock.now()
    until = project.clock.monotonic() + within_s
    with closing(project.ledger(create=False)) as ledger:
        frozen = [campaign.frozen_at for campaign in ledger.campaigns.all()]
        first = max(now - _FIRST_SPAN, min(frozen, default=now))
        since = ledger.webhooks.asked_until(transport.name) or first
        if since > now:
            since = first  # the clock was ahead then, so nobody knows until when it was asked
        try:
            for page in transport.events_since(since):
                _apply_page(project, ledger, page, account)
                if project.clock.monotonic() > until:
                    account.tell(
                        "The provider lists more events than could be read in time; "
                        "“newsletter bounces” reads them."
                    )
                    break
            else:
                with ledger.transaction():
                    ledger.webhooks.note_asked(transport.name, now)
        except TransportStopped as stopped:
            account.tell(f"{stopped.what} {stopped.next}".strip())
        settled, account.folder_only = conclude(project, ledger)
        account.settled += settled


def _apply_page(
    project: Project, ledger: Ledger, page: Sequence[Mapping[str, Any]], account: EventAccount
) -> None:
    apply = event_applier(project, ledger)
    with ledger.transaction():
        total = sum((apply(event) for row in page for event in read_listed(row)), Applied())
    account.add(total)
    account.events[Fate.NOT_OURS] += total.strangers
