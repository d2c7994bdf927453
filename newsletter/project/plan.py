"""What a send would do: compiled, checked and planned; and the freeze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.addresses import suppression_key_of
from newsletter.audience.model import Roster
from newsletter.audience.segments import Membership
from newsletter.delivery.plan import exclusion, make_plan
from newsletter.errors import InputError, LedgerRefused, Where
from newsletter.ledger.personal_data import erased_readers
from newsletter.ledger.plan import Exclusion, Plan
from newsletter.ledger.seal import reader_tag
from newsletter.ledger.versions import Approved
from newsletter.log import note
from newsletter.message.compose import Uncomposable
from newsletter.phrases import people
from newsletter.project.account import unfinished
from newsletter.project.compile import CompiledIssue, compile_issue
from newsletter.project.compose import letterhead, signing_composer
from newsletter.project.log_reader import SyncResult
from newsletter.project.preferences import with_preferences
from newsletter.project.project import Project
from newsletter.project.segments import in_segment, refuse_changed
from newsletter.project.sync import read_before_send

if TYPE_CHECKING:
    from newsletter.addresses import Address
    from newsletter.ledger.campaigns import Campaign
    from newsletter.ledger.copy_guard import CopyGuard
    from newsletter.ledger.imports import Import
    from newsletter.ledger.ledger import Ledger
    from newsletter.project.schedule import Appointment
    from newsletter.transports.protocol import Transport


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What was asked for beside the issue.

    Attributes:
        limit: the most recipients.
        again: also those who have the issue, in a round of their own.
        subscribers: the list's file; None: newsletter.toml's.
        appointment: when it begins; None: at once.
        without_log: although the public log cannot be read.
        segment: of the list, whose readers alone are meant; empty: all of it.
    """

    limit: int | None = None
    again: bool = False
    subscribers: Path | None = None
    appointment: Appointment | None = None
    without_log: bool = False
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An issue ready to be frozen.

    Attributes:
        compiled: the issue; the checks found no error in it.
        roster: the list as read.
        plan: who gets the issue, who does not, and why.
        options: what was asked for.
        round: the issue's latest round, 1 for the first.
        new_round: whether this send begins the next one.
        trials: campaigns that reached nobody, although who was in one counts as having
            the issue.
        new_here: whether this machine remembers no send to the list.
        imports: those that the list rests on.
        membership: how many are in the segment that was asked for, and why the others are not;
            None: all of the list is meant.
        news: what the public log told before; None if there is none, or it was not asked.
    """

    compiled: CompiledIssue
    roster: Roster
    plan: Plan
    options: SendOptions
    round: int
    new_round: bool
    trials: tuple[str, ...]
    new_here: bool
    imports: Sequence[Import]
    membership: Membership | None = None
    news: SyncResult | None = None


def prepare(project: Project, issue: str, options: SendOptions) -> Prepared:
    """Compile, check and plan. Changes nothing.

    Raises:
        ErrorsFound: the checks found errors.
        InputError: the issue, its theme or the list cannot be used.
        LedgerRefused: the ledger is not the one that may send from here.
    """
    project.refuse_without_ledger()
    if not project.has_ledger:
        return _prepared(project, issue, options, None)
    with closing(project.ledger(create=False)) as ledger:
        project.refuse_old(ledger, issue, again=options.again)
        return _prepared(project, issue, options, ledger)


def prepare_to_freeze(project: Project, issue: str, options: SendOptions) -> Prepared:
    """As :func:`prepare`, but begin a missing ledger. The caller holds the lock.

    Raises:
        LedgerRefused: also if an earlier send of the issue is not finished.
        LogUnreachable: who left since is not known.
    """
    project.issue_file(issue)
    project.refuse_without_ledger()
    news = read_before_send(project, required=not options.without_log)
    with closing(project.sound_ledger(create=True)) as ledger:
        project.refuse_old(ledger, issue, again=options.again)
        if guard := project.copy_guard(ledger):
            guard.prepare()
        _refuse_unfinished(ledger, issue)
        return replace(_prepared(project, issue, options, ledger), news=news)


def examine(project: Project, prepared: Prepared, transport: Transport) -> None:
    """Look at a message in each language, as the transport would carry it.

    Raises:
        ConfigError: the transport cannot take them. Frozen, they could never be sent.
    """
    head, now = letterhead(project.settings), project.clock.now()
    first = {each.recipient.language: each.recipient for each in reversed(prepared.plan.recipients)}
    for language, recipient in first.items():
        edition = prepared.compiled.editions[language]
        composer = signing_composer(project, edition, letterhead=head, campaign="trial")
        with suppress(Uncomposable):  # theirs alone; said when it is their turn
            transport.examine(composer.compose(recipient, date=now))


def freeze(project: Project, prepared: Prepared) -> Campaign:
    """Write campaign, editions and audience into the ledger, in one transaction.

    The caller holds the lock.

    Raises:
        InputError: the segment was changed, or readers were imported, since it was planned;
            nothing was written.
        LedgerRefused: the ledger does not allow it; nothing was written.
    """
    if prepared.membership is not None:
        refuse_changed(project, prepared.membership)
    appointment = prepared.options.appointment
    with closing(project.ledger(create=True)) as ledger:
        guard = project.copy_guard(ledger)
        with ledger.transaction():
            _refuse_imported_since(ledger, prepared)
            campaign = ledger.campaigns.freeze(
                prepared.plan,
                Approved(prepared.compiled.editions, letterhead(project.settings)),
                now=project.clock.now(),
                again=prepared.new_round,
                not_before=appointment.at if appointment else None,
                late_after=timedelta(hours=project.settings.delivery.late_after_hours),
                round_elsewhere=guard.latest_round(prepared.plan.issue) if guard else 1,
            )
    note("campaign frozen", campaign=campaign.id, counts={"planned": campaign.planned})
    return campaign


def _refuse_imported_since(ledger: Ledger, prepared: Prepared) -> None:
    if ledger.imports.all() != prepared.imports:
        raise InputError(
            "Readers were imported, or an import was reverted, after the plan was shown, so "
            "nothing was sent.",
            next="Run the command again, and look at the plan.",
        )


def _prepared(
    project: Project, issue: str, options: SendOptions, ledger: Ledger | None
) -> Prepared:
    compiled = compile_issue(project, issue)
    compiled.refuse_errors()
    imports = ledger.imports.all() if ledger else []  # first: the list is read after it
    wanted = ledger.preferences.current() if ledger else {}
    roster = with_preferences(project.roster(options.subscribers), wanted, project)
    membership = None
    if options.segment:
        roster, membership = in_segment(project, roster, options.segment)
    begins = options.appointment.at if options.appointment else project.clock.now()
    guard = project.copy_guard(ledger) if ledger else None
    round_ = _latest_round(ledger, guard, issue)

    def tags_of(address: Address) -> tuple[bytes, ...]:
        if ledger is None:  # then nobody has left, so no key is needed to recognise them
            return (b"",)
        return project.keys.tags(address)

    def planned(has_it: Callable[[Address], bool]) -> Plan:
        return make_plan(
            roster,
            issue=issue,
            edition_of=compiled.edition_of,
            tags_of=tags_of,
            excluded_by=partial(
                exclusion,
                suppressed=ledger.suppressions.tags() if ledger else frozenset(),
                paused={tag for tag, each in wanted.items() if each.is_paused(begins.date())},
                has_it=has_it,
            ),
            settings=project.settings.delivery,
            limit=options.limit,
        )

    plan = planned(_has_it(project, ledger, issue, round_=round_ if options.again else None))
    new_round = options.again and (not plan.recipients or round_ == 1)
    if new_round:
        plan = planned(lambda _: False)
    trials: tuple[str, ...] = ()
    if ledger and guard and not options.again and plan.excluded.get(Exclusion.HAS_IT):
        trials = _trials(ledger, issue)
    return Prepared(
        compiled,
        roster,
        plan,
        options,
        round_,
        new_round,
        trials,
        new_here=project.is_new_here,
        imports=imports,
        membership=membership,
    )


def _has_it(
    project: Project, ledger: Ledger | None, issue: str, *, round_: int | None
) -> Callable[[Address], bool]:
    """Tells whether an address has the issue or may have it, by ledger and send record.

    Args:
        project: the project.
        ledger: open; None: there is none.
        issue: its id.
        round_: only those who were in this round; None: in any.
    """
    if ledger is None:
        return lambda _: False
    guard = project.copy_guard(ledger)
    if round_ is None:
        here = ledger.campaigns.has_it(issue)
        remembered = guard.may_have(issue) if guard else frozenset()
    else:
        here = ledger.campaigns.in_round(issue, round_)
        remembered = guard.in_round(issue, round_) if guard else frozenset()
    hashed = remembered | erased_readers(here)
    # A list holds one spelling of an address; another file, or an import, may have another.
    folded = {suppression_key_of(key) for key in here}

    def has_it(address: Address) -> bool:
        if address.suppression_key in folded:
            return True
        # Without readers known by hash alone no key is needed.
        spellings = {address.key, address.suppression_key} if hashed else set()
        return any(reader_tag(project.keys.seal_key, each) in hashed for each in spellings)

    return has_it


def _latest_round(ledger: Ledger | None, guard: CopyGuard | None, issue: str) -> int:
    if guard is not None:
        return guard.latest_round(issue)
    return ledger.campaigns.latest_round(issue) if ledger else 1


def _trials(ledger: Ledger, issue: str) -> tuple[str, ...]:
    left = set(ledger.runs.campaigns_that_left())
    return tuple(each.id for each in ledger.campaigns.of_issue(issue) if each.id not in left)


def _refuse_unfinished(ledger: Ledger, issue: str) -> None:
    for campaign in ledger.campaigns.of_issue(issue):
        if unfinished(ledger, campaign):
            waiting = ledger.campaigns.tally(campaign).open
            raise LedgerRefused(
                f"An earlier send of this issue is not finished: {people(waiting)} waiting.",
                where=Where(item=f"campaign {campaign.id}"),
                next=f"Finish it first: newsletter resume {issue}",
            )
