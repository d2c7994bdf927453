"""One campaign worked off: the run put together, shown while it goes on, and accounted for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from newsletter.cli.account import account
from newsletter.cli.output import say, tell
from newsletter.cli.progress import Watch
from newsletter.cli.wiring import Project
from newsletter.delivery.run import Ending, How, Run
from newsletter.errors import ExitCode, LedgerRefused, NewsletterError
from newsletter.ledger.states import State

if TYPE_CHECKING:
    from newsletter.ledger.campaigns import Campaign
    from newsletter.transports.protocol import Transport


def run_campaign(
    project: Project,
    campaign: Campaign,
    transport: Transport,
    *,
    check_lock: Callable[[], None],
    wait_minutes: float | None = None,
) -> ExitCode:
    """Work the campaign off and account for it.

    Args:
        project: with its settings and ledger.
        campaign: which.
        transport: the way out.
        check_lock: raises LedgerRefused if others are not locked out any more.
        wait_minutes: how long to stay for those put off; None: newsletter.toml's.

    Raises:
        NewsletterError: why the run stopped; the account has been printed before.
    """
    failure: NewsletterError | None = None
    try:
        ending = _execute(
            project, campaign, transport, check_lock=check_lock, wait_minutes=wait_minutes
        )
        _tell(ending)
    except NewsletterError as error:
        failure = error
    # Only one with several relays has something to tell that no outcome tells.
    for notice in transport.notices:
        say(notice, style="yellow")
    try:
        with closing(project.ledger(create=False, follow=False)) as ledger:
            code = account(ledger, [campaign])
    except NewsletterError:
        if failure is None:
            raise  # else it is gone, which is why the run stopped
    if failure is not None:
        raise failure
    return code


def _tell(ending: Ending) -> None:
    for note in ending.notes:
        tell(note, lead="Domain waits: ", lead_style="yellow")
    if ending.how is How.PAUSED:
        tell(ending.words, lead="Held: ", lead_style="yellow")


def _execute(
    project: Project,
    campaign: Campaign,
    transport: Transport,
    *,
    check_lock: Callable[[], None],
    wait_minutes: float | None,
) -> Ending:
    from newsletter.delivery.policy import Limits

    delivery = project.settings.delivery
    if wait_minutes is None:
        wait_minutes = delivery.wait_minutes
    with closing(project.ledger(create=False)) as ledger:
        tally = ledger.campaigns.verify(campaign)
        ledger.campaigns.check_seals(campaign)
        compose = project.compose(ledger, campaign)
        guard = None if project.trial else project.copy_guard(ledger)
        if guard is not None:
            guard.begin(campaign)
        watch = Watch(total=tally.planned, done=tally.settled + tally[State.IN_DOUBT])
        run = Run(
            ledger,
            campaign,
            compose=compose,
            transport=transport,
            limits=Limits(
                connections=delivery.connections,
                batch=delivery.batch,
                rate_per_second=delivery.rate_per_second,
                retry_for_s=delivery.retry_for_hours * 3600,
                wait_s=wait_minutes * 60,
                stop_above=delivery.stop_above,
                domain_per_minute=delivery.domain_per_minute,
            ),
            clock=project.clock,
            run_id=secrets.token_hex(8),
        )
        try:
            with watch.showing(stop=run.stop):
                return run.execute(
                    on_outcome=watch.on_outcome, on_wait=watch.on_wait, on_beat=check_lock
                )
        finally:
            # The next beginning notes it again, should that not be possible now.
            with suppress(LedgerRefused):
                if guard is not None:
                    guard.end()
