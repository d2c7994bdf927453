"""The one thread that writes to the ledger while a run is under way.

Whatever records wait are written in one transaction: many recipients share
one fsync, and a worker goes on as soon as its own record is on disk. Records
of one worker keep their order, so when ``attempting`` of its next message is
durable, the outcome of the one before is, too: at most one message per
connection can be in doubt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from newsletter.errors import LedgerRefused, NewsletterError

if TYPE_CHECKING:
    from newsletter.ledger.ledger import Ledger

Result = TypeVar("Result")


class Pending(Generic[Result]):
    """A record under way and, once it is on disk, what came of it."""

    __slots__ = ("_done", "_failure", "_result", "_work")

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        # A bare lock instead of an Event: a message needs one, and it is ten times cheaper.
        self._done = threading.Lock()
        self._done.acquire()
        self._result: Result | None = None
        self._failure: NewsletterError | None = None

    def __call__(self) -> None:
        """Do the work inside the writer's transaction."""
        self._result = self._work()

    def finish(self, failure: NewsletterError | None) -> None:
        """Say that the transaction is on disk, or that it failed."""
        self._failure = failure
        self._done.release()

    def wait(self) -> Result:
        """Block until it is on disk.

        Raises:
            LedgerRefused: it could not be written.
        """
        self._done.acquire()
        self._done.release()
        if self._failure is not None:
            raise self._failure
        return self._result  # type: ignore[return-value] # set by __call__() before finish(None)


_Work = Callable[[], object]
"""A :class:`Pending`, or a record that nobody waits for."""


class Writer:
    """Runs work on the ledger, in order, many pieces to a transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._failed: NewsletterError | None = None
        self._lost: list[_Work] = []
        self._thread = threading.Thread(target=self._loop, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin to write; until :meth:`close`, no other thread may use the ledger."""
        self._thread.start()

    def note(self, work: _Work) -> None:
        """Queue what nobody waits for and what stays true, such as an outcome.

        If it cannot be written now, it is tried again at :meth:`close`.
        """
        self._queue.put(work)

    def submit(self, work: Callable[[], Result]) -> Pending[Result]:
        """Queue ``work``; it runs on the writer's thread inside a transaction.

        Whoever waits for it is told when it fails, so it is not tried again.
        """
        pending = Pending(work)
        self._queue.put(pending)
        return pending

    @property
    def failed(self) -> NewsletterError | None:
        """Why nothing can be written any more, if that is so."""
        return self._failed

    def close(self) -> None:
        """Write what waits, then stop.

        After a failure the records that were lost with it are tried once more:
        a disk may have room again, and each that succeeds is one doubt less.
        The rows of the others are in doubt at the next start, never attempted
        again; :attr:`failed` tells why.
        """
        self._queue.put(None)
        self._thread.join()
        for note in self._lost:
            try:
                # Each on its own: one that cannot be written must not take others along.
                with self._ledger.transaction():
                    note()
            except LedgerRefused:
                return
            except Exception:  # noqa: BLE001, S112 - the fault that `failed` tells already
                continue

    def _loop(self) -> None:
        while True:
            batch, last = self._next_batch()
            if batch:
                self._write(batch)
            if last:
                return

    def _next_batch(self) -> tuple[list[_Work], bool]:
        batch: list[_Work] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _write(self, batch: list[_Work]) -> None:
        failure: NewsletterError | None = self._failed
        if failure is None:
            try:
                with self._ledger.transaction():
                    for item in batch:
                        item()
            except LedgerRefused as error:
                failure = self._failed = error
            except Exception as error:  # noqa: BLE001 - a silent thread would leave workers waiting for ever
                failure = self._failed = LedgerRefused(
                    f"The ledger stopped on a fault of this program: {error!r}.",
                    next="Nothing was lost; please report this, then run “newsletter resume”.",
                )
        if failure is not None:
            self._lost.extend(item for item in batch if not isinstance(item, Pending))
        for item in batch:
            if isinstance(item, Pending):
                item.finish(failure)
