"""A ledger taken on that the copy guard refuses."""

from __future__ import annotations

from dataclasses import replace

from newsletter.errors import InputError
from newsletter.ledger.adoption import Adoption, AdoptionPlan, AdoptionResult
from newsletter.message.model import Recipient
from newsletter.project.project import Project


def plan(project: Project, *, old_copy: bool) -> AdoptionPlan:
    """What :func:`adopt` would do. Changes nothing; the caller holds the lock.

    Raises:
        LedgerRefused: it cannot be done; says why.
    """
    return _adoption(project, old_copy=old_copy).plan()


def adopt(project: Project, *, old_copy: bool = False) -> AdoptionResult:
    """Let the ledger go on here. The caller holds the lock.

    Args:
        project: whose ledger.
        old_copy: whether a person knows that everything here is an old copy.

    Raises:
        LedgerRefused: it cannot be done, or not be written.
    """
    readers: tuple[Recipient, ...] = ()
    no_list = None
    try:
        readers = tuple(
            Recipient(each.address, each.name, each.language or "", each.fields)
            for each in project.roster().subscribers
        )
    except InputError as error:
        no_list = error
    result = _adoption(project, old_copy=old_copy).adopt(readers, now=project.clock.now())
    return replace(result, no_list=no_list)


def _adoption(project: Project, *, old_copy: bool) -> Adoption:
    return Adoption(project.installation, project.key_file, project.keys, old_copy=old_copy)
