"""What the public log told, on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from newsletter.cli.output import say, show_counts, tell
from newsletter.phrases import count, joined, people

if TYPE_CHECKING:
    from newsletter.ledger.leave_reasons import LeaveReason
    from newsletter.project.log_reader import SyncResult
    from newsletter.project.sign_ups import Asked

_WORDS = (
    ("leave", "left"),
    ("void", "undid leaving"),
    ("return", "came back"),
    ("signup", "signed up"),
)

_REASONS = {
    "often": "it came too often",
    "useless": "it was of no use to them",
    "unasked": "they never signed up",
    "unsafe": "it is not safe for them",
    "other": "another reason",
}


def show_news(result: SyncResult | None, *, nothing: str = "") -> None:
    """Print what is new in the public log, and what a person should look into.

    Args:
        result: what came of reading it; None: there is no public side.
        nothing: what to say where nothing is new.
    """
    if result is None:
        return
    told = [f"{people(number)} {words}" for kind, words in _WORDS if (number := result.new[kind])]
    if changes := result.new["preferences"]:
        told.append(f"{count(changes, 'change')} of what readers get")
    if webhooks := result.new["webhook"]:
        told.append(f"{count(webhooks, 'webhook')} of providers")
    if told:
        say(f"From the public log: {joined(told)}.")
    elif nothing and not result.warnings and not result.erased.words:
        say(nothing)
    if erased := result.erased.words:
        say(f"Erased, as [privacy] says: {erased}.")
    for warning in result.warnings:
        tell(warning, lead="Public log: ", lead_style="yellow")
    if unclear := result.waiting[""]:
        tell(
            f"{count(unclear, 'entry', 'entries')} cannot be read: no key here opens "
            "them, or they are invented. They are kept and tried again. Was "
            "newsletter.key changed on another machine?",
            lead="Public log: ",
            lead_style="yellow",
        )
    if later := {kind: number for kind, number in result.waiting.items() if kind}:
        kinds = joined([f"{kind} ({number:,})" for kind, number in sorted(later.items())])
        tell(
            f"entries of a kind that this version does not know are kept until it does: {kinds}.",
            lead="Public log: ",
        )


def show_asked(asked: Asked) -> None:
    """Print what came of asking those who had left and signed up again."""
    if asked.sent:
        say(f"{people(asked.sent)} had left and signed up again: asked by mail to confirm.")
    if asked.failed:
        tell(f"{people(asked.failed)} could not be asked; that is tried again in a week.")
    if asked.waiting:
        say(f"{people(asked.waiting)} more will be asked by the next “newsletter sync”.")


def show_reasons(reasons: Sequence[LeaveReason]) -> None:
    """Print why readers left: for each issue how many gave which reason, and their words."""
    for issue, group in groupby(reasons, key=lambda each: each.issue):
        given = list(group)
        say(f"Why readers of {issue or 'several issues'} left:", style="bold")
        numbers = Counter(each.reason for each in given)
        show_counts([(number, _REASONS[reason], "") for reason, number in numbers.most_common()])
        for each in given:
            if each.words:
                tell(f"“{each.words}”", lead=f"{_REASONS[each.reason]}: ")
