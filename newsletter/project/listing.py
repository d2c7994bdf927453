"""Who is on the list, from wherever they came; and what an officer notes at a reader's word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from newsletter.audience.languages import read_language
from newsletter.errors import InputError, LedgerRefused
from newsletter.ledger.preferences import PreferenceChange, Preferences
from newsletter.project.addresses import parse_addresses
from newsletter.project.import_files import csv_head, csv_line
from newsletter.project.preferences import with_preferences
from newsletter.project.project import Project
from newsletter.project.segments import in_segment


@dataclass(frozen=True, slots=True)
class Listed:
    """A reader on the list.

    Attributes:
        address: theirs.
        name: may be empty.
        language: that they chose or the list names; empty: none.
        topics: those they chose or declined.
        fields: further columns.
        joined: the first day on which they are known to be on the list; empty: not known.
        source: ``file``, ``import`` or ``sign-up``.
        mailed: whether they may be mailed; who left or complained is not.
    """

    address: str
    name: str
    language: str
    topics: Mapping[str, bool]
    fields: Mapping[str, str]
    joined: str
    source: str
    mailed: bool


def readers_of(project: Project, segment: str = "") -> Iterator[Listed]:
    """All on the list, in its order; of a segment those who are in it.

    Raises:
        InputError: there is no such segment.
        RosterError: the list cannot be used.
        LedgerRefused: the ledger cannot be read.
    """
    roster = project.roster()
    wanted: Mapping[bytes, Preferences] = {}
    gone: frozenset[bytes] = frozenset()
    if project.has_ledger:
        with closing(project.ledger(create=False, follow=False)) as ledger:
            wanted, gone = ledger.preferences.current(), ledger.suppressions.tags()
    roster = with_preferences(roster, wanted, project)
    if segment:
        roster, _ = in_segment(project, roster, segment)
    for each in roster.subscribers:
        # Before there is a ledger nobody has left, and to look must not make a key.
        tags = project.keys.tags(each.address) if gone else ()
        yield Listed(
            str(each.address),
            each.name,
            each.language or "",
            each.topics,
            each.fields,
            each.joined.isoformat() if each.joined else "",
            each.source,
            mailed=gone.isdisjoint(tags),
        )


def as_csv(readers: Iterator[Listed], fields: Sequence[str]) -> Iterator[bytes]:
    """The list as CSV that a spreadsheet opens and does not run, and that can be imported."""
    # A further column may be called as one of ours.
    names = [*dict.fromkeys(("email", "name", "language", *fields, "joined", "source", "status"))]
    yield csv_head(names)
    for each in readers:
        told = {
            "joined": each.joined,
            "source": each.source,
            **{name: each.fields.get(name, "") for name in fields},
            "email": each.address,
            "name": each.name,
            "language": each.language,
            "status": "active" if each.mailed else "suppressed",
        }
        yield csv_line([told[name] for name in names])


def note_wish(
    project: Project, address: str, *, language: str = "", topics: Mapping[str, bool]
) -> bool:
    """Note what a reader told an officer that they want, as if they had chosen it themselves.

    Args:
        project: the project.
        address: of somebody on the list.
        language: of the edition; empty: as it was.
        topics: which they want, and which not; the others are as they were.

    Returns:
        Whether they may be mailed; who left or complained is not.

    Raises:
        InputError: it is no address, they are not on the list, or there is no such topic or
            language.
        LedgerRefused: it cannot be written.
    """
    (parsed,) = parse_addresses([address])
    known = project.settings.public.topics if project.settings.public else {}
    if strange := [topic for topic in topics if topic not in known]:
        raise InputError(
            f"There is no topic “{strange[0]}”.",
            next=f"Name one of: {', '.join(known)}."
            if known
            else "Topics are set under [public] in newsletter.toml.",
        )
    if language and read_language(language) is None:
        raise InputError(f"There is no language “{language}”.", next="Write it as fr or pt-BR.")
    key = parsed.suppression_key
    if all(each.address.suppression_key != key for each in project.roster().subscribers):
        raise InputError(f"{address} is not on the list.", next="Import them, or let them sign up.")
    now = project.clock.now()
    changes = {"language": language, "topics": dict(topics)}
    with closing(project.sound_ledger(create=True)) as ledger:
        tag = project.keys.address_tag(parsed)
        id_ = ledger.suppressions.id_of("wish", tag, str(now.timestamp()))
        try:
            change = PreferenceChange.of(tag, now, changes, id_)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"This cannot be noted: {error}.", next="Write a language as fr or pt-BR."
            ) from None
        with ledger.transaction():
            if not ledger.preferences.add(change):
                raise LedgerRefused(
                    f"{address} asked to be forgotten.", next="Let them sign up again."
                )
        return not any(map(ledger.suppressions.is_suppressed, project.keys.tags(parsed)))
