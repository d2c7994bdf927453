"""Whom the preview shows the mail to: a few readers of the list, and the hard cases. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from newsletter.addresses import Address
from newsletter.audience.languages import edition_for
from newsletter.audience.model import Roster, Subscriber
from newsletter.message.model import Recipient

MOST_READERS = 12
"""Readers of the list to choose from; a longer choice helps nobody."""
_NOBODY = Address.parse("reader@example.org")


@dataclass(frozen=True, slots=True)
class SampleReader:
    """One choice: an id for the page, what the page calls it, and the recipient."""

    id: str
    label: str
    recipient: Recipient


def sample_readers(
    roster: Roster | None, *, languages: Collection[str], default: str, fields: Collection[str]
) -> tuple[SampleReader, ...]:
    """The readers to choose from.

    First readers of the list, of each language at first one; then the one
    with the longest name, and one without any value. Addresses are masked.

    Args:
        roster: the list, None where there is none that can be used.
        languages: of the editions there are.
        default: the edition for readers whose language has none.
        fields: further columns of the list that merge fields may use.
    """

    def recipient(subscriber: Subscriber) -> Recipient:
        language = edition_for(subscriber.language, languages, default)
        return Recipient(subscriber.address, subscriber.name, language, subscriber.fields)

    readers = []
    subscribers = roster.subscribers if roster else ()
    first_file = {None, *(roster.files[:1] if roster else ())}
    for place, subscriber in _varied(subscribers):
        label = f"{subscriber.name or 'No name'} · {subscriber.address.masked}"
        has_row = subscriber.row and subscriber.file in first_file
        id_ = f"row-{subscriber.row}" if has_row else f"reader-{place}"
        readers.append(SampleReader(id_, label, recipient(subscriber)))
    if subscribers:
        longest = recipient(max(subscribers, key=lambda each: len(each.name)))
        readers.append(SampleReader("longest", f"Longest name · {longest.name}", longest))
    nothing = Recipient(_NOBODY, "", default, dict.fromkeys(fields, ""))
    return (*readers, SampleReader("empty", "Empty name", nothing))


def _varied(subscribers: Sequence[Subscriber]) -> list[tuple[int, Subscriber]]:
    """The first of each language, then the first of all, in the order of the list."""
    first = {each.language: place for place, each in reversed([*enumerate(subscribers)])}
    places = dict.fromkeys((*first.values(), *range(min(MOST_READERS, len(subscribers)))))
    return [(place, subscribers[place]) for place in sorted([*places][:MOST_READERS])]
