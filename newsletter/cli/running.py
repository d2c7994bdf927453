"""One campaign worked off: the run put together, shown while it goes on, and accounted for."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

from newsletter.cli.account import account
from newsletter.cli.output import say
from newsletter.cli.progress import Watch
from newsletter.cli.wiring import Project
from newsletter.delivery.states import State
from newsletter.errors import ExitCode, NewsletterError

if TYPE_CHECKING:
    from newsletter.delivery.ledger.campaigns import Campaign
    from newsletter.transports.protocol import Transport


def run_campaign(project: Project, campaign: Campaign, transport: Transport) -> ExitCode:
    """Work the campaign off and account for it.

    Raises:
        NewsletterError: why the run stopped; the account has been printed before.
    """
    failure: NewsletterError | None = None
    try:
        _execute(project, campaign, transport)
    except NewsletterError as error:
        failure = error
    # Only one with several relays has something to tell that no outcome tells.
    for notice in getattr(transport, "notices", ()):
        say(notice, style="yellow")
    with closing(project.ledger(create=False)) as ledger:
        code = account(ledger, [campaign])
    if failure is not None:
        raise failure
    return code


def _execute(project: Project, campaign: Campaign, transport: Transport) -> None:
    from newsletter.delivery.dispatch import Limits, Run

    delivery = project.settings.delivery
    with closing(project.ledger(create=False)) as ledger:
        ledger.check()
        tally = ledger.campaigns.verify(campaign)
        custody = project.custody(ledger)
        custody.begin(campaign)
        watch = Watch(total=tally.planned, done=tally.settled + tally[State.IN_DOUBT])
        run = Run(
            ledger,
            campaign,
            compose=project.compose(
                ledger.campaigns.editions(campaign),
                letterhead=campaign.letterhead,
                campaign=campaign.id,
            ),
            transport=transport,
            limits=Limits(
                connections=delivery.connections,
                batch=delivery.batch,
                rate_per_second=delivery.rate_per_second,
                retry_for_s=delivery.retry_for_hours * 3600,
            ),
            clock=project.clock,
            run_id=secrets.token_hex(8),
            on_outcome=watch.on_outcome,
        )
        try:
            with watch.showing(stop=run.stop):
                run.execute()
        finally:
            custody.end()
