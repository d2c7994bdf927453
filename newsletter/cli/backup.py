"""``backup`` and ``restore``: what a project cannot get from anywhere else, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.asking import confirmed
from newsletter.cli.control import readers_of, tell_adopted
from newsletter.cli.output import joined, moment, say
from newsletter.cli.wiring import Project
from newsletter.config import FILE_NAME
from newsletter.errors import ConfigError, ExitCode, InputError, Where

if TYPE_CHECKING:
    from newsletter.ledger.backup import About


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; must be new.")],
) -> None:
    """Write ledger, keys, settings, list and what this machine remembers into one file.

    May be run during a send. Keep the file as secret as the list: it holds all
    addresses and the keys. Issues and templates are not in it.

    Example: newsletter backup newsletter-2017-03-31.backup
    """
    from newsletter.ledger.backup import KEY, LIST, SETTINGS, About, write_backup

    project = Project.here()
    listed = project.folder / project.settings.audience.file
    others = {KEY: project.key_file, SETTINGS: project.folder / FILE_NAME, LIST: listed}
    about = About(
        made_at=project.clock.now().isoformat(timespec="seconds"),
        list_id=project.settings.list.id,
        list_file=listed.name if listed.is_file() else "",
    )
    with closing(project.ledger(create=False)) if project.has_ledger else nullcontext() as ledger:
        write_backup(file, ledger=ledger, others=others, about=about)
    say(f"Written: {file}. It holds the ledger, the keys, the settings and the list.", style="bold")
    say("Keep it where only you can read it; it names every reader. Issues, templates and the "
        "archive are not in it.")  # fmt: skip


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What “newsletter backup” wrote.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")] = False,
) -> None:
    """Put a backup back into this folder, and say what it cannot know.

    Ledger and key file that are here are kept under another name; settings and
    list that are here stay. Then the ledger is adopted, so that nobody who was
    mailed since is mailed again. Tells and asks first.

    Example: newsletter restore newsletter-2017-03-31.backup
    """
    from newsletter.ledger.backup import KEY, LEDGER, opened

    with opened(file) as (about, parts):
        made = datetime.fromisoformat(about.made_at)
        say(f"A backup of the list {about.list_id}, made {moment(made)}.", style="bold")
        if there := [name for name in (LEDGER, KEY) if name in parts and Path(name).exists()]:
            say(f"Here already, and to be kept under another name: {joined(there)}.")
        if not yes and not confirmed("Put it back into this folder?"):
            say("Nothing was changed.")
            raise typer.Exit(ExitCode.DONE)
        project = _settled(about, parts)
        with project.lock():
            remembers = not project.trial and _remembers(project)
            if remembers and LEDGER in parts:
                _refuse_unrelated(project, parts)
            _place(project, about, parts)
            say("Issues and templates are not in a backup: put them here from version control, or "
                "from a copy.")  # fmt: skip
            if project.trial:
                say("Mail goes to nobody from here, so there is nothing more to do.")
                return
            _adopt(project, made, remembers=remembers)


def _settled(about: About, parts: Mapping[str, Path]) -> Project:
    """The project of this folder; its settings are the backup's, where it has none.

    Raises:
        InputError: it is another list's.
    """
    from newsletter.ledger.backup import SETTINGS, put_in_place

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
            next="Restore it in that list's folder, or in an empty one. Nothing was changed.",
        )
    return project


def _remembers(project: Project) -> bool:
    """Whether this machine has a send record of its own, not one from a backup."""
    from newsletter.ledger.record import Remembered

    known = Remembered.at(project.state.record)
    return bool(known.ledger) and known.machine in {"", project.place.machine}


def _refuse_unrelated(project: Project, parts: Mapping[str, Path]) -> None:
    """Refuse, before anything is put in place, a ledger that could not be adopted."""
    from newsletter.ledger.adoption import Adoption
    from newsletter.ledger.backup import KEY, LEDGER
    from newsletter.message.keys import KeyRing

    keys = KeyRing.load(parts[KEY])
    Adoption(project.place, parts[KEY], keys).refuse_unrelated(parts[LEDGER], keys)


def _place(project: Project, about: About, parts: Mapping[str, Path]) -> None:
    """Put the parts where they belong; the caller holds the lock."""
    from newsletter.ledger.backup import KEY, LEDGER, LIST, RECORD, put_in_place
    from newsletter.ledger.database import move_aside
    from newsletter.ledger.record import mark_as_copy

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
    if LIST in parts and about.list_file and not (project.folder / about.list_file).exists():
        put_in_place(parts[LIST], project.folder / about.list_file)
    if kept := [path.name for path in aside if path is not None]:
        say(f"What was here is kept as {joined(kept)}.")


def _adopt(project: Project, made: datetime, *, remembers: bool) -> None:
    from newsletter.ledger.adoption import Adoption

    adoption = Adoption(project.place, project.key_file, project.keys)
    done = adoption.adopt(lambda keys: readers_of(project, keys), now=project.clock.now())
    tell_adopted(done)
    if remembers:
        say("What was sent from this machine since the backup, and who left, is known from its "
            "state folder.")  # fmt: skip
    else:
        say(f"This machine remembers no send to the list. Who was mailed and who left since "
            f"{moment(made)} is not known, nor which issues were sent: look into the relay's or "
            "provider's log before you send, and note who left with “newsletter suppress add”.",
            style="yellow")  # fmt: skip
