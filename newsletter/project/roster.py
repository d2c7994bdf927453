"""The list of subscribers: the CSV, who was imported, and who signed up on the public side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from newsletter.addresses import Address
from newsletter.audience.model import Roster, Subscriber
from newsletter.errors import Problem, Where
from newsletter.ledger.imports import Imported
from newsletter.ledger.sign_ups import SignUp
from newsletter.reader_states import ReaderState

_HELD_BACK = {
    ReaderState.WAIT: "Not mailed: an import says that they never confirmed.",
    ReaderState.NEVER: "Not mailed: an import says that they are excluded.",
}


def with_imported(
    roster: Roster,
    imported: Sequence[Imported],
    held_back: Callable[[Address], ReaderState | None],
    *,
    sign_ups: Sequence[SignUp],
    fields: Collection[str],
) -> Roster:
    """The list with those who were imported; a row of the CSV wins over an import.

    Args:
        roster: the CSV as read.
        imported: who is on the list by imports.
        held_back: why an import keeps a reader off the list; None: none does.
        sign_ups: who signed up. That ends the waiting for a confirmation; who is excluded comes
            back as who left does.
        fields: further columns; those that an import does not have are empty.
    """
    kept, left, excluded = [], [*roster.left], set(roster.left_keys)
    for subscriber in roster.subscribers:
        if state := held_back(subscriber.address):
            left.append(Problem(_HELD_BACK[state], Where(roster.file, row=subscriber.row)))
        else:
            kept.append(subscriber)
    for sign_up in sign_ups:
        if held_back(sign_up.address) is ReaderState.NEVER:
            excluded.add(sign_up.address.suppression_key)
    there = {each.address.suppression_key for each in kept} | roster.left_keys
    new = [
        Subscriber(
            each.address,
            each.name,
            each.language or None,
            {name: each.fields.get(name, "") for name in fields},
        )
        for each in imported
        if each.address.suppression_key not in there
    ]
    return replace(
        roster,
        subscribers=(*kept, *new),
        left=tuple(left),
        left_keys=frozenset(excluded),
        rows=roster.rows + len(new),
        imported=len(new),
    )


def with_sign_ups(
    roster: Roster,
    sign_ups: Sequence[SignUp],
    *,
    fields: Collection[str],
    is_back: Callable[[Address], bool],
) -> Roster:
    """The list with those who signed up; the reader's own word wins over the list's.

    An address is kept as it was first written: spelled otherwise, it would get an issue
    twice. Who left later is found out when the plan is made.

    Args:
        roster: the CSV as read.
        sign_ups: by the time of their forms.
        fields: further columns, which are empty for those whom the CSV does not have.
        is_back: whether somebody whom the CSV says not to mail confirmed twice since.
    """
    latest: dict[str, Subscriber] = {}
    for sign_up in sign_ups:
        key = sign_up.address.suppression_key
        known = latest.get(key)
        latest[key] = Subscriber(
            known.address if known else sign_up.address,
            sign_up.name or (known.name if known else ""),
            sign_up.language,
            dict.fromkeys(fields, ""),
        )
    listed = [_own_word(each, latest) for each in roster.subscribers]
    new = [
        subscriber
        for key, subscriber in latest.items()
        if key not in roster.left_keys or is_back(subscriber.address)
    ]
    return replace(
        roster,
        subscribers=(*listed, *new),
        rows=roster.rows + len(new),
        signed_up=len(new),
    )


def _own_word(subscriber: Subscriber, latest: dict[str, Subscriber]) -> Subscriber:
    """A reader of the CSV, with what they said themselves; taken out of ``latest``."""
    said = latest.pop(subscriber.address.suppression_key, None)
    if said is None:
        return subscriber
    return replace(subscriber, name=said.name or subscriber.name, language=said.language)
