"""``test``: the real mail to a few, marked as a proof, outside the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.arguments import IssueName
from newsletter.cli.output import say, tell
from newsletter.errors import ExitCode
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.transports.protocol import Outcome


def test(
    issue: IssueName,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDRESS", help="Your address. Repeat for more addresses."),
    ],
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Let the provider check the mail without delivering it."),
    ] = False,  # noqa: PT028 - a command, not a test
) -> None:
    """Send yourself a proof: the real mail, its subject marked [Proof].

    All languages of the issue are sent. An address on the list gets the values of
    its row. Proofs are not recorded: readers get the newsletter as well.

    Example: newsletter test 2017-03 --to me@example.org
    """
    from newsletter.project.proof import prove
    from newsletter.render.locales import language_name
    from newsletter.transports.protocol import Accepted

    project = Project.here()
    results = prove(project, issue, to, sandbox=sandbox)
    several = len({language for _, language, _ in results}) > 1
    for address, language, outcome in results:
        words = _checked(project, outcome) if sandbox else _outcome_words(outcome)
        named = f"{address}, in {language_name(language, 'en')}" if several else address
        tell(words, lead=f"{named}: ", lead_style="bold")
    if project.trial:
        say("A trial: it reached nobody.")
    if project.settings.delivery.transport == "mailbox":
        say(f"Each mail is a file in {project.mails}; open one with a mail program.")
    if not all(isinstance(outcome, Accepted) for *_, outcome in results):
        raise typer.Exit(ExitCode.TRANSPORT_STOPPED)


def _checked(project: Project, outcome: Outcome | None) -> str:
    """A sentence on what a sandbox said, which delivers to nobody."""
    from newsletter.transports.protocol import Accepted

    provider = project.settings.provider
    if isinstance(outcome, Accepted) and provider is not None:
        return f"checked by {provider.title}, delivered to nobody ({outcome.reply})"
    return _outcome_words(outcome)


def _outcome_words(outcome: Outcome | None) -> str:
    """A sentence on what came back for a proof; None: it was never handed over."""
    from newsletter.transports.protocol import Accepted, InDoubt

    match outcome:
        case Accepted(reply=reply):
            return f"accepted by the next mail server ({reply})"
        case InDoubt(reason=reason):
            return f"nobody knows whether it was accepted: {reason}"
        case None:
            return "not handed over"
        case refused:
            return f"not accepted: {refused.reply}"
