"""``resolve`` and ``reconcile``: doubts settled by a person's word, or by somebody who knows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import sent
from newsletter.cli.looking import IssueName
from newsletter.cli.output import count, joined, moment, people, say, show_facts, tell
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, InputError, TransportStopped
from newsletter.ledger.states import State, Step

if TYPE_CHECKING:
    from newsletter.delivery.reconcile import Reconciled
    from newsletter.ledger import Ledger
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.events import EventRecord
    from newsletter.ledger.reading import Held
    from newsletter.ledger.runs import RunRecord
    from newsletter.message.model import Recipient
    from newsletter.transports.protocol import Transport

_WORDS = {
    Step.ASSUME: "Taken as accepted by a person's word.",
    Step.RESEND: "To be mailed again by a person's word.",
}
_Doubtful = tuple["Campaign", "Held"]


def resolve(
    issue: IssueName,
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="[ADDRESS...]", help="Who is in doubt.")
    ] = None,
    accepted: Annotated[
        bool, typer.Option("--accepted", help="They have it, or you do not want to risk a second.")
    ] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="Mail them again at the next resume.")
    ] = False,
    everybody: Annotated[
        bool, typer.Option("--all", help="Everybody who is in doubt, instead of addresses.")
    ] = False,
) -> None:
    """Settle doubts by your own word: they have it, or they get it again.

    Without --accepted and --resend it shows what is known of each person and asks.

    Example: newsletter resolve 2017-03 anna@example.org --accepted
    """
    from newsletter.ledger.lock import SenderAtWork

    if accepted and resend:
        raise InputError(
            "Say either --accepted or --resend.",
            next="--accepted: they have it. --resend: they get it again, perhaps a second time.",
        )
    if addresses and everybody:
        raise InputError("Name people or say --all, not both.", next="Leave one of them out.")
    project = Project.here()
    issue = project.issue_id(issue)
    with closing(project.sound_ledger()) as ledger:
        # Who a run at work hands over is its own; else that run has died.
        with suppress(SenderAtWork), project.lock():
            _recover(project, ledger, sent(project, ledger, issue))
        doubtful = _in_doubt(project, ledger, issue, addresses or ())
        if not doubtful:
            say("Nobody is in doubt.")
            return
        if not accepted and not resend:
            _ask_about(project, ledger, issue, doubtful)
            return
        if not addresses and not everybody:
            raise InputError(
                f"{people(len(doubtful))} in doubt; say whom you mean.",
                next="Name their addresses, or say --all. Nobody was settled.",
            )
        step = Step.ASSUME if accepted else Step.RESEND
        _tell_settled(issue, step, _settle(project, ledger, doubtful, step))


def _recover(project: Project, ledger: Ledger, campaigns: Sequence[Campaign]) -> None:
    """Put in doubt whom a run that died was handing over; the caller holds the lock."""
    now = project.clock.now().timestamp()
    with ledger.transaction():
        for campaign in campaigns:
            ledger.deliveries.recover(campaign.id, now=now)


def _settle(
    project: Project, ledger: Ledger, doubtful: Sequence[_Doubtful], step: Step
) -> list[str]:
    """Settle all or none; who is to be mailed again gets one letter, not one a campaign."""
    now = project.clock.now().timestamp()
    names = []
    again: set[str] = set()
    with ledger.transaction():
        for _, held in reversed(doubtful):  # the newest campaign first
            if step is Step.RESEND and held.address in again:
                continue
            if ledger.deliveries.decide(held.id, step, note=_WORDS[step], now=now):
                again.add(held.address)
                names.append(held.address)
    return sorted(set(names))


def _tell_settled(issue: str, step: Step, names: Sequence[str]) -> None:
    if step is Step.RESEND:
        say(f"To be mailed again: {joined(names)}. Now: newsletter resume {issue}")
    else:
        say(f"Taken as accepted: {joined(names)}.")


def _ask_about(project: Project, ledger: Ledger, issue: str, doubtful: Sequence[_Doubtful]) -> None:
    """Show what is known of each and, if somebody is there, ask."""
    there = sys.stdin.isatty()
    known: dict[str, _Known] = {}
    for campaign, held in doubtful:
        if campaign.id not in known:
            known[campaign.id] = _Known.of(ledger, campaign)
        _show(project, ledger, campaign, held, known[campaign.id])
        if there:
            answer = _answer()
            if answer == "q":
                break
            if answer != "l":
                step = Step.ASSUME if answer == "a" else Step.RESEND
                _tell_settled(issue, step, _settle(project, ledger, [(campaign, held)], step))
        say("")
    if not there:
        say(f"They have it: newsletter resolve {issue} ADDRESS --accepted")
        say(f"Mail them again: newsletter resolve {issue} ADDRESS --resend")
    if left := len(_in_doubt(project, ledger, issue, ())):
        say(f"Still in doubt: {people(left)}.", style="bold")
        raise typer.Exit(ExitCode.IN_DOUBT)


def _answer() -> str:
    """What a person says, as one of the four letters; asked again till it is one."""
    answer = ""
    while answer not in {"a", "m", "l", "q"}:
        try:
            answer = typer.prompt(
                "They have it (a), mail them again (m), leave it open (l), quit (q)",
                default="l",
                show_default=False,
            )
        except typer.Abort:  # Ctrl-C or the end of input: nothing more is settled
            say("")
            return "q"
        answer = answer.strip().lower()
    return answer


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a campaign's letters beside their attempts; read once, for there is much.

    Attributes:
        runs: by their names.
        events: by the number of the delivery.
    """

    runs: Mapping[str, RunRecord]
    events: Mapping[int, Sequence[EventRecord]]

    @classmethod
    def of(cls, ledger: Ledger, campaign: Campaign) -> _Known:
        """Read it."""
        events: dict[int, list[EventRecord]] = {}
        for event in ledger.events.of(campaign.id):
            events.setdefault(event.delivery, []).append(event)
        return cls({run.id: run for run in ledger.runs.of(campaign.id)}, events)


def _show(project: Project, ledger: Ledger, campaign: Campaign, held: Held, known: _Known) -> None:
    """What is known: the attempts, the way they went, and by what the relay's log knows it."""
    from newsletter.addresses import Address

    local, _, domain = held.address.rpartition("@")
    tag = project.keys.message_tag(campaign.id, Address(local, domain))
    facts = [("Person", held.address), ("Message-ID", f"begins with {campaign.id}.{tag}")]
    for attempt in ledger.deliveries.history(held.id):
        run = known.runs.get(attempt.run)
        through = f", through {run.place}" if run else ""
        words = attempt.reply or "the program ended before the answer was recorded"
        facts.append(("Attempts", f"{moment(attempt.started_at)}{through}: {words}"))
    facts.extend(
        ("Learned later", f"{event.kind} ({event.source}), {moment(event.at)}: {event.detail}")
        for event in known.events.get(held.id, ())
    )
    show_facts(facts)


def _in_doubt(
    project: Project, ledger: Ledger, issue: str, addresses: Sequence[str]
) -> list[_Doubtful]:
    """Who is in doubt in which campaign, oldest first; all, or those named.

    Raises:
        InputError: one of those named is not in doubt; nobody is settled then.
    """
    doubtful = [
        (campaign, held)
        for campaign in sent(project, ledger, issue)
        for held in ledger.deliveries.held(campaign.id, State.IN_DOUBT)
    ]
    if not addresses:
        return doubtful
    wanted = {_key(address) for address in addresses}
    strangers = sorted(wanted - {held.address for _, held in doubtful})
    if strangers:
        raise InputError(
            f"{people(len(strangers))} named here {'is' if len(strangers) == 1 else 'are'} not "
            f"in doubt: {joined(strangers)}.",
            next=f"“newsletter status {issue}” lists who is. Nobody was settled.",
        )
    return [(campaign, held) for campaign, held in doubtful if held.address in wanted]


def _key(text: str) -> str:
    from newsletter.addresses import Address, AddressError

    try:
        return Address.parse(text).key
    except AddressError:
        return text


def reconcile(
    issue: IssueName,
    bounces: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="Bounce reports: a mail, or a folder of mails."),
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A provider's events, as JSON or one on each line."),
    ] = None,
) -> None:
    """Settle doubts by asking who knows: the provider, bounce reports, a provider's events.

    What proves that somebody was accepted settles the doubt; silence proves
    nothing. Calls are repeated only where the provider cannot mail anybody twice.

    Example: newsletter reconcile 2017-03 --bounces bounces/
    """
    project = Project.here()
    issue = project.issue_id(issue)
    with project.lock(), closing(project.sound_ledger()) as ledger:
        project.refuse_old(ledger)
        campaigns = sent(project, ledger, issue)
        _recover(project, ledger, campaigns)
        unread = None
        if bounces or events:
            unread = _apply(project, ledger, campaigns, bounces or (), events or ())
        failure = _ask_provider(project, ledger, campaigns) or unread
        left = sum(ledger.campaigns.tally(campaign)[State.IN_DOUBT] for campaign in campaigns)
    if left:
        say(f"Still in doubt: {people(left)}. To decide yourself: newsletter resolve {issue}",
            style="bold")  # fmt: skip
    else:
        say("Nobody is in doubt.", style="bold green")
    if failure is not None:
        raise failure
    raise typer.Exit(ExitCode.IN_DOUBT if left else ExitCode.DONE)


def _ask_provider(
    project: Project, ledger: Ledger, campaigns: Sequence[Campaign]
) -> TransportStopped | None:
    """Ask about every campaign with doubts; why that was not possible, if it was not."""
    doubtful = [each for each in campaigns if ledger.campaigns.tally(each)[State.IN_DOUBT]]
    if not doubtful:
        return None
    with closing(project.transport()) as transport:
        for campaign in doubtful:
            try:
                found = _reconciled(project, ledger, campaign, transport)
            except TransportStopped as stopped:
                return stopped
            if found is None:
                say(
                    f"Nobody can be asked: {transport.place} keeps no record that it shows. Its "
                    "operator's log knows our Message-IDs; “newsletter resolve” shows them."
                )
                return None
            say(f"{campaign.id}: {people(found.in_doubt)} in doubt; {found.by_repeating:,} settled "
                f"by repeating a call under its key, {found.by_asking:,} by asking.")  # fmt: skip
    return None


def _reconciled(
    project: Project, ledger: Ledger, campaign: Campaign, transport: Transport
) -> Reconciled | None:
    from newsletter.delivery.reconcile import Reconciler

    inquiry = transport.inquire()
    if inquiry is None:
        return None
    asked = ledger.campaigns.tally(campaign)[State.IN_DOUBT]
    say(f"Asking {transport.place} about {people(asked)} in doubt.")
    gone = ledger.suppressions.tags()

    def has_left(recipient: Recipient) -> bool:
        return project.keys.address_tag(recipient.address) in gone

    with closing(inquiry):
        return Reconciler(
            ledger,
            campaign,
            compose=project.compose(ledger, campaign),
            inquiry=inquiry,
            transport=transport.name,
            place=transport.place,
            has_left=has_left,
            clock=project.clock,
        ).settle()


def _apply(
    project: Project,
    ledger: Ledger,
    campaigns: Sequence[Campaign],
    bounces: Sequence[Path],
    events: Sequence[Path],
) -> InputError | None:
    """Apply what the files tell, and say what of them could not be read.

    Returns:
        Why a path gave nothing at all, to be raised when everything else is done.
    """
    from newsletter.feedback.apply import apply_events
    from newsletter.feedback.files import Skipped, read_news

    skipped = Skipped()
    applied = apply_events(
        read_news(bounces, events, now=project.clock.now(), skipped=skipped),
        ledger,
        campaigns,
        tag_of=lambda campaign, member: project.keys.message_tag(campaign, member.address),
        now=project.clock.now().timestamp(),
    )
    if applied.new or applied.known or applied.strangers:
        tell(
            f"{count(applied.new, 'piece')} of news, {applied.known:,} known already, "
            f"{applied.strangers:,} about other mail. {count(applied.settled, 'doubt')} settled; "
            f"{people(applied.suppressed)} will not be mailed any more."
        )
    elif not skipped.unusable:
        say("There is no report and no event in what was given.")
    if skipped.without_report:
        say(f"Without a bounce report, so left alone: {count(skipped.without_report, 'mail')}.")
    if skipped.count:
        say(f"Skipped, since unreadable: {skipped.count:,}. Everything else was read.")
        for problem in skipped.named:
            tell(str(problem), lead="  ")
        if skipped.count > len(skipped.named):
            say(f"  … and {skipped.count - len(skipped.named):,} more.")
    if not skipped.unusable:
        return None
    return InputError(
        "Some of what was named could not be read. Everything else was applied.",
        problems=skipped.unusable,
        next="Name files and folders that you may read.",
    )
