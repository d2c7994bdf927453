"""A ledger taken on that the copy guard refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.errors import InputError
from newsletter.ledger.adoption import Adopted, Adoption, Survey
from newsletter.ledger.recovery import Reader
from newsletter.message.keys import KeyRing
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
    no_list: list[InputError] = []

    def readers(keys: KeyRing) -> Iterator[Reader]:
        try:
            yield from _readers(project, keys)
        except InputError as error:
            no_list.append(error)

    adopted = _adoption(project, old_copy=old_copy).adopt(readers, now=project.clock.now())
    return AdoptionResult(adopted, next(iter(no_list), None))


def _adoption(project: Project, *, old_copy: bool) -> Adoption:
    return Adoption(project.place, project.key_file, project.keys, old_copy=old_copy)


def _readers(project: Project, keys: KeyRing) -> Iterator[Reader]:
    for subscriber in project.roster().subscribers:
        yield Reader(
            tag=keys.address_tag(subscriber.address),
            address=subscriber.address.key,
            domain=subscriber.address.domain,
            name=subscriber.name,
            fields=json.dumps(dict(subscriber.fields), ensure_ascii=False),
        )
