"""``bounces``: what comes back, read from the bounce mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.events import show_events
from newsletter.cli.output import say, show_counts, show_line, tell
from newsletter.errors import ExitCode
from newsletter.phrases import count, people
from newsletter.project import Project

if TYPE_CHECKING:
    from newsletter.project.bounces import BounceAccount


def bounces(
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Read every mail there, whatever was read before.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, a line for each look.")] = False,
) -> None:
    """Hear what comes back: bounces, complaints and unsubscribes, from mails and providers.

    Reads the mailbox that newsletter.toml names under “bounces”, and providers' events. No mail
    is deleted, and nothing is counted twice.

    Example: newsletter bounces
    """
    from newsletter.project.bounces import read_bounces, watch_bounces

    project = Project.here()
    if watch:
        try:
            watch_bounces(project, _show_json if as_json else _watched, again=again)
        except KeyboardInterrupt:
            if not as_json:
                say("Not watching any more. What was read is applied.")
            raise typer.Exit(ExitCode.DONE) from None
    account = read_bounces(project, again=again)
    (_show_json if as_json else _show)(account)
    if account.failure is not None:
        raise account.failure


def _show(account: BounceAccount) -> None:
    from newsletter.feedback.mail_news import Told

    if account.provider_events is not None:
        show_events(account.provider_events, nothing="No new event of a provider.")
    read = account.mails.total()
    if account.has_mailbox and not read and not account.unreadable and account.failure is None:
        say("Nothing new in the bounce mailbox.")
    if read:
        say(f"Read {count(read, 'mail')}.")
        words = {
            Told.BOUNCE: ("bounce", "bounces"),
            Told.COMPLAINT: ("complaint", "complaints"),
            Told.LEAVE: ("unsubscribe mail", "unsubscribe mails"),
            Told.REPORT: ("report of delay or arrival", "reports of delay or arrival"),
            Told.AUTO_REPLY: ("automatic reply, ignored", "automatic replies, ignored"),
            Told.UNCLEAR: ("not understood, kept in the mailbox", ""),
        }
        show_counts(
            [
                (number, _line(words[told], number, account.people[told]), "")
                for told in Told
                if (number := account.mails[told])
            ]
        )
    if account.settled:
        say(f"{count(account.settled, 'doubt')} settled.")
    if account.known:
        say(f"Known already: {count(account.known, 'piece')} of news.")
    if account.kept:
        say("To look at:")
        _list(account.kept, account.mails[Told.UNCLEAR])
    if account.unreadable:
        say(f"Cannot be read now, and tried again: {count(account.unreadable, 'mail')}.")
        _list(account.unreadable_named, account.unreadable)
    if account.moved:
        say(f"Moved, since understood: {count(account.moved, 'mail')}.")
    if account.has_more:
        say("There are more mails: run “newsletter bounces” again.")
    if account.folder_only:
        say(f"Noted in this folder's ledger only: {account.folder_only.what}", style="yellow")
        say(account.folder_only.next)


def _watched(account: BounceAccount) -> None:
    _show(account)
    if account.failure is not None:
        tell(f"{account.failure.what} It is tried again.", lead="Bounce mailbox: ",
             lead_style="yellow")  # fmt: skip


def _line(words: tuple[str, str], number: int, gone: int) -> str:
    noun = words[0] if number == 1 else words[1] or words[0]
    return f"{noun}: {people(gone)} not mailed any more" if gone else noun


def _list(named: list[str], number: int) -> None:
    for each in named:
        tell(each, lead="  ")
    if number > len(named):
        say(f"  … and {number - len(named):,} more.")


def _show_json(account: BounceAccount) -> None:
    import json

    from newsletter.feedback.mail_news import Told
    from newsletter.project.event_account import Fate

    events = account.provider_events
    found = {
        "read": account.mails.total(),
        "mails": {told.value: account.mails[told] for told in Told},
        "people": {told.value: account.people[told] for told in Told if account.people[told]},
        "doubts_settled": account.settled,
        "known": account.known,
        "kept": account.kept,
        "unreadable": account.unreadable,
        "moved": account.moved,
        "has_more": account.has_more,
        "failure": account.failure.what if account.failure else None,
        "provider_events": events
        and {
            "events": {fate.value: events.events[fate] for fate in Fate},
            "people": events.people,
            "doubts_settled": events.settled,
            "reasons": events.reasons,
        },
    }
    show_line(json.dumps(found, ensure_ascii=False))
