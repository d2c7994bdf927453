"""One verified, authenticated connection to a relay: opening it, and its wire.

Built on smtplib's primitives for the greeting, EHLO, STARTTLS and AUTH; never
on its ``sendmail``, which cannot tell “refused” from “nobody knows”.
RFC 5321, 3207 (STARTTLS), 8314 (implicit TLS), 4954 (AUTH).
"""

from __future__ import annotations

import select
import smtplib
import socket
import ssl

from newsletter.config import Smtp
from newsletter.errors import TransportStopped, Where
from newsletter.transports.smtp_reply import Reply, ReplyError, read_reply

_GOODBYE_S = 5
_MOST_PIECES = 1000
"""The kernel takes 1,024 (IOV_MAX) in one call."""
_RESUME = "Nobody was lost; when it is mended run “newsletter resume ISSUE”."


class Connection:
    """An open connection, ready for MAIL.

    Args:
        settings: where the relay is and how it is secured.
        password: for AUTH, where ``settings`` name a user.
        client_name: what EHLO says; the sender's domain, never this machine's
            name, which would travel in every mail.

    Raises:
        TransportStopped: the relay cannot be reached, is not who it should be,
            or does not take the credentials.
    """

    def __init__(self, settings: Smtp, *, password: str | None, client_name: str) -> None:
        self._settings = settings
        self._smtp = self._connect(client_name)
        try:
            self._secure()
            self._log_in(password)
            sock = self._smtp.sock
            if sock is None or self._smtp.file is None:
                raise smtplib.SMTPServerDisconnected("the connection broke")
            # The dot is a small write behind a large one: with Nagle's algorithm
            # it would wait for the acknowledgement of the body.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            self.abort()
            raise self._stopped(error) from None
        except TransportStopped:
            self.abort()
            raise
        self._sock = sock
        self._patience_s = settings.timeout_s
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._lines = self._smtp.file

    def _connect(self, client_name: str) -> smtplib.SMTP:
        settings = self._settings
        try:
            if settings.security == "tls":
                return smtplib.SMTP_SSL(
                    settings.host,
                    settings.port,
                    local_hostname=client_name,
                    timeout=settings.timeout_s,
                    context=self._tls(),
                )
            return smtplib.SMTP(
                settings.host,
                settings.port,
                local_hostname=client_name,
                timeout=settings.timeout_s,
            )
        except (OSError, smtplib.SMTPException) as error:
            raise self._stopped(error) from None

    def _tls(self) -> ssl.SSLContext:
        # Without a context of its own smtplib verifies no certificate at all.
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _secure(self) -> None:
        self._hello()
        if self._settings.security != "starttls":
            return
        if not self._smtp.has_extn("starttls"):
            raise TransportStopped(
                "The relay offers no encryption (STARTTLS), so nothing was sent over it.",
                where=self._place(),
                next="Ask its operator, or try port 465 with security = “tls”. Somebody on the "
                f"way may also be stripping it. {_RESUME}",
            )
        code, text = self._smtp.starttls(context=self._tls())
        if code != 220:
            raise smtplib.SMTPResponseException(code, text)
        self._hello()

    def _hello(self) -> None:
        code, text = self._smtp.ehlo()
        if not 200 <= code <= 299:
            raise smtplib.SMTPHeloError(code, text)

    def _log_in(self, password: str | None) -> None:
        user = self._settings.username
        if user is None or password is None:
            return
        try:
            self._smtp.login(user, password)
        except UnicodeError:
            # Its text would show a letter of the password.
            raise TransportStopped(
                "User name and password must be ASCII; the login cannot carry other letters.",
                where=self._place(),
                next=f"Ask who runs the relay for another password. {_RESUME}",
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            wrong = error.smtp_code == 535
            raise TransportStopped(
                "The relay does not accept the user name and password."
                if wrong
                else f"The relay does not let us log in: {_text(error)}",
                where=self._place(),
                next="Look at username and password under [smtp] in newsletter.toml; the password "
                f"comes from the place named there. {_RESUME}"
                if wrong
                else _RESUME,
            ) from None

    def offers(self, extension: str) -> bool:
        """Whether EHLO announced ``extension``."""
        return self._smtp.has_extn(extension)

    @property
    def size_limit(self) -> int:
        """The SIZE the relay announced, in octets; 0 if it sets none (RFC 1870)."""
        value = self._smtp.esmtp_features.get("size", "")
        return int(value) if value.isdigit() else 0

    def send(self, *pieces: bytes) -> None:
        """Write ``pieces``, one after the other and without copying them.

        Raises:
            OSError: the connection broke, or took too long.
        """
        if not 1 < len(pieces) <= _MOST_PIECES or isinstance(self._sock, ssl.SSLSocket):
            self._sock.sendall(b"".join(pieces))
            return
        sent = self._sock.sendmsg(pieces)
        if sent < sum(map(len, pieces)):
            self._sock.sendall(memoryview(b"".join(pieces))[sent:])

    def wait_at_most(self, seconds: float) -> None:
        """How long from now on a write or a reply may take."""
        if seconds != self._patience_s:
            self._patience_s = seconds
            self._sock.settimeout(seconds)

    def reply(self) -> Reply:
        """Read one reply.

        Raises:
            ReplyError: it broke, took too long, or is no SMTP reply.
        """
        try:
            return read_reply(self._lines)
        except TimeoutError:
            raise ReplyError("No answer came in time.") from None
        except OSError as error:
            raise ReplyError(f"The connection broke: {error.strerror or error}.") from None

    def ended(self) -> bool:
        """Whether the relay has hung up already, as far as can be seen without waiting.

        Asked before the final dot: a message whose dot was never sent is not in
        doubt. Under TLS records of the protocol itself may lie there, so there
        nothing can be told.
        """
        if isinstance(self._sock, ssl.SSLSocket) or not self._readable.poll(0):
            return False
        try:
            return self._sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def quit(self) -> None:
        """Say goodbye. Never raises."""
        try:
            self.wait_at_most(_GOODBYE_S)
            self.send(b"QUIT\r\n")
            self.reply()
        except (OSError, ReplyError):
            pass
        self.abort()

    def abort(self) -> None:
        """Drop the connection; what was begun and not ended with the dot is void."""
        self._smtp.close()

    def _place(self) -> Where:
        return Where(item=f"relay {self._settings.host}:{self._settings.port}")

    def _stopped(self, error: Exception) -> TransportStopped:
        if isinstance(error, ssl.SSLCertVerificationError):
            what = f"The relay's certificate is not to be trusted: {error.verify_message}."
            following = (
                "Check host under [smtp]; it must be the name in the certificate. For a relay "
                f"with its own authority set ca_file. {_RESUME}"
            )
        elif isinstance(error, ssl.SSLError):
            what = "The relay does not speak TLS here as expected."
            following = f"Port 465 goes with security = “tls”, 587 with “starttls”. {_RESUME}"
        elif isinstance(error, socket.gaierror):
            what = "There is no machine of this name, or the network is down."
            following = f"Check host under [smtp] and the network. {_RESUME}"
        elif isinstance(error, smtplib.SMTPResponseException):
            what = f"The relay does not let us in: {_text(error)}"
            following = _RESUME
        elif isinstance(error, TimeoutError):
            what = f"The relay did not answer within {self._settings.timeout_s:g} seconds."
            following = f"Check host and port under [smtp] and the network. {_RESUME}"
        else:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            what = f"The relay cannot be reached: {reason}."
            following = f"Check host and port under [smtp], and that it is up. {_RESUME}"
        return TransportStopped(what, where=self._place(), next=following)


def _text(error: smtplib.SMTPResponseException) -> str:
    words = error.smtp_error
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return f"{error.smtp_code} {text}".strip()
