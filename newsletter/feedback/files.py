"""Bounce reports and events as files: one item at a time, and what cannot be read is told.

Reads those files and nothing else. Anybody can write to a bounce mailbox, so
nothing in one mail, file or event keeps the others from being read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from newsletter.errors import Problem, Where
from newsletter.feedback.bounce_mailbox import Mail, file_mails, reason
from newsletter.feedback.bounces import read_bounce
from newsletter.feedback.event import DeliveryEvent
from newsletter.feedback.json_items import UnreadableItem
from newsletter.feedback.odd_bounces import read_odd_bounce
from newsletter.feedback.provider_events import read_events
from newsletter.regular_file import open_regular

_MOST_NAMED = 20


@dataclass(slots=True)
class Skipped:
    """What could not be read: how many, the first of them by name, and what was asked for.

    Attributes:
        count: all of them.
        named: the first :data:`_MOST_NAMED`.
        unusable: of the paths that were named, those that gave nothing at all; in no other count.
        without_report: mails that were read and report nothing, such as automatic replies.
    """

    count: int = 0
    named: list[Problem] = field(default_factory=list)
    unusable: list[Problem] = field(default_factory=list)
    without_report: int = 0

    def add(self, file: Path, why: str, item: str | None = None) -> None:
        """One more: the file, the item in it if only that is meant, and a clause that says why."""
        self.count += 1
        if len(self.named) < _MOST_NAMED:
            self.named.append(Problem(f"It was skipped: {why}.", Where(file, item=item)))

    def add_path(self, path: Path, error: OSError) -> None:
        """A path that was named and gave nothing at all."""
        self.unusable.append(Problem(f"It cannot be read: {reason(error)}.", Where(path)))


def read_news(
    bounces: Sequence[Path], events: Sequence[Path], *, skipped: Skipped
) -> Iterator[DeliveryEvent]:
    """What the files tell, read as it is asked for.

    Args:
        bounces: mails, folders of mails, or mboxes; of a Maildir its ``new`` and ``cur``.
        events: files of JSON.
        skipped: takes what cannot be read; complete when the last piece of news is out.
    """
    for path in bounces:
        yield from _mails(path, skipped)
    for path in events:
        yield from _events(path, skipped)


def _mails(path: Path, skipped: Skipped) -> Iterator[DeliveryEvent]:
    try:
        for mail in file_mails(path):
            if isinstance(mail, Mail):
                yield from _news(mail, skipped)
            elif mail.place == str(path):
                skipped.unusable.append(Problem(f"It cannot be read: {mail.why}.", Where(path)))
            else:
                skipped.add(Path(mail.place), mail.why)
    except OSError as error:
        skipped.add_path(path, error)


def _news(mail: Mail, skipped: Skipped) -> tuple[DeliveryEvent, ...]:
    try:
        found = read_bounce(mail.data) or read_odd_bounce(mail.data)
    except Exception as error:  # noqa: BLE001 - one mail must not take the others along
        skipped.add(Path(mail.place), f"it cannot be understood ({type(error).__name__})")
        return ()
    skipped.without_report += not found
    return tuple(replace(event, place=mail.place) for event in found)


def _events(path: Path, skipped: Skipped) -> Iterator[DeliveryEvent]:
    try:
        file = open_regular(path)
    except OSError as error:
        skipped.add_path(path, error)
        return
    readable, refused = 0, 0
    with file:
        try:
            for item in read_events(file):
                if isinstance(item, UnreadableItem):
                    refused += 1
                    skipped.add(path, item.why, f"event {item.number}")
                else:
                    readable += 1
                    place = f"{path}, event {readable + refused}"
                    yield from (replace(event, place=place) for event in item)
        except OSError as error:
            skipped.add(path, f"its rest cannot be read, {reason(error)}")
    if refused and not readable:
        skipped.unusable.append(
            Problem(
                "The file holds no events: it is not JSON.",
                Where(path),
                "Use the JSON that the provider sends or exports, unchanged.",
            )
        )
