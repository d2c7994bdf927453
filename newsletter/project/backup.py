"""What a project cannot get from anywhere else: written into one file, and put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError, InputError, Where
from newsletter.ledger.adoption import Adoption, AdoptionResult
from newsletter.ledger.backup import (
    KEY,
    LEDGER,
    RECORD,
    SETTINGS,
    About,
    list_part,
    opened,
    put_in_place,
    write_backup,
)
from newsletter.ledger.database import move_aside
from newsletter.ledger.record import Remembered, mark_as_copy
from newsletter.message.keys import KeyRing
from newsletter.project.adopt import adopt
from newsletter.project.project import Project


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        made_at: when the backup was made.
        remembers: whether this machine knows from its own send record what was sent
            since the backup.
        adoption: what became of the ledger; None for a trial, where nothing is adopted.
    """

    made_at: datetime
    remembers: bool
    adoption: AdoptionResult | None


def back_up(project: Project, file: Path) -> None:
    """Write ledger, keys, settings, list and send record into one file. May be run during a send.

    Raises:
        InputError: it cannot be written there, or is there already.
    """
    listed = [file for file in project.settings.audience.files if (project.folder / file).is_file()]
    others = {KEY: project.key_file, SETTINGS: project.folder / FILE_NAME}
    others |= {list_part(place): project.folder / file for place, file in enumerate(listed)}
    about = About(
        made_at=project.clock.now(),
        list_id=project.settings.list.id,
        list_files=tuple(map(_inside, listed)),
    )
    with closing(project.ledger(create=False)) if project.has_ledger else nullcontext() as ledger:
        write_backup(file, ledger=ledger, others=others, about=about)


def _inside(file: Path) -> str:
    """Where in a project's folder a file of the list is put back."""
    inside = not file.is_absolute() and ".." not in file.parts
    return file.as_posix() if inside else file.name


def restore(
    file: Path,
    *,
    agree: Callable[[About, Sequence[str]], bool],
    on_placed: Callable[[Sequence[str]], None],
) -> Restored | None:
    """Put a backup back into the current folder, and adopt its ledger.

    Args:
        file: the backup.
        agree: shown, before anything is changed, what the backup says of itself and which files
            of this folder would be kept under another name; whether to go on.
        on_placed: told, before the adoption, under which names the files are kept that
            were here.

    Returns:
        None if ``agree`` said no.

    Raises:
        InputError: the file is no backup, or one of another list.
        LedgerRefused: its ledger cannot be adopted here.
    """
    with opened(file) as (about, parts):
        in_the_way = tuple(name for name in (LEDGER, KEY) if name in parts and Path(name).exists())
        if not agree(about, in_the_way):
            return None
        project = _settled(about, parts)
        with project.lock():
            remembers = not project.trial and _remembers(project)
            if remembers and LEDGER in parts:
                _refuse_unrelated(project, parts)
            on_placed(_place(project, about, parts))
            return Restored(about.made_at, remembers, None if project.trial else adopt(project))


def _settled(about: About, parts: Mapping[str, Path]) -> Project:
    """The project of this folder; its settings are the backup's, where it has none.

    Raises:
        InputError: it is another list's.
    """
    try:
        project = Project.here()
    except ConfigError:
        if SETTINGS not in parts or Path(FILE_NAME).exists():
            raise
        put_in_place(parts[SETTINGS], Path(FILE_NAME))
        project = Project.here()
    if project.settings.list.id != about.list_id:
        raise InputError(
            f"The backup is of another list: {about.list_id}.",
            where=Where(project.folder / FILE_NAME, item="[list] id"),
            next="Restore it into that list's folder, or an empty one. Nothing was changed.",
        )
    return project


def _remembers(project: Project) -> bool:
    """Whether this machine has a send record of its own, not one from a backup."""
    known = Remembered.at(project.state.record)
    return bool(known.ledger) and known.machine in {"", project.installation.machine}


def _refuse_unrelated(project: Project, parts: Mapping[str, Path]) -> None:
    """Refuse, before anything is put in place, a ledger that could not be adopted."""
    keys = KeyRing.load(parts[KEY])
    Adoption(project.installation, parts[KEY], keys).refuse_unrelated(parts[LEDGER], keys)


def _place(project: Project, about: About, parts: Mapping[str, Path]) -> tuple[str, ...]:
    """Put the parts where they belong; the caller holds the lock.

    Returns:
        The names under which what was there is kept.
    """
    if RECORD in parts and not project.trial and not project.state.record.exists():
        # So that it is refused until it is adopted, should the program end in between.
        mark_as_copy(parts[RECORD])
        put_in_place(parts[RECORD], project.state.record)
    aside = []
    if LEDGER in parts:
        aside.append(move_aside(project.ledger_file))
        put_in_place(parts[LEDGER], project.ledger_file)
    if KEY in parts:
        aside.append(put_in_place(parts[KEY], project.key_file))
    for place, name in enumerate(about.list_files):
        # Where newsletter.toml looks for it; what it does not name, only beside it.
        known = Path(name) in project.settings.audience.files
        target = project.folder / (name if known else Path(name).name)
        if list_part(place) in parts and not target.exists():
            put_in_place(parts[list_part(place)], target)
    return tuple(path.name for path in aside if path is not None)
