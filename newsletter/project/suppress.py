"""Who must not be mailed, by a person's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from newsletter.audience.model import Roster
from newsletter.errors import NewsletterError
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


def suppress(project: Project, addresses: Iterable[str], reason: Reason) -> Suppressed:
    """Never mail these addresses again. Holds during a send.

    Raises:
        InputError: an address is none; nobody was added.
        LedgerRefused: it cannot be written.
    """
    parsed = parse_addresses(addresses)
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
