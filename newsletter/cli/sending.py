"""``test``, ``send``, ``resume``, ``status`` and ``resolve``: the send and its account."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.looking import IssueName, all_findings
from newsletter.cli.output import (
    moment,
    out,
    people,
    say,
    show_findings,
    show_held,
    show_plan,
    show_tally,
)
from newsletter.cli.progress import Watch
from newsletter.cli.wiring import Compiled, Project, fingerprint
from newsletter.delivery.states import State, Step
from newsletter.errors import (
    ChecksFailed,
    ExitCode,
    InputError,
    LedgerRefused,
    NewsletterError,
    TransportStopped,
    Where,
)

if TYPE_CHECKING:
    from newsletter.delivery.ledger import Ledger
    from newsletter.delivery.ledger.campaigns import Campaign
    from newsletter.delivery.plan import Plan

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]


def test(
    issue: IssueName,
    to: Annotated[list[str], typer.Option("--to", help="Your address; may be given repeatedly.")],
) -> None:
    """Send a proof to yourself: the real mail, its subject marked, no ledger involved.

    Example: newsletter test 2017-03 --to me@example.org
    """
    from newsletter.addresses import Address, AddressError
    from newsletter.delivery.proof import send_proofs
    from newsletter.message.model import Recipient

    project = Project.here()
    try:
        addresses = [Address.parse(text) for text in to]
    except AddressError as error:
        raise InputError(f"That is no address to send a proof to. {error}") from None
    compiled = project.compile(issue)
    now = project.clock.now()
    messages = [
        project.composer(
            replace(one.edition, subject=f"[Proof] {one.edition.subject}"),
            letterhead=project.letterhead(),
            campaign=f"proof-{secrets.token_hex(4)}",
        ).compose(Recipient(address, "", one.edition.language), date=now)
        for address in addresses
        for one in compiled.values()
    ]
    transport = project.transport()
    try:
        results = send_proofs(transport, messages)
    finally:
        transport.close()
    for address, words in results:
        say(f"{address}: {words}")
    _tell_where(project)


def send(
    issue: IssueName,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; send and freeze nothing.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many recipients; the rest later.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Mail those who have this issue once more.")
    ] = False,
    subscribers: Annotated[
        Path | None, typer.Option(help="The list. Default: newsletter.toml's.")
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
    if dry_run:
        plan = _plan(project, issue, limit=limit, again=again, subscribers=subscribers)[1]
        say(f"A dry run: {people(len(plan.recipients))} would get it; nothing was sent.")
        return
    with sender_lock(project.lock_file):
        campaign = _frozen(
            project, issue, yes=yes, limit=limit, again=again, subscribers=subscribers
        )
        if campaign is None:
            raise typer.Exit(_account(project, issue))
        _run(project, campaign)


def _plan(
    project: Project, issue: str, *, limit: int | None, again: bool, subscribers: Path | None
) -> tuple[dict[str, Compiled], Plan]:
    """Compile, check, plan and show."""
    from newsletter.delivery.plan import make_plan

    compiled = project.compile(issue)
    _refuse_on_errors(project, issue, compiled)
    roster = project.roster(subscribers)
    ledger = project.ledger(create=True)
    try:
        plan = make_plan(
            roster,
            issue=issue,
            languages=set(compiled),
            default_language=_default_language(project, compiled),
            tag=project.keys.address_tag,
            suppressed=ledger.suppressions.tags(),
            has_it=frozenset() if again else ledger.campaigns.has_it(issue),
            limit=limit,
        )
    finally:
        ledger.close()
    first = next(iter(compiled.values()))
    way = project.settings.delivery.transport
    folder = f", which files mail in {project.outbox}/new" if way == "mailbox" else ""
    show_plan(plan, subject=first.loaded.issue.subject, way=way, folder=folder)
    return compiled, plan


def _default_language(project: Project, compiled: dict[str, Compiled]) -> str:
    wanted = project.settings.language
    return wanted if wanted in compiled else next(iter(compiled))


def _refuse_on_errors(project: Project, issue: str, compiled: dict[str, Compiled]) -> None:
    from newsletter.checks.finding import Severity

    findings = all_findings(project, compiled)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        show_findings(errors)
        raise ChecksFailed(
            f"The checks found {len(errors)} errors, so nothing was sent.",
            next=f"Mend them; “newsletter check {issue}” shows them again.",
        )
    if findings:
        say(f"The checks found no error and {len(findings)} things worth a look "
            f"(“newsletter check {issue}”).")  # fmt: skip


def _frozen(
    project: Project,
    issue: str,
    *,
    yes: bool,
    limit: int | None,
    again: bool,
    subscribers: Path | None,
) -> Campaign | None:
    """Plan, ask and freeze; None where nobody is left to mail."""
    ledger = project.ledger(create=True)
    try:
        _refuse_unfinished(ledger, issue)
        compiled, plan = _plan(project, issue, limit=limit, again=again, subscribers=subscribers)
        if not plan.recipients:
            say("Nobody is left to mail, so nothing was sent.", style="bold")
            return None
        if not yes:
            _ask(plan)
        editions = {language: one.edition for language, one in compiled.items()}
        letterhead = project.letterhead()
        return ledger.campaigns.freeze(
            plan,
            editions=editions,
            letterhead=letterhead,
            fingerprint=fingerprint(editions, letterhead),
            now=project.clock.now(),
            again=again,
        )
    finally:
        ledger.close()


def _refuse_unfinished(ledger: Ledger, issue: str) -> None:
    for campaign in ledger.campaigns.of_issue(issue):
        tally = ledger.campaigns.tally(campaign)
        if tally.open or tally[State.ATTEMPTING]:
            raise LedgerRefused(
                f"An earlier send of this issue is not finished: {people(tally.open)} still wait.",
                where=Where(item=f"campaign {campaign.id}"),
                next=f"Finish it first: newsletter resume {issue}",
            )


def _ask(plan: Plan) -> None:
    import sys

    if not sys.stdin.isatty():
        raise InputError(
            "There is nobody here to say yes, so nothing was sent.",
            next="Look at the plan above; then run the command again with --yes.",
        )
    if not typer.confirm(f"Send it to {people(len(plan.recipients))} now?"):
        say("Nothing was sent.")
        raise typer.Exit(ExitCode.DONE)


def resume(
    issue: IssueName,
    as_frozen: Annotated[
        bool,
        typer.Option(
            "--as-frozen", help="The issue was changed meanwhile: go on with what was frozen."
        ),
    ] = False,
) -> None:
    """Go on with a send that was stopped: those not attempted, and those who said “later”.

    Who is in doubt is not mailed; “newsletter resolve” settles them.

    Example: newsletter resume 2017-03
    """
    from newsletter.delivery.lock import sender_lock

    project = Project.here()
    issue = project.issue_id(issue)
    with sender_lock(project.lock_file):
        ledger = project.ledger(create=False)
        try:
            campaigns = [
                campaign
                for campaign in ledger.campaigns.of_issue(issue)
                if not ledger.campaigns.tally(campaign).complete
            ]
            if not as_frozen:
                _refuse_changed(project, issue, campaigns)
        finally:
            ledger.close()
        for campaign in campaigns:
            _run(project, campaign, last=campaign is campaigns[-1])
    if not campaigns:
        raise typer.Exit(_account(project, issue))


def _refuse_changed(project: Project, issue: str, campaigns: Iterable[Campaign]) -> None:
    """What was frozen is what goes out; say so when the files tell something else."""
    changed = None
    for campaign in campaigns:
        if changed is None:
            editions = {name: one.edition for name, one in project.compile(issue).items()}
            changed = fingerprint(editions, project.letterhead())
        if campaign.fingerprint != changed:
            raise LedgerRefused(
                "The issue, its theme or the sender's settings changed since this send began; "
                "people would get different mails.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Undo the change, or go on with the version that was frozen: "
                f"newsletter resume {issue} --as-frozen",
            )


def _run(project: Project, campaign: Campaign, *, last: bool = True) -> None:
    """Work the campaign off, account for it, and end with the exit code it deserves."""
    from newsletter.delivery.dispatch import Limits, Run

    delivery = project.settings.delivery
    transport = project.transport()
    ledger = project.ledger(create=False)
    failure: NewsletterError | None = None
    try:
        tally = ledger.campaigns.tally(campaign)
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
        with watch.showing(stop=run.stop):
            run.execute()
    except (TransportStopped, LedgerRefused) as error:
        failure = error
    finally:
        transport.close()
        ledger.close()
    code = _account(project, campaign.issue, campaign=campaign)
    if failure is not None:
        raise failure
    if last or code is not ExitCode.DONE:
        raise typer.Exit(code)


def _account(project: Project, issue: str, *, campaign: Campaign | None = None) -> ExitCode:
    """Show where everybody is; the exit code is the worst there is."""
    ledger = project.ledger(create=False)
    try:
        campaigns = [campaign] if campaign else list(ledger.campaigns.of_issue(issue))
        codes = [_show_campaign(ledger, one) for one in campaigns]
    finally:
        ledger.close()
    _tell_where(project)
    return max(codes, default=ExitCode.DONE)


def _show_campaign(ledger: Ledger, campaign: Campaign) -> ExitCode:
    tally = ledger.campaigns.tally(campaign)
    title = f"Campaign {campaign.id}, frozen {moment(campaign.frozen_at)} UTC"
    show_tally(tally, title=title, excluded=campaign.excluded)
    if tally[State.IN_DOUBT]:
        show_held(
            ledger.deliveries.held(campaign.id, State.IN_DOUBT),
            title="In doubt; not mailed again unless you say so (newsletter resolve):",
        )
    refused = ledger.deliveries.held(campaign.id, State.REJECTED, State.EXPIRED)
    if refused:
        show_held(refused, title="Refused or given up:")
    due = ledger.deliveries.next_due(campaign.id)
    if due:
        say(f"Some asked us to come back later, the first at {moment(due)} UTC.")
    if tally.open:
        say(f"To go on: newsletter resume {campaign.issue}", style="bold")
    if tally.complete:
        say("Complete.", style="bold green")
    return tally.exit_code


def _tell_where(project: Project) -> None:
    if project.settings.delivery.transport == "mailbox":
        count = sum(1 for _ in (project.outbox / "new").glob("*"))
        say(f"The mails are in {project.outbox}/new ({count} files); open one with a mail program.")


def status(
    issue: Annotated[str, typer.Argument(help="The issue; all of them if left out.")] = "",
) -> None:
    """Show where everybody's mail is, and whether the numbers add up. Reads only.

    Example: newsletter status 2017-03
    """
    project = Project.here()
    ledger = project.ledger(create=False)
    try:
        campaigns = (
            ledger.campaigns.of_issue(project.issue_id(issue)) if issue else ledger.campaigns.all()
        )
        if not campaigns:
            raise InputError(
                f"Issue “{issue}” was never sent from here." if issue else "Nothing was sent yet.",
                next="“newsletter send ISSUE” sends one.",
            )
        code = max(_show_campaign(ledger, campaign) for campaign in campaigns)
    finally:
        ledger.close()
    raise typer.Exit(code)


def resolve(
    issue: IssueName,
    address: Annotated[str, typer.Argument(help="Who is in doubt.")],
    accepted: Annotated[
        bool, typer.Option("--accepted", help="They have it, or you do not want to risk a second.")
    ] = False,
    resend: Annotated[
        bool, typer.Option("--resend", help="Mail them again at the next resume.")
    ] = False,
) -> None:
    """Settle a doubt by your own word: they have it, or they get it again.

    Example: newsletter resolve 2017-03 anna@example.org --accepted
    """
    if accepted == resend:
        raise InputError("Say either --accepted or --resend.")
    project = Project.here()
    issue = project.issue_id(issue)
    ledger = project.ledger(create=False)
    try:
        held = [
            row
            for campaign in ledger.campaigns.of_issue(issue)
            for row in ledger.deliveries.held(campaign.id, State.IN_DOUBT)
            if row.address == address
        ]
        if not held:
            raise InputError(
                f"“{address}” is not in doubt.", next=f"“newsletter status {issue}” lists who is."
            )
        step, words = (
            (Step.ASSUME, "Taken as accepted by a person's word.")
            if accepted
            else (Step.RESEND, "To be mailed again by a person's word.")
        )
        for row in held:
            ledger.deliveries.decide(row.id, step, note=words, now=project.clock.now().timestamp())
    finally:
        ledger.close()
    out.print(words)
    if resend:
        say(f"Now: newsletter resume {issue}")
