"""``send`` and ``resume``: freeze, send, and account for everyone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.account import account, sent, worst
from newsletter.cli.looking import IssueName
from newsletter.cli.output import people, say
from newsletter.cli.planning import Prepared, Wish, prepare
from newsletter.cli.running import run_campaign
from newsletter.cli.wiring import Project, fingerprint
from newsletter.delivery.states import State
from newsletter.errors import ExitCode, InputError, LedgerRefused, Where

if TYPE_CHECKING:
    from newsletter.delivery.ledger import Ledger
    from newsletter.delivery.ledger.campaigns import Campaign


def send(
    issue: IssueName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; send and freeze nothing.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="NUMBER", help="At most so many recipients; the rest later."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Mail those who have this issue once more.")
    ] = False,
    subscribers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The list. Default: newsletter.toml's.")
    ] = None,
) -> None:
    """Send an issue: checks it, shows the plan, asks, sends, and accounts for everyone.

    Whoever has the issue already is left out, so to run it twice mails nobody
    twice. Ctrl-C stops cleanly; “newsletter resume” goes on.

    Example: newsletter send 2017-03 --dry-run
    """
    from newsletter.delivery.lock import sender_lock

    project = Project.here()
    issue = project.issue_id(issue)
    wish = Wish(limit=limit, again=again, subscribers=subscribers)
    if dry_run:
        _dry_run(project, issue, wish)
        return
    with sender_lock(project.lock_file):
        prepared = _prepared(project, issue, wish)
        if not prepared.plan.recipients:
            raise typer.Exit(_nobody_left(project, issue))
        # Made before the question, so that a missing password is told before the yes.
        with closing(project.transport()) as transport:
            if not yes:
                _ask(prepared)
            campaign = _freeze(project, prepared, again=again)
            code = run_campaign(project, campaign, transport)
    _tell_where(project)
    raise typer.Exit(code)


def _dry_run(project: Project, issue: str, wish: Wish) -> None:
    if project.has_ledger:
        with closing(project.ledger(create=False)) as ledger:
            prepared = prepare(project, issue, wish, ledger=ledger)
    else:
        prepared = prepare(project, issue, wish, ledger=None)
    say(f"A dry run: {people(len(prepared.plan.recipients))} would get it; nothing was sent.")


def _prepared(project: Project, issue: str, wish: Wish) -> Prepared:
    project.issue_file(issue)
    with closing(project.ledger(create=True)) as ledger:
        _refuse_unfinished(ledger, issue)
        return prepare(project, issue, wish, ledger=ledger)


def _refuse_unfinished(ledger: Ledger, issue: str) -> None:
    for campaign in ledger.campaigns.of_issue(issue):
        if _unfinished(ledger, campaign):
            waiting = people(ledger.campaigns.tally(campaign).open)
            raise LedgerRefused(
                f"An earlier send of this issue is not finished: {waiting} waiting.",
                where=Where(item=f"campaign {campaign.id}"),
                next=f"Finish it first: newsletter resume {issue}",
            )


def _unfinished(ledger: Ledger, campaign: Campaign) -> bool:
    tally = ledger.campaigns.tally(campaign)
    return bool(tally.open or tally[State.ATTEMPTING])


def _nobody_left(project: Project, issue: str) -> ExitCode:
    say("Nobody is left to mail, so nothing was sent.", style="bold")
    with closing(project.ledger(create=False)) as ledger:
        return account(ledger, ledger.campaigns.of_issue(issue))


def _ask(prepared: Prepared) -> None:
    if not sys.stdin.isatty():
        raise InputError(
            "There is nobody here to say yes, so nothing was sent.",
            next="Look at the plan above; then run the command again with --yes.",
        )
    say("")
    try:
        yes = typer.confirm(f"Send it to {people(len(prepared.plan.recipients))} now?")
    except typer.Abort:  # Ctrl-C or the end of input: no yes
        yes = False
        say("")
    if not yes:
        say("Nothing was sent.")
        raise typer.Exit(ExitCode.DONE)


def _freeze(project: Project, prepared: Prepared, *, again: bool) -> Campaign:
    editions = {language: one.edition for language, one in prepared.compiled.items()}
    letterhead = project.letterhead()
    with closing(project.ledger(create=True)) as ledger:
        return ledger.campaigns.freeze(
            prepared.plan,
            editions=editions,
            letterhead=letterhead,
            fingerprint=fingerprint(editions, letterhead),
            now=project.clock.now(),
            again=again,
        )


def resume(
    issue: IssueName,
    as_frozen: Annotated[
        bool,
        typer.Option(
            "--as-frozen", help="The issue was changed meanwhile: go on with what was frozen."
        ),
    ] = False,
) -> None:
    """Go on with a send that was stopped: those not attempted, and those put off till later.

    Who is in doubt is not mailed; “newsletter resolve” settles them.

    Example: newsletter resume 2017-03
    """
    from newsletter.delivery.lock import sender_lock

    project = Project.here()
    issue = project.issue_id(issue)
    with sender_lock(project.lock_file):
        with closing(project.ledger(create=False)) as ledger:
            campaigns = sent(project, ledger, issue)
            waiting = [campaign for campaign in campaigns if _unfinished(ledger, campaign)]
            if not waiting:
                say("Nobody is waiting, so nothing was sent.", style="bold")
                raise typer.Exit(account(ledger, campaigns))
        if not as_frozen:
            _refuse_changed(project, issue, waiting)
        with closing(project.transport()) as transport:
            codes = {run_campaign(project, campaign, transport) for campaign in waiting}
    _tell_where(project)
    raise typer.Exit(worst(codes))


def _refuse_changed(project: Project, issue: str, campaigns: Iterable[Campaign]) -> None:
    """What was frozen is what goes out; say so when the files tell something else."""
    editions = {name: one.edition for name, one in project.compile(issue).items()}
    now = fingerprint(editions, project.letterhead())
    for campaign in campaigns:
        if campaign.fingerprint != now:
            raise LedgerRefused(
                "The issue, its theme or the sender's settings changed since this send began; "
                "people would get different mails.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Undo the change, or go on with the version that was frozen: "
                f"newsletter resume {issue} --as-frozen",
            )


def _tell_where(project: Project) -> None:
    if project.settings.delivery.transport == "mailbox":
        say(f"Each mail is a file in {project.mails}; open one with a mail program.")
