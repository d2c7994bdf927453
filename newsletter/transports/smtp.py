"""SMTP: the transaction that leaves at most one message per connection in doubt.

For each message (docs/ledger.md, DESIGN section 6):

1. MAIL, RCPT and DATA; with PIPELINING in one write (RFC 2920), and then for
   the next message behind the dot of this one (RFC 2920 3.1 allows it);
2. the durable record ``attempting`` is asked for, and while it is on its way
   the body goes out, without the line that ends it;
3. the record is on disk: the final dot, which makes the relay responsible
   (RFC 5321 4.2.5). Not on disk: the connection is dropped, and a message
   without its dot was never sent (RFC 5321 4.1.1.4);
4. the reply. None: in doubt, since the relay may have it (RFC 1047).

Where there are several relays, a message moves to another one only before its
dot; docs/smtp.md tells all this for those who run relays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.clock import Clock
from newsletter.config import Smtp
from newsletter.errors import TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Deferred,
    InDoubt,
    Journal,
    Rejected,
    Scope,
)
from newsletter.transports.relays import Relays, Trouble, Way
from newsletter.transports.smtp_connection import Connection
from newsletter.transports.smtp_link import Link, Links
from newsletter.transports.smtp_reply import CLOSES, ReplyError, refusal, rule_for
from newsletter.transports.smtp_transaction import (
    Answer,
    Closing,
    Letter,
    Said,
    envelope,
    finish,
    prepare,
    put_off,
    send_body,
)

_FAILURES_IN_A_ROW = 4
"""Lost connections, with nothing accepted between, that end a session."""


class SmtpTransport:
    """A relay, or several.

    Args:
        settings: where they are, how they are secured, how long to wait.
        passwords: for AUTH; one for each of ``settings.relays``, in their order.
        client_name: what EHLO says.
        clock: tells how old a connection is and how long a relay rests.
    """

    batch_size = 100
    allowance = Allowance()

    def __init__(
        self, settings: Smtp, *, passwords: Sequence[str | None], client_name: str, clock: Clock
    ) -> None:
        self.name = "smtp-trial" if settings.trial else "smtp"
        self._settings = settings
        self._client_name = client_name
        self._clock = clock
        self._relays = Relays(
            list(zip(settings.relays, passwords, strict=True)),
            clock=clock,
            patience_s=settings.timeout_s,
        )

    @property
    def place(self) -> str:
        """The relays, in an order that does not depend on that of the settings."""
        return f"smtp {' '.join(sorted(relay.name for relay in self._settings.relays))}"

    @property
    def notices(self) -> list[str]:
        """What a person should know of relays that the run went on without."""
        return [
            f"The {trouble.stopped.where} was left out: {trouble.stopped.what}"
            for trouble in self._relays.left_out()
        ]

    def examine(self, message: Message) -> None:
        """Any letter can go; its size and letters are a matter of the relay that takes it."""

    def inquire(self) -> None:
        """A relay cannot be asked; its log can."""

    def open(self) -> SmtpSession:
        """Start a session; it connects at its first message."""
        links = Links(self._settings, self._relays, connect=self._connect, clock=self._clock)
        return SmtpSession(self._settings, links)

    def close(self) -> None:
        """Connections belong to sessions, so there is nothing to release."""

    def _connect(self, way: Way) -> Connection:
        return Connection(
            way.relay,
            password=way.password,
            client_name=self._client_name,
            timeout_s=self._settings.timeout_s,
            clock=self._clock,
        )


class _Withheld(Exception):
    """The ledger said no after DATA; only dropping the connection voids the message."""


@dataclass(frozen=True, slots=True)
class _Announced:
    """A letter whose envelope went out behind the dot of the one before."""

    letter: Letter
    said: Said | None


@dataclass(slots=True)
class _Work:
    """One call of ``deliver``."""

    waiting: deque[Message]
    journal: Journal
    ended: bool = False
    """What was recorded would befall the rest as well."""


class SmtpSession:
    """Hands over messages, one after the other, over one connection at a time."""

    def __init__(self, settings: Smtp, links: Links) -> None:
        self._settings = settings
        self._links = links
        self._failures = 0
        self._retried: Message | None = None

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` in order.

        Raises:
            TransportStopped: no relay can be reached or will have us.
        """
        work = _Work(deque(messages), journal)
        try:
            self._links.begin()
            while work.waiting and not work.ended:
                link = self._links.ready()
                if link is None:
                    journal.record(work.waiting[0], self._links.patience())
                    return
                self._stretch(link, work)
        except _Withheld:
            self._links.drop()
        except BaseException:
            # Whatever happened, a body under way must never get its dot.
            self._links.drop()
            raise
        finally:
            self._links.rest()

    def close(self) -> None:
        """Say goodbye. Never raises."""
        self._links.close()

    def _stretch(self, link: Link, work: _Work) -> None:
        """Work on one connection until it ends or nothing waits."""
        announced: _Announced | None = None
        while self._links.current is link and not work.ended:
            letter = announced.letter if announced else self._next_letter(link, work)
            if letter is None:
                return
            link.connection.wait_at_most(self._settings.timeout_s)
            try:
                refused = envelope(link.connection, letter, announced.said if announced else None)
            except Closing as error:
                self._closing(link, letter, error, work)
                return
            except (OSError, ReplyError) as error:
                self._lost(link, letter, str(error), work)
                return
            announced = None
            if refused is None:
                announced = self._content(link, letter, work)
            else:
                self._refused(link, letter, refused, work, attempted=False)

    def _next_letter(self, link: Link, work: _Work) -> Letter | None:
        while work.waiting and not work.ended and not self._links.worn_out(link):
            message = work.waiting.popleft()
            letter = prepare(message, link.connection)
            if isinstance(letter, Letter):
                link.messages += 1
                return letter
            work.journal.record(message, letter)
            work.ended = letter.scope is not Scope.RECIPIENT
        return None

    def _content(self, link: Link, letter: Letter, work: _Work) -> _Announced | None:
        """Steps 2 to 4; returns the letter whose envelope went out behind the dot."""
        connection = link.connection
        ticket = work.journal.attempt([letter.message])
        broken = send_body(connection, letter)
        following = None
        if broken is None and connection.offers("pipelining"):
            following = self._next_letter(link, work)
        if not ticket.wait():
            raise _Withheld
        # Before the dot nothing is to be read: it would be taken for the answer to it.
        broken = broken or connection.unasked()
        if broken is not None:
            # Without its dot the relay must not deliver it (RFC 5321 4.1.1.4).
            work.journal.record(letter.message, put_off(broken))
            self._abandon(link, following, broken, work)
            return None
        connection.wait_at_most(self._settings.final_timeout_s)
        answer = finish(connection, following, then_s=self._settings.timeout_s)
        announced = _Announced(following, answer.behind) if following else None
        if isinstance(answer.outcome, Accepted):
            self._failures = 0
            self._links.well()
            work.journal.record(letter.message, answer.outcome)
            return announced
        if isinstance(answer.outcome, InDoubt):
            work.journal.record(letter.message, answer.outcome)
            self._abandon(link, following, answer.outcome.reason, work)
            return None
        self._refused(link, letter, answer, work, attempted=True)
        if self._links.current is link and not work.ended:
            return announced
        if following is not None:
            # Its DATA may be granted by now, and then only hanging up voids it.
            self._links.drop()
            work.waiting.appendleft(following.message)
        return None

    def _refused(
        self, link: Link, letter: Letter, answer: Answer, work: _Work, *, attempted: bool
    ) -> None:
        """Record a refusal, or take the message to another relay if this one is the trouble."""
        outcome = answer.outcome
        assert isinstance(outcome, Deferred | Rejected)
        moves = outcome.scope is Scope.ACCOUNT and self._moves(link, outcome)
        if moves or not answer.usable:
            # DATA of the next may be under way, so no goodbye is said.
            self._links.drop()
        if moves and not attempted:
            work.waiting.appendleft(letter.message)
            return
        if moves:
            outcome = Deferred(outcome.reply)
        work.journal.record(letter.message, outcome)
        work.ended = outcome.scope is not Scope.RECIPIENT

    def _moves(self, link: Link, outcome: Deferred | Rejected) -> bool:
        """Leave the relay alone; whether another can be had."""
        later = outcome if isinstance(outcome, Deferred) else None
        stopped = TransportStopped(
            f"The relay does not take our mail{' for now' if later else ''}: {outcome.reply}",
            where=_place(link),
            next="Ask who runs it.",
        )
        return self._links.avoid(Trouble(stopped, later, lasting=later is None))

    def _closing(self, link: Link, letter: Letter, closing: Closing, work: _Work) -> None:
        """421 before the dot."""
        if link.has_taken and rule_for(closing.reply, closing.stage) is CLOSES:
            # It had enough of this connection, which says nothing of the next (RFC 5321 3.8).
            self._lost(link, letter, str(closing), work)
            return
        answer = Answer(refusal(closing.reply, closing.stage), usable=False)
        self._refused(link, letter, answer, work, attempted=False)

    def _lost(self, link: Link, letter: Letter, why: str, work: _Work) -> None:
        """The connection went before the body: try once more on a new one."""
        if self._retried is letter.message:
            work.journal.record(letter.message, Deferred(f"The relay ended the connection: {why}"))
        else:
            self._retried = letter.message
            work.waiting.appendleft(letter.message)
        self._abandon(link, None, why, work)

    def _abandon(self, link: Link, following: Letter | None, why: str, work: _Work) -> None:
        """The connection is gone, and with it the envelope of ``following``, if it was sent."""
        if following is not None:
            work.waiting.appendleft(following.message)
        stopped = TransportStopped(
            f"The relay ended {self._failures + 1} transactions in a row: {why}",
            where=_place(link),
            next="Wait a while or ask who runs it, then run “newsletter resume ISSUE”. "
            "Nobody was lost.",
        )
        self._links.lost(Trouble(stopped))
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            raise stopped


def _place(link: Link) -> Where:
    return Where(item=f"relay {link.way.relay.name}")
