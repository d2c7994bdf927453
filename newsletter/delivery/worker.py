"""Workers: each owns a session and works the queue off over it, together with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from newsletter.delivery.queue import Queue, Work
from newsletter.delivery.writer import Pending
from newsletter.errors import NewsletterError
from newsletter.ledger.reading import Claim
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.transports.protocol import Call, Outcome, Rejected, Session

_IDLE_S = 5.0
"""Before a longer wait a connection is closed: the server would do it in the middle of one."""


Compose = Callable[[Recipient, datetime, int], Message]
"""Makes the message for a recipient, with its date, from a version of the campaign's editions.

Raises Uncomposable where there is something about this recipient; others may be fine.
"""


class Worker:
    """Works the queue off over one session at a time, and is that session's journal.

    Args:
        queue: hands out work.
        compose: makes messages.
        wait: waits as a piece of work says; whether to go on.
        on_outcome: called with each outcome and whose it is.
        on_unfit: called with why a message could not be made.
    """

    def __init__(
        self,
        queue: Queue,
        compose: Compose,
        *,
        wait: Callable[[Work], bool],
        on_outcome: Callable[[Claim, Outcome], None],
        on_unfit: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._compose = compose
        self._wait = wait
        self._on_outcome = on_outcome
        self._on_unfit = on_unfit
        self._session: Session | None = None
        self._left_at = 0.0
        self._open: dict[int, Claim] = {}
        self._by_message: dict[str, Claim] = {}

    def work(self) -> None:
        """Work until there is nothing to do, or not soon.

        Raises:
            TransportStopped: this session's way is closed.
            LedgerRefused: nothing can be recorded.
        """
        try:
            while not self._queue.stopping.is_set():
                work = self._queue.take()
                if work.claims:
                    self._deliver(work.claims)
                    continue
                if work.wait_s > _IDLE_S:
                    self._close()
                if not self._wait(work):
                    return
        finally:
            self._close()

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _deliver(self, claims: Sequence[Claim]) -> None:
        self._left_at = self._queue.clock.monotonic()
        self._open = {claim.id: claim for claim in claims}
        self._by_message = {}
        try:
            messages = list(self._composed(claims))
            if messages:
                if self._session is None:
                    self._session = self._queue.transport.open()
                self._session.deliver(messages, self)
        finally:
            # Nothing more comes: what was never attempted goes back to the queue.
            self._queue.settle(tuple(self._open.values()))

    def _composed(self, claims: Sequence[Claim]) -> Iterator[Message]:
        for claim in claims:
            if self._queue.stopping.is_set():
                return
            try:
                message = self._compose(claim.recipient, claim.date, claim.version)
            except NewsletterError:
                raise
            except Exception as error:  # noqa: BLE001 - one message must not take the others along
                reason = _why_unfit(error)
                self._note(claim, Rejected(reason))
                self._on_unfit(reason)
                continue
            self._by_message[message.message_id] = claim
            yield message

    # What the session sees: a ``transports.protocol.Journal`` of the batch in hand

    def acquire_permit(self) -> bool:
        """See :class:`newsletter.transports.protocol.Journal`."""
        left_at = self._queue.pacer.acquire_permit(
            stopped=self._queue.stopping.is_set, patience_s=_IDLE_S
        )
        if left_at is None:
            return False
        self._left_at = left_at
        return True

    def attempt(self, messages: Sequence[Message], *, call: Call | None = None) -> Pending[bool]:
        """See :class:`newsletter.transports.protocol.Journal`."""
        claims = [self._by_message[message.message_id] for message in messages]
        return self._queue.write_ahead(claims, call)

    def record(self, message: Message, outcome: Outcome) -> None:
        """See :class:`newsletter.transports.protocol.Journal`."""
        claim = self._by_message[message.message_id]
        self._note(claim, outcome)
        self._on_outcome(claim, outcome)

    def _note(self, claim: Claim, outcome: Outcome) -> None:
        del self._open[claim.id]
        self._queue.note(claim, outcome, left_at=self._left_at)


def _why_unfit(error: Exception) -> str:
    if isinstance(error, Uncomposable):
        return str(error)
    return f"This message could not be made, by a fault of this program: {error!r}."
