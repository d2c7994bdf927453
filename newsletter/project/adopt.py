"""A ledger taken on that the copy guard refuses."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.errors import InputError
from newsletter.ledger.adoption import Adopted, Adoption, Survey
from newsletter.message.model import Recipient
from newsletter.project.project import Project


@dataclass(frozen=True, slots=True)
class AdoptionResult:
    """What an adoption did.

    Attributes:
        adopted: what became of the ledger.
        no_list: why the list could not be read, so that nobody could be named; None if
            it could.
    """

    adopted: Adopted
    no_list: InputError | None


def survey(project: Project, *, old_copy: bool) -> Survey:
    """What :func:`adopt` would do. Changes nothing; the caller holds the lock.

    Raises:
        LedgerRefused: it cannot be done; says why.
    """
    return _adoption(project, old_copy=old_copy).survey()


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
    adopted = _adoption(project, old_copy=old_copy).adopt(readers, now=project.clock.now())
    return AdoptionResult(adopted, no_list)


def _adoption(project: Project, *, old_copy: bool) -> Adoption:
    return Adoption(project.installation, project.key_file, project.keys, old_copy=old_copy)
