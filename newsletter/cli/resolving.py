"""``resolve`` and ``reconcile``: doubts settled by a person's word, or by somebody who knows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import IssueName
from newsletter.cli.output import say, show_facts, tell
from newsletter.errors import ExitCode, InputError
from newsletter.phrases import count, joined, moment, people
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.ledger.reading import DeliveryRow
    from newsletter.ledger.states import Step
    from newsletter.project.doubts import DoubtHistory, News, Progress


def resolve(
    issue: IssueName,
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="ADDRESS", help="Recipients in doubt.")
    ] = None,
    accepted: Annotated[
        bool,
        typer.Option("--accepted", help="They have it, or you do not want to risk a second copy."),
    ] = False,
    resend: Annotated[
        bool,
        typer.Option(
            "--resend", help="Mail them again at the next resume. They may get two copies."
        ),
    ] = False,
    everybody: Annotated[
        bool, typer.Option("--all", help="All recipients in doubt, instead of addresses.")
    ] = False,
) -> None:
    """Settle doubts by your decision: they have it, or they get it again.

    Without --accepted and --resend it shows what is known of each recipient and
    asks.

    Example: newsletter resolve 2017-03 anna@example.org --accepted
    """
    from newsletter.ledger.states import Step
    from newsletter.project import doubts

    if accepted and resend:
        raise InputError(
            "Give either --accepted or --resend.",
            next="--accepted: they have it. --resend: they get it again, perhaps a second time.",
        )
    if addresses and everybody:
        raise InputError("Give addresses or --all, not both.", next="Leave one of them out.")
    project = Project.here()
    issue = project.issue_id(issue)
    found = doubts.in_doubt(project, issue, addresses or ())
    if not found:
        say("Nobody is in doubt.")
        return
    if not accepted and not resend:
        _ask_about(project, issue, found)
        return
    if not addresses and not everybody:
        raise InputError(
            f"{people(len(found))} in doubt; no address was given.",
            next="Give addresses, or --all. Nobody was settled.",
        )
    _settle(project, issue, found, Step.ASSUME if accepted else Step.RESEND)


def _settle(project: Project, issue: str, found: Sequence[DeliveryRow], step: Step) -> None:
    from newsletter.ledger.states import Step
    from newsletter.project.doubts import settle

    names = joined(settle(project, found, step))
    if step is Step.RESEND:
        say(f"To be mailed again: {names}. Now: newsletter resume {issue}")
    else:
        say(f"Taken as accepted: {names}.")


def _ask_about(project: Project, issue: str, found: Sequence[DeliveryRow]) -> None:
    """Show what is known of each and, if somebody is there, ask."""
    from newsletter.ledger.states import Step
    from newsletter.project.doubts import doubt_histories, in_doubt

    there = sys.stdin.isatty()
    for known in doubt_histories(project, found):
        _show(known)
        if there:
            answer = _answer()
            if answer == "q":
                break
            if answer != "l":
                step = Step.ASSUME if answer == "a" else Step.RESEND
                _settle(project, issue, [known.doubt], step)
        say("")
    if not there:
        say(f"They have it: newsletter resolve {issue} ADDRESS --accepted")
        say(f"Mail them again: newsletter resolve {issue} ADDRESS --resend")
    if left := len(in_doubt(project, issue)):
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


def _show(known: DoubtHistory) -> None:
    """Print the attempts, the way they went, and by what the server's log knows the message."""
    facts = [
        ("Person", known.doubt.address),
        ("Message-ID", f"begins with {known.message_id}"),
    ]
    for attempt, place in known.attempts:
        through = f", through {place}" if place else ""
        words = attempt.reply or "the program ended before the answer was recorded"
        facts.append(("Attempts", f"{moment(attempt.started_at)}{through}: {words}"))
    facts.extend(
        ("Learned later", f"{event.kind} ({event.source}), {moment(event.at)}: {event.detail}")
        for event in known.events
    )
    show_facts(facts)


def reconcile(
    issue: IssueName,
    bounces: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="Bounce reports: a mail, or a folder of mails. Repeatable."
        ),
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A provider's events: JSON, or one on each line. Repeatable."
        ),
    ] = None,
) -> None:
    """Settle doubts by proof: from the provider, bounce reports or events.

    Proof of acceptance settles a doubt; no answer proves nothing. A call is
    repeated only where the provider cannot mail anybody twice.

    Example: newsletter reconcile 2017-03 --bounces bounces/
    """
    from newsletter.project import doubts

    project = Project.here()
    issue = project.issue_id(issue)
    result = doubts.reconcile(
        project, issue, bounces=bounces or (), events=events or (), on_progress=_tell_progress
    )
    if result.in_doubt:
        say(f"Still in doubt: {people(result.in_doubt)}. To decide yourself: newsletter resolve "
            f"{issue}", style="bold")  # fmt: skip
    else:
        say("Nobody is in doubt.", style="bold green")
    if result.failure is not None:
        raise result.failure
    raise typer.Exit(ExitCode.IN_DOUBT if result.in_doubt else ExitCode.DONE)


def _tell_progress(step: Progress) -> None:
    from newsletter.project.doubts import Asking, News, NoRecord

    match step:
        case News():
            _tell_news(step)
        case Asking(place=place, number=number):
            say(f"Asking {place} about {people(number)} in doubt.")
        case NoRecord(place=place):
            say(
                f"{place} cannot be asked: it shows no record of messages. Ask its "
                "operator to look for our Message-IDs; “newsletter resolve” shows "
                "them."
            )
        case found:
            say(
                f"{found.campaign.id}: {people(found.in_doubt)} in doubt; "
                f"{found.by_repeating:,} settled by repeating a call under its key, "
                f"{found.by_asking:,} by asking."
            )


def _tell_news(news: News) -> None:
    applied, skipped = news.applied, news.skipped
    if applied.new or applied.known or applied.strangers:
        tell(
            f"{count(applied.new, 'piece')} of news, {applied.known:,} known already, "
            f"{applied.strangers:,} about other mail. "
            f"{count(applied.settled, 'doubt')} settled; {people(applied.suppressed)} "
            "will not be mailed any more."
        )
    elif not skipped.unusable:
        say("There is no report and no event in what was given.")
    if skipped.without_report:
        say(f"Ignored, since they hold no bounce report: {count(skipped.without_report, 'mail')}.")
    if skipped.count:
        say(f"Skipped, since unreadable: {skipped.count:,}. Everything else was read.")
        for problem in skipped.named:
            tell(str(problem), lead="  ")
        if skipped.count > len(skipped.named):
            say(f"  … and {skipped.count - len(skipped.named):,} more.")
