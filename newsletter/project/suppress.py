"""Who must not be mailed, by a person's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.addresses import Address
from newsletter.audience.model import Roster
from newsletter.audience.reader import Suppressible, read_leavers
from newsletter.clock import moment_at
from newsletter.errors import InputError, NewsletterError, Problem, Where
from newsletter.feedback.unsubscribe_mails import Mailed, read_mailed
from newsletter.ledger.suppressions import Event, Leave, Lift, Reason
from newsletter.message.tokens import Purpose, Token, Verifier, verify
from newsletter.project.addresses import parse_addresses
from newsletter.refusal_words import without_addresses

if TYPE_CHECKING:
    from newsletter.ledger.leave_reasons import LeaveReason
    from newsletter.ledger.ledger import Ledger
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
        InputError: an address is none, a file is the project's own list or holds nobody.
        RosterError: a file cannot be used.
    """
    texts = list(given)
    files = [Path(text) for text in texts if "@" not in text and Path(text).is_file()]
    _refuse_unknown(text for text in texts if "@" not in text and Path(text) not in files)
    addresses = parse_addresses(text for text in texts if Path(text) not in files)
    active = 0
    refused: tuple[Problem, ...] = ()
    for path in files:
        if any(file.exists() and path.samefile(file) for file in project.list_files):
            raise InputError(
                "This is the newsletter's own list: all its readers would never be mailed again.",
                where=Where(path),
                next="Name a file of unsubscribes or bounces.",
            )
        read = read_leavers(path)
        addresses += read.addresses
        active += read.active
        refused += read.refused
    if files and not addresses:
        why = "Each row says that its reader may be mailed." if active else "No address was found."
        raise InputError(
            f"Nobody was added. {why}",
            where=Where(files[0]),
            problems=refused,
            next="Look at the column of addresses in the file.",
        )
    return Suppressible(tuple(addresses), active, refused), bool(files)


def _refuse_unknown(texts: Iterable[str]) -> None:
    """Name what a person gave that is neither an address nor a file.

    Raises:
        InputError: there is any.
    """
    problems = [
        Problem(f"“{text}” is no address. There is no file of that name either.") for text in texts
    ]
    if problems:
        raise InputError(
            "Nobody was added, since not all of these can be read.",
            problems=problems,
            next="Mind the spelling: name@example.org, or the name of a CSV file.",
        )


def suppress(project: Project, parsed: Sequence[Address], reason: Reason) -> Suppressed:
    """Never mail these addresses again. Holds during a send.

    Raises:
        LedgerRefused: it cannot be written.
    """
    at = project.clock.now()
    leaves = {
        address: Leave(project.keys.address_tag(address), reason, "command", at)
        for address in parsed
    }
    with closing(project.sound_ledger(create=True)) as ledger:
        with ledger.transaction():
            # Also who is suppressed already: what is newest counts, should they return.
            new = ledger.suppressions.add_all(leaves.values())
        folder_only = into_record(project, ledger, leaves)
    return Suppressed(new, len(parsed) - new, folder_only)


def into_record(
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


@dataclass(frozen=True, slots=True)
class UnsubscribeMailResult:
    """What came of unsubscribe mails: readers who left anew, who had already, and other items.

    ``folder_only`` as in :class:`Suppressed`.
    """

    new: int
    known: int
    others: int
    folder_only: NewsletterError | None


def leave_verifier(project: Project) -> Verifier:
    """The keys that verify tokens in unsubscribe mails."""
    return Verifier.of(project.keys, project.settings.list.id, (Purpose.HEADER, Purpose.PAGE))


def leaves_of(item: Mailed, verifier: Verifier) -> dict[Token, Leave]:
    """The leaves that mailed tokens stand for, as far as they are ours.

    None is from before its token was made, whatever clock dated the mail: a confirmation that is
    older than the message would end it.
    """
    evidence = ({"source": "mail", "place": without_addresses(item.place)},)
    return {
        token: Leave(
            token.address_tag,
            Reason.UNSUBSCRIBED,
            "mail",
            max(item.at, moment_at(token.minute * 60.0)),
            evidence,
        )
        for text in item.tokens
        if (token := verify(text, verifier)) and not token.inert
    }


def suppress_mailed(project: Project, file: Path) -> UnsubscribeMailResult:
    """Suppress whoever mailed their unsubscribe token. Holds during a send.

    Raises:
        InputError: the file cannot be read. What was read before stays.
        LedgerRefused: it cannot be written.
    """
    latest: dict[Token, Leave] = {}
    others = 0
    verifier = leave_verifier(project)
    try:
        for item in read_mailed(file, now=project.clock.now()):
            found = leaves_of(item, verifier)
            others += not found
            for token, leave in found.items():
                latest[token] = max(latest.get(token, leave), leave, key=lambda each: each.at)
    except OSError as error:
        raise InputError(
            f"It cannot be read: {error.strerror}.",
            where=Where(file),
            next="Name a file or Maildir of unsubscribe mails, or a file of links.",
        ) from None
    with closing(project.sound_ledger(create=True)) as ledger:
        with ledger.transaction():
            gone = {tag for tag in {each.tag for each in latest.values()}
                    if ledger.suppressions.is_suppressed(tag)}  # fmt: skip
            ledger.suppressions.add_all(latest.values())
            tags = {each.tag for each in latest.values()}
            new = sum(ledger.suppressions.is_suppressed(tag) for tag in tags - gone)
        return UnsubscribeMailResult(new, len(tags) - new, others, into_record(project, ledger, {}))


def history(project: Project, address: str) -> tuple[tuple[Event, ...], bool]:
    """What is known of a reader, oldest first, and whether any of it keeps mail from them.

    Raises:
        InputError: it is no address.
        LedgerRefused: this folder lost its ledger.
    """
    tags = _tags(project, address)
    project.refuse_without_ledger()
    if not project.has_ledger:
        return (), False
    with closing(project.ledger(create=False)) as ledger:
        suppressions = ledger.suppressions
        events = [event for tag in tags for event in suppressions.history(tag)]
        off = any(suppressions.in_force(tag) or suppressions.keeping_off(tag) for tag in tags)
        return tuple(events), off


def lift(project: Project, address: str, reason: str) -> int:
    """Undo a wrong bounce, a person's own word or an import's, by appending why.

    Holds during a send.

    Returns:
        How many leaves are lifted.

    Raises:
        InputError: it is no address, there is no reason, they are not suppressed, or they
            left or complained themselves.
        LedgerRefused: it cannot be written.
    """
    tags = _tags(project, address)
    if not reason.strip():
        raise InputError("A reason is missing.", next="Give the reason with --reason TEXT.")
    with closing(project.sound_ledger()) as ledger:
        told = ledger.suppressions
        leaves = [leave for tag in tags for leave in (*told.in_force(tag), *told.keeping_off(tag))]
        if not leaves:
            raise InputError(f"{address} is not suppressed.", next="There is nothing to lift.")
        if not all(leave.reason.can_be_lifted for leave in leaves):
            raise InputError(
                f"{address} left or complained, which only the reader can undo.",
                next="Ask them to sign up again and to confirm.",
            )
        if guard := project.copy_guard(ledger):
            guard.note_suppressions({})
        with ledger.transaction():
            for leave in leaves:
                ledger.suppressions.add(Lift(leave.id, reason, "command", project.clock.now()))
        if guard:
            guard.note_suppressions({})
    return len(leaves)


def _tags(project: Project, address: str) -> tuple[bytes, ...]:
    (parsed,) = parse_addresses([address])
    return project.keys.tags(parsed)


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


def reasons_given(project: Project) -> list[LeaveReason]:
    """Why readers left, in their own words, by issue. Changes nothing.

    Raises:
        LedgerRefused: the ledger cannot be used.
    """
    if not project.has_ledger:
        return []
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return ledger.leave_reasons.shown()


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
    return sum(not tags.isdisjoint(keys.tags(each.address)) for each in roster.subscribers)
