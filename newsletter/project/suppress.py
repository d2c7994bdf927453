"""Who must not be mailed, by a person's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from newsletter.addresses import Address
from newsletter.audience.model import Roster
from newsletter.audience.reader import Suppressible, read_leavers
from newsletter.errors import InputError, NewsletterError, Problem, Where
from newsletter.ledger.suppressions import Reason, Suppression
from newsletter.project.compose import parse_addresses
from newsletter.project.project import Project


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What came of a request.

    Attributes:
        new: how many were added.
        known: how many were there already.
        folder_only: why the list's send record does not know of them; None if it does.
    """

    new: int
    known: int
    folder_only: NewsletterError | None


def read_suppressible(project: Project, given: Iterable[str]) -> tuple[Suppressible, bool]:
    """Read what a person gave: addresses, and files of them; whether there was a file.

    Raises:
        InputError: an address is none, or a file is the project's own list.
        RosterError: a file cannot be used.
    """
    texts = list(given)
    files = [Path(text) for text in texts if "@" not in text and Path(text).is_file()]
    addresses = parse_addresses(text for text in texts if Path(text) not in files)
    active = 0
    refused: tuple[Problem, ...] = ()
    for path in files:
        if project.list_file.exists() and path.samefile(project.list_file):
            raise InputError(
                "This is the newsletter's own list: everybody on it would never be mailed again.",
                where=Where(path),
                next="Name a file of those who left.",
            )
        read = read_leavers(path)
        addresses += read.addresses
        active += read.active
        refused += read.refused
    return Suppressible(tuple(addresses), active, refused), bool(files)


def suppress(project: Project, parsed: Sequence[Address], reason: Reason) -> Suppressed:
    """Never mail these addresses again. Holds during a send.

    Raises:
        LedgerRefused: it cannot be written.
    """
    at = project.clock.now()
    folder_only = None
    with closing(project.sound_ledger(create=True)) as ledger:
        new = sum(
            ledger.suppressions.add(
                Suppression(project.keys.address_tag(address), reason, "command", at)
            )
            for address in parsed
        )
        # The send record learns of them as well, so that it outlives this folder.
        if guard := project.copy_guard(ledger):
            try:
                guard.note_leaves(parsed, reason, at=at)
            except NewsletterError as error:
                folder_only = error
    return Suppressed(new, len(parsed) - new, folder_only)


def suppressed(project: Project) -> Mapping[Reason, int]:
    """How many must not be mailed, by reason. Changes nothing.

    Raises:
        LedgerRefused: this folder lost its ledger.
    """
    project.refuse_without_ledger()
    if not project.has_ledger:
        return {}
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return {Reason(reason): number for reason, number in ledger.suppressions.counts().items()}


def gone_from(project: Project, roster: Roster) -> int:
    """How many readers on a list must not be mailed, by what the ledger knows.

    Raises:
        LedgerRefused: the ledger cannot be used.
    """
    if not project.has_ledger:
        return 0
    with closing(project.ledger(create=False, follow=False)) as ledger:
        tags = ledger.suppressions.tags()
    keys = project.keys
    return sum(
        not tags.isdisjoint((keys.address_tag(each.address), *keys.former_tags(each.address)))
        for each in roster.subscribers
    )
