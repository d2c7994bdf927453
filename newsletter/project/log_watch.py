"""The public log while mail goes out: read every few seconds, and accounted for if it cannot be."""

from __future__ import annotations

import threading
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from newsletter.config.public import READ_EVERY_S
from newsletter.errors import LogUnreachable
from newsletter.phrases import duration
from newsletter.project.log_reader import LogReader
from newsletter.project.log_source import LogSource, log_source

if TYPE_CHECKING:
    from newsletter.delivery.run import Record
    from newsletter.ledger.ledger import Ledger
    from newsletter.ledger.log_entries import Cursor
    from newsletter.project.project import Project


class LogWatch:
    """Reads a project's public log beside a run.

    Args:
        project: with a public side.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        public = project.settings.public
        self._every_s = public.read_every_s if public else READ_EVERY_S
        self._cursor: Cursor | None = None
        self._read_at: datetime | None = None
        self._source: LogSource | None = None
        self._reader: LogReader | None = None
        self._blind_s = 0.0
        self._why = ""
        self._is_blind = False

    def watch(self, ended: threading.Event, record: Record) -> str:
        """Read until ``ended`` is set; for a thread of its own. Returns the :meth:`account`.

        Args:
            ended: when the run is over.
            record: brings what was read to the run's ledger.

        Raises:
            LedgerRefused: the ledger cannot be written.
        """
        record(self._begin)
        try:
            while True:
                self._look(ended, record)
                if ended.wait(self._every_s):
                    return self.account()
        finally:
            if self._source is not None:
                self._source.close()

    def account(self) -> str:
        """What a person should know of the log, in sentences; empty: it was read all the time."""
        told = [self._blindness()] if self._why else []
        if self._reader is not None:
            told += self._reader.result.warnings
        return " ".join(told)

    def _blindness(self) -> str:
        """How long the log could not be read, why, and what to do."""
        if self._read_at is None:
            how_long = "was never read"
        else:
            blind_s = self._blind_s
            if self._is_blind:
                blind_s += (self._project.clock.now() - self._read_at).total_seconds()
            how_long = f"could not be read for {duration(blind_s)}"
        return (
            f"The public log {how_long}: {self._why} Readers who left in that time "
            "may have been mailed. When it can be read again, run “newsletter sync”: "
            "it says how many left."
        )

    def _begin(self, ledger: Ledger) -> None:
        self._cursor = ledger.log_entries.cursor
        self._read_at = ledger.log_entries.read_at

    def _look(self, ended: threading.Event, record: Record) -> None:
        began = self._project.clock.now()
        try:
            self._read(ended, record)
        except LogUnreachable as error:
            self._why, self._is_blind = error.what, True
            return
        if self._is_blind and self._read_at is not None:
            self._blind_s += (began - self._read_at).total_seconds()
        self._read_at, self._is_blind = began, False

    def _read(self, ended: threading.Event, record: Record) -> None:
        if self._source is None:
            self._source = log_source(self._project)
        if self._reader is None:
            self._reader = LogReader(self._source, self._project, self._cursor)
        while not ended.is_set():
            batch = self._reader.fetch()
            record(partial(self._reader.write, batch, now=self._project.clock.now()))
            if batch.is_last:
                return
