"""Login with an OAuth 2.0 access token: OAUTHBEARER and XOAUTH2.

OAUTHBEARER is RFC 7628; XOAUTH2 is what came before it, and what Exchange Online
knows: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol,
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable

from newsletter.config import RelayAccess
from newsletter.transports.smtp_reply import ReplyError
from newsletter.transports.smtp_wire import Dialogue

MECHANISMS = ("OAUTHBEARER", "XOAUTH2")
"""The standard is preferred."""
_LAST_RESPONSE = {"OAUTHBEARER": "AQ==", "XOAUTH2": ""}
"""What ends the exchange once the server said why it refuses (RFC 7628 3.2.3)."""
_LONGEST_COMMAND = 512
"""With its end, in octets (RFC 5321 4.5.3.1.4)."""


class AccessToken:
    """The access token for a relay, for all connections to it; in memory alone.

    Args:
        read: gets a token from its source.

    Raises:
        ConfigError: as ``read``.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self.value = read()

    def renewed(self, refused: str) -> str:
        """The token to use in place of ``refused``.

        It is read again unless another connection did so already. Where the source
        has no newer one, it is ``refused``.

        Raises:
            ConfigError: as ``read``.
        """
        with self._lock:
            if self.value == refused:
                self.value = self._read()
            return self.value


def log_in(
    smtp: Dialogue, mechanism: str, relay: RelayAccess, token: str
) -> tuple[int, bytes, str]:
    """Offer ``token`` by one of :data:`MECHANISMS`.

    Returns:
        The last reply's code and words, and why the token is refused, as the server's
        JSON has it (RFC 7628 3.2.2); empty if it did not say.

    Raises:
        OSError, ReplyError, smtplib.SMTPException: the connection broke.
    """
    command, response = f"AUTH {mechanism}", _initial_response(mechanism, relay, token)
    if len(f"{command} {response}\r\n") <= _LONGEST_COMMAND:
        code, words = smtp.docmd(command, response)
    else:
        # RFC 4954 4: a response that makes the command too long waits to be asked for.
        code, words = smtp.docmd(command)
        if code == 334:
            code, words = smtp.docmd(response)
    if code != 334:
        return code, words, ""
    why = _decoded(words) or "no reason given"
    try:
        return *smtp.docmd(_LAST_RESPONSE[mechanism]), why
    except (OSError, ReplyError):
        # Some hang up once they said why: the token is refused all the same.
        return 535, b"", why


def _initial_response(mechanism: str, relay: RelayAccess, token: str) -> str:
    user, bearer = relay.username or "", f"auth=Bearer {token}\1\1"
    if mechanism == "XOAUTH2":
        response = f"user={user}\1{bearer}"
    else:
        # RFC 5801 4: what a name in the GS2 header must not hold.
        name = user.replace("=", "=3D").replace(",", "=2C")
        response = f"n,a={name},\1host={relay.host}\1port={relay.port}\1{bearer}"
    return base64.b64encode(response.encode()).decode()


def _decoded(challenge: bytes) -> str:
    try:
        return base64.b64decode(challenge).decode("utf-8", "replace")
    except ValueError:
        return ""
