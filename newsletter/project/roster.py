"""The list of subscribers: its files, who was imported, and who signed up on the public side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.addresses import Address
from newsletter.audience.joined import earliest, joined_by
from newsletter.audience.model import Roster, Subscriber
from newsletter.audience.one_roster import one_roster
from newsletter.audience.reader import read_roster
from newsletter.errors import Problem, RosterError, Where
from newsletter.ledger.imports import Imported
from newsletter.ledger.sign_ups import SignUp
from newsletter.reader_states import ReaderState

if TYPE_CHECKING:
    from newsletter.project.project import Project

USUAL = "subscribers.csv"
"""What the list is called where newsletter.toml does not say."""
_KEPT_OFF = {
    ReaderState.WAIT: "An import says that they never confirmed.",
    ReaderState.NEVER: "An import says that they are excluded.",
}


def read_files(project: Project, file: Path | None = None, *, may_be_empty: bool) -> Roster:
    """The files of the list, as one; or ``file`` alone.

    Args:
        project: whose newsletter.toml names them.
        file: to be read in their place.
        may_be_empty: whether it is right that nobody on them can be mailed; then the only file
            may be missing.

    Raises:
        RosterError: one of them cannot be used, or nobody can be mailed.
    """
    settings, language = project.settings.audience, project.settings.language
    if file is not None:
        return read_roster(file, settings, language=language)
    match settings.files:
        case ():
            return _without_files(project, may_be_empty=may_be_empty)
        case (only,):
            path = project.folder / only
            if may_be_empty and not path.exists():
                return Roster((path,), (), (), (), (), 0)
            return read_roster(
                path, settings.of(only), language=language, may_be_empty=may_be_empty
            )
    _refuse_twice(project.list_files)
    parts = [
        read_roster(
            project.folder / each,
            settings.of(each),
            language=language,
            may_be_empty=True,
            part=str(each),
        )
        for each in settings.files
    ]
    return one_roster(parts, may_be_empty=may_be_empty)


def _without_files(project: Project, *, may_be_empty: bool) -> Roster:
    if not may_be_empty:
        raise RosterError(
            "Nobody is on the list: newsletter.toml names no file, and nobody was imported or "
            "signed up.",
            next="Run “newsletter subscribers import FILES…”, or name your list as “file” under "
            "[audience].",
        )
    lying_there = project.folder / USUAL
    warnings = (
        Problem(
            "This file is not read: newsletter.toml names no file of readers.",
            Where(lying_there),
            "Import it, or name it as “file” under [audience]; else move it away.",
        ),
    )
    return Roster((), (), (), (), warnings if lying_there.exists() else (), 0)


def _refuse_twice(files: Sequence[Path]) -> None:
    """Make sure that no file has two names, such as a link.

    Raises:
        RosterError: one has.
    """
    seen: dict[tuple[int, int], Path] = {}
    for file in files:
        if not file.exists():
            continue  # said when it is read
        stat = file.stat()
        first = seen.setdefault((stat.st_dev, stat.st_ino), file)
        if first is not file:
            raise RosterError(
                f"This is the same file as {first}.",
                where=Where(file),
                next="Name it once in “file” under [audience] in newsletter.toml.",
            )


def with_imported(
    roster: Roster,
    imported: Sequence[Imported],
    kept_off: Callable[[Address], ReaderState | None],
    *,
    sign_ups: Sequence[SignUp],
    fields: Collection[str],
    imported_on: Mapping[int, date],
) -> Roster:
    """The list with those who were imported; a row of a file wins over an import.

    Args:
        roster: the files as read.
        imported: whom imports name as readers.
        kept_off: why an import keeps a reader off the list; None: none does.
        sign_ups: who signed up.
        fields: further columns; those that an import does not have are empty.
        imported_on: the day of each import: who joined on no known day was on the list by then.
    """
    off: dict[ReaderState, list[Problem]] = {state: [] for state in _KEPT_OFF}
    kept, left_keys, new = [], set(roster.left_keys), []
    for subscriber in roster.subscribers:
        if state := kept_off(subscriber.address):
            where = Where(subscriber.file, row=subscriber.row)
            off[state].append(Problem(_KEPT_OFF[state], where))
            left_keys.add(subscriber.address.suppression_key)
        else:
            kept.append(subscriber)
    there = {each.address.suppression_key: place for place, each in enumerate(kept)}
    counted = 0
    for each in imported:
        key = each.address.suppression_key
        joined = joined_by(each.consent) or imported_on.get(each.source)
        if (place := there.get(key)) is not None:
            known = kept[place]
            kept[place] = replace(known, joined=earliest(known.joined, joined))
        elif key in left_keys:
            continue  # counted by their row of a file
        elif state := kept_off(each.address):
            counted += 1
            off[state].append(Problem(_KEPT_OFF[state], Where(item=f"import {each.source}")))
        else:
            of_fields = {name: each.fields.get(name, "") for name in fields}
            language = each.language or None
            new.append(
                Subscriber(
                    *(each.address, each.name, language, of_fields), source="import", joined=joined
                )
            )
    held = {each.address.suppression_key for each in sign_ups if kept_off(each.address)}
    return replace(
        roster,
        subscribers=(*kept, *new),
        unconfirmed=tuple(off[ReaderState.WAIT]),
        excluded=tuple(off[ReaderState.NEVER]),
        left_keys=frozenset({*roster.left_keys, *held}),
        rows=roster.rows + len(new) + counted,
        imported=len(new) + counted,
    )


def with_sign_ups(
    roster: Roster,
    sign_ups: Sequence[SignUp],
    *,
    fields: Collection[str],
    topics: Collection[str],
    is_back: Callable[[Address], bool],
) -> Roster:
    """The list with those who signed up; the reader's own word wins over the list's.

    An address is kept as it was first written: spelled otherwise, it would get an issue
    twice. Who left later is found out when the plan is made.

    Args:
        roster: the files as read, with those who were imported.
        sign_ups: by the time of their forms.
        fields: further columns, which are empty for those whom no file has.
        topics: all there are: who chose some does not want the others.
        is_back: whether somebody whom a file says not to mail confirmed twice since.
    """
    latest: dict[str, Subscriber] = {}
    for sign_up in sign_ups:
        key = sign_up.address.suppression_key
        known = latest.get(key)
        latest[key] = Subscriber(
            known.address if known else sign_up.address,
            sign_up.name or (known.name if known else ""),
            sign_up.language,
            dict.fromkeys(fields, ""),
            source="sign-up",
            joined=earliest(known.joined if known else None, sign_up.at.date()),
            topics={topic: topic in sign_up.topics for topic in topics} if sign_up.topics else {},
        )
    listed = [_own_word(each, latest) for each in roster.subscribers]
    new = [
        subscriber
        for key, subscriber in latest.items()
        if key not in roster.left_keys or is_back(subscriber.address)
    ]
    return replace(
        roster,
        subscribers=(*listed, *new),
        rows=roster.rows + len(new),
        signed_up=len(new),
    )


def _own_word(subscriber: Subscriber, latest: dict[str, Subscriber]) -> Subscriber:
    """A reader on the list, with what they said themselves; taken out of ``latest``."""
    said = latest.pop(subscriber.address.suppression_key, None)
    if said is None:
        return subscriber
    return replace(
        subscriber,
        name=said.name or subscriber.name,
        language=said.language,
        joined=earliest(subscriber.joined, said.joined),
        topics=said.topics,
    )
