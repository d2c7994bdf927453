"""The ledger as a whole: one file, and an object for each kind of record in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from newsletter.clock import moment_at
from newsletter.ledger.campaigns import Campaigns
from newsletter.ledger.controls import Controls
from newsletter.ledger.database import Database
from newsletter.ledger.deliveries import Deliveries
from newsletter.ledger.events import Events
from newsletter.ledger.import_staging import Staging
from newsletter.ledger.imports import Imports
from newsletter.ledger.leave_reasons import LeaveReasons
from newsletter.ledger.log_entries import LogEntries
from newsletter.ledger.personal_data import PersonalData
from newsletter.ledger.preferences import PreferenceChanges
from newsletter.ledger.read_mails import ReadMails
from newsletter.ledger.record import SendRecord
from newsletter.ledger.recovery import Recovery
from newsletter.ledger.report_queries import ReportQueries
from newsletter.ledger.runs import Runs
from newsletter.ledger.sign_ups import SignUps
from newsletter.ledger.suppressions import Suppressions
from newsletter.ledger.webhooks import Webhooks
from newsletter.message.keys import KeyRing


class Ledger:
    """An open ledger; used by one thread at a time.

    Args:
        path: newsletter.db.
        keys: the key ring that it was, or is to be, written with.
        create: whether a missing file is created.

    Raises:
        LedgerRefused: it cannot be opened, or belongs to another key ring.
    """

    def __init__(self, path: Path, keys: KeyRing, *, create: bool = True) -> None:
        self._database = Database(path, keys, create=create)
        self.path = path
        self.campaigns = Campaigns(self._database)
        self.controls = Controls(self._database)
        self.deliveries = Deliveries(self._database)
        self.runs = Runs(self._database)
        self.events = Events(self._database)
        self.report = ReportQueries(self._database)
        self.suppressions = Suppressions(self._database)
        self.leave_reasons = LeaveReasons(self._database)
        self.log_entries = LogEntries(self._database)
        self.preferences = PreferenceChanges(self._database)
        self.personal_data = PersonalData(self._database)
        self.sign_ups = SignUps(self._database)
        self.read_mails = ReadMails(self._database)
        self.imports = Imports(self._database)
        self.webhooks = Webhooks(self._database)
        self.record: SendRecord | None = None

    @property
    def identity(self) -> str:
        """A random name, given when the ledger was made; a copy of the file has the same."""
        return self._database.meta("identity") or ""

    @property
    def epoch(self) -> int:
        """How often the ledger was written since it has a send record; 0 before.

        The larger of two copies' epochs belongs to the one that is in use.
        """
        return int(self._database.meta("epoch") or "0")

    @property
    def record_id(self) -> str:
        """The name of the send record that follows this ledger; empty: none does."""
        return self._database.meta("record") or ""

    def staging(self) -> Staging:
        """Room for the rows of files that are to be imported; an earlier one is emptied."""
        return Staging(self._database)

    def open_record(self, path: Path) -> SendRecord:
        """Open the list's send record beside this ledger; made if it is missing.

        Raises:
            LedgerRefused: it cannot be used.
        """
        if self.record is None:
            self.record = SendRecord(self._database, path)
        return self.record

    def recovery(self, record: SendRecord) -> Recovery:
        """What brings this ledger up to date from its record."""
        return Recovery(self._database, record)

    def note_record(self, record: str, *, epoch: int) -> None:
        """Note which send record follows, from which epoch on; inside the caller's transaction."""
        self._database.put_meta("record", record)
        self._database.put_meta("epoch", str(epoch))

    @property
    def adopted_at(self) -> datetime:
        """When it was last taken on from a backup or another machine; the earliest time: never.

        What it knows of earlier calls may not be all there was.
        """
        return moment_at(float(self._database.meta("adopted_at") or "0"))

    def note_adoption(self, now: datetime) -> None:
        """Note that it is taken on; inside the caller's transaction."""
        self._database.put_meta("adopted_at", repr(now.timestamp()))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when the block ends."""
        with self._database.transaction():
            yield

    def copy_to(self, ledger: Path, record: Path) -> None:
        """Write a copy of the ledger as it is at this moment, and of its record if it follows.

        Afterwards both are a transaction further, so that the copy can be told
        from the original, whatever happens to that.

        Raises:
            LedgerRefused: they cannot be written.
        """
        self._database.copy_to(ledger, of="main")
        if self.record is not None and self.record.follows:
            self._database.copy_to(record, of="record")
        with self._database.transaction():
            pass  # with which the epoch grows

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """A transaction after which what was erased is not in the files any more either."""
        with self._database.errors():
            self._database.execute("PRAGMA secure_delete = ON")
        with self.transaction():
            yield
        with self._database.errors():
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check_files(self) -> None:
        """Make sure that nobody removed or replaced the ledger's files meanwhile.

        Raises:
            LedgerRefused: somebody did.
        """
        self._database.check_files()

    def check(self) -> None:
        """Read the whole file before a run trusts it; takes seconds where it is large.

        Raises:
            LedgerRefused: the file is damaged.
        """
        self._database.check()

    def close(self) -> None:
        """Close the file. Never raises."""
        self._database.close()
