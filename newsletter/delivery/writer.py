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
from typing import Generic, TypeVar

from newsletter.delivery.ledger import Ledger
from newsletter.errors import LedgerRefused, NewsletterError

Result = TypeVar("Result")


class Pending(Generic[Result]):
    """A record under way and, once it is on disk, what came of it."""

    __slots__ = ("_done", "_failure", "_result", "_work", "keep")

    def __init__(self, work: Callable[[], Result], *, keep: bool) -> None:
        self._work = work
        self.keep = keep
        # A bare lock instead of an Event: a message needs one, and it is ten times cheaper.
        self._done = threading.Lock()
        self._done.acquire()
        self._result: Result | None = None
        self._failure: NewsletterError | None = None

    def run(self) -> None:
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
        return self._result  # type: ignore[return-value] # set by run() before finish(None)


class Writer:
    """Runs work on the ledger, in order, many pieces to a transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue: SimpleQueue[Pending[object] | None] = SimpleQueue()
        self._failed: NewsletterError | None = None
        self._lost: list[Pending[object]] = []
        self._thread = threading.Thread(target=self._loop, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Result], *, keep: bool = False) -> Pending[Result]:
        """Queue ``work``; it runs on the writer's thread inside a transaction.

        ``keep`` marks what stays true when it cannot be written now, such as
        an outcome, and is tried again at :meth:`close`. A write-ahead is not:
        whoever waited for it was told no.
        """
        pending = Pending(work, keep=keep)
        self._queue.put(pending)  # type: ignore[arg-type] # Pending is invariant, the queue only runs it
        return pending

    @property
    def failed(self) -> NewsletterError | None:
        """Why nothing can be written any more, if that is so."""
        return self._failed

    def close(self) -> None:
        """Write what waits, then stop.

        After a failure the records that were lost with it are tried once more:
        a disk may have room again, and each that succeeds is one doubt less.

        Raises:
            LedgerRefused: something could not be written; the rows concerned
                are in doubt at the next start, never attempted again.
        """
        self._queue.put(None)
        self._thread.join()
        if self._failed is None:
            return
        with self._ledger.transaction():
            for pending in self._lost:
                pending.run()

    def _loop(self) -> None:
        while True:
            batch, last = self._next_batch()
            if batch:
                self._write(batch)
            if last:
                return

    def _next_batch(self) -> tuple[list[Pending[object]], bool]:
        batch: list[Pending[object]] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            try:
                item = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _write(self, batch: list[Pending[object]]) -> None:
        failure: NewsletterError | None = self._failed
        if failure is None:
            try:
                with self._ledger.transaction():
                    for pending in batch:
                        pending.run()
            except LedgerRefused as error:
                failure = self._failed = error
            except Exception as error:  # noqa: BLE001 - a silent thread would leave workers waiting for ever
                failure = self._failed = LedgerRefused(
                    f"The ledger stopped on a fault of this program: {error!r}.",
                    next="Nothing was lost; please report this, then run “newsletter resume”.",
                )
        if failure is not None:
            self._lost.extend(pending for pending in batch if pending.keep)
        for pending in batch:
            pending.finish(failure)
