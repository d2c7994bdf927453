"""Who must not be mailed, by a person's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

from newsletter.addresses import Address
from newsletter.audience.model import Roster
from newsletter.errors import NewsletterError
from newsletter.ledger import Ledger
from newsletter.ledger.suppressions import Leave, Reason
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
    leaves = {
        address: Leave(project.keys.address_tag(address), reason, "command", at)
        for address in parsed
    }
    with closing(project.sound_ledger(create=True)) as ledger:
        with ledger.transaction():
            known = {
                leave.tag
                for leave in leaves.values()
                if any(each.reason is reason for each in ledger.suppressions.in_force(leave.tag))
            }
            # Also for those: what is newest counts, should they return.
            for leave in leaves.values():
                ledger.suppressions.add(leave)
        new = len({leave.tag for leave in leaves.values()} - known)
        folder_only = _into_record(project, ledger, leaves)
    return Suppressed(new, len(parsed) - new, folder_only)


def _into_record(
    project: Project, ledger: Ledger, leaves: Mapping[Address, Leave]
) -> NewsletterError | None:
    """Let the send record know as well, so that it outlives this folder.

    Returns:
        Why it does not know; None if it does.
    """
    guard = project.copy_guard(ledger)
    try:
        if guard is not None:
            guard.note_suppressions(leaves)
    except NewsletterError as error:
        return error
    return None


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
