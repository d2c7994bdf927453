"""A reader's rights: to see what is held of them, and to be forgotten; and how long it is kept.

GDPR articles 15, 17 and 20, and article 5(1)(e).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.addresses import Address, AddressError
from newsletter.audience.cells import trim
from newsletter.audience.list_file import open_list
from newsletter.audience.records import read_records
from newsletter.clock import EARLIEST
from newsletter.config.public import KEEP_LOG_DAYS
from newsletter.errors import NewsletterError
from newsletter.ledger.preferences import NO_PAUSE, Preferences
from newsletter.ledger.suppressions import ERASURE, Leave, Reason
from newsletter.phrases import count, joined
from newsletter.project.addresses import parse_addresses
from newsletter.project.log_source import has_public_log

if TYPE_CHECKING:
    from newsletter.config import Privacy
    from newsletter.ledger.ledger import Ledger
    from newsletter.project.project import Project

_AFTER_LEAVING = {
    "proof": timedelta(days=30),
    # Who left may undo it for a day.
    "eu-institution": timedelta(days=1),
    "minimal": timedelta(days=1),
}
_TO_ANSWER = timedelta(days=30)
"""How long who left and signed up again has to say so, from the first question on."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, or would be.

    Attributes:
        deliveries: those whose reader is not known any more.
        preferences: changes of preferences.
        sign_ups: sign-ups, with or without the proof of the consent.
        imports: what imports say of readers.
    """

    deliveries: int = 0
    preferences: int = 0
    sign_ups: int = 0
    imports: int = 0

    @property
    def words(self) -> str:
        """``2 deliveries and 1 change of preferences``; empty: nothing."""
        told = [
            (self.deliveries, "delivery", "deliveries"),
            (self.preferences, "change of preferences", "changes of preferences"),
            (self.sign_ups, "sign-up", "sign-ups"),
            (self.imports, "imported row", "imported rows"),
        ]
        return joined([count(*each) for each in told if each[0]])


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of a request to be forgotten.

    Attributes:
        erased: at once.
        waiting: deliveries that still need the address; erased once they are over.
        rows: of the list's files that still name the reader, by the name of the file.
        unreachable: where else they may be, which nothing here can change.
        folder_only: why the send record does not know; None if it does.
    """

    erased: Erased
    waiting: int
    rows: Mapping[str, Sequence[int]]
    unreachable: tuple[str, ...]
    folder_only: NewsletterError | None


def access(project: Project, address: str) -> dict[str, Any]:
    """All that is held of one person, as for JSON.

    Raises:
        InputError: it is no address.
        LedgerRefused: this folder lost its ledger.
    """
    (parsed,) = parse_addresses([address])
    project.refuse_without_ledger()
    held: dict[str, Any] = {
        "address": str(parsed),
        "newsletter": project.settings.list.name,
        "asked": project.clock.now().isoformat(timespec="seconds"),
        "list": _list_rows(project, parsed),
        "sign_ups": [],
        "return_questions": [],
        "imports": [],
        "preferences": {},
        "preference_changes": [],
        "mailed": True,
        "suppressions": [],
        "deliveries": [],
    }
    if project.has_ledger:
        with closing(project.ledger(create=False)) as ledger:
            held.update(_held(ledger, project.keys.tags(parsed)))
    held["elsewhere"] = list(_unreachable(project))
    return held


def knows(project: Project, address: str) -> bool:
    """Whether the ledger or the list names a person; a list that cannot be read may.

    Raises:
        InputError, LedgerRefused: as :func:`access`.
    """
    held = access(project, address)
    kinds = ("sign_ups", "imports", "preference_changes", "suppressions", "deliveries")
    return bool(held["list"].get("rows", True) or any(held[kind] for kind in kinds))


def forget(project: Project, address: str) -> Forgotten:
    """Erase who a reader is from the ledger, and never mail them again. Holds during a send.

    What comes back with a backup or an old log is erased again.

    Raises:
        InputError: it is no address.
        LedgerRefused: it cannot be written.
    """
    (parsed,) = parse_addresses([address])
    tags, at = project.keys.tags(parsed), project.clock.now()
    folder_only = None
    with closing(project.sound_ledger(create=True)) as ledger:
        leaves = [Leave(tag, Reason.UNSUBSCRIBED, ERASURE, at) for tag in tags]
        with ledger.transaction():
            for leave in leaves:
                ledger.suppressions.add(leave)
        try:
            if guard := project.copy_guard(ledger):
                guard.note_suppressions({parsed: leaves[0]})
        except NewsletterError as error:
            folder_only = error
        erased = _erase_requested(ledger)
        waiting = sum(map(ledger.personal_data.waiting, tags))
    rows = {}
    for file in project.list_files:
        with suppress(NewsletterError):
            rows[file.name] = [row["row"] for row in _rows_naming(file, parsed)]
    rows = {name: numbers for name, numbers in rows.items() if numbers}
    return Forgotten(erased, waiting, rows, tuple(_unreachable(project)), folder_only)


def keep_promises(project: Project, ledger: Ledger, *, count_only: bool = False) -> Erased:
    """Erase what readers asked to be forgotten, and what is over by [privacy] profile.

    Args:
        project: the project.
        ledger: open.
        count_only: change nothing.
    """
    now = project.clock.now()
    privacy = project.settings.privacy
    gone = ledger.personal_data.gone_since(now - _AFTER_LEAVING[privacy.profile])
    requested, everybody = ledger.personal_data.requests(), _everybody_until(privacy, now)
    if not gone and not requested and everybody == EARLIEST:
        return Erased()
    until = _until(ledger, gone, now)
    # Who asked for it is erased with the proof of their consent; who left, when it is too old.
    wholly = {**requested}
    if privacy.profile == "proof":
        old = ledger.personal_data.gone_since(_proofs_until(privacy, now))
        wholly |= _until(ledger, old, now)
    else:
        wholly |= until
    with _trying(ledger) if count_only else ledger.erasing():
        mailed = {**requested, **dict.fromkeys(gone, now)}
        return Erased(
            ledger.personal_data.erase(mailed, everybody_until=everybody),
            ledger.preferences.erase({**requested, **until}),
            ledger.sign_ups.erase(wholly) + ledger.sign_ups.strip(until),
            ledger.imports.erase(requested, wholly=True)
            + ledger.imports.erase(until, wholly=False),
        )


def _until(ledger: Ledger, gone: Mapping[bytes, datetime], now: datetime) -> dict[bytes, datetime]:
    """Until when what readers gave is erased, by tag: all of it, or that from before they left.

    The latter where they signed up again since and have not had time to say that it was them;
    else nobody could come back.

    Args:
        ledger: open.
        gone: the time of each reader's last leave, by tag.
        now: the time.
    """
    forms = ledger.sign_ups.latest_forms()
    asked = ledger.sign_ups.asked_until(now - _TO_ANSWER)
    return {
        tag: at if forms.get(tag, EARLIEST) > max(at, asked.get(tag, EARLIEST)) else now
        for tag, at in gone.items()
    }


class _Undone(Exception):
    """What was tried is undone."""


@contextmanager
def _trying(ledger: Ledger) -> Iterator[None]:
    """A transaction of which nothing stays."""
    with suppress(_Undone), ledger.transaction():
        yield
        raise _Undone


def _proofs_until(privacy: Privacy, now: datetime) -> datetime:
    """Who left before it left so many whole years ago, counted from the end of that year."""
    return datetime(now.year - privacy.keep_proof_years, 1, 1, tzinfo=UTC)


def purge(project: Project, *, count_only: bool) -> Erased:
    """As :func:`keep_promises`, of the project's own ledger.

    Raises:
        InputError: nothing was sent from here yet.
        LedgerRefused: it cannot be written.
    """
    with closing(project.sound_ledger()) as ledger:
        return keep_promises(project, ledger, count_only=count_only)


def _erase_requested(ledger: Ledger) -> Erased:
    until = ledger.personal_data.requests()
    with ledger.erasing():
        return Erased(
            ledger.personal_data.erase(until),
            ledger.preferences.erase(until),
            ledger.sign_ups.erase(until),
            ledger.imports.erase(until, wholly=True),
        )


def _everybody_until(privacy: Privacy, now: datetime) -> datetime:
    if privacy.profile != "minimal":
        return EARLIEST
    return now - timedelta(days=privacy.keep_deliveries_days)


def _held(ledger: Ledger, tags: tuple[bytes, ...]) -> dict[str, Any]:
    current = ledger.preferences.current()
    wanted = next((current[tag] for tag in tags if tag in current), None)
    return {
        "sign_ups": [each for tag in tags for each in ledger.sign_ups.proofs(tag)],
        "return_questions": _plain([at for tag in tags for at in ledger.sign_ups.questions(tag)]),
        "imports": [each for tag in tags for each in ledger.imports.of(tag)],
        "preferences": _wanted(wanted) if wanted else {},
        "preference_changes": [
            {"at": _plain(change.at), **change.as_changes()}
            for tag in tags
            for change in ledger.preferences.of(tag)
        ],
        "mailed": not any(map(ledger.suppressions.is_suppressed, tags)),
        "suppressions": [
            {"kind": type(event).__name__.lower(), **_plain(asdict(event))}
            for tag in tags
            for event in ledger.suppressions.history(tag)
        ],
        "deliveries": [each for tag in tags for each in ledger.personal_data.deliveries(tag)],
    }


def _wanted(wanted: Preferences) -> dict[str, Any]:
    told: dict[str, Any] = _plain(asdict(wanted))
    if wanted.pause == NO_PAUSE:
        del told["pause"]
    return told


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case bytes():
            return value.hex()
        case Enum():
            return str(value)
        case _ if hasattr(value, "isoformat"):
            return value.isoformat()
    return value


def _list_rows(project: Project, address: Address) -> dict[str, Any]:
    """The rows of the list's files that name a person, whether they are mailed or not."""
    files = project.list_files
    rows, unreadable = [], []
    for file in files:
        of_file = {"file": str(file)} if len(files) > 1 else {}
        try:
            rows += [{**of_file, **row} for row in _rows_naming(file, address)]
        except NewsletterError as error:
            unreadable.append(f"{file}: {error.what}" if of_file else error.what)
    held: dict[str, Any] = {"file": joined([str(file) for file in files])}
    if rows or not unreadable:
        held["rows"] = rows
    return held | ({"unreadable": " ".join(unreadable)} if unreadable else {})


def _rows_naming(file: Path, address: Address) -> Iterator[dict[str, Any]]:
    """The rows of a file that name a person, as for JSON.

    Raises:
        RosterError: it cannot be read.
    """
    records = list(read_records(open_list(file))[1])
    header = records[0][1] if records else []
    for number, cells, _ in records[1:]:
        if any(_names(cell, address) for cell in cells):
            named = {name: cell for name, cell in zip(header, cells, strict=False) if trim(cell)}
            yield {"row": number, **named}


def _names(cell: str, address: Address) -> bool:
    """Whether a cell holds the address, alone or among other words."""
    if "@" not in cell:
        return False
    for word in re.split(r"[\s<>\"',;()\[\]]+", cell):
        try:
            if "@" in word and Address.parse(word).suppression_key == address.suppression_key:
                return True
        except AddressError:
            continue
    return False


def _unreachable(project: Project) -> Iterator[str]:
    """Where else somebody may be named."""
    for file in project.list_files:
        yield f"{file.name}: its rows, earlier copies of it, and its history in git"
    yield "backups (newsletter backup, and those of this machine)"
    if has_public_log(project):
        public = project.settings.public
        days = count(public.keep_log_days if public else KEEP_LOG_DAYS, "day")
        yield (
            "the public log, whose entries newsletter.key opens: “newsletter sync” deletes those "
            f"older than {days}"
        )
    yield "logs, reports and files that were written for somebody to read"
    if project.mails.is_dir():
        yield "the mails in outbox/new"
    if (provider := project.settings.provider) is not None:
        yield f"the records of {provider.title}, and of the mail servers behind it"
    elif not project.trial:
        yield "the logs of your relay, and of the mail servers behind it"
