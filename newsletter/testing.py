"""Doubles for tests of this tool and of what others build on it. No I/O.

A clock that stands still, messages without a template, a journal that watches
whether a transport keeps the order of :mod:`newsletter.transports.protocol`,
and a transport that does what a script says.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from newsletter.addresses import Address
from newsletter.errors import NewsletterError
from newsletter.message.mime import stuffed
from newsletter.message.model import Content, Message
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Call,
    Deferred,
    InDoubt,
    Journal,
    Outcome,
    Rejected,
    Scope,
)

_START = datetime(2017, 3, 1, 9, 0, tzinfo=UTC)


class FrozenClock:
    """A clock that moves only when somebody sleeps or says so. For several threads.

    ``slept`` lists every wait, in seconds.
    """

    def __init__(self, start: datetime = _START) -> None:
        self._start = start
        self._passed = 0.0
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The start, and what has passed since."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds passed since the start."""
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        with self._lock:
            self.slept.append(seconds)
            self._passed += seconds

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass without anybody having slept."""
        with self._lock:
            self._passed += seconds


@dataclass(frozen=True, slots=True)
class FakeMessage:
    """A small, valid message to one address; all of it follows from the address and the text."""

    envelope_to: Address
    text: str = "Good morning.\n"
    to_name: str = ""
    envelope_from: str = "bounces@news.example"
    date: datetime = _START
    resends: int = 0
    version: int = 1

    @property
    def message_id(self) -> str:
        """The same for the same address and text."""
        digest = hashlib.sha256(f"{self.envelope_to}\n{self.text}".encode()).hexdigest()
        return f"<{digest[:32]}@news.example>"

    def as_bytes(self) -> bytes:
        """The message in CRLF lines; 8-bit where its text is."""
        lines = [
            "From: News <newsletter@news.example>",
            f"To: {self.envelope_to}",
            "Subject: The news",
            f"Message-ID: {self.message_id}",
            f"Date: {format_datetime(self.date)}",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
            "",
            *self.text.splitlines(),
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def as_wire(self) -> list[bytes]:
        """The message dot-stuffed, in one piece."""
        return [stuffed(self.as_bytes())]

    def as_content(self) -> Content:
        """The message taken apart."""
        return Content(
            from_name="News",
            from_address="newsletter@news.example",
            reply_to="editors@news.example",
            to_name=self.to_name,
            to_address=str(self.envelope_to),
            subject="The news",
            html=f"<p>{self.text}</p>",
            text=self.text,
            headers={
                "List-ID": "News <list.news.example>",
                "List-Unsubscribe": "<https://news.example/u/token>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                "Message-ID": self.message_id,
            },
            reference=self.message_id[1:].partition("@")[0],
        )


def fake_messages(*addresses: str, text: str = "Good morning.\n") -> list[FakeMessage]:
    """One message to each address."""
    return [FakeMessage(Address.parse(address), text) for address in addresses]


class RecordingJournal:
    """A journal that remembers, and notes every breach of the protocol.

    Args:
        allow: whether an attempt may go; called when its record becomes durable.
        held: no attempt becomes durable until :meth:`release`.

    Attributes:
        waiting: set once a transport waits for a ticket.
        outcomes: what was recorded, by address.
        breaches: what the transport did against the protocol, as sentences.
        calls: how often a permit for one was asked for.
        calls_recorded: those that were attempted under a key, in order.
    """

    def __init__(
        self, *, allow: Callable[[Sequence[Message]], bool] = lambda _: True, held: bool = False
    ) -> None:
        self._allow = allow
        self._released = threading.Event()
        if not held:
            self._released.set()
        self._lock = threading.Lock()
        self._durable: set[str] = set()
        self._denied: set[str] = set()
        self.waiting = threading.Event()
        self.calls = 0
        self.calls_recorded: list[Call] = []
        self.outcomes: dict[str, list[Outcome]] = defaultdict(list)
        self.breaches: list[str] = []

    def release(self) -> None:
        """Let held attempts become durable."""
        self._released.set()

    def acquire_permit(self) -> bool:
        """Count the call."""
        with self._lock:
            self.calls += 1
        return True

    def attempt(self, messages: Sequence[Message], *, call: Call | None = None) -> _Ticket:
        """A ticket for all ``messages`` together."""
        if call is not None:
            self.calls_recorded.append(call)
        return _Ticket(self, tuple(messages))

    def record(self, message: Message, outcome: Outcome) -> None:
        """Note what an attempt told."""
        address = str(message.envelope_to)
        with self._lock:
            if message.message_id in self._denied:
                self.breaches.append(f"{address}: recorded although its ticket said no")
            if isinstance(outcome, Accepted | InDoubt) and message.message_id not in self._durable:
                self.breaches.append(f"{address}: {outcome} without a durable attempt")
            if self.outcomes[address]:
                self.breaches.append(f"{address}: recorded twice")
            self.outcomes[address].append(outcome)

    def outcome(self, message: Message) -> Outcome | None:
        """The last outcome recorded for a message."""
        recorded = self.outcomes.get(str(message.envelope_to))
        return recorded[-1] if recorded else None

    def settle(self, messages: Sequence[Message]) -> bool:
        """Make an attempt durable, or deny it; tickets call this."""
        self.waiting.set()
        if not self._released.wait(timeout=30):
            raise TimeoutError("the held journal was never released")
        may_go = self._allow(messages)
        with self._lock:
            named = {each.message_id for each in messages}
            if may_go:
                self._durable |= named
            else:  # what was attempted before, as a part of more, is still to be recorded
                self._denied |= named - self._durable
        return may_go


class _Ticket:
    def __init__(self, journal: RecordingJournal, messages: Sequence[Message]) -> None:
        self._journal = journal
        self._messages = messages

    def wait(self) -> bool:
        """Block until durable."""
        return self._journal.settle(self._messages)


Script = Callable[[Message, int], Outcome | NewsletterError]
"""What becomes of a message at its attempt number 1, 2, …; an error is raised."""


def accept_all(message: Message, attempt: int) -> Outcome:
    """The script of a good day."""
    return Accepted(f"250 2.0.0 {attempt}", provider_id=message.message_id)


class ScriptedTransport:
    """A transport that does what ``script`` says, one message after the other.

    Attributes:
        copies: how many times the server took a message to each address; a
            message in doubt counts as taken.
        closed: how often :meth:`close` was called.
    """

    name = "scripted"
    place = "scripted"
    allowance = Allowance()
    notices = ()

    def __init__(self, script: Script = accept_all, *, batch_size: int = 100) -> None:
        self._script = script
        self._attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.batch_size = batch_size
        self.copies: Counter[str] = Counter()
        self.closed = 0

    def open(self) -> _ScriptedSession:
        """Start a session."""
        return _ScriptedSession(self)

    def examine(self, message: Message) -> None:
        """Any message can go."""

    def status_lookup(self) -> None:
        """Nobody can be asked."""

    def close(self) -> None:
        """Count the call."""
        self.closed += 1

    def answer(self, message: Message) -> Outcome | NewsletterError:
        """What the script says, counted; sessions call this."""
        with self._lock:
            self._attempts[message.message_id] += 1
            answer = self._script(message, self._attempts[message.message_id])
            if isinstance(answer, Accepted | InDoubt):
                self.copies[str(message.envelope_to)] += 1
        return answer


class _ScriptedSession:
    def __init__(self, transport: ScriptedTransport) -> None:
        self._transport = transport

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` as the script says."""
        for message in messages:
            if not journal.attempt([message]).wait():
                return
            answer = self._transport.answer(message)
            if isinstance(answer, NewsletterError):
                raise answer
            journal.record(message, answer)
            if isinstance(answer, Deferred | Rejected) and answer.scope is not Scope.RECIPIENT:
                return

    def close(self) -> None:
        """Nothing to close."""
