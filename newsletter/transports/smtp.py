"""SMTP: a transaction that leaves at most one message per connection in doubt.

For each message (docs/ledger.md):

1. MAIL, RCPT and DATA; with PIPELINING in one write (RFC 2920), and for the next
   message behind the dot of this one (RFC 2920 3.1 allows it);
2. the durable record ``attempting`` is requested, and while it is written the
   body goes out, without the line that ends it;
3. once the record is on disk: the final dot, which makes the relay responsible
   (RFC 5321 4.2.5). If it may not go, the connection is dropped: a message
   without its dot was never sent (RFC 5321 4.1.1.4);
4. the reply. Without one the message is in doubt, since the relay may have it
   (RFC 1047).

If the connection breaks before step 2, the message is tried once more over a new
one. With several relays a message moves to another only before its dot. docs/smtp.md
explains all this for people who run relays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from newsletter.clock import Clock
from newsletter.config import Relay, Smtp
from newsletter.errors import ConfigError, TransportStopped
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
from newsletter.transports.relays import ConnectionSlot, PooledConnection, Relays, RelayState
from newsletter.transports.smtp_connection import (
    RESUME,
    Connection,
    RelayFailure,
    TokenRefused,
    relay_place,
)
from newsletter.transports.smtp_oauth import AccessToken
from newsletter.transports.smtp_reply import (
    CLOSES,
    ReplyError,
    is_session_limit,
    refusal,
    reply_rule,
)
from newsletter.transports.smtp_transaction import (
    AttemptResult,
    ServiceClosing,
    SmtpMessage,
    deferred_before_dot,
    envelope,
    finish,
    prepare_message,
    send_body,
)

_FAILURES_IN_A_ROW = 4
"""After so many lost connections, with nothing accepted in between, a session ends."""


class SmtpTransport:
    """A relay, or several.

    Args:
        settings: where they are, how they are secured, how long to wait.
        credentials: for AUTH, a password or an access token; one for each of
            ``settings.relays``, in their order.
        client_name: what EHLO says.
        clock: measures the age of connections and the backoff of relays.
    """

    batch_size = 100
    allowance = Allowance()

    def __init__(
        self,
        settings: Smtp,
        *,
        credentials: Sequence[str | AccessToken | None],
        client_name: str,
        clock: Clock,
    ) -> None:
        self.name = "smtp-trial" if settings.trial else "smtp"
        self._settings = settings
        self._client_name = client_name
        self._clock = clock
        self._relays = Relays(
            list(zip(settings.relays, credentials, strict=True)),
            clock=clock,
            opening_wait_s=settings.timeout_s,
        )

    @property
    def place(self) -> str:
        """The relays, in an order that does not depend on that of the settings."""
        return f"smtp {' '.join(sorted(relay.name for relay in self._settings.relays))}"

    @property
    def notices(self) -> list[str]:
        """The relays that the run went on without."""
        return [
            f"The {failure.stopped.where} was left out: {failure.stopped.what}"
            for failure in self._relays.left_out()
        ]

    def examine(self, message: Message) -> None:
        """Any message can go; each relay has its own limits of size and characters."""

    def status_lookup(self) -> None:
        """None: a relay cannot be asked."""

    def open(self) -> SmtpSession:
        """Start a session; it connects at its first message."""
        slot = ConnectionSlot(
            self._settings, self._relays, connect=self._connect, clock=self._clock
        )
        return SmtpSession(self._settings, slot)

    def close(self) -> None:
        """Connections belong to sessions, so there is nothing to release."""

    def _connect(self, state: RelayState) -> Connection:
        credential = state.credential
        if not isinstance(credential, AccessToken):
            return self._connection(state.relay, credential)
        token = credential.value
        try:
            return self._connection(state.relay, token)
        except TokenRefused:
            # It may have expired: a new one is tried, once, over a new connection.
            try:
                renewed = credential.renewed(token)
            except ConfigError as error:
                stopped = TransportStopped(
                    error.what, where=relay_place(state.relay), next=f"{error.next} {RESUME}"
                )
                raise RelayFailure(stopped, permanent=True) from None
            if renewed == token:
                raise
        return self._connection(state.relay, renewed)

    def _connection(self, relay: Relay, credential: str | None) -> Connection:
        return Connection(
            relay,
            credential=credential,
            client_name=self._client_name,
            timeout_s=self._settings.timeout_s,
            clock=self._clock,
        )


class _TicketDenied(Exception):
    """The ledger said no after DATA; only dropping the connection voids the message."""


class SmtpSession:
    """Hands over messages one after the other, over one connection at a time."""

    def __init__(self, settings: Smtp, slot: ConnectionSlot) -> None:
        self._settings = settings
        self._slot = slot
        self._waiting: deque[Message] = deque()
        self._ended = False  # an outcome was recorded that applies to the rest as well
        self._failures = 0
        self._retried: Message | None = None

    def deliver(self, messages: Sequence[Message], journal: Journal) -> None:
        """Hand over ``messages`` in order.

        Raises:
            TransportStopped: no relay can be reached or accepts our mail.
        """
        self._waiting, self._ended = deque(messages), False
        try:
            self._slot.begin()
            while self._waiting and not self._ended:
                pooled = self._slot.acquire()
                if pooled is None:
                    journal.record(self._waiting[0], self._slot.deferral())
                    return
                self._deliver_over(pooled, journal)
        except _TicketDenied:
            self._slot.drop()
        except BaseException:
            # Whatever happened, a body that was begun must never get its dot.
            self._slot.drop()
            raise
        finally:
            self._slot.end()

    def close(self) -> None:
        """Close the connection. Never raises."""
        self._slot.close()

    def _deliver_over(self, pooled: PooledConnection, journal: Journal) -> None:
        """Use one connection until it ends or no message waits."""
        following: SmtpMessage | None = None
        while self._slot.current is pooled and not self._ended:
            message = following or self._next_message(pooled, journal)
            if message is None:
                return
            following = None
            pooled.connection.set_timeout(self._settings.timeout_s)
            try:
                refused = envelope(pooled.connection, message)
            except ServiceClosing as error:
                self._closing(pooled, message, error, journal)
            except (OSError, ReplyError) as error:
                self._lost(pooled, message, str(error), journal)
            else:
                if refused is None:
                    following = self._content(pooled, message, journal)
                else:
                    self._refused(pooled, message, refused, journal, attempted=False)

    def _next_message(self, pooled: PooledConnection, journal: Journal) -> SmtpMessage | None:
        while self._waiting and not self._ended and not self._slot.expired(pooled):
            message = self._waiting.popleft()
            prepared = prepare_message(message, pooled.connection)
            if isinstance(prepared, SmtpMessage):
                pooled.messages += 1
                return prepared
            journal.record(message, prepared)
            self._ended = prepared.scope is not Scope.RECIPIENT
        return None

    def _content(
        self, pooled: PooledConnection, message: SmtpMessage, journal: Journal
    ) -> SmtpMessage | None:
        """Steps 2 to 4; returns the message whose envelope went out behind the dot."""
        connection = pooled.connection
        ticket = journal.attempt([message.message])
        broken = send_body(connection, message)
        following = None
        if broken is None and connection.offers("pipelining"):
            following = self._next_message(pooled, journal)
        if not ticket.wait():
            raise _TicketDenied
        # Unsolicited bytes would be taken for the answer to the dot.
        broken = broken or connection.unsolicited()
        if broken is not None:
            # Without its dot the relay must not deliver it (RFC 5321 4.1.1.4).
            journal.record(message.message, deferred_before_dot(broken))
            self._abandon(pooled, following, broken)
            return None
        connection.set_timeout(self._settings.final_timeout_s)
        result = finish(connection, following, then_s=self._settings.timeout_s)
        if isinstance(result.outcome, Accepted):
            self._failures = 0
            self._slot.succeeded()
            journal.record(message.message, result.outcome)
            return following
        if isinstance(result.outcome, InDoubt):
            journal.record(message.message, result.outcome)
            self._abandon(pooled, following, result.outcome.reason)
            return None
        self._refused(pooled, message, result, journal, attempted=True)
        if self._slot.current is pooled and not self._ended:
            return following
        if following is not None:
            # Its DATA may be granted already; then only dropping the connection voids it.
            self._slot.drop()
            self._waiting.appendleft(following.message)
        return None

    def _refused(
        self,
        pooled: PooledConnection,
        message: SmtpMessage,
        result: AttemptResult,
        journal: Journal,
        *,
        attempted: bool,
    ) -> None:
        """Record a refusal, or move the message to another connection or relay."""
        outcome = result.outcome
        assert isinstance(outcome, Deferred | Rejected)
        if is_session_limit(outcome) and pooled.accepted and self._retried is not message.message:
            # No outcome is recorded: it is attempted again at once, over a new connection.
            self._retried = message.message
            self._waiting.appendleft(message.message)
            self._slot.session_limit(pooled)
            return
        moves = outcome.scope is Scope.ACCOUNT and self._fail_over(pooled, outcome)
        if moves or not result.usable:
            # The next message's DATA may be under way, so QUIT is not sent.
            self._slot.drop()
        if moves and not attempted:
            self._waiting.appendleft(message.message)
            return
        if moves:
            outcome = Deferred(outcome.reply)
        journal.record(message.message, outcome)
        self._ended = outcome.scope is not Scope.RECIPIENT

    def _fail_over(self, pooled: PooledConnection, outcome: Deferred | Rejected) -> bool:
        """Back off the relay; whether another is available."""
        deferral = outcome if isinstance(outcome, Deferred) else None
        stopped = TransportStopped(
            f"The relay does not take our mail{' for now' if deferral else ''}: {outcome.reply}",
            where=relay_place(pooled.state.relay),
            next="Ask who runs it.",
        )
        return self._slot.fail_over(RelayFailure(stopped, deferral, permanent=deferral is None))

    def _closing(
        self,
        pooled: PooledConnection,
        message: SmtpMessage,
        closing: ServiceClosing,
        journal: Journal,
    ) -> None:
        """421 before the dot."""
        if pooled.accepted and reply_rule(closing.reply, closing.stage) is CLOSES:
            # It ends this connection, which says nothing of the next (RFC 5321 3.8).
            self._lost(pooled, message, str(closing), journal)
            return
        result = AttemptResult(refusal(closing.reply, closing.stage), usable=False)
        self._refused(pooled, message, result, journal, attempted=False)

    def _lost(
        self, pooled: PooledConnection, message: SmtpMessage, why: str, journal: Journal
    ) -> None:
        """The connection broke before the body: try once more over a new one."""
        if self._retried is message.message:
            journal.record(message.message, Deferred(f"The relay ended the connection: {why}"))
        else:
            self._retried = message.message
            self._waiting.appendleft(message.message)
        self._abandon(pooled, None, why)

    def _abandon(self, pooled: PooledConnection, following: SmtpMessage | None, why: str) -> None:
        """The connection is lost, with the envelope of ``following`` if it was sent."""
        if following is not None:
            self._waiting.appendleft(following.message)
        stopped = TransportStopped(
            f"The relay ended {self._failures + 1} transactions in a row: {why}",
            where=relay_place(pooled.state.relay),
            next="Wait a while or ask who runs it, then run “newsletter resume ISSUE”. "
            "Nobody was lost.",
        )
        self._slot.lost(RelayFailure(stopped))
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            raise stopped
