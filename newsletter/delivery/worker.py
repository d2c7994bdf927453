"""Workers: each owns a session and works the queue off over it, together with the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from newsletter.clock import Clock
from newsletter.delivery.desk import Desk, Handout
from newsletter.delivery.journal import BatchJournal, Book
from newsletter.delivery.pacing import STEP_S, Pacer
from newsletter.delivery.writer import Writer
from newsletter.errors import NewsletterError
from newsletter.ledger.deliveries import Claim
from newsletter.ledger.plan import Wave
from newsletter.message.compose import Uncomposable
from newsletter.message.model import Message, Recipient
from newsletter.transports.protocol import Outcome, Rejected, Session, Transport

_LOOK_AGAIN_S = 0.2
"""How long a stop may go unnoticed by a worker that waits for others."""
_REST_S = 5.0
"""Before a longer wait a connection is ended: the other side would do it in the middle of one."""
_ALWAYS_S = 60.0
"""So short a wait is worth it even where a run is not to stay for those put off."""
_TOLD_S = 2.0
"""Shorter waits are the pace; they are not told."""


class Composes(Protocol):
    """Makes the message for one recipient from the edition of their language."""

    def __call__(self, recipient: Recipient, *, date: datetime, version: int) -> Message:
        """Compose.

        Raises:
            Uncomposable: there is something about this recipient; others may be fine.
        """


class Crew:
    """What the workers of a run share.

    Args:
        stopping: set when nothing new may begin.
        wait_s: the longest wait for who was put off, in seconds.
        clock: tells the time and waits.
        on_wait: called with for what and until when all wait; None: it is over.

    Attributes:
        later: when the next one is due who was not waited for.
        complaint: why a wave was judged to need a person's look, and the wave behind it.
    """

    def __init__(
        self,
        *,
        stopping: threading.Event,
        wait_s: float,
        clock: Clock,
        on_wait: Callable[[str | None, datetime | None], None],
    ) -> None:
        self.stopping = stopping
        self.later: datetime | None = None
        self.complaint: tuple[str, Wave] | None = None
        self.patience_s = max(wait_s, _ALWAYS_S)
        self.clock = clock
        self._on_wait = on_wait
        self._turn = threading.Condition()
        self._holders = 0
        self._returns = 0

    @property
    def returns(self) -> int:
        """How often claims came back to the queue."""
        return self._returns

    def hold(self) -> None:
        """Note that a worker holds claims."""
        with self._turn:
            self._holders += 1

    def let_go(self, *, returned: bool) -> None:
        """Note that it holds none any more, and whether some went back to the queue."""
        with self._turn:
            self._holders -= 1
            self._returns += returned
            self._turn.notify_all()

    def returned_since(self, returns: int) -> bool:
        """Whether claims came back to the queue; waits while others hold some.

        Else a worker whose connection is refused late would return its claims
        to a queue that nobody works off any more.
        """
        with self._turn:
            while self._holders and self._returns == returns and not self.stopping.is_set():
                self._turn.wait(_LOOK_AGAIN_S)
            return self._returns != returns

    def keep_pace(self, seconds: float) -> None:
        """Wait for one's turn, however long it takes."""
        end = self.clock.monotonic() + seconds
        while (left_s := end - self.clock.monotonic()) > 0 and not self.stopping.is_set():
            self.clock.sleep(min(left_s, STEP_S))

    def wait(self, seconds: float, words: str) -> bool:
        """Wait so long, unless that is longer than a run stays or claims come back before.

        Returns:
            Whether to go on.
        """
        until = self.clock.now() + timedelta(seconds=seconds)
        if seconds > self.patience_s:
            self.later = min(self.later or until, until)
            return False
        returns, end = self._returns, self.clock.monotonic() + seconds
        told = seconds > _TOLD_S
        if told:
            self._on_wait(words, until)
        while (left_s := end - self.clock.monotonic()) > 0:
            if self.stopping.is_set() or self._returns != returns:
                break
            self.clock.sleep(min(left_s, STEP_S))
        if told:
            self._on_wait(None, None)
        return not self.stopping.is_set()


class Worker:
    """Works the queue off over one session at a time.

    Args:
        crew: what it shares with the others.
        desk: hands out work.
        book: where outcomes are written.
        writer: on whose thread.
        pacer: says whether anything may go.
        transport: the way out.
        compose: makes messages.
        portion: how many messages to take at a time, at the most.
        connections: how many workers there are.
        on_outcome: called with each outcome and whose it is.
        on_unfit: called with why a letter could not be made.
    """

    def __init__(
        self,
        crew: Crew,
        *,
        desk: Desk,
        book: Book,
        writer: Writer,
        pacer: Pacer,
        transport: Transport,
        compose: Composes,
        portion: int,
        connections: int,
        on_outcome: Callable[[Claim, Outcome], None],
        on_unfit: Callable[[str], None],
    ) -> None:
        self._crew = crew
        self._desk = desk
        self._book = book
        self._writer = writer
        self._pacer = pacer
        self._transport = transport
        self._compose = compose
        self._portion = portion
        self._connections = connections
        self._on_outcome = on_outcome
        self._on_unfit = on_unfit
        self._session: Session | None = None

    def work(self) -> None:
        """Work until there is nothing to do, or not soon.

        Raises:
            TransportStopped: this session's way is closed.
            LedgerRefused: nothing can be recorded.
        """
        try:
            while not self._crew.stopping.is_set() and self._step():
                pass
        finally:
            self._rest()

    def _step(self) -> bool:
        """Do a batch's worth, or wait for one; whether to go on."""
        returns = self._crew.returns
        if (blocked_s := self._pacer.blocked_s()) > 0:
            return self._wait(blocked_s, "for the other side, which wants us slower,")
        if (wait_s := self._pacer.wait_s()) > 0:
            self._crew.keep_pace(wait_s)
            return True
        handout = self._take()
        if handout.claims:
            self._hand_over(handout.claims)
            return True
        if handout.wait_s > 0 or self._crew.returned_since(returns):
            return True
        return self._look_out()

    def _take(self) -> Handout:
        count = self._pacer.portion(self._portion, self._connections)
        return self._writer.submit(lambda: self._hand_out(count)).wait()

    def _hand_out(self, count: int) -> Handout:
        """On the writer's thread, so that whoever asks later sees who holds some."""
        handout = self._desk.hand_out(count)
        if handout.claims:
            self._crew.hold()
        return handout

    def _look_out(self) -> bool:
        """Nobody is due and nobody is on the way: what is left; whether to go on."""
        outlook = self._writer.submit(self._desk.outlook).wait()
        if outlook.judged is not None:
            if outlook.judged.complaint is None:
                return True
            self._crew.complaint = (outlook.judged.complaint, outlook.judged.following)
            self._crew.stopping.set()
            return False
        if outlook.due is None:
            return False
        left_s = (outlook.due - self._crew.clock.now()).total_seconds()
        return self._wait(max(left_s, STEP_S), "for those put off,")

    def _wait(self, seconds: float, words: str) -> bool:
        if seconds > _REST_S:
            self._rest()
        return self._crew.wait(seconds, words)

    def _rest(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _hand_over(self, claims: Sequence[Claim]) -> None:
        journal = BatchJournal(
            self._book,
            self._writer,
            claims,
            pacer=self._pacer,
            taken_at=self._crew.clock.monotonic(),
            patience_s=_REST_S,
            on_outcome=self._on_outcome,
        )
        try:
            messages = [] if self._crew.stopping.is_set() else list(self._composed(claims, journal))
            if messages:
                if self._session is None:
                    self._session = self._transport.open()
                self._session.deliver(messages, journal)
        finally:
            self._crew.let_go(returned=journal.settle())

    def _composed(self, claims: Sequence[Claim], journal: BatchJournal) -> Iterator[Message]:
        for claim in claims:
            try:
                message = self._compose(claim.recipient, date=claim.date, version=claim.version)
            except NewsletterError:
                raise
            except Exception as error:  # noqa: BLE001 - one letter must not take the others along
                reason = _why_unfit(error)
                journal.drop(claim, Rejected(reason))
                self._on_unfit(reason)
                continue
            journal.expect(message, claim)
            yield message


def _why_unfit(error: Exception) -> str:
    if isinstance(error, Uncomposable):
        return str(error)
    return f"This letter could not be made, by a fault of this program: {error!r}."
