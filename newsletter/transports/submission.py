"""One mail through one relay, over a connection of its own (RFC 6409).

For mails that stand beside the newsletter, such as one that asks to confirm a sign-up:
nothing is written down, and nothing is in doubt that anybody would settle.
"""

from __future__ import annotations

from newsletter.clock import Clock
from newsletter.config import RelayAccess
from newsletter.message.model import Message
from newsletter.transports.protocol import Accepted, Deferred, Outcome, Rejected, Scope
from newsletter.transports.smtp_connection import Connection, RelayFailure
from newsletter.transports.smtp_reply import ReplyError
from newsletter.transports.smtp_transaction import (
    SmtpMessage,
    deferred_before_dot,
    envelope,
    finish,
    prepare_message,
    send_body,
)

TIMEOUT_S = 30.0
"""For each answer."""


def submit(
    message: Message, relay: RelayAccess, *, credential: str | None, client_name: str, clock: Clock
) -> Outcome:
    """Hand a message to a relay. Blocks; never raises what the relay is to blame for.

    Args:
        message: to one address.
        relay: where it goes.
        credential: for AUTH, where ``relay`` names a user: its password or access token.
        client_name: what EHLO says.
        clock: measures the timeouts.
    """
    try:
        connection = Connection(
            relay, credential=credential, client_name=client_name, timeout_s=TIMEOUT_S, clock=clock
        )
    except RelayFailure as failure:
        what = failure.stopped.what
        if failure.permanent:
            return Rejected(what, Scope.ACCOUNT)
        return failure.deferral or Deferred(what, Scope.ACCOUNT)
    try:
        outcome = _hand_over(message, connection)
    except (OSError, ReplyError) as error:
        connection.abort()
        return Deferred(f"The relay ended the connection: {error}", Scope.ACCOUNT)
    if isinstance(outcome, Accepted):
        connection.quit()
    else:
        connection.abort()
    return outcome


def _hand_over(message: Message, connection: Connection) -> Outcome:
    prepared = prepare_message(message, connection)
    if not isinstance(prepared, SmtpMessage):
        return prepared
    if (refused := envelope(connection, prepared)) is not None:
        return refused.outcome
    broken = send_body(connection, prepared) or connection.unsolicited()
    if broken is not None:
        return deferred_before_dot(broken)
    return finish(connection, None, then_s=TIMEOUT_S).outcome
