"""The heartbeat of a run: shows that it is alive, and sees what others decide meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from newsletter.delivery.desk import Desk
from newsletter.delivery.writer import Writer
from newsletter.errors import LedgerRefused, NewsletterError
from newsletter.ledger import Ledger
from newsletter.ledger.campaigns import Campaign

_BEAT_S = 0.8
"""A pause from another process is noticed within a second."""
_COUNT_EVERY = 10
"""Beats between two counts of everybody: with a million readers one takes a while."""


class Heart:
    """Beats on a thread of its own, through the run's writer.

    Args:
        ledger: the run's.
        campaign: worked on.
        desk: asked at each beat whether to go on.
        writer: on whose thread the ledger is used.
        on_beat: called with each beat; may raise LedgerRefused, which ends the run.
        on_hold: called with why the run must not go on.
        on_failure: called with what is wrong with the ledger.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: Campaign,
        *,
        desk: Desk,
        writer: Writer,
        on_beat: Callable[[], None],
        on_hold: Callable[[str], None],
        on_failure: Callable[[NewsletterError], None],
    ) -> None:
        self._ledger = ledger
        self._campaign = campaign
        self._desk = desk
        self._writer = writer
        self._on_beat = on_beat
        self._on_hold = on_hold
        self._on_failure = on_failure
        self._ended = threading.Event()
        self._beats = 0
        self._thread = threading.Thread(target=self._live, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._ended.set()
        self._thread.join()

    def _live(self) -> None:
        while not self._ended.wait(_BEAT_S):
            try:
                why = self._writer.submit(self._beat).wait()
                self._ledger.check_files()
                self._on_beat()
            except NewsletterError as error:
                self._on_failure(error)
                return
            except Exception as fault:  # noqa: BLE001 - a run must not go on unwatched
                self._on_failure(
                    LedgerRefused(
                        f"The heartbeat stopped on a fault of this program: {fault!r}.",
                        next="Nothing was lost; please report this, then run “newsletter resume”.",
                    )
                )
                return
            if why is not None:
                self._on_hold(why)
                return

    def _beat(self) -> str | None:
        self._beats += 1
        if self._beats % _COUNT_EVERY == 0:
            self._ledger.campaigns.verify(self._campaign)
        if self._ledger.record is not None and self._ledger.record.follows:
            self._ledger.record.join_suppressions()  # who left by another folder meanwhile
        return self._desk.beat()
