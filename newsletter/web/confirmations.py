"""Sends the mails that ask to confirm a sign-up, beside the server and never in its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue

from newsletter.clock import Clock
from newsletter.config import RelayAccess
from newsletter.message.model import Message
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Scope
from newsletter.transports.submission import submit

_MOST_WAITING = 500
_THREADS = 2
_PAUSES_S = (30, 120)
"""Before each further attempt while the relay takes nothing at all."""
_RELAY = "The relay takes no mail."


class Confirmations:
    """A bounded queue, and the threads that empty it into a relay.

    Whoever signed up is told nothing of a failure: it would say whether an address
    exists. What concerns the relay shows in :attr:`trouble`.

    Args:
        relay: where the mails go.
        sender: the address that they are from.
        credential: gets the relay's password or access token, before each mail; None: it asks
            for none.
        clock: measures its timeouts.
    """

    def __init__(
        self,
        relay: RelayAccess,
        *,
        sender: str,
        credential: Callable[[], str] | None,
        clock: Clock,
    ) -> None:
        self.sender = sender
        self._relay = relay
        self._credential = credential
        self._clock = clock
        self._waiting: Queue[Message | None] = Queue(_MOST_WAITING)
        self._ended = threading.Event()
        self._trouble = ""
        self._threads = [
            threading.Thread(target=self._work, name="confirmations", daemon=True)
            for _ in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def domain(self) -> str:
        """The sender's, for a Message-ID."""
        return self.sender.rpartition("@")[2]

    @property
    def trouble(self) -> str:
        """Why the relay did not take the latest mail; empty if it did. No address is in it."""
        return self._trouble

    def add(self, message: Message) -> bool:
        """Let a mail go out as soon as may be. Does not wait.

        Returns:
            Whether there was room for it.
        """
        try:
            self._waiting.put_nowait(message)
        except Full:
            self._trouble = "The queue is full."
            return False
        return True

    def close(self) -> None:
        """End. What still waits is dropped: whoever signed up may do so again."""
        self._ended.set()
        for _ in self._threads:
            with suppress(Full):
                self._waiting.put_nowait(None)
        for thread in self._threads:
            thread.join(timeout=1)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None and not self._ended.is_set():
            try:
                outcome = self._attempted(message)
            except Exception as error:  # noqa: BLE001 - a silent thread would send nothing any more
                self._trouble = f"A fault of the program: {type(error).__name__}."
                continue
            if isinstance(outcome, Accepted):
                self._trouble = ""
            elif isinstance(outcome, InDoubt) or outcome.scope is not Scope.RECIPIENT:
                self._trouble = _RELAY

    def _attempted(self, message: Message) -> Outcome:
        outcome = self._submitted(message)
        for pause_s in _PAUSES_S:
            # What concerns one recipient is not tried again: others would wait for it.
            if not isinstance(outcome, Deferred) or outcome.scope is Scope.RECIPIENT:
                break
            self._trouble = _RELAY
            if self._ended.wait(pause_s):
                break
            outcome = self._submitted(message)
        return outcome

    def _submitted(self, message: Message) -> Outcome:
        return submit(
            message,
            self._relay,
            credential=self._credential() if self._credential else None,
            client_name=self.domain,
            clock=self._clock,
        )
