"""What became of providers' events, on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.cli.news import show_news
from newsletter.cli.output import say, show_counts, tell
from newsletter.phrases import count, people

if TYPE_CHECKING:
    from newsletter.project.event_account import EventAccount


def show_events(account: EventAccount, *, nothing: str = "") -> None:
    """Print what became of providers' events.

    Args:
        account: of them.
        nothing: what to say where there was none.
    """
    from newsletter.project.event_account import Fate

    words = {
        Fate.APPLIED: "applied",
        Fate.KNOWN: "known already",
        Fate.HINT: "hint that nobody signed, so nothing follows",
        Fate.REFUSED: "refused: no right signature",
        Fate.WAITING: "waiting",
        Fate.NOT_OURS: "about other mail",
    }
    show_news(account.log)
    if number := account.events.total():
        gone = f"; {people(account.people)} not mailed any more" if account.people else ""
        say(f"{count(number, 'event')} of providers{gone}.")
        show_counts(
            [(number, words[fate], "") for fate in Fate if (number := account.events[fate])]
        )
    elif nothing and not account.reasons:
        say(nothing)
    if account.settled:
        say(f"{count(account.settled, 'doubt')} settled.")
    if account.unread:
        tell(
            f"{count(account.unread, 'webhook')} of providers could not be read in time, and may "
            "hold complaints. They are kept: “newsletter bounces” reads them.",
            lead="Not read yet: ", lead_style="bold yellow",
        )  # fmt: skip
    for reason in account.reasons:
        tell(reason, lead="Events: ", lead_style="yellow")
    if account.folder_only:
        say(f"Noted in this folder's ledger only: {account.folder_only.what}", style="yellow")
        say(account.folder_only.next)
