"""Proofs: the real mail to a named few, outside the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from newsletter.message.model import Message
from newsletter.transports.protocol import Accepted, Call, InDoubt, Outcome, Transport


def outcome_words(outcome: Outcome | None) -> str:
    """A sentence on what came back for a proof; None: it was never handed over."""
    match outcome:
        case Accepted(reply=reply):
            return f"accepted by the next mail server ({reply})"
        case InDoubt(reason=reason):
            return f"nobody knows whether it was accepted: {reason}"
        case None:
            return "not handed over"
        case refused:
            return f"not accepted: {refused.reply}"


class _Notes:
    """A journal, and each of its tickets, for mail that may go twice: it keeps what came back."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def acquire_permit(self) -> bool:
        return True

    def attempt(
        self,
        messages: Sequence[Message],  # noqa: ARG002 - the protocol's
        *,
        call: Call | None = None,  # noqa: ARG002 - the protocol's
    ) -> _Notes:
        return self

    def wait(self) -> bool:
        return True

    def record(self, message: Message, outcome: Outcome) -> None:
        self.outcomes[message.message_id] = outcome


def send_proofs(
    transport: Transport, messages: Sequence[Message]
) -> list[tuple[str, Outcome | None]]:
    """Hand ``messages`` over.

    Returns:
        For each, its address and what came back; None: it was never handed over.

    Raises:
        TransportStopped: the server or account takes nothing.
    """
    notes = _Notes()
    with closing(transport.open()) as session:
        for start in range(0, len(messages), transport.batch_size):
            session.deliver(messages[start : start + transport.batch_size], notes)
    return [
        (str(message.envelope_to), notes.outcomes.get(message.message_id)) for message in messages
    ]
