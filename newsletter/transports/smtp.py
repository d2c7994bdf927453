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
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from newsletter.config import Smtp
from newsletter.errors import TransportStopped, Where
from newsletter.message.model import Message
from newsletter.transports.protocol import (
    Accepted,
    Allowance,
    Deferred,
    InDoubt,
    Journal,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.smtp_connection import Connection
from newsletter.transports.smtp_reply import Reply, ReplyError, refusal

_FAILURES_IN_A_ROW = 4
"""Lost connections and refused senders, with nothing accepted between, that end a session."""


class SmtpTransport:
    """A relay.

    Args:
        settings: where it is, how it is secured, how long to wait.
        password: for AUTH, if ``settings`` name a user.
        client_name: what EHLO says.
    """

    name = "smtp"
    batch_size = 100
    allowance = Allowance()

    def __init__(self, settings: Smtp, *, password: str | None, client_name: str) -> None:
        self._settings = settings
        self._password = password
        self._client_name = client_name

    @property
    def place(self) -> str:
        """The relay."""
        return f"smtp {self._settings.host}:{self._settings.port}"

    def inquire(self) -> None:
        """A relay cannot be asked; its log can."""

    def open(self) -> SmtpSession:
        """Start a session; it connects at its first message."""
        return SmtpSession(self._settings, self._connect)

    def close(self) -> None:
        """Sessions share nothing, so there is nothing to release."""

    def _connect(self) -> Connection:
        return Connection(self._settings, password=self._password, client_name=self._client_name)


class _Withheld(Exception):
    """The ledger said no after DATA; only dropping the connection voids the message."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message made ready for one connection."""

    message: Message
    commands: tuple[bytes, bytes, bytes]
    body: Sequence[bytes]
    """As :meth:`Message.as_wire` gives it, without the final dot."""


class SmtpSession:
    """One connection at a time, renewed when it is worn out or lost."""

    def __init__(self, settings: Smtp, connect: Callable[[], Connection]) -> None:
        self._settings = settings
        self._connect = connect
        self._connection: Connection | None = None
        self._messages_on_connection = 0
        self._failures = 0
        self._retried: Message | None = None

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` in order.

        Raises:
            TransportStopped: the relay cannot be reached or will not have us.
        """
        waiting = deque(messages)
        try:
            while waiting:
                self._stretch(self._ready(), waiting, journal)
        except _Withheld:
            self._drop()
        except BaseException:
            # Whatever happened, a body under way must never get its dot.
            self._drop()
            raise

    def close(self) -> None:
        """Say goodbye. Never raises."""
        if self._connection is not None:
            self._connection.quit()
            self._connection = None

    def _ready(self) -> Connection:
        if self._messages_on_connection >= self._settings.messages_per_connection:
            self.close()
        if self._connection is None:
            self._connection = self._connect()
            self._messages_on_connection = 0
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def _stretch(self, connection: Connection, waiting: deque[Message], journal: Journal) -> None:
        """Work on one connection until it ends or nothing waits."""
        announced: _Letter | None = None
        while self._connection is connection:
            letter = announced or self._next_letter(connection, waiting, journal)
            if letter is None:
                return
            if announced is None:
                connection.wait_at_most(self._settings.timeout_s)
            try:
                refused = self._envelope(connection, letter, announced=announced is not None)
            except (OSError, ReplyError) as error:
                self._lost(letter, str(error), waiting, journal)
                return
            announced = None
            if refused is None:
                announced = self._content(connection, letter, waiting, journal)
            else:
                journal.record(letter.message, refused)

    def _next_letter(
        self, connection: Connection, waiting: deque[Message], journal: Journal
    ) -> _Letter | None:
        if self._messages_on_connection >= self._settings.messages_per_connection:
            return None
        while waiting:
            message = waiting.popleft()
            letter = _prepare(message, connection)
            if isinstance(letter, _Letter):
                self._messages_on_connection += 1
                return letter
            journal.record(message, letter)
        return None

    def _envelope(
        self, connection: Connection, letter: _Letter, *, announced: bool
    ) -> Outcome | None:
        """Steps up to 354; the outcome where there is no way further.

        Raises:
            OSError, ReplyError: the connection is lost; nothing was handed over.
        """
        mail, rcpt, data = _exchange(connection, letter, announced=announced)
        if data is not None and data.code == 354:
            if rcpt is not None and rcpt.positive:
                return None
            # RFC 2920 3.1: nobody was accepted, yet the body is asked for.
            connection.send(b".\r\n")
            connection.reply()
        outcome = _why_not(mail, rcpt, data)
        if not mail.positive:
            self._count_failure(str(mail))
        connection.send(b"RSET\r\n")
        connection.reply()
        return outcome

    def _content(
        self,
        connection: Connection,
        letter: _Letter,
        waiting: deque[Message],
        journal: Journal,
    ) -> _Letter | None:
        """Steps 2 to 4; returns the letter whose envelope went out behind the dot."""
        ticket = journal.attempt([letter.message])
        broken = _send_body(connection, letter)
        following = None
        if broken is None and connection.offers("pipelining"):
            following = self._next_letter(connection, waiting, journal)
        if not ticket.wait():
            raise _Withheld
        if broken is None and connection.ended():
            broken = "the relay hung up"
        if broken is not None:
            # Without its dot the relay must not deliver it (RFC 5321 4.1.1.4).
            journal.record(letter.message, Deferred(f"The connection broke in the body: {broken}"))
            self._abandon(following, waiting, broken)
            return None
        outcome, usable = self._finish(connection, following)
        journal.record(letter.message, outcome)
        if isinstance(outcome, Accepted):
            self._failures = 0
        if usable:
            return following
        self._abandon(following, waiting, "it was lost at the end of a message")
        return None

    def _abandon(self, following: _Letter | None, waiting: deque[Message], why: str) -> None:
        """The connection is gone, and with it the envelope of ``following``, if it was sent."""
        self._drop()
        if following is not None:
            waiting.appendleft(following.message)
        self._count_failure(why)

    def _finish(self, connection: Connection, following: _Letter | None) -> tuple[Outcome, bool]:
        """The dot and its reply; whether the connection can go on.

        From the first byte of the dot on, only a reply ends the doubt.
        """
        behind = b"".join(following.commands) if following else b""
        try:
            # Stays for the envelope that went along: to set it back and forth
            # would cost two system calls a message.
            connection.wait_at_most(self._settings.final_timeout_s)
            connection.send(b".\r\n" + behind)
            reply = connection.reply()
        except (OSError, ReplyError) as error:
            return InDoubt(f"No answer to the end of the message. {error}"), False
        if reply.positive:
            return Accepted(str(reply)), True
        if reply.code < 400:
            # Neither yes nor no: the two sides are no longer talking about the same thing.
            return InDoubt(f"The answer to the end of the message was {reply}"), False
        return refusal(reply, of_letter=False), reply.code != 421

    def _lost(self, letter: _Letter, why: str, waiting: deque[Message], journal: Journal) -> None:
        """The connection went before the body: try once more on a new one."""
        self._drop()
        if self._retried is letter.message:
            journal.record(letter.message, Deferred(f"The relay ended the connection: {why}"))
        else:
            self._retried = letter.message
            waiting.appendleft(letter.message)
        self._count_failure(why)

    def _count_failure(self, why: str) -> None:
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            raise TransportStopped(
                f"The relay ended or refused {self._failures} transactions in a row: {why}",
                where=Where(item=f"relay {self._settings.host}:{self._settings.port}"),
                next="Wait a while or ask who runs it, then run “newsletter resume ISSUE”. "
                "Nobody was lost.",
            )


def _prepare(message: Message, connection: Connection) -> _Letter | Outcome:
    body = message.as_wire()
    size, limit = sum(map(len, body)), connection.size_limit
    if limit and size > limit:
        return Rejected(
            f"The letter has {size} octets; the relay takes at most {limit}.", Scope.CAMPAIGN
        )
    parameters = f" SIZE={size}" if connection.offers("size") else ""
    if message.envelope_to.needs_smtputf8 or not message.envelope_from.isascii():
        if not connection.offers("smtputf8"):
            return Rejected("The relay takes no addresses with non-ASCII letters (SMTPUTF8).")
        parameters += " SMTPUTF8"
    if not all(map(bytes.isascii, body)):
        if not connection.offers("8bitmime"):
            return Rejected("The relay takes no 8-bit letters (8BITMIME).")
        parameters += " BODY=8BITMIME"
    commands = (
        _command(f"MAIL FROM:<{message.envelope_from}>{parameters}"),
        _command(f"RCPT TO:<{message.envelope_to}>"),
        b"DATA\r\n",
    )
    return _Letter(message, commands, body)


def _send_body(connection: Connection, letter: _Letter) -> str | None:
    """Send the body; why that failed, if it did."""
    try:
        connection.send(*letter.body)
    except OSError as error:
        return str(error)
    return None


def _command(text: str) -> bytes:
    if not text.isprintable():
        raise ValueError("a control character in an SMTP command")
    return text.encode() + b"\r\n"


def _exchange(
    connection: Connection, letter: _Letter, *, announced: bool
) -> tuple[Reply, Reply | None, Reply | None]:
    """Send what is not announced yet, read the replies; None for what was not asked."""
    replies: list[Reply] = []
    pipelined = announced or connection.offers("pipelining")
    if pipelined and not announced:
        connection.send(b"".join(letter.commands))
    for command in letter.commands:
        if not pipelined:
            connection.send(command)
        reply = connection.reply()
        if reply.code == 421:  # RFC 5321 4.2.1: the channel closes
            raise ReplyError(str(reply))
        replies.append(reply)
        if not pipelined and not reply.positive:
            break
    mail, rcpt, data = (*replies, None, None)[:3]
    assert mail is not None
    return mail, rcpt, data


def _why_not(mail: Reply, rcpt: Reply | None, data: Reply | None) -> Outcome:
    if not mail.positive:
        return refusal(mail, of_letter=True)
    if rcpt is not None and not rcpt.positive:
        return refusal(rcpt, of_letter=False)
    assert data is not None
    return refusal(data, of_letter=False)
