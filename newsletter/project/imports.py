"""Moves readers in from other programs' files, and withdraws a move again.

All files of a move are read first and put side by side; nothing counts before a person has seen
what would change.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.audience.address_notes import AddressNotes
from newsletter.audience.cells import trim
from newsletter.audience.columns import fold, listed
from newsletter.audience.import_judge import ImportOptions
from newsletter.audience.import_reader import (
    A_LIST,
    ImportedRow,
    ImportFile,
    RejectedRow,
    UnclearColumn,
    UnclearValues,
    read_import_files,
)
from newsletter.audience.sources import sources_of
from newsletter.errors import InputError, NewsletterError, Problem
from newsletter.ledger.import_staging import Changes, FileCounts, StagedRow, Staging
from newsletter.ledger.imports import Import
from newsletter.phrases import nearest
from newsletter.project.project import Project
from newsletter.project.suppress import into_record
from newsletter.reader_states import ReaderState
from newsletter.refusal_words import without_addresses

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger
    from newsletter.message.keys import KeyRing

__all__ = [
    "Done",
    "ImportLedger",
    "ImportOptions",
    "StagedFile",
    "StagedImport",
    "UnclearColumn",
    "UnclearValues",
    "decide",
    "import_ledger",
    "imports_of",
    "revert",
    "stage",
    "write",
]

MOST_REJECTED = 50_000_000
"""Bytes, about, of rejected rows that are kept to be looked at; all are counted."""
_MOST_CELLS, _LONGEST_CELL = 30, 500
_CELL_TAKES = 60
"""Bytes of a text in memory beside its letters."""


@dataclass(slots=True)
class StagedFile:
    """A file of a move, read.

    Attributes:
        name: its own; ``place`` says where it is.
        place: see there.
        what: what it was recognised as.
        digest: of its content and of how it was read.
        rows: with anything in them, the header left out.
        rejected: of those, without a usable address.
        missing: why those who left may not be in it, and what to look for.
        notes: what is odd about it.
        imported_as: the import that holds it already; None: none. Whom its rows keep off, this
            move keeps off as well.
        repeated: whether the same file stands further up in this move.
        staged: the numbers of its rows among all that are put side by side.
        says_left: whether it is a file of those who left; one of bounces does not say who did.
        counts: what becomes of its rows, once that is decided.
    """

    name: str
    place: str
    what: str
    digest: str
    rows: int = 0
    rejected: int = 0
    missing: tuple[str, str] | None = None
    notes: Sequence[Problem] = ()
    imported_as: int | None = None
    repeated: bool = False
    staged: range = range(0)
    says_left: bool = False
    counts: FileCounts = field(default_factory=lambda: FileCounts(0, 0, 0, {}))

    @property
    def is_new(self) -> bool:
        """Whether its rows can say anything new."""
        return self.imported_as is None and not self.repeated

    def as_record(self) -> dict[str, Any]:
        """What the ledger keeps of it; no address."""
        return {
            "name": without_addresses(self.name),
            "digest": self.digest,
            "program": self.what,
            "rows": self.rows,
            "accepted": self.counts.accepted,
            "merged": self.counts.merged,
            "suppressed": self.counts.suppressed,
            "rejected": self.rejected,
            "states": {str(state): number for state, number in self.counts.states.items()},
        }


@dataclass(frozen=True, slots=True)
class ImportLedger:
    """The ledger to import into, and the keys that know its readers."""

    ledger: Ledger
    keys: KeyRing


@dataclass(slots=True)
class StagedImport:
    """The files of a move side by side, before anything counts.

    Attributes:
        files: each, in the order given.
        disputed: how many readers signed up here, and left by a file that does not say whether
            that was before or after.
        rejected: rows that cannot be used, as many as are kept.
        rejected_takes: bytes, about, that those take.
        odd: what is odd about names and values, with counts.
        damaged: names and values in a wrong encoding, and what they seem to have been.
        addresses: what is odd about addresses.
        changes: what it changes, once that is decided.
    """

    files: list[StagedFile]
    staging: Staging
    disputed: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)
    rejected_takes: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    damaged: dict[str, str] = field(default_factory=dict)
    addresses: AddressNotes = field(default_factory=AddressNotes)
    changes: Changes = field(default_factory=lambda: Changes(0, 0, 0, {}, 0, 0))

    @property
    def rejected_rows(self) -> int:
        """How many rows cannot be used, kept or not."""
        return sum(file.rejected for file in self.files)

    @property
    def missing(self) -> list[StagedFile]:
        """Files without those who left, if no file of the move may hold them.

        One of another program cannot: what listmonk lacks is not in an export of Mailchimp.
        """
        of = {file.what for file in self.files if file.says_left}
        return [
            file
            for file in self.files
            if file.missing
            and file.is_new
            and (not of or (file.what != A_LIST and of.isdisjoint({file.what, A_LIST})))
        ]

    @property
    def is_known(self) -> bool:
        """Whether all of it was imported before."""
        return not any(file.is_new for file in self.files)


@dataclass(frozen=True, slots=True)
class Done:
    """What an import, or its revert, did.

    Attributes:
        id: the import's.
        leaves: how many leaves it added, or voided.
        folder_only: why the list's send record does not know of them; None if it does.
    """

    id: int
    leaves: int
    folder_only: NewsletterError | None


@contextmanager
def import_ledger(project: Project, *, dry_run: bool) -> Iterator[ImportLedger]:
    """The ledger to import into; a dry run without one gets one for a while.

    Raises:
        LedgerRefused: it cannot be used.
    """
    if dry_run and not project.has_ledger:
        with tempfile.TemporaryDirectory() as folder:
            stand_in = Project(Path(folder))
            with closing(stand_in.ledger(create=True, follow=False)) as ledger:
                yield ImportLedger(ledger, stand_in.keys)
        return
    project.refuse_without_ledger()
    opened = (
        project.ledger(create=False, follow=False) if dry_run else project.sound_ledger(create=True)
    )
    with closing(opened) as ledger:
        yield ImportLedger(ledger, project.keys)


def stage(
    project: Project, into: ImportLedger, paths: Sequence[Path], options: ImportOptions
) -> StagedImport:
    """Read all files of a move. Changes nothing.

    Raises:
        RosterError: a file cannot be used or is not understood.
        LedgerRefused: the ledger cannot be read.
    """
    ledger, keys, audience = into.ledger, into.keys, project.settings.audience
    told = options
    options = replace(
        options,
        fields=audience.fields,
        mail=(*audience.mail, *options.mail),
        no_mail=(*audience.no_mail, *options.no_mail),
    )
    standing = [each for each in ledger.imports.all() if each.reverted_at is None]
    known = {file["digest"]: each.id for each in standing for file in each.files}
    gone = ledger.suppressions.tags()
    confirmations: dict[bytes, float] = {}
    for sign_up in ledger.sign_ups.all():
        confirmations[keys.address_tag(sign_up.address)] = sign_up.form_at.timestamp()
    staged = StagedImport([], ledger.staging())
    columns: dict[str, str] = {}
    for path in paths:
        for source in sources_of(path):
            for number, table in enumerate(read_import_files(source, options)):
                columns |= {fold(name): trim(name) for name in table.header}
                _stage_file(
                    staged, table, _digest(table, options, number), known, keys, gone, confirmations
                )
    _refuse_slips(told, [file.name for file in staged.files], columns)
    staged.disputed = staged.staging.settle(confirmations, now=project.clock.now())
    return staged


def _refuse_slips(told: ImportOptions, names: Sequence[str], columns: Mapping[str, str]) -> None:
    """A decision about a file or column that is not there would count for nobody, unseen.

    Args:
        told: what the options of the command say.
        names: the files' names.
        columns: all their columns, by their folded names.
    """
    for name in told.state:
        if name not in names:
            raise InputError(
                f"No file of this move is called “{name}”, so --state says nothing of any.",
                next=_meant(name, names),
            )
    for said in (*told.mail, *told.no_mail):
        column = said.partition("=")[0]
        if fold(column) not in columns:
            raise InputError(
                f"No file has a column “{column}”, so “{said}” decides about nobody.",
                next=_meant(column, columns.values()),
            )


def _meant(word: str, known: Iterable[str]) -> str:
    names = list(dict.fromkeys(known))
    near = nearest(word, names)
    return f"Did you mean “{near}”?" if near else f"Write one of: {listed(names)}."


def _stage_file(
    staged: StagedImport,
    table: ImportFile,
    digest: str,
    known: Mapping[str, int],
    keys: KeyRing,
    gone: frozenset[bytes],
    confirmations: Mapping[bytes, float],
) -> None:
    source = table.source
    file = StagedFile(
        *(source.name, source.place, table.what, digest),
        missing=table.missing,
        imported_as=known.get(digest),
        repeated=any(earlier.digest == digest for earlier in staged.files),
        says_left=table.state is ReaderState.LEFT,
    )
    staged.files.append(file)

    def rows() -> Iterator[StagedRow]:
        for row in table.rows():
            file.rows += 1
            if isinstance(row, RejectedRow):
                file.rejected += 1
                _keep(staged, row)
                continue
            staged.addresses.take(row.address)
            yield _staged(row, table.program, keys, gone, confirmations)

    if not file.is_new:
        # Who must not be mailed by it must not be by this move either, if the other is reverted.
        staged.staging.add(row for row in rows() if not file.repeated and row[1] > 0)
        usable = file.rows - file.rejected
        file.counts = FileCounts(0, usable, 0, {})
    else:
        file.staged = staged.staging.add(rows())
    staged.odd.update(table.odd)
    staged.damaged.update(table.damaged)
    file.notes = tuple(table.notes)


def _staged(
    row: ImportedRow,
    program: str,
    keys: KeyRing,
    gone: frozenset[bytes],
    confirmations: Mapping[bytes, float],
) -> StagedRow:
    address, name, language, fields, state, at, confirmed, consent = row
    tag = keys.address_tag(address)
    is_gone = tag in gone or (keys.former and not gone.isdisjoint(keys.former_tags(address)))
    if state is ReaderState.IN:
        since = confirmed[0].timestamp() if confirmed else ""
        if program:
            consent = {"program": program, **consent}
        told = address.key, name, language, _json(fields), _json(consent)
        return (bytearray(tag), state.rank, "", since, program, 1 if is_gone else 0, *told)
    # Of what a date can mean, the leave is the latest and the confirmation the earliest.
    left_at = at[1].timestamp() if at else ""
    if at and (here := confirmations.get(tag)) and at[0].timestamp() < here <= at[1].timestamp():
        left_at = ""  # before or after they signed up here: it does not say, so it is asked about
    none = "", "", "", "{}", "{}"
    return (bytearray(tag), state.rank, left_at, "", program, 1 if is_gone else 0, *none)


def _json(values: Mapping[str, str]) -> str:
    """As ``json.dumps`` writes texts, in a third of the time."""
    if not values:
        return "{}"
    pairs = [f"{encode_basestring(k)}: {encode_basestring(v)}" for k, v in values.items()]
    return "{" + ", ".join(pairs) + "}"


def _keep(staged: StagedImport, row: RejectedRow) -> None:
    cells = [cell[:_LONGEST_CELL] for cell in row.cells[:_MOST_CELLS]]
    staged.rejected_takes += sum(map(len, cells)) + _CELL_TAKES * (len(cells) + 5)
    if staged.rejected_takes <= MOST_REJECTED:
        staged.rejected.append(replace(row, cells=cells))


def _digest(table: ImportFile, options: ImportOptions, number: int) -> str:
    """Of a table's content, and of all that decides how it is read."""
    told = [table.source.digest(), number, table.what, table.state, options.column]
    told += [sorted(options.mail), sorted(options.no_mail), sorted(options.fields), options.mend]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def decide(staged: StagedImport, *, undated_leaves_count: bool = True) -> None:
    """Let the strongest state count for each reader, and count what that changes.

    Args:
        staged: all files.
        undated_leaves_count: whether readers who signed up here count as left by a file that
            does not say when.
    """
    staged.staging.merge(undated_leaves_count=undated_leaves_count)
    for file in staged.files:
        if file.is_new:
            file.counts = staged.staging.counts(file.staged)
    staged.changes = staged.staging.changes()


def write(project: Project, into: ImportLedger, staged: StagedImport) -> Done:
    """Put a move into the ledger. Holds during a send.

    One that was imported before changes nothing there, but a killed program may have left the
    send record without it.

    Raises:
        LedgerRefused: it cannot be written; nothing was.
    """
    ledger, now = into.ledger, project.clock.now()
    files = [file.as_record() for file in staged.files if file.is_new]
    if not files:
        return Done(0, 0, into_record(project, ledger, {}))
    with ledger.transaction():
        id_, leaves = staged.staging.write(files, now=now)
    return Done(id_, leaves, into_record(project, ledger, {}))


def revert(project: Project, id_: int) -> Done:
    """Withdraw what an import says, and nothing else. Holds during a send.

    Raises:
        InputError: there is no such import, or it was reverted.
        LedgerRefused: it cannot be written.
    """
    with closing(project.sound_ledger()) as ledger:
        found = standing_import(ledger.imports.all(), id_)
        # The send record must know before and after: what it lacks cannot be voided there.
        into_record(project, ledger, {})
        with ledger.transaction():
            voided = ledger.imports.revert(found, now=project.clock.now())
        return Done(id_, voided, into_record(project, ledger, {}))


def standing_import(imports: Sequence[Import], id_: int) -> Import:
    """The import of that number.

    Raises:
        InputError: there is none, or it was reverted.
    """
    found = next((each for each in imports if each.id == id_), None)
    if found is None or found.reverted_at is not None:
        raise InputError(
            f"There is no import {id_}." if found is None else f"Import {id_} was reverted.",
            next="“newsletter subscribers import --list” shows all imports.",
        )
    return found


def imports_of(project: Project) -> list[Import]:
    """All imports, oldest first.

    Raises:
        LedgerRefused: this folder lost its ledger.
    """
    project.refuse_without_ledger()
    if not project.has_ledger:
        return []
    with closing(project.ledger(create=False, follow=False)) as ledger:
        return ledger.imports.all()
