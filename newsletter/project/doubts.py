"""Doubts settled: by a person's word, or by a provider, bounce reports and events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.addresses import Address, AddressError
from newsletter.delivery.reconcile import Reconciler, ReconcileResult
from newsletter.errors import InputError, NewsletterError, TransportStopped
from newsletter.feedback.apply import Applied, apply_events
from newsletter.feedback.files import Skipped, read_news
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.events import EventRecord
from newsletter.ledger.lock import SenderAtWork
from newsletter.ledger.reading import AttemptRecord, DeliveryRow
from newsletter.ledger.states import State, Step
from newsletter.message.model import Recipient
from newsletter.phrases import joined, people
from newsletter.project.account import campaigns_of
from newsletter.project.compose import compose_frozen
from newsletter.project.project import Project
from newsletter.project.transport import open_transport
from newsletter.transports.protocol import StatusLookup, Transport

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

_WORDS = {
    Step.ASSUME: "Taken as accepted by a person's word.",
    Step.RESEND: "To be mailed again by a person's word.",
}


@dataclass(frozen=True, slots=True)
class DoubtHistory:
    """What is known of a message in doubt.

    Attributes:
        doubt: whose.
        message_id: with what its Message-ID begins, as the server's log shows it.
        attempts: each with the place it went through, empty if that is not known.
        events: what was learned later.
    """

    doubt: DeliveryRow
    message_id: str
    attempts: tuple[tuple[AttemptRecord, str], ...]
    events: tuple[EventRecord, ...]


def in_doubt(project: Project, issue: str, addresses: Sequence[str] = ()) -> list[DeliveryRow]:
    """Who is in doubt in which campaign, oldest first; all, or those named.

    Whom a run that died was handing over is put in doubt first.

    Raises:
        InputError: the issue was never sent, or one of those named is not in doubt.
    """
    with closing(project.sound_ledger()) as ledger:
        campaigns = campaigns_of(project, ledger, issue)
        # Who a run at work hands over is its own; else that run has died.
        with suppress(SenderAtWork), project.lock():
            recover(project, ledger, campaigns)
        doubts = [
            doubt
            for campaign in campaigns
            for doubt in ledger.deliveries.of(campaign.id, State.IN_DOUBT)
        ]
    if not addresses or not doubts:
        return doubts
    wanted = {_key(address) for address in addresses}
    strangers = sorted(wanted - {doubt.address for doubt in doubts})
    if strangers:
        raise InputError(
            f"{people(len(strangers))} named here "
            f"{'is' if len(strangers) == 1 else 'are'} not in doubt: "
            f"{joined(strangers)}.",
            next=f"“newsletter status {issue}” lists who is. Nobody was settled.",
        )
    return [doubt for doubt in doubts if doubt.address in wanted]


def doubt_histories(project: Project, doubts: Sequence[DeliveryRow]) -> Iterator[DoubtHistory]:
    """What is known of each: the attempts, the way they went, what was learned later."""
    with closing(project.ledger(create=False, follow=False)) as ledger:
        ways: dict[str, str] = {}
        events: dict[int, list[EventRecord]] = {}
        # Read once for a campaign and not for each doubt, for there may be thousands.
        for campaign in {doubt.campaign: None for doubt in doubts}:
            ways |= {run.id: run.place for run in ledger.runs.of(campaign)}
            for event in ledger.events.of(campaign):
                events.setdefault(event.delivery, []).append(event)
        for doubt in doubts:
            yield DoubtHistory(
                doubt,
                message_id=f"{doubt.campaign}.{doubt.message_tag}",
                attempts=tuple(
                    (attempt, ways.get(attempt.run, ""))
                    for attempt in ledger.deliveries.history(doubt.id)
                ),
                events=tuple(events.get(doubt.id, ())),
            )


def settle(project: Project, doubts: Sequence[DeliveryRow], step: Step) -> list[str]:
    """Settle all or none by a person's word.

    Who is to be mailed again gets one message, not one for each campaign.

    Returns:
        The addresses of those who were still in doubt.
    """
    now = project.clock.now()
    settled: set[str] = set()
    with closing(project.ledger(create=False)) as ledger, ledger.transaction():
        for doubt in reversed(doubts):  # the newest campaign first
            if step is Step.RESEND and doubt.address in settled:
                continue
            if ledger.deliveries.decide(doubt.id, step, note=_WORDS[step], now=now):
                settled.add(doubt.address)
    return sorted(settled)


@dataclass(frozen=True, slots=True)
class News:
    """What bounce reports and events told.

    Attributes:
        applied: what came of them.
        skipped: what could not be read.
    """

    applied: Applied
    skipped: Skipped


@dataclass(frozen=True, slots=True)
class Asking:
    """A provider is asked about so many."""

    place: str
    number: int


@dataclass(frozen=True, slots=True)
class NoRecord:
    """Nobody can be asked: whatever is at ``place`` shows no record of what it took."""

    place: str


Progress = News | Asking | NoRecord | ReconcileResult
"""The steps of a reconciliation."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What is left when everybody was asked.

    Attributes:
        in_doubt: how many still are.
        failure: what was not possible; everything else was done.
    """

    in_doubt: int
    failure: NewsletterError | None


def reconcile(
    project: Project,
    issue: str,
    *,
    bounces: Sequence[Path],
    events: Sequence[Path],
    on_progress: Callable[[Progress], None],
) -> Reconciliation:
    """Settle doubts by asking who knows. Only what proves acceptance settles one.

    Args:
        project: the project.
        issue: its id.
        bounces: bounce reports: files, folders of them, or mboxes.
        events: files of a provider's events.
        on_progress: is told each step.

    Raises:
        InputError: the issue was never sent.
        LedgerRefused: another send is running, or the ledger cannot be used.
    """
    with project.lock(), closing(project.sound_ledger()) as ledger:
        project.refuse_old(ledger)
        campaigns = campaigns_of(project, ledger, issue)
        recover(project, ledger, campaigns)
        unread = None
        if bounces or events:
            news = _apply(project, ledger, campaigns, bounces, events)
            on_progress(news)
            unread = _unusable(news.skipped)
        failure = _ask_provider(project, ledger, campaigns, on_progress) or unread
        left = sum(ledger.campaigns.tally(campaign)[State.IN_DOUBT] for campaign in campaigns)
    return Reconciliation(left, failure)


def recover(project: Project, ledger: Ledger, campaigns: Iterable[Campaign]) -> None:
    """Put in doubt whom a run that died was handing over; the caller holds the lock."""
    now = project.clock.now()
    with ledger.transaction():
        for campaign in campaigns:
            ledger.deliveries.recover(campaign.id, alive=(), now=now)


def _apply(
    project: Project,
    ledger: Ledger,
    campaigns: Sequence[Campaign],
    bounces: Sequence[Path],
    events: Sequence[Path],
) -> News:
    skipped = Skipped()
    now = project.clock.now()
    applied = apply_events(
        read_news(bounces, events, skipped=skipped),
        ledger,
        campaigns,
        now=now,
        suppress_after=project.settings.delivery.suppress_after_returns,
    )
    return News(applied, skipped)


def _unusable(skipped: Skipped) -> InputError | None:
    """Why a path gave nothing at all, to be raised when everything else is done."""
    if not skipped.unusable:
        return None
    return InputError(
        "Some files could not be read. All others were applied.",
        problems=skipped.unusable,
        next="Name files and folders that you may read.",
    )


def _ask_provider(
    project: Project,
    ledger: Ledger,
    campaigns: Sequence[Campaign],
    on_progress: Callable[[Progress], None],
) -> TransportStopped | None:
    """Ask about every campaign with doubts; why that was not possible, if it was not."""
    doubtful = [each for each in campaigns if ledger.campaigns.tally(each)[State.IN_DOUBT]]
    if not doubtful:
        return None
    with closing(open_transport(project)) as transport:
        for campaign in doubtful:
            try:
                inquiry = transport.status_lookup()
                if inquiry is None:
                    on_progress(NoRecord(transport.place))
                    return None
                number = ledger.campaigns.tally(campaign)[State.IN_DOUBT]
                on_progress(Asking(transport.place, number))
                with closing(inquiry):
                    found = _reconciled(project, ledger, campaign, transport, inquiry)
            except TransportStopped as stopped:
                return stopped
            on_progress(found)
    return None


def _reconciled(
    project: Project,
    ledger: Ledger,
    campaign: Campaign,
    transport: Transport,
    inquiry: StatusLookup,
) -> ReconcileResult:
    gone = ledger.suppressions.tags()

    def has_left(recipient: Recipient) -> bool:
        return project.keys.address_tag(recipient.address) in gone

    return Reconciler(
        ledger,
        campaign,
        compose=compose_frozen(project, ledger, campaign),
        transport=transport,
        inquiry=inquiry,
        has_left=has_left,
        clock=project.clock,
    ).settle()


def _key(text: str) -> str:
    try:
        return Address.parse(text).key
    except AddressError:
        return text
