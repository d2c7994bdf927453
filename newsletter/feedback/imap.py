"""The bounce mailbox on an IMAP server (RFC 3501, 9051): the only place that speaks IMAP.

Nothing a server says is trusted to be short, quick or true. Each answer has so many
seconds and octets as a whole; mails come in portions by size, only their beginnings, and
only those that were asked for. The folder is opened read-only unless mails are to be
moved, and no mail is marked as seen.
"""

from __future__ import annotations

import imaplib
import io
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import CapabilityError, LoginError

from newsletter.clock import Clock
from newsletter.config import Bounces
from newsletter.errors import ConfigError, MailboxUnreachable, Where
from newsletter.feedback.bounce_mailbox import IsRead, Mail, UnreadableMail, mail_id
from newsletter.feedback.bounces import MAX_BYTES

_WINDOW = 500
"""Mails that are listed at once."""
_MOST_LISTED = 2_000_000
"""Of a folder; a server may say that it holds any number."""
_GROUP = 100
_GROUP_BYTES = 2_000_000
"""What is fetched at once, of however many mails."""
_SLACK = 100_000
"""Octets of an answer beside the mails in it."""
_LAST_UID = 0xFFFFFFFF
_MOST_FAILURES = 3
"""Mails in a row at which the connection breaks; then it is not their fault."""
_GOODBYE_S = 5.0
_LONGEST_IDLE_S = 28 * 60.0
"""A server may hang up after 30 minutes without a command (RFC 2177)."""
_NEW_MAIL = re.compile(rb"\* [0-9]{1,10} EXISTS\r?\n", re.IGNORECASE)
_CODE = re.compile(r"\[([A-Z]{2,30})\]")
_FOR_NOW = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"}
"""Response codes of a login that can be accepted later (RFC 5530)."""
_NEXT = "What was read before is applied. Run “newsletter bounces” again."


class _Limits:
    """What the answer to one command may take."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self.octets = 0

    def allow(self, seconds: float, octets: int) -> None:
        """Begin anew: so many seconds and octets for what follows."""
        self._until = self._clock.monotonic() + seconds
        self.octets = octets

    def left_s(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def take(self, octets: int) -> None:
        """Count octets that came.

        Raises:
            OSError: they are more than the answer may have.
        """
        self.octets -= octets
        if self.octets < 0:
            raise OSError("its answer is longer than what was asked for")


class _LimitedSocket(io.RawIOBase):
    """A socket whose reads and writes keep to the limits; ``makefile`` reads from it."""

    def __init__(self, sock: socket.socket, limits: _Limits) -> None:
        super().__init__()
        self.sock = sock
        self._limits = limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(self._limits.left_s())
        count = self.sock.recv_into(buffer)
        self._limits.take(count)
        return count

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(self._limits.left_s())
        self.sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - imaplib reads alone
        return io.BufferedReader(self)

    def settimeout(self, seconds: float | None) -> None:  # noqa: ARG002 - the limits say it
        return

    def shutdown(self, how: int) -> None:
        self.sock.shutdown(how)

    def close(self) -> None:
        self.sock.close()
        super().close()


class _Tls:
    """Wraps sockets in TLS, and the result in its limits."""

    def __init__(self, context: ssl.SSLContext, limits: _Limits) -> None:
        self._context = context
        self._limits = limits

    def wrap_socket(
        self, sock: socket.socket | _LimitedSocket, server_hostname: str
    ) -> _LimitedSocket:
        bare = sock.sock if isinstance(sock, _LimitedSocket) else sock
        bare.settimeout(self._limits.left_s())
        wrapped = self._context.wrap_socket(bare, server_hostname=server_hostname)
        return _LimitedSocket(wrapped, self._limits)


class _Imap4(imaplib.IMAP4):
    """imaplib's client, with limits."""

    def __init__(self, host: str, port: int, tls: _Tls | None, limits: _Limits) -> None:
        self._tls = tls
        self._limits = limits
        super().__init__(host, port)

    def _create_socket(self, timeout: float | None) -> Any:  # noqa: ARG002 - the limits say it
        sock = socket.create_connection((self.host, self.port), timeout=self._limits.left_s())
        try:
            if self._tls:
                return self._tls.wrap_socket(sock, self.host)
        except BaseException:
            sock.close()
            raise
        return _LimitedSocket(sock, self._limits)

    def read(self, size: int) -> bytes:
        if size > self._limits.octets:
            raise self.abort("its answer is longer than what was asked for")
        return super().read(size)


class _Client(IMAPClient):  # type: ignore[misc] # it ships no types
    def __init__(self, host: str, port: int, tls: _Tls | None, limits: _Limits) -> None:
        self._tls = tls
        self._limits = limits
        super().__init__(host, port, ssl=False)
        self.normalise_times = False

    def _create_IMAP4(self) -> _Imap4:  # noqa: N802 - imapclient's name
        return _Imap4(self.host, self.port, self._tls, self._limits)

    def wait_for_mail(self) -> bool:
        """Read until a line says that mails came, or it breaks off; while the server is in IDLE."""
        lines = iter(self._imap.readline, b"")
        return any(map(_NEW_MAIL.match, lines))


class ImapMailbox:
    """A folder on an IMAP server.

    Args:
        settings: [bounces] with a host.
        read_credential: gets the password or access token, anew for each connection.
        clock: measures the timeouts.
    """

    def __init__(
        self, settings: Bounces, read_credential: Callable[[], str], *, clock: Clock
    ) -> None:
        assert settings.host is not None
        assert settings.username is not None
        self._settings = settings
        self._host, self._user = settings.host, settings.username
        self._read_credential = read_credential
        self._clock = clock
        self._limits = _Limits(clock)
        self._client: _Client | None = None
        self._validity = ""
        self._exists = 0
        self._failures = 0

    def mails(self, is_read: IsRead) -> Iterator[Mail | UnreadableMail]:
        """Those that were not read before, one at a time.

        Raises:
            ConfigError: a setting is wrong.
            MailboxUnreachable: the server cannot be reached, or broke off.
        """
        for sizes in self._listed():
            unread = {uid: size for uid, size in sizes.items() if not is_read(self._id(uid))}
            for group in _groups(unread):
                yield from self._fetch_each(group)

    def move(self, is_understood: IsRead) -> int:
        """Move away the mails whose news is applied, if the settings say so; how many.

        Raises:
            ConfigError, MailboxUnreachable: as :meth:`mails`.
        """
        folder = self._settings.move_to
        if folder is None:
            return 0
        # All are listed first: moving changes the numbers by which they are.
        wanted = [
            uid for sizes in self._listed() for uid in sizes if is_understood(self._id(uid))
        ]  # fmt: skip
        client = self._opened()
        if wanted and not self._ask(client.folder_exists, folder):
            self._ask(client.create_folder, folder)
        for begin in range(0, len(wanted), _GROUP):
            self._ask(client.move, wanted[begin : begin + _GROUP], folder)
        return len(wanted)

    def listen(self) -> None:
        """Connect, to hear of mail that comes from now on.

        Raises:
            ConfigError, MailboxUnreachable: as :meth:`mails`.
        """
        self._opened()

    def mail_comes(self, within_s: float) -> bool:
        """Wait until the server tells of mail that came since :meth:`listen` (IDLE, RFC 2177).

        Returns:
            Whether it did within so many seconds. False as well, perhaps sooner, if it tells of
            none, or broke off.
        """
        client, came = self._client, False
        until = self._clock.monotonic() + within_s
        # Whatever goes wrong, the mailbox is read at the next time, and then it is told.
        with suppress(Exception):
            while client and not came and (left_s := until - self._clock.monotonic()) > 0:
                self._ask(client.idle)
                try:
                    self._limits.allow(min(left_s, _LONGEST_IDLE_S), _SLACK)
                    came = client.wait_for_mail()
                except TimeoutError:
                    pass
                finally:
                    self._ask(client.idle_done)
        return came

    def close(self) -> None:
        """End the connection, if there is one. Never raises."""
        client, self._client = self._client, None
        if client is not None:
            self._limits.allow(_GOODBYE_S, _SLACK)
            with suppress(Exception):
                client.logout()
            with suppress(Exception):
                client.shutdown()

    def _id(self, uid: int) -> bytes:
        folder = self._settings.folder
        return mail_id("imap", self._host.lower(), self._user, folder, self._validity, str(uid))

    def _place(self, uid: int) -> str:
        return f"{self._host}, {self._settings.folder}, UID {uid}"

    def _listed(self) -> Iterator[dict[int, int]]:
        """The mails in the folder in portions: the size of each by its UID."""
        self._opened()
        last = 0
        for begin in range(1, min(self._exists, _MOST_LISTED) + 1, _WINDOW):
            numbers = range(begin, min(begin + _WINDOW, self._exists + 1))
            client = self._opened()
            client.use_uid = False
            try:
                found = self._ask(client.fetch, numbers, ["UID", "RFC822.SIZE"])
            finally:
                client.use_uid = True
            listed = dict(filter(None, map(_uid_and_size, found.values())))
            # UIDs ascend (RFC 9051 2.3.1.1): what does not go on was listed before.
            sizes = {uid: size for uid, size in listed.items() if uid > last}
            if not sizes:
                return  # the server counted more than there are
            last = max(sizes)
            yield sizes
        if self._exists > _MOST_LISTED:
            raise self._unreachable(
                f"The folder holds more than {_MOST_LISTED:,} mails; the later ones are not read. "
                "Set move_to under [bounces], or delete old mails."
            )

    def _fetch_each(self, group: Mapping[int, int]) -> Iterator[Mail | UnreadableMail]:
        """The mails of a group; at a failure each alone, so that one does not cost the others."""
        client = self._opened()
        first = f"BODY.PEEK[]<0.{MAX_BYTES}>"
        room = sum(min(size, MAX_BYTES) for size in group.values())
        octets = 2 * room + _SLACK if len(group) > 1 else MAX_BYTES + _SLACK
        try:
            found = self._ask(client.fetch, [*group], [first], octets=octets)
        except MailboxUnreachable as error:
            self.close()
            if len(group) > 1:
                for uid, size in group.items():
                    yield from self._fetch_each({uid: size})
                return
            self._failures += 1
            if self._failures == _MOST_FAILURES:
                raise
            yield UnreadableMail(self._place(next(iter(group))), error.what)
            return
        self._failures = 0
        for uid in group:
            data = _body(found.get(uid))
            if data is None:
                yield UnreadableMail(self._place(uid), "the server did not give it")
            else:
                yield Mail(self._id(uid), self._place(uid), data[:MAX_BYTES])

    def _opened(self) -> _Client:
        """The connection, with the folder open; a new one if there is none.

        Raises:
            ConfigError: a setting is wrong.
            MailboxUnreachable: the server cannot be reached now.
        """
        if self._client is not None:
            return self._client
        self._client = self._connect()
        try:
            self._log_in(self._client)
            validity, self._exists = self._select(self._client)
        except BaseException:
            self.close()
            raise
        if self._validity not in {"", validity}:
            raise self._unreachable("The folder was replaced while it was read.")
        self._validity = validity
        return self._client

    def _connect(self) -> _Client:
        settings = self._settings
        tls = None if settings.security == "none" else _Tls(self._context(), self._limits)

        direct = tls if settings.security == "tls" else None
        client: _Client = self._ask(_Client, self._host, settings.port, direct, self._limits)
        if settings.security == "starttls":
            try:
                self._ask(client.starttls, tls)
            except BaseException:
                with suppress(Exception):
                    client.shutdown()
                raise
        return client

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            raise self._wrong(
                f"The file {self._settings.ca_file} cannot be used: {error.strerror or error}.",
                "ca_file must be the full path of a certificate authority in PEM.",
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _log_in(self, client: _Client) -> None:
        credential, user = self._read_credential(), self._user
        try:
            if self._settings.token is None:
                self._ask(client.login, user, credential)
            elif self._ask(client.has_capability, "AUTH=OAUTHBEARER"):
                self._ask(client.oauthbearer_login, user, credential)
            else:
                self._ask(client.oauth2_login, user, credential)
        except LoginError as error:
            # Its words may repeat the password; the code in brackets cannot.
            code = _CODE.search(str(error))
            if code and code[1] in _FOR_NOW:
                raise self._unreachable(f"The server takes no login now ({code[1]}).") from None
            key = "password" if self._settings.token is None else "token"
            raise self._wrong(
                f"The server does not accept the user name and {key}"
                f"{f' ({code[1]})' if code else ''}.",
                f"Look at username and {key} under [bounces]; many providers want a password made "
                "for programs, or an access token: “newsletter docs bounces” says more.",
            ) from None
        except UnicodeError:
            # Its text would show a character of the password.
            raise self._wrong(
                "User name and password must be ASCII; the login cannot carry other letters.",
                "Set another password for this mailbox.",
            ) from None

    def _select(self, client: _Client) -> tuple[str, int]:
        settings = self._settings
        if settings.move_to and not self._ask(client.has_capability, "MOVE"):
            raise self._wrong(
                "The server cannot move mails (RFC 6851).", "Take move_to out of [bounces]."
            )
        try:
            found = self._ask(client.select_folder, settings.folder, not settings.move_to)
        except _Refused:
            raise self._wrong(
                f"The server has no folder “{settings.folder}” that can be opened.",
                "Look at folder under [bounces].",
            ) from None
        exists = found.get(b"EXISTS", 0)
        return str(found.get(b"UIDVALIDITY", "")), exists if isinstance(exists, int) else 0

    def _ask(self, command: Callable[..., Any], *arguments: Any, octets: int = _SLACK) -> Any:
        """Run one command within the limits; its answer has at most so many ``octets``.

        Raises:
            MailboxUnreachable: there is no connection, or it broke, or the answer is none.
            LoginError, UnicodeError, _Refused: the server, or imaplib, does not want it.
        """
        self._limits.allow(self._settings.timeout_s, octets)
        try:
            return command(*arguments)
        except (LoginError, UnicodeEncodeError):
            raise
        except CapabilityError:
            raise self._wrong(
                "The server does not offer what [bounces] asks for: STARTTLS, or a login with an "
                "access token.",
                "Look at security and port: 993 goes with “tls”, 143 with “starttls”.",
            ) from None
        except TimeoutError:
            why = f"The server did not answer within {self._settings.timeout_s:g} seconds."
            raise self._unreachable(why) from None
        except ssl.SSLCertVerificationError as error:
            raise self._wrong(
                f"The server's certificate is not trusted: {error.verify_message}.",
                "host must be the name in the certificate. For a server with its own authority "
                "set ca_file.",
            ) from None
        except imaplib.IMAP4.abort as error:
            raise self._unreachable(f"The connection broke: {_words(error)}.") from None
        except imaplib.IMAP4.error as error:
            raise _Refused(
                f"The server refuses: {_words(error)}.", where=self._where, next=_NEXT
            ) from None
        except OSError as error:
            told = error.strerror or _words(error)
            raise self._unreachable(f"The server cannot be reached: {told}.") from None
        except Exception as error:  # noqa: BLE001 - imapclient reads what a stranger says
            why = f"The server's answer is not understood ({type(error).__name__})."
            raise self._unreachable(why) from None

    @property
    def _where(self) -> Where:
        return Where(item=f"[bounces] {self._host}:{self._settings.port}")

    def _unreachable(self, what: str) -> MailboxUnreachable:
        return MailboxUnreachable(what, where=self._where, next=_NEXT)

    def _wrong(self, what: str, following: str) -> ConfigError:
        return ConfigError(what, where=self._where, next=following)


class _Refused(MailboxUnreachable):
    """The server understood a command and says no."""


def _groups(sizes: Mapping[int, int]) -> Iterator[dict[int, int]]:
    """Mails that are fetched at once: so many, and of so many octets together."""
    group: dict[int, int] = {}
    octets = 0
    for uid, size in sorted(sizes.items()):
        if group and (len(group) == _GROUP or octets + min(size, MAX_BYTES) > _GROUP_BYTES):
            yield group
            group, octets = {}, 0
        group[uid] = size
        octets += min(size, MAX_BYTES)
    if group:
        yield group


def _uid_and_size(item: Mapping[bytes, Any]) -> tuple[int, int] | None:
    """What a line of the list says, if it says it as it should."""
    uid, size = item.get(b"UID"), item.get(b"RFC822.SIZE")
    if not isinstance(uid, int) or not 0 < uid <= _LAST_UID:
        return None
    return uid, size if isinstance(size, int) and size >= 0 else MAX_BYTES


def _body(item: Mapping[bytes, Any] | None) -> bytes | None:
    """The mail's beginning in what a server gave for it."""
    found: Sequence[Any] = [
        value for name, value in (item or {}).items() if name.upper().startswith(b"BODY[]")
    ]
    return found[0] if found and isinstance(found[0], bytes) else None


def _words(error: Exception) -> str:
    """What is said about an error, on one short line."""
    printable = "".join(char if char.isprintable() else " " for char in str(error)[:400])
    return " ".join(printable.split())[:200].rstrip(".") or type(error).__name__
