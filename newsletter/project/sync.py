"""What happened on the public side, read from its log into the ledger, and before each send."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.config.public import KEEP_LOG_DAYS
from newsletter.errors import ConfigError, InputError, LogUnreachable, NewsletterError, Where
from newsletter.project.log_reader import LogReader, OpenedEntries, SyncResult
from newsletter.project.log_source import LogSource, former_log, has_public_log, log_source
from newsletter.project.project import Project
from newsletter.project.rights import keep_promises
from newsletter.render.public_pages import words_digest
from newsletter.web.bundle import Bundle
from newsletter.web.log import LARGEST_SEQ

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

_LONGEST_S = 600.0
"""A server that invents entries without an end is left after so many seconds."""


def sync(project: Project, *, again: bool = False) -> SyncResult:
    """Read what is new in the public log. May run during a send.

    Args:
        project: the project.
        again: read all of it, whatever was read before, and give up what left it unread.

    Raises:
        InputError: there is no public side.
        LogUnreachable: the log cannot be read.
        LedgerRefused: the ledger cannot be written.
    """
    if not has_public_log(project):
        raise InputError(
            "This newsletter has no public side, so there is no log to read.",
            where=Where(project.folder / "newsletter.toml", item="[public]"),
            next="“newsletter docs public” tells how to set one up.",
        )
    with (
        closing(log_source(project)) as source,
        closing(project.ledger(create=True)) as ledger,
    ):
        former = _read_former(project, ledger, again=again)
        cursor = ledger.log_entries.cursor
        if former and cursor and cursor.log_id == former.log_id != source.page(LARGEST_SEQ).log_id:
            cursor = None  # the list moved to a server since
        reader = LogReader(source, project, cursor, again=again)
        if former:
            reader.result = former.result
        batch = _read_all(project, reader, ledger)
        with ledger.transaction():
            reader.try_kept(ledger)
            if again:
                ledger.log_entries.give_up_missed()
            reader.tell_missed(ledger)
            ledger.leave_reasons.show_groups()
            _note_wordings(project, ledger)
        if guard := project.copy_guard(ledger):
            guard.follow()  # so that the send record knows as well
        reader.result.erased = keep_promises(project, ledger)
        _let_old_leave(project, source, batch, reader.result)
    return reader.result


@dataclass(frozen=True, slots=True)
class _Former:
    """What came of reading the folder's own log, where another one counts now."""

    log_id: str
    result: SyncResult


def _read_former(project: Project, ledger: Ledger, *, again: bool) -> _Former | None:
    """Read what is unread of the log from before there was a server; None: there is none.

    How far it was read says the ledger, since an earlier state of that may be restored.

    Raises:
        LogUnreachable: it cannot be read.
    """
    source = former_log(project)
    if source is None:
        return None
    with closing(source):
        try:
            log_id = source.page(LARGEST_SEQ).log_id
            # Until the list moved, the place was that of the log that counted.
            places = (ledger.log_entries.former_cursor, ledger.log_entries.cursor)
            cursor = next((each for each in places if each and each.log_id == log_id), None)
            reader = LogReader(source, project, cursor, again=again, former=True)
            batch = _read_all(project, reader, ledger)
        except LogUnreachable as error:
            raise LogUnreachable(
                f"{error.what} Readers who left before there was a server could be in it.",
                where=error.where,
                next=f"{error.next} If all in it was read, move the file away.",
            ) from None
        _let_old_leave(project, source, batch, reader.result)
    return _Former(log_id, reader.result)


def _read_all(project: Project, reader: LogReader, ledger: Ledger) -> OpenedEntries:
    """Read a log to its end.

    Returns:
        The last entries.

    Raises:
        LogUnreachable: it cannot be read, or does not end.
    """
    until = project.clock.monotonic() + _LONGEST_S
    while not (batch := _read_on(project, reader, ledger)).is_last:
        if project.clock.monotonic() > until:
            raise LogUnreachable(
                "The public log does not come to an end.",
                next="What was read so far counts. Run “newsletter sync” again; if that does "
                "not end either, somebody may be flooding the log.",
            )
    return batch


def _let_old_leave(
    project: Project, source: LogSource, read: OpenedEntries, result: SyncResult
) -> None:
    """Tell a log how far it was read. If it does not take that, only its old entries stay."""
    public = project.settings.public
    keep_days = public.keep_log_days if public else KEEP_LOG_DAYS
    try:
        source.synced(read.cursor.seq, keep_days=keep_days)
    except LogUnreachable as error:
        result.warnings.append(f"Old entries stay in the log: {error.what}")


def _read_on(project: Project, reader: LogReader, ledger: Ledger) -> OpenedEntries:
    batch = reader.fetch()
    with ledger.transaction():
        reader.write(batch, ledger, now=project.clock.now())
    return batch


def read_before_send(project: Project, *, required: bool) -> SyncResult | None:
    """Read the public log, so that whoever left is not mailed.

    Args:
        project: the project.
        required: whether the send must not begin without it. A trial may: it reaches nobody.

    Returns:
        What was new; None if there is no public side.

    Raises:
        LogUnreachable: it cannot be read, and is required.
        ConfigError: not all who left can be known from it, and it is required.
    """
    if not has_public_log(project):
        return None
    project.refuse_without_ledger()
    try:
        result = sync(project)
    except LogUnreachable as error:
        if required and not project.trial:
            raise LogUnreachable(
                f"{error.what} Nothing was sent, since readers who left could be mailed.",
                where=error.where,
                next=f"{error.next} To send all the same: --without-log",
            ) from None
        return SyncResult(warnings=[error.what])
    if result.obstacles and required and not project.trial:
        obstacle = result.obstacles[0]
        raise ConfigError(
            f"{obstacle.what} Nothing was sent.",
            where=Where(item="the public log"),
            next=f"{obstacle.next} To send all the same: --without-log",
        )
    return result


def _note_wordings(project: Project, ledger: Ledger) -> None:
    """Keep the words that readers tick today, so that each consent can be shown whole.

    Inside the caller's transaction. A theme that cannot be used keeps nothing from going on.
    """
    try:
        pages = Bundle.of(project).pages()
        words = {language: pages.consent(language) for language in pages.languages}
    except NewsletterError:
        return
    noted = {words_digest(said): (language, said) for language, said in words.items()}
    ledger.sign_ups.note_wordings(noted, now=project.clock.now())
