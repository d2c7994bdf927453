"""The plan of a send on the terminal: who gets the issue, who does not, and why."""

from __future__ import annotations

from newsletter.cli.accounts import excluded_words
from newsletter.cli.news import show_news
from newsletter.cli.output import say, say_problems, show_facts
from newsletter.ledger.plan import Plan, Wave
from newsletter.phrases import count, duration, joined, people
from newsletter.project import Project
from newsletter.project.compile import CompiledIssue
from newsletter.project.plan import Prepared
from newsletter.render.locales import language_name
from newsletter.render.urls import ascii_url

_MOST_WARNINGS = 3
_NEW_HERE = (
    "this machine remembers no send to this list. If another machine has sent to it, "
    "stop: its recipients, and readers who left there, are not known here"
)


def show_plan(project: Project, prepared: Prepared) -> None:
    """Print what a send would do."""
    issue = prepared.plan.issue
    show_news(prepared.news)
    tell_worth_a_look(prepared.compiled)
    _show(project, prepared)
    if prepared.trials:
        say(
            f"Only a trial: {joined(prepared.trials)}. Its recipients count as having "
            "the issue, but do not have it. To mail everybody: newsletter send "
            f"{issue} --again",
            style="yellow",
        )
    if prepared.new_round:
        say(f"--again: everybody once more, in a new round (round {prepared.round + 1}).")
    elif prepared.options.again:
        say(f"--again continues round {prepared.round}, which did not include everybody "
            "on the list. After a complete round, it begins a new one.")  # fmt: skip


def tell_worth_a_look(compiled: CompiledIssue) -> None:
    """Say how much the checks found, where none of it is an error."""
    if findings := compiled.findings:
        say(f"The checks found no error, and {count(len(findings), 'thing')} worth a look: "
            f"newsletter check {compiled.id}")  # fmt: skip


def publish_first(compiled: CompiledIssue) -> str:
    """What the mails need from the archive, and how to publish it; empty if nothing."""
    place, needed = compiled.settings.archive, compiled.from_archive
    if place is None or not needed:
        return ""
    return (
        f"{joined(needed)}, from {ascii_url(place.url)}; publish first: "
        f"newsletter archive build {compiled.id}"
    )


def _whose(prepared: Prepared) -> str:
    """Where the readers come from: files, imports and sign-ups, with how many each brought."""
    roster = prepared.roster
    in_files = roster.rows - roster.imported - roster.signed_up
    parts = [f"{roster.named}, {count(in_files, 'row')}"] if roster.files else []
    if roster.imported:
        parts.append(f"{people(roster.imported)} who were imported")
    if roster.signed_up:
        parts.append(f"{people(roster.signed_up)} who signed up")
    return ", and ".join(parts)


def _show(project: Project, prepared: Prepared) -> None:
    compiled, plan, roster = prepared.compiled, prepared.plan, prepared.roster
    issue = compiled.original.loaded.issue
    appointment = prepared.options.appointment
    sender = project.settings.sender
    facts = [
        ("Issue", f"{issue.title} ({plan.issue})"),
        ("Subject", issue.subject),
        ("From", f"{sender.name} <{sender.address}>"),
        ("List", _whose(prepared)),
        *_segment(prepared),
        ("Will get it", f"{people(len(plan.recipients))}{_by_language(plan, compiled)}"),
        *(("Will not", excluded_words(reason, n)) for reason, n in plan.excluded.items()),
        *_order(plan, project),
        ("Way", _way(project)),
    ]
    provider = project.settings.provider
    if provider is not None and provider.caveat:
        facts.append(("Mind", provider.caveat))
    if on_the_web := publish_first(compiled):
        facts.append(("On the web", on_the_web))
    rate = project.settings.delivery.rate_per_second
    if rate and plan.recipients:
        takes = duration(len(plan.recipients) / rate)
        facts.append(("Takes", f"{takes}, at no more than {rate:g} a second"))
    if prepared.new_here:
        facts.append(("New here", _NEW_HERE))
    if appointment:
        facts.append(("Begins", f"{appointment}; what you approve now is sent then"))
    show_facts(facts)
    if roster.warnings:
        say(f"In the list, {count(len(roster.warnings), 'thing')} worth a look:", style="yellow")
        say_problems(roster.warnings, most=_MOST_WARNINGS)
        if len(roster.warnings) > _MOST_WARNINGS:
            own = (
                ""
                if roster.files == project.list_files
                else (f" with {roster.named} as “file” under [audience]")
            )
            say(f"To see all{own}: newsletter subscribers check")


def _segment(prepared: Prepared) -> list[tuple[str, str]]:
    """Who is in the segment, and why the others are not; nothing without one."""
    if (membership := prepared.membership) is None:
        return []
    listed = membership.inside + sum(membership.outside.values())
    return [
        ("Segment", f"{membership.segment}: {membership.inside:,} of {people(listed)} on the list"),
        *(("Not in it", f"{people(n)}: {why}") for why, n in membership.outside.items()),
    ]


def _by_language(plan: Plan, compiled: CompiledIssue) -> str:
    if len(compiled.languages) == 1 or not plan.recipients:
        return ""
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
        facts.append(("Not first", f"{joined(plan.unlisted_seeds)}: not among the recipients"))
    return facts


def _way(project: Project) -> str:
    settings = project.settings
    match settings.delivery.transport:
        case "mailbox":
            return (
                f"mailbox, a trial: each mail becomes a file in {project.mails}; none leaves "
                "this machine"
            )
        case "smtp" if settings.smtp:
            relays = (f"{relay.host}, port {relay.port}" for relay in settings.smtp.relays)
            trial = "; a trial: marked as delivering to nobody" if settings.trial else ""
            return f"smtp: through {' and '.join(relays)}{trial}"
        case way:
            return way
