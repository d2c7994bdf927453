"""A campaign worked off: the one place where a run is started."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from newsletter.delivery.queue import Queue
from newsletter.delivery.run import Ending, Run
from newsletter.errors import LedgerRefused, NewsletterError
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.tally import Tally
from newsletter.project.account import Account, account_of
from newsletter.project.compose import compose_frozen
from newsletter.project.log_source import has_public_log
from newsletter.project.log_watch import LogWatch
from newsletter.project.project import Project
from newsletter.transports.protocol import Outcome, Transport


class Observer(Protocol):
    """Who is told how a run goes; may be told by several threads at once."""

    def running(self, tally: Tally, *, stop: Callable[[], None]) -> AbstractContextManager[None]:
        """Entered when the run begins, left when it is over.

        Args:
            tally: how many are in which state at the beginning.
            stop: asks the run to end; what is attempted is finished.
        """

    def on_outcome(self, outcome: Outcome) -> None:
        """One attempt came back."""

    def on_wait(self, words: str | None, until: datetime | None) -> None:
        """All wait, for what and until when; None: they go on."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run.

    Attributes:
        ending: how it ended; None if it failed.
        failure: why it failed; None if it did not.
        notices: what the transport has to tell that no outcome tells.
        log_account: what a person should know of the public log; empty: it was read all the time.
        account: where everybody's mail is; None if it failed because the ledger is gone.
    """

    ending: Ending | None
    failure: NewsletterError | None
    notices: tuple[str, ...]
    log_account: str
    account: Account | None


def run_campaign(
    project: Project,
    campaign: Campaign,
    transport: Transport,
    observer: Observer,
    *,
    check_lock: Callable[[], None],
    wait_minutes: float | None = None,
) -> RunResult:
    """Send what is due of a frozen campaign, and account for everybody.

    Args:
        project: with its settings and ledger; the caller holds its lock.
        campaign: which.
        transport: takes the messages.
        observer: is told how it goes.
        check_lock: raises LedgerRefused if others are not locked out any more.
        wait_minutes: how long to stay for deferred recipients; None: newsletter.toml's.

    Raises:
        NewsletterError: the run ended well, and then its account could not be read.
    """
    ending = failure = account = None
    # A trial reaches nobody, so nobody needs to be left out in the middle of it.
    watch = LogWatch(project) if has_public_log(project) and not project.trial else None
    try:
        ending = _run(
            project,
            campaign,
            transport,
            observer,
            watch,
            check_lock=check_lock,
            wait_minutes=wait_minutes,
        )
    except NewsletterError as error:
        failure = error
    try:
        with closing(project.ledger(create=False, follow=False)) as ledger:
            account = account_of(ledger, campaign)
    except NewsletterError:
        if failure is None:
            raise  # else it is gone, which is why the run stopped
    log_account = watch.account() if watch else ""
    return RunResult(ending, failure, tuple(transport.notices), log_account, account)


def _run(
    project: Project,
    campaign: Campaign,
    transport: Transport,
    observer: Observer,
    watch: LogWatch | None,
    *,
    check_lock: Callable[[], None],
    wait_minutes: float | None,
) -> Ending:
    delivery = project.settings.delivery
    if wait_minutes is not None:
        delivery = delivery.model_copy(update={"wait_minutes": wait_minutes})
    with closing(project.ledger(create=False)) as ledger:
        tally = ledger.campaigns.verify(campaign)
        ledger.campaigns.check_seals(campaign)
        compose = compose_frozen(project, ledger, campaign)
        guard = project.copy_guard(ledger)
        if guard is not None:
            guard.begin(campaign)
        queue = Queue(
            ledger,
            campaign,
            transport=transport,
            settings=delivery,
            clock=project.clock,
            run_id=secrets.token_hex(8),
        )
        run = Run(queue, compose, watch.watch) if watch else Run(queue, compose)
        try:
            with observer.running(tally, stop=run.stop):
                return run.execute(
                    on_outcome=observer.on_outcome,
                    on_wait=observer.on_wait,
                    on_beat=check_lock,
                )
        finally:
            # The next beginning notes it again, should that not be possible now.
            with suppress(LedgerRefused):
                if guard is not None:
                    guard.end()
