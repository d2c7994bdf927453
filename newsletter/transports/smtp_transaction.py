"""One message on the wire: its commands, its body, its dot, and what the relay said to them.

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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message made ready for one connection."""

    message: Message
    commands: tuple[bytes, bytes, bytes]
    body: Sequence[bytes]
    """As :meth:`Message.as_wire` gives it, without the final dot."""


class OutOfStep(ReplyError):
    """An answer that its command cannot have: one too many or too few came before it."""


Said = Mapping[Stage, Reply] | OSError | ReplyError
"""What a relay said to an envelope, or why that is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt told, and whether the connection can go on."""

    outcome: Outcome
    usable: bool
    behind: Said | None = None
    """What it said to the envelope behind the dot."""


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


def envelope(connection: Connection, letter: Letter, said: Said | None) -> Answer | None:
    """MAIL, RCPT and DATA; None once the relay waits for the body.

    Args:
        connection: where to.
        letter: what.
        said: the answers, where the commands went out behind the dot before.

    Raises:
        OSError, ReplyError: the connection is lost; nothing was handed over.
    """
    if isinstance(said, Exception):
        raise said
    replies = said or _exchange(connection, letter)
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
            connection.ask(b".\r\n")
            connection.reply()
        connection.ask(_RESET)
        return Answer(outcome, connection.reply().positive)
    except (OSError, ReplyError):
        # What the relay said of this message stands, though it has gone since.
        return Answer(outcome, usable=False)


def _exchange(connection: Connection, letter: Letter) -> Mapping[Stage, Reply]:
    """Send the commands, read the answers; what was not asked is left out."""
    if connection.offers("pipelining"):
        connection.ask(b"".join(letter.commands))
        return _replies(connection)
    replies: dict[Stage, Reply] = {}
    for stage, command in zip(_STAGES, letter.commands, strict=True):
        connection.ask(command)
        reply = replies[stage] = _reply(connection, stage)
        if reply.negative:
            break
    return replies


def _replies(connection: Connection) -> Mapping[Stage, Reply]:
    return {stage: _reply(connection, stage) for stage in _STAGES}


def _reply(connection: Connection, stage: Stage) -> Reply:
    reply = connection.reply()
    if reply.code == 421:
        raise Closing(reply, stage)
    granted = reply.code == 354 if stage is Stage.DATA else reply.positive
    if not (granted or reply.negative):
        raise OutOfStep(f"The answer to {stage} was {reply}.")
    return reply


def send_body(connection: Connection, letter: Letter) -> str | None:
    """Send the body without its dot; why that failed, if it did."""
    try:
        connection.send(*letter.body)
    except OSError as error:
        return str(error)
    return None


def finish(connection: Connection, following: Letter | None, *, then_s: float) -> Answer:
    """The dot, the commands of ``following`` behind it, and the answers to all of them.

    From the first byte of the dot on, only a reply ends the doubt. Where the relay
    takes commands together, another always stands behind the dot: if the relay
    answered before it was asked, what came first is not the answer to the dot, and
    the answer to DATA or RSET is then one that neither can have.

    Args:
        connection: where to; nothing was to be read on it just before.
        following: the next letter, if the relay offers PIPELINING and there is one.
        then_s: how long each answer but that to the dot may take.
    """
    behind = b""
    if connection.offers("pipelining"):
        behind = b"".join(following.commands) if following else _RESET
    try:
        connection.send(b".\r\n" + behind)
        reply = connection.reply()
    except (OSError, ReplyError) as error:
        return Answer(InDoubt(f"No answer to the end of the message. {error}"), usable=False)
    if not (reply.positive or reply.negative):
        # Neither yes nor no: the two sides are no longer talking about the same thing.
        doubt = InDoubt(f"The answer to the end of the message was {reply}")
        return Answer(doubt, usable=False)
    usable = reply.code != 421
    said: Said | None = None
    if behind and usable:
        connection.wait_at_most(then_s)
        said = _said_behind(connection, reset=following is None)
    # 354 shows that the answers add up; what is behind it is about the next letter.
    in_step = isinstance(said, Mapping) and said[Stage.DATA].code == 354
    if isinstance(said, OutOfStep) or (usable and not in_step and connection.said_too_much()):
        doubt = InDoubt(f"The relay answered {reply}, but not in step with what it was asked.")
        return Answer(doubt, usable=False)
    outcome = Accepted(str(reply)) if reply.positive else refusal(reply, Stage.DOT)
    return Answer(outcome, usable, said)


def _said_behind(connection: Connection, *, reset: bool) -> Said | None:
    """The answers to what stood behind the dot; None where that was RSET, and went well."""
    try:
        if not reset:
            return _replies(connection)
        reply = connection.reply()
        # RFC 5321 4.1.1.5: nothing else can be said to it.
        if reply.positive or reply.code == 421:
            return None
        return OutOfStep(f"The answer to RSET was {reply}.")
    except (OSError, ReplyError) as error:
        return error


def put_off(why: str) -> Deferred:
    """What became of a message whose dot never went."""
    return Deferred(f"The connection broke in the body: {why}")
