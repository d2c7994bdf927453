"""The plan of a send: compile, check, and show who gets the issue, who does not, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli.archive import publish_first
from newsletter.cli.looking import all_findings, check_inputs
from newsletter.cli.output import (
    count,
    duration,
    err,
    joined,
    people,
    say,
    say_problems,
    show_facts,
    show_findings,
)
from newsletter.cli.wiring import Compiled, Project
from newsletter.delivery.plan import make_plan
from newsletter.errors import ChecksFailed
from newsletter.ledger.plan import Exclusion, Plan, Wave
from newsletter.ledger.seal import reader_tag

if TYPE_CHECKING:
    from newsletter.audience.model import Roster
    from newsletter.delivery.schedule import Appointment
    from newsletter.ledger import Ledger
    from newsletter.ledger.copy_guard import CopyGuard

_MOST_WARNINGS = 3
_EXCLUSIONS = {
    Exclusion.REFUSED: ("row holds", "rows hold", "no usable address"),
    Exclusion.REPEATED: ("row repeats", "rows repeat", "an address that stands further up"),
    Exclusion.SUPPRESSED: ("person", "people", "who left, complained or cannot be reached"),
    Exclusion.HAS_IT: ("person has", "people have", "this issue already, or may have it"),
    Exclusion.BEYOND_LIMIT: ("person", "people", "kept for a later send (--limit)"),
}


_NEW_HERE = (
    "this machine remembers no send to this list. If another machine has sent to it, stop: who was "
    "mailed from there, and who left, is not known here"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line of a send."""

    limit: int | None = None
    again: bool = False
    subscribers: Path | None = None
    appointment: Appointment | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An issue ready to be frozen; ``new_round``: for those who have it, too."""

    compiled: dict[str, Compiled]
    plan: Plan
    new_round: bool = False


def prepare(project: Project, issue: str, wish: Wish, *, ledger: Ledger | None) -> Prepared:
    """Compile, check, plan and show. Changes nothing.

    Args:
        project: the project.
        issue: id of the issue.
        wish: what was asked for.
        ledger: who left and who has the issue; None where nothing was ever sent.

    Raises:
        ChecksFailed: the checks found errors; they have been printed.
        InputError: the issue, its theme or the list cannot be used.
    """
    compiled = project.compile(issue)
    refuse_on_errors(issue, compiled)
    roster = project.roster(wish.subscribers)
    guard = project.copy_guard(ledger) if ledger and not project.trial else None
    round_ = _latest_round(ledger, guard, issue)

    def planned(has_it: frozenset[str], remembered: frozenset[bytes]) -> Plan:
        return make_plan(
            roster,
            issue=issue,
            languages=set(compiled),
            default_language=project.default_language(compiled),
            # Without a ledger nobody has left, so no key is needed to recognise them.
            tag=project.keys.address_tag if ledger else lambda _: b"",
            suppressed=ledger.suppressions.tags() if ledger else frozenset(),
            has_it=has_it,
            may_have=lambda address: (
                bool(remembered) and reader_tag(project.keys.seal_key, address.key) in remembered
            ),
            former_tags=project.keys.former_tags if ledger else lambda _: (),
            limit=wish.limit,
            seeds=project.settings.delivery.seeds,
            canary_share=project.settings.delivery.canary_share,
        )

    if wish.again:
        has_it = ledger.campaigns.in_round(issue, round_) if ledger else frozenset()
        remembered = guard.in_round(issue, round_) if guard else frozenset()
    else:
        has_it = ledger.campaigns.has_it(issue) if ledger else frozenset()
        remembered = guard.may_have(issue) if guard else frozenset()
    plan = planned(has_it, remembered)
    new_round = wish.again and (not plan.recipients or round_ == 1)
    if new_round:
        plan = planned(frozenset(), frozenset())
    _show(project, compiled, roster, plan, wish)
    if ledger and not project.trial and not wish.again and plan.excluded.get(Exclusion.HAS_IT):
        _tell_trials(ledger, issue)
    if wish.again:
        _tell_round(round_, new_round=new_round)
    return Prepared(compiled, plan, new_round)


def _latest_round(ledger: Ledger | None, guard: CopyGuard | None, issue: str) -> int:
    if guard is not None:
        return guard.latest_round(issue)
    return ledger.campaigns.latest_round(issue) if ledger else 1


def _tell_trials(ledger: Ledger, issue: str) -> None:
    """Say so if somebody counts as having the issue who was only in a trial of it."""
    left = set(ledger.runs.campaigns_that_left())
    tried = [each.id for each in ledger.campaigns.of_issue(issue) if each.id not in left]
    if tried:
        say(
            f"Only a trial was {joined(tried)}: who was in it counts as having the issue, and does "
            f"not have it. To mail everybody: newsletter send {issue} --again",
            style="yellow",
        )


def _tell_round(latest: int, *, new_round: bool) -> None:
    if new_round:
        say(f"--again: everybody once more, in a new round (round {latest + 1}).")
    else:
        say(f"--again goes on with round {latest}, which not everybody on the list was in. "
            "Once everybody was, it begins a new one.")  # fmt: skip


def excluded_words(reason: Exclusion, number: int) -> str:
    """``2 rows repeat an address that stands further up``."""
    one, several, words = _EXCLUSIONS[reason]
    return f"{count(number, one, several)} {words}"


def refuse_on_errors(issue: str, compiled: dict[str, Compiled]) -> None:
    """Check what was compiled.

    Raises:
        ChecksFailed: there are errors; they have been printed.
    """
    from newsletter.checks.finding import Severity

    findings = all_findings(check_inputs(compiled))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        show_findings(errors, to=err)
        raise ChecksFailed(
            f"The checks found {count(len(errors), 'error')}, so nothing was sent.",
            next=f"Mend what is listed above; “newsletter check {issue}” shows it again.",
        )
    if findings:
        say(f"The checks found no error, and {count(len(findings), 'thing')} worth a look: "
            f"newsletter check {issue}")  # fmt: skip


def _show(
    project: Project, compiled: dict[str, Compiled], roster: Roster, plan: Plan, wish: Wish
) -> None:
    issue = next(iter(compiled.values())).loaded.issue
    sender = project.settings.sender
    facts = [
        ("Issue", f"{issue.title} ({plan.issue})"),
        ("Subject", issue.subject),
        ("From", f"{sender.name} <{sender.address}>"),
        ("List", f"{roster.file}, {count(roster.rows, 'row')}"),
        ("Will get it", f"{people(len(plan.recipients))}{_by_language(plan, compiled)}"),
        *(("Will not", excluded_words(reason, n)) for reason, n in plan.excluded.items()),
        *_order(plan, project),
        ("Way", _way(project)),
    ]
    provider = project.settings.provider
    if provider is not None and provider.caveat:
        facts.append(("Mind", provider.caveat))
    if on_the_web := publish_first(project, compiled):
        facts.append(("On the web", on_the_web))
    rate = project.settings.delivery.rate_per_second
    if rate and plan.recipients:
        takes = duration(len(plan.recipients) / rate)
        facts.append(("Takes", f"{takes}, at no more than {rate:g} a second"))
    if project.is_new_here:
        facts.append(("New here", _NEW_HERE))
    if wish.appointment:
        facts.append(("Begins", f"{wish.appointment}; what goes out then is what you approve now"))
    show_facts(facts)
    if roster.warnings:
        say(f"In the list, {count(len(roster.warnings), 'thing')} worth a look:", style="yellow")
        say_problems(roster.warnings, most=_MOST_WARNINGS)
        if len(roster.warnings) > _MOST_WARNINGS:
            say(f"To see all: newsletter subscribers check {roster.file}")


def _by_language(plan: Plan, compiled: dict[str, Compiled]) -> str:
    if len(compiled) == 1 or not plan.recipients:
        return ""
    from newsletter.render.languages import language_name

    numbers = sorted(plan.languages.items(), key=lambda each: (-each[1], each[0]))
    words = [f"{number:,} in {language_name(tag, 'en')}" for tag, number in numbers]
    return f": {joined(words)}"


def _order(plan: Plan, project: Project) -> list[tuple[str, str]]:
    """Who gets it before the others, and which of them cannot."""
    waves = plan.waves
    first = []
    if seeds := waves.get(Wave.SEEDS):
        first.append(f"{people(seeds)} named in newsletter.toml")
    if sample := waves.get(Wave.CANARY):
        first.append(f"a sample of {people(sample)}")
    facts = []
    if first and len(waves) > 1:
        share = f"{project.settings.delivery.stop_above:.1%}".replace(".0%", " %")
        facts.append(("First", f"{', then '.join(first)}; the rest if no more than {share} of "
                               "them refuse it"))  # fmt: skip
    if plan.unlisted_seeds:
        facts.append(("Not first", f"{joined(plan.unlisted_seeds)}: not among those who get it"))
    return facts


def _way(project: Project) -> str:
    settings = project.settings
    match settings.delivery.transport:
        case "mailbox":
            return f"mailbox: a trial: into files in {project.mails}; none leaves this machine"
        case "smtp" if settings.smtp:
            relays = (f"{relay.host}, port {relay.port}" for relay in settings.smtp.relays)
            trial = "; a trial: marked as delivering to nobody" if settings.trial else ""
            return f"smtp: through {' and '.join(relays)}{trial}"
        case way:
            return way
