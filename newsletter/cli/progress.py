"""A progress bar for a send, and Ctrl-C that stops it cleanly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import FrameType

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from newsletter.cli.output import err
from newsletter.ledger.states import State
from newsletter.ledger.tally import Tally
from newsletter.phrases import moment
from newsletter.system import STOP_SIGNALS
from newsletter.transports.protocol import Deferred, Outcome

_REFRESH_S = 0.2


class Watch:
    """Counts outcomes and shows them; :meth:`on_outcome` may be called from any thread."""

    def __init__(self) -> None:
        self._total = 0
        self._done = 0
        self._deferred = 0
        self._waits = ""
        self._lock = threading.Lock()

    def on_outcome(self, outcome: Outcome) -> None:
        """Count one."""
        with self._lock:
            if isinstance(outcome, Deferred):
                self._deferred += 1
            else:
                self._done += 1

    def on_wait(self, words: str | None, until: datetime | None) -> None:
        """Show for what and until when all wait; None: they go on."""
        self._waits = f"waiting {words} until {moment(until)}" if words and until else ""

    @contextmanager
    def running(self, tally: Tally, *, stop: Callable[[], None]) -> Iterator[None]:
        """Show the bar while the block runs; the first Ctrl-C calls ``stop``.

        The second ends the program at once. That is safe, too: who was being
        handed over is in doubt afterwards, and named.
        """
        self._total = tally.planned
        self._done = tally.settled + tally[State.IN_DOUBT]
        with self._stoppable(stop), self._bar() as (progress, task):
            ended = threading.Event()
            painter = threading.Thread(
                target=self._paint, args=(progress, task, ended), name="progress", daemon=True
            )
            painter.start()
            try:
                yield
            finally:
                ended.set()
                painter.join()

    def _paint(self, progress: Progress, task: int, ended: threading.Event) -> None:
        # Painted at intervals: a redraw for each message would cost more than the message.
        last = False
        while not last:
            last = ended.wait(_REFRESH_S)
            words = self._waits or (
                f"sending ({self._deferred} later)" if self._deferred else "sending"
            )
            progress.update(task, completed=self._done, description=words)  # type: ignore[arg-type] # TaskID is an int

    @contextmanager
    def _bar(self) -> Iterator[tuple[Progress, int]]:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=err,
            transient=not err.is_terminal,
            disable=not err.is_terminal,
            refresh_per_second=1 / _REFRESH_S,
        ) as progress:
            yield progress, progress.add_task("sending", total=self._total, completed=self._done)

    @contextmanager
    def _stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        def first(number: int, _frame: FrameType | None) -> None:
            stop()
            signal.signal(number, signal.SIG_DFL)
            with suppress(OSError):  # the terminal may be gone
                err.print(
                    "Stopping: messages in progress are finished. Press Ctrl-C again to "
                    "stop at once."
                )

        heeded = [n for n in STOP_SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]  # nohup
        before = {number: signal.signal(number, first) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
