"""The real mail to a named few, outside the ledger: sent as a proof, or written into files."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from newsletter.addresses import Address
from newsletter.errors import InputError, RosterError, TransportStopped, Where
from newsletter.message.model import Message, Recipient
from newsletter.project.addresses import parse_addresses
from newsletter.project.compile import CompiledIssue, compile_issue
from newsletter.project.compose import (
    as_recipient,
    compose_one,
    letterhead,
    signing_composer,
    unsigned_composer,
)
from newsletter.project.project import Project
from newsletter.project.transport import hand_over, open_transport
from newsletter.project.writing import refuse_own, write_private
from newsletter.transports.protocol import Outcome


def prove(
    project: Project, issue: str, addresses: Iterable[str], *, sandbox: bool = False
) -> list[tuple[str, str, Outcome | None]]:
    """Send the issue in every language to a few, its subject marked [Proof].

    Who is on the list gets it with the values of their row.

    Args:
        project: the project.
        issue: its id, or the path of its file.
        addresses: as they were typed.
        sandbox: the provider is to check the mail and deliver it to nobody.

    Returns:
        For each message, its address, its language and what came back; None: it was never
        handed over.

    Raises:
        InputError: an address is none, or the issue cannot be used.
        TransportStopped: the server or account takes nothing.
    """
    proofs = _proofs(project, issue, parse_addresses(addresses))
    with closing(open_transport(project, sandbox=sandbox)) as transport:
        try:
            results = hand_over(transport, [message for _, message in proofs])
        except TransportStopped as stopped:
            # Transports advise whoever sends; there is nothing to resume after a proof.
            again = f"newsletter test {issue} --to ADDRESS"
            stopped.next = stopped.next.replace("newsletter resume ISSUE", again)
            raise
    return [
        (address, language, outcome)
        for (language, _), (address, outcome) in zip(proofs, results, strict=True)
    ]


def render(project: Project, issue: str, folder: Path, *, to: str = "") -> tuple[str, Address]:
    """Write the exact html, txt and eml that one recipient would get; not signed.

    Args:
        project: the project.
        issue: its id, or the path of its file.
        folder: for the files; made if missing.
        to: an address of the list; empty: its first row.

    Returns:
        What the files are called, before .html, .txt and .eml, and whose mail it is.

    Raises:
        InputError: the address is not on the list, or the files cannot be written.
    """
    compiled = compile_issue(project, issue)
    recipient = _listed(project, compiled, to)
    edition = compiled.editions[recipient.language]
    composer = unsigned_composer(edition, project.settings, keys=project.keys, campaign="preview")
    message = compose_one(composer, recipient, date=project.clock.now())
    content = message.as_content()
    files = {"html": content.html.encode(), "txt": content.text.encode(), "eml": message.as_bytes()}
    name = f"{edition.issue_id}.{edition.language}"
    refuse_own(project, folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The files cannot be written: {error.strerror}.",
            where=Where(folder),
            next="Name another folder with --out.",
        ) from None
    for kind, data in files.items():
        write_private(project, folder / f"{name}.{kind}", [data], replaces_any=True)
    return name, recipient.address


def _proofs(
    project: Project, issue: str, addresses: Iterable[Address]
) -> list[tuple[str, Message]]:
    """Each proof, after its language."""
    composers = {
        language: signing_composer(
            project,
            replace(edition, subject=f"[Proof] {edition.subject}"),
            letterhead=letterhead(project.settings),
            campaign=f"proof-{secrets.token_hex(4)}",
            proof=True,
        )
        for language, edition in compile_issue(project, issue).editions.items()
    }
    now = project.clock.now()
    return [
        (language, compose_one(composer, replace(reader, language=language), date=now))
        for reader in (_reader(project, address) for address in addresses)
        for language, composer in composers.items()
    ]


def _reader(project: Project, address: Address) -> Recipient:
    """Somebody as their row of the list has them, else with empty values."""
    language = project.settings.language
    try:
        subscribers = project.roster().subscribers
    except RosterError:
        subscribers = ()  # a proof can be looked at before there is a list
    for subscriber in subscribers:
        if subscriber.address.suppression_key == address.suppression_key:
            return Recipient(subscriber.address, subscriber.name, language, subscriber.fields)
    return Recipient(address, "", language, dict.fromkeys(project.settings.audience.fields, ""))


def _listed(project: Project, compiled: CompiledIssue, address: str) -> Recipient:
    """The first reader of the list, or the one with ``address``.

    Raises:
        InputError: they are not on the list.
    """
    wanted = parse_addresses([address])[0].suppression_key if address else None
    roster = project.roster()
    for subscriber in roster.subscribers:
        if wanted in {None, subscriber.address.suppression_key}:
            return as_recipient(subscriber, compiled)
    raise InputError(
        f"“{address}” is not on the list." if address else "Nobody on the list can be mailed.",
        where=Where(item=roster.named),
        next="Name an address on the list, or leave --to out."
        if address
        else "“newsletter subscribers check” says why.",
    )
