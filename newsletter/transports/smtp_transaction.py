"""One SMTP transaction: commands, body and dot, and the replies to them.

Whether anything may be sent is decided in :mod:`newsletter.transports.smtp`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from newsletter.message.model import Message
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.smtp_connection import Connection
from newsletter.transports.smtp_reply import Reply, ReplyError, Stage, refusal

_STAGES = (Stage.MAIL, Stage.RCPT, Stage.DATA)
_RESET = b"RSET\r\n"


class OutOfSequence(ReplyError):
    """A reply that its command cannot have: one too many or too few came before it."""


@dataclass(slots=True)
class SmtpMessage:
    """A message prepared for one connection.

    Attributes:
        message: the message.
        commands: MAIL, RCPT and DATA.
        body: as :meth:`Message.as_wire` gives it, without the final dot.
        replies: to the commands, if they went out behind the previous dot, or why
            they are unknown.
    """

    message: Message
    commands: tuple[bytes, bytes, bytes]
    body: Sequence[bytes]
    replies: Mapping[Stage, Reply] | OSError | ReplyError | None = None


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The outcome of an attempt, and whether the connection can be used again."""

    outcome: Outcome
    usable: bool


class ServiceClosing(ReplyError):
    """421 before the dot: the relay closes the connection (RFC 5321 3.8)."""

    def __init__(self, reply: Reply, stage: Stage) -> None:
        super().__init__(f"The relay ended the connection: {reply}")
        self.reply = reply
        self.stage = stage


def prepare_message(message: Message, connection: Connection) -> SmtpMessage | Rejected:
    """The message with what the relay offers; or the reason why it cannot go there."""
    sender, recipient = str(message.envelope_from), str(message.envelope_to)
    # A line break in an address would be a command of its own.
    if not recipient.isprintable():
        return Rejected("The address holds a control character.")
    if not sender.isprintable():
        return Rejected("The bounce address holds a control character.", Scope.CAMPAIGN)
    body = message.as_wire()
    size, limit = sum(map(len, body)), connection.size_limit
    if limit and size > limit:
        return Rejected(
            f"The message has {size} octets; the relay takes at most {limit}.", Scope.CAMPAIGN
        )
    parameters = f" SIZE={size}" if connection.offers("size") else ""
    if message.envelope_to.needs_smtputf8 or not sender.isascii():
        if not connection.offers("smtputf8"):
            return Rejected("The relay takes no addresses with non-ASCII letters (SMTPUTF8).")
        parameters += " SMTPUTF8"
    if not all(map(bytes.isascii, body)):
        if not connection.offers("8bitmime"):
            return Rejected("The relay takes no 8-bit messages (8BITMIME).")
        parameters += " BODY=8BITMIME"
    commands = (
        f"MAIL FROM:<{sender}>{parameters}\r\n".encode(),
        f"RCPT TO:<{recipient}>\r\n".encode(),
        b"DATA\r\n",
    )
    return SmtpMessage(message, commands, body)


def envelope(connection: Connection, message: SmtpMessage) -> AttemptResult | None:
    """MAIL, RCPT and DATA, unless they were sent already; None once the relay waits for the body.

    Raises:
        OSError, ReplyError: the connection is lost; nothing was handed over.
    """
    if isinstance(message.replies, Exception):
        raise message.replies
    replies = message.replies or _exchange(connection, message)
    refused = next(((stage, reply) for stage, reply in replies.items() if reply.negative), None)
    if refused is None:
        return None
    stage, reply = refused
    outcome = refusal(reply, stage)
    try:
        if stage is not Stage.DATA and Stage.DATA in replies and not replies[Stage.DATA].negative:
            if not replies[Stage.RCPT].negative:
                # The recipient was accepted: a dot would hand over an empty message.
                return AttemptResult(outcome, usable=False)
            # RFC 2920 3.1: no recipient was accepted, yet the relay waits for a body.
            connection.send_command(b".\r\n")
            connection.reply()
        connection.send_command(_RESET)
        return AttemptResult(outcome, connection.reply().positive)
    except (OSError, ReplyError):
        # The reply to this message counts, although the connection is lost since.
        return AttemptResult(outcome, usable=False)


def _exchange(connection: Connection, message: SmtpMessage) -> Mapping[Stage, Reply]:
    """Send the commands, read the replies; commands that were not sent are left out."""
    if connection.offers("pipelining"):
        connection.send_command(b"".join(message.commands))
        return _replies(connection)
    replies: dict[Stage, Reply] = {}
    for stage, command in zip(_STAGES, message.commands, strict=True):
        connection.send_command(command)
        reply = replies[stage] = _reply(connection, stage)
        if reply.negative:
            break
    return replies


def _replies(connection: Connection) -> Mapping[Stage, Reply]:
    return {stage: _reply(connection, stage) for stage in _STAGES}


def _reply(connection: Connection, stage: Stage) -> Reply:
    reply = connection.reply()
    if reply.code == 421:
        raise ServiceClosing(reply, stage)
    granted = reply.code == 354 if stage is Stage.DATA else reply.positive
    if not (granted or reply.negative):
        raise OutOfSequence(f"The answer to {stage} was {reply}.")
    return reply


def send_body(connection: Connection, message: SmtpMessage) -> str | None:
    """Send the body without its dot; returns why that failed, if it did."""
    try:
        connection.send(*message.body)
    except OSError as error:
        return str(error)
    return None


def finish(
    connection: Connection, following: SmtpMessage | None, *, then_s: float
) -> AttemptResult:
    """The dot, the commands of ``following`` behind it, and the replies to all of them.

    From the first byte of the dot on, only a reply ends the doubt. With PIPELINING
    another command always follows the dot: if the relay sent an unsolicited reply,
    the first reply is not the one to the dot, and the reply to DATA or RSET is then
    one that these cannot have.

    Args:
        connection: had no unsolicited bytes just before.
        following: the next message, if the relay offers PIPELINING and there is
            one; its ``replies`` are set.
        then_s: timeout of each reply but that to the dot, in seconds.
    """
    behind = b""
    if connection.offers("pipelining"):
        behind = b"".join(following.commands) if following else _RESET
    try:
        connection.send(b".\r\n" + behind)
        reply = connection.reply()
    except (OSError, ReplyError) as error:
        return AttemptResult(InDoubt(f"No answer to the end of the message. {error}"), usable=False)
    if not (reply.positive or reply.negative):
        # Neither yes nor no: the replies no longer match the commands.
        doubt = InDoubt(f"The answer to the end of the message was {reply}")
        return AttemptResult(doubt, usable=False)
    usable = reply.code != 421
    replies = None
    if behind and usable:
        connection.set_timeout(then_s)
        replies = _replies_behind_dot(connection, reset=following is None)
    # 354 shows that the replies match; what follows it is about the next message.
    in_step = isinstance(replies, Mapping) and replies[Stage.DATA].code == 354
    if isinstance(replies, OutOfSequence) or (
        usable and not in_step and connection.has_extra_reply()
    ):
        doubt = InDoubt(f"The relay answered {reply}, but its replies do not match the commands.")
        return AttemptResult(doubt, usable=False)
    outcome = Accepted(str(reply)) if reply.positive else refusal(reply, Stage.DOT)
    if following is not None:
        following.replies = replies
    return AttemptResult(outcome, usable)


def _replies_behind_dot(
    connection: Connection, *, reset: bool
) -> Mapping[Stage, Reply] | OSError | ReplyError | None:
    """The replies to the commands behind the dot; None if that was RSET and it succeeded."""
    try:
        if not reset:
            return _replies(connection)
        reply = connection.reply()
        # RFC 5321 4.1.1.5: RSET has no other reply.
        if reply.positive or reply.code == 421:
            return None
        return OutOfSequence(f"The answer to RSET was {reply}.")
    except (OSError, ReplyError) as error:
        return error


def deferred_before_dot(why: str) -> Deferred:
    """The outcome of a message whose dot was not sent."""
    return Deferred(f"The connection broke in the body: {why}")
