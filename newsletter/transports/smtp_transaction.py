"""One message on the wire: its commands, its body, its dot, and what the relay said to them.

Whether anything may be sent is decided in :mod:`newsletter.transports.smtp`.
"""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message made ready for one connection."""

    message: Message
    commands: tuple[bytes, bytes, bytes]
    body: Sequence[bytes]
    """As :meth:`Message.as_wire` gives it, without the final dot."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt told, and whether the connection can go on."""

    outcome: Outcome
    usable: bool


class Closing(ReplyError):
    """The relay said 421 before the dot: it ends the connection."""

    def __init__(self, reply: Reply, stage: Stage) -> None:
        super().__init__(f"The relay ended the connection: {reply}")
        self.reply = reply
        self.stage = stage


def prepare(message: Message, connection: Connection) -> Letter | Rejected:
    """Make a message ready for what the relay offers; or why it cannot go there."""
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
            f"The letter has {size} octets; the relay takes at most {limit}.", Scope.CAMPAIGN
        )
    parameters = f" SIZE={size}" if connection.offers("size") else ""
    if message.envelope_to.needs_smtputf8 or not sender.isascii():
        if not connection.offers("smtputf8"):
            return Rejected("The relay takes no addresses with non-ASCII letters (SMTPUTF8).")
        parameters += " SMTPUTF8"
    if not all(map(bytes.isascii, body)):
        if not connection.offers("8bitmime"):
            return Rejected("The relay takes no 8-bit letters (8BITMIME).")
        parameters += " BODY=8BITMIME"
    commands = (
        f"MAIL FROM:<{sender}>{parameters}\r\n".encode(),
        f"RCPT TO:<{recipient}>\r\n".encode(),
        b"DATA\r\n",
    )
    return Letter(message, commands, body)


def envelope(connection: Connection, letter: Letter, *, announced: bool) -> Answer | None:
    """MAIL, RCPT and DATA; None once the relay waits for the body.

    Args:
        connection: where to.
        letter: what.
        announced: the commands went out already, behind the dot before.

    Raises:
        OSError, ReplyError: the connection is lost; nothing was handed over.
    """
    replies = _exchange(connection, letter, announced=announced)
    refused = next(((stage, reply) for stage, reply in replies.items() if reply.negative), None)
    if refused is None:
        return None
    stage, reply = refused
    outcome = refusal(reply, stage)
    try:
        if stage is not Stage.DATA and Stage.DATA in replies and not replies[Stage.DATA].negative:
            if not replies[Stage.RCPT].negative:
                # Without a sender, yet for the reader: a dot would hand over an empty letter.
                return Answer(outcome, usable=False)
            # RFC 2920 3.1: nobody was accepted, yet the body is asked for.
            connection.send(b".\r\n")
            connection.reply()
        connection.send(b"RSET\r\n")
        return Answer(outcome, connection.reply().positive)
    except (OSError, ReplyError):
        # What the relay said of this message stands, though it has gone since.
        return Answer(outcome, usable=False)


def _exchange(connection: Connection, letter: Letter, *, announced: bool) -> dict[Stage, Reply]:
    """Send what is not announced yet, read the replies; what was not asked is left out."""
    replies: dict[Stage, Reply] = {}
    pipelined = announced or connection.offers("pipelining")
    if pipelined and not announced:
        connection.send(b"".join(letter.commands))
    for stage, command in zip((Stage.MAIL, Stage.RCPT, Stage.DATA), letter.commands, strict=True):
        if not pipelined:
            connection.send(command)
        reply = replies[stage] = connection.reply()
        if reply.code == 421:
            raise Closing(reply, stage)
        if not (reply.negative or reply.code == 354 if stage is Stage.DATA else reply.code != 354):
            raise ReplyError(f"The answer to {stage} was {reply}.")
        if not pipelined and reply.negative:
            break
    return replies


def send_body(connection: Connection, letter: Letter) -> str | None:
    """Send the body without its dot; why that failed, if it did."""
    try:
        connection.send(*letter.body)
    except OSError as error:
        return str(error)
    return None


def finish(connection: Connection, following: Letter | None) -> Answer:
    """The dot, the commands of ``following`` behind it, and the reply to the dot.

    From the first byte of the dot on, only a reply ends the doubt.
    """
    behind = b"".join(following.commands) if following else b""
    try:
        connection.send(b".\r\n" + behind)
        reply = connection.reply()
    except (OSError, ReplyError) as error:
        return Answer(InDoubt(f"No answer to the end of the message. {error}"), usable=False)
    if reply.positive:
        return Answer(Accepted(str(reply)), usable=True)
    if not reply.negative:
        # Neither yes nor no: the two sides are no longer talking about the same thing.
        doubt = InDoubt(f"The answer to the end of the message was {reply}")
        return Answer(doubt, usable=False)
    return Answer(refusal(reply, Stage.DOT), usable=reply.code != 421)


def put_off(why: str) -> Deferred:
    """What became of a message whose dot never went."""
    return Deferred(f"The connection broke in the body: {why}")
