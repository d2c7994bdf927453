"""Proofs: the real mail to a named few, outside the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.message.model import Message
from newsletter.transports.protocol import Accepted, InDoubt, Outcome, Transport


class _Go:
    def wait(self) -> bool:
        return True


class _Notes:
    """A journal for mail that may go twice: it keeps what came back, and no more."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def attempt(self, messages: Sequence[Message]) -> _Go:  # noqa: ARG002 - the protocol's
        return _Go()

    def record(self, message: Message, outcome: Outcome) -> None:
        self.outcomes[message.message_id] = outcome


def send_proofs(transport: Transport, messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Hand ``messages`` over.

    Returns:
        For each, the address and a sentence on what came back.

    Raises:
        TransportStopped: the server or account takes nothing.
    """
    notes = _Notes()
    session = transport.open()
    try:
        for start in range(0, len(messages), transport.batch_size):
            session.deliver(messages[start : start + transport.batch_size], notes)
    finally:
        session.close()
    return [
        (str(message.envelope_to), _sentence(notes.outcomes.get(message.message_id)))
        for message in messages
    ]


def _sentence(outcome: Outcome | None) -> str:
    match outcome:
        case Accepted():
            return f"accepted by the next hop ({outcome.reply})"
        case InDoubt():
            return f"nobody knows whether it was accepted: {outcome.reason}"
        case None:
            return "not handed over"
        case _:
            return f"not accepted: {outcome.reply}"
