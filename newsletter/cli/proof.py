"""``test``: the real mail to a few, marked as a proof, outside the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.looking import IssueName
from newsletter.cli.output import say, tell
from newsletter.cli.recipients import compose_one, parse_addresses, reader
from newsletter.cli.wiring import Project
from newsletter.errors import ExitCode, TransportStopped

if TYPE_CHECKING:
    from newsletter.addresses import Address
    from newsletter.delivery.proof import ProofResult
    from newsletter.message.model import Message


def test(
    issue: IssueName,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDRESS", help="Your address; may be given repeatedly."),
    ],
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Let the provider check the mail and deliver it to nobody."),
    ] = False,  # noqa: PT028 - a command, not a test
) -> None:
    """Send a proof to yourself: the real mail, its subject marked [Proof]. No ledger involved.

    Somebody who is on the list gets it with the values of their row. Every
    language of the issue is sent.

    Example: newsletter test 2017-03 --to me@example.org
    """
    from newsletter.delivery.proof import send_proofs
    from newsletter.transports.protocol import Accepted

    project = Project.here()
    messages = _proofs(project, issue, parse_addresses(to))
    with closing(project.transport(sandbox=sandbox)) as transport:
        try:
            results = send_proofs(transport, messages)
        except TransportStopped as stopped:
            # Transports advise whoever sends; there is nothing to resume after a proof.
            again = f"newsletter test {issue} --to ADDRESS"
            stopped.next = stopped.next.replace("newsletter resume ISSUE", again)
            raise
    for result in results:
        words = _checked(project, result) if sandbox else result.words
        tell(words, lead=f"{result.address}: ", lead_style="bold")
    if project.trial:
        say("A trial: it reached nobody.")
    if project.settings.delivery.transport == "mailbox":
        say(f"A file in {project.mails}; open it with a mail program.")
    if not all(isinstance(result.outcome, Accepted) for result in results):
        raise typer.Exit(ExitCode.TRANSPORT_STOPPED)


def _checked(project: Project, result: ProofResult) -> str:
    """A sentence on what a sandbox said, which delivers to nobody."""
    from newsletter.transports.protocol import Accepted

    provider = project.settings.provider
    if isinstance(result.outcome, Accepted) and provider is not None:
        return f"checked by {provider.title}, delivered to nobody ({result.outcome.reply})"
    return result.words


def _proofs(project: Project, issue: str, addresses: Sequence[Address]) -> list[Message]:
    compiled = project.compile(issue)
    composers = {
        language: project.composer(
            replace(one.edition, subject=f"[Proof] {one.edition.subject}"),
            letterhead=project.letterhead(),
            campaign=f"proof-{secrets.token_hex(4)}",
        )
        for language, one in compiled.items()
    }
    now = project.clock.now()
    return [
        compose_one(composer, replace(reader(project, address), language=language), date=now)
        for address in addresses
        for language, composer in composers.items()
    ]
