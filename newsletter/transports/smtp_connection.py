"""One verified, authenticated connection to a relay.

Built on smtplib's primitives for the greeting, EHLO, STARTTLS and AUTH; never
on its ``sendmail``, which cannot tell “refused” from “nobody knows”.
RFC 5321, 3207 (STARTTLS), 8314 (implicit TLS), 4954 (AUTH), 7628 (OAUTHBEARER).
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from newsletter.clock import Clock
from newsletter.config import RelayAccess
from newsletter.errors import TransportStopped, Where
from newsletter.transports.protocol import Deferred
from newsletter.transports.redaction import Redactor
from newsletter.transports.smtp_oauth import MECHANISMS, log_in
from newsletter.transports.smtp_reply import Reply, ReplyError, later, read_reply
from newsletter.transports.smtp_wire import Dialogue, TlsDialogue

_QUIT_TIMEOUT_S = 5
_NOOP_TIMEOUT_S = 10
_PASSWORD_MECHANISMS = ("CRAM-MD5", "PLAIN", "LOGIN")
_SIZE = re.compile(r"[0-9]{1,18}")
# Of the ValueErrors one is an AUTH challenge that is no Base64.
_FAILURES = (OSError, smtplib.SMTPException, ValueError, ReplyError)
RESUME = "No recipient was lost. Once this is corrected, run “newsletter resume ISSUE”."


@dataclass(eq=False)
class RelayFailure(Exception):
    """A relay cannot be used now. Nothing was handed over to it.

    Attributes:
        stopped: the message for a person.
        deferral: the relay's reply, if it asked us to come back later.
        permanent: nothing changes until a person acts.
    """

    stopped: TransportStopped
    deferral: Deferred | None = None
    permanent: bool = False


class TokenRefused(RelayFailure):
    """The relay does not accept the access token; a newer one may do."""


class Connection:
    """An open connection, ready for MAIL.

    Args:
        relay: where it is and how it is secured.
        credential: for AUTH, where ``relay`` names a user: its password or access token.
        client_name: what EHLO says; the sender's domain, never this machine's
            name, which would travel in every mail.
        timeout_s: how long a write or a reply may take as a whole, in seconds.
        clock: measures the timeouts.

    Raises:
        RelayFailure: the relay cannot be reached, its certificate is not valid for it,
            or it does not accept the credentials.
    """

    def __init__(
        self,
        relay: RelayAccess,
        *,
        credential: str | None,
        client_name: str,
        timeout_s: float,
        clock: Clock,
    ) -> None:
        self._relay = relay
        self._timeout_s = timeout_s
        self._secrets = _redactor(credential or "")
        try:
            self._smtp = self._connect(client_name, clock)
        except _FAILURES as error:
            raise self._failure(error) from None
        try:
            self._secure()
            self._log_in(credential)
            self._wire = self._smtp.wire()
            # The dot is a small write behind a large one: with Nagle's algorithm
            # it would wait for the acknowledgement of the body.
            self._wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except _FAILURES as error:
            self.abort()
            raise self._failure(error) from None
        except RelayFailure:
            self.abort()
            raise

    def _connect(self, client_name: str, clock: Clock) -> Dialogue:
        kind, tls = Dialogue, {}
        if self._relay.security == "tls":
            kind, tls = TlsDialogue, {"context": self._tls()}
        return kind(
            self._relay.host,
            self._relay.port,
            client_name,
            timeout_s=self._timeout_s,
            clock=clock,
            secrets=self._secrets,
            **tls,
        )

    def _tls(self) -> ssl.SSLContext:
        # Without a context of its own smtplib verifies no certificate at all.
        try:
            context = ssl.create_default_context(cafile=self._relay.ca_file)
        except OSError as error:
            raise self._permanent(
                f"The file {self._relay.ca_file} cannot be used: {error.strerror or error}.",
                "ca_file must be the full path of a certificate authority in PEM.",
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _secure(self) -> None:
        self._hello()
        if self._relay.security != "starttls":
            return
        if not self._smtp.has_extn("starttls"):
            raise self._permanent(
                "The relay offers no encryption (STARTTLS), so nothing was sent over it.",
                "Ask its operator, or try port 465 with security = “tls”. Something between may "
                "also be removing it.",
            )
        code, text = self._smtp.starttls(context=self._tls())
        if code != 220:
            raise smtplib.SMTPResponseException(code, text)
        self._hello()

    def _hello(self) -> None:
        code, text = self._smtp.ehlo()
        if not 200 <= code <= 299:
            raise smtplib.SMTPHeloError(code, text)

    def _log_in(self, credential: str | None) -> None:
        user = self._relay.username
        if user is None or credential is None:
            return
        token = self._relay.token is not None
        known = MECHANISMS if token else _PASSWORD_MECHANISMS
        offered = self._smtp.esmtp_features.get("auth", "").split()
        usable = [mechanism for mechanism in known if mechanism in offered]
        if not usable:
            raise self._no_login(offered)
        try:
            if token:
                self._log_in_with_token(usable[0], credential)
            else:
                self._smtp.login(user, credential)
        except UnicodeError:
            # Its text would show a character of the password.
            raise self._permanent(
                "User name and password must be ASCII; the login cannot carry other letters.",
                "Ask the relay's operator for another password.",
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            reply = self._smtp_reply(error)
            if reply.code == 535:
                raise self._permanent(
                    "The relay does not accept the user name and password.",
                    "Look at its username and password in newsletter.toml; it names where the "
                    "password comes from.",
                ) from None
            if reply.code >= 500:
                raise self._permanent(f"The relay refuses the login: {reply}", "") from None
            raise

    def _log_in_with_token(self, mechanism: str, token: str) -> None:
        code, words, why = log_in(self._smtp, mechanism, self._relay, token)
        if code == 235:
            return
        error = smtplib.SMTPAuthenticationError(code, words)
        if code != 535 and (code < 500 or not why):
            raise error
        env = self._relay.token and self._relay.token.env
        tried = (
            f"Set {env} to another" if env else "Its command was run again without success. Get a"
        )
        raise TokenRefused(
            self._stop(
                f"The relay does not accept the access token for {self._relay.username}: "
                f"{self._smtp_reply(error)} {self._secrets.redact(why)}".rstrip(),
                f"{tried} token that is valid, made for this user and with the right to send by "
                "SMTP; “newsletter docs smtp” says how.",
            ),
            permanent=True,
        )

    def _no_login(self, offered: Sequence[str]) -> RelayFailure:
        if not offered:
            return self._permanent(
                "The relay offers no login (AUTH), and newsletter.toml names a user for it.",
                "Look at port and security: many relays offer it behind encryption only.",
            )
        shown = self._secrets.redact(", ".join(offered[:9]))
        if self._relay.token is not None:
            return self._permanent(
                "The relay offers no login with an access token that this program knows (it "
                f"offers {shown}).",
                "Name a password instead of the token, or ask its operator for OAUTHBEARER or "
                "XOAUTH2.",
            )
        return self._permanent(
            "The relay offers no login with a password that this program knows (it offers "
            f"{shown}).",
            "If it offers OAUTHBEARER or XOAUTH2, name a token instead of the password: "
            "“newsletter docs smtp” says how. Otherwise ask its operator for PLAIN, LOGIN or "
            "CRAM-MD5, "
            "or for another relay.",
        )

    def offers(self, extension: str) -> bool:
        """Whether EHLO announced ``extension``."""
        return self._smtp.has_extn(extension)

    @property
    def size_limit(self) -> int:
        """The SIZE the relay announced, in octets; 0 if it sets none (RFC 1870)."""
        value = self._smtp.esmtp_features.get("size", "")
        return int(value) if _SIZE.fullmatch(value) else 0

    def send_command(self, *commands: bytes) -> None:
        """See :meth:`newsletter.transports.smtp_wire.Wire.ask`."""
        self._wire.send_command(*commands)

    def send(self, *pieces: bytes) -> None:
        """Write without a check for unsolicited bytes: the body, and the dot just after a check.

        Raises:
            OSError: the connection broke, or took too long.
        """
        self._wire.send(*pieces)

    def set_timeout(self, seconds: float) -> None:
        """How long from now on a write or a reply may take as a whole, in seconds."""
        self._wire.timeout_s = seconds

    def reply(self) -> Reply:
        """Read one reply.

        Raises:
            ReplyError: it broke, took too long, or is no SMTP reply.
        """
        self._wire.expect()
        try:
            return read_reply(self._wire, self._secrets)
        except TimeoutError:
            raise ReplyError("No answer came in time.") from None
        except OSError as error:
            raise ReplyError(f"The connection broke: {error.strerror or error}.") from None

    def unsolicited(self) -> str | None:
        """What arrived without a command, or that the connection ended; None: nothing so far.

        Checked before the final dot: a message whose dot was never sent is not in doubt.
        """
        return self._wire.unsolicited()

    def has_extra_reply(self) -> bool:
        """Whether another reply than 421 follows those that were read."""
        return not b"421".startswith(self._wire.unread[:3])

    def is_alive(self) -> bool:
        """Whether the relay still answers (NOOP); it may have closed the connection meanwhile."""
        before_s = self._wire.timeout_s
        try:
            self.set_timeout(_NOOP_TIMEOUT_S)
            self.send_command(b"NOOP\r\n")
            return self.reply().code == 250
        except (OSError, ReplyError):
            return False
        finally:
            self.set_timeout(before_s)

    def quit(self) -> None:
        """Close the connection with QUIT. Never raises."""
        try:
            self.set_timeout(_QUIT_TIMEOUT_S)
            self.send_command(b"QUIT\r\n")
            self.reply()
        except (OSError, ReplyError):
            pass
        self.abort()

    def abort(self) -> None:
        """Drop the connection: a message without its final dot is void."""
        self._smtp.close()

    def _permanent(self, what: str, following: str) -> RelayFailure:
        return RelayFailure(self._stop(what, following), permanent=True)

    def _failure(self, error: Exception) -> RelayFailure:
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._permanent(
                f"The relay's certificate is not trusted: {error.verify_message}.",
                "Check host; it must be the name in the certificate. For a relay with its own "
                "authority set ca_file.",
            )
        if isinstance(error, ssl.SSLError):
            return self._permanent(
                "The relay does not use TLS on this port as expected.",
                "Port 465 goes with security = “tls”, 587 with “starttls”.",
            )
        deferral: Deferred | None = None
        where = "Check host and port in newsletter.toml"
        if isinstance(error, socket.gaierror):
            what = "There is no machine of this name, or the network is down."
            following = f"{where} and the network."
        elif isinstance(error, smtplib.SMTPResponseException):
            reply = self._smtp_reply(error)
            what, following = f"The relay refuses the connection: {reply}", ""
            deferral = later(reply) if 400 <= reply.code <= 499 else None
        elif isinstance(error, TimeoutError):
            what = f"The relay did not answer within {self._timeout_s:g} seconds."
            following = f"{where} and the network."
        elif isinstance(error, ReplyError):
            what, following = (
                f"The relay's greeting or EHLO reply is not as expected: {error}",
                f"{where}.",
            )
        else:
            told = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reason = self._secrets.redact(told).rstrip(".")
            what = f"The relay cannot be reached: {reason}."
            following = f"{where}, and that it is up."
        return RelayFailure(self._stop(what, following), deferral)

    def _smtp_reply(self, error: smtplib.SMTPResponseException) -> Reply:
        words = error.smtp_error
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        return Reply(error.smtp_code, self._secrets.redact(text))

    def _stop(self, what: str, following: str) -> TransportStopped:
        place = relay_place(self._relay)
        return TransportStopped(what, where=place, next=f"{following} {RESUME}".lstrip())


def relay_place(relay: RelayAccess) -> Where:
    """Where something happened, in a message for a person."""
    return Where(item=f"relay {relay.name}")


@lru_cache(maxsize=8)
def _redactor(credential: str) -> Redactor:
    """For all connections with this credential: that of a long token takes megabytes."""
    return Redactor([credential])
