"""A real SMTP server on a free port whose misbehaviours have names.

It keeps what it accepted, so it is the judge of who got what. A misbehaviour
is a function from the phase's default reply to what is sent instead; the
phases are the names of the commands, ``banner``, ``crowd`` (a connection too
many), ``body`` (while it is being read) and ``dot``.
"""

import base64
import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

CUT = b"\0cut"
"""Instead of a reply: close the connection."""
SILENCE = b"\0silence"
"""Instead of a reply: say nothing until the client gives up."""


@dataclass(frozen=True)
class Mail:
    sender: str
    recipient: str
    content: bytes


Behaviour = Callable[[int], bytes | None]
"""Called with how often the phase came before, over all connections; None: behave."""


def always(reply: bytes) -> Behaviour:
    return lambda _: reply


def once(reply: bytes) -> Behaviour:
    return lambda earlier: reply if earlier == 0 else None


def after(times: int, reply: bytes) -> Behaviour:
    return lambda earlier: reply if earlier >= times else None


@dataclass
class SmtpServer:
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    recipients: dict[str, bytes] = field(default_factory=dict)
    """Replies to RCPT by address."""
    extensions: tuple[bytes, ...] = (b"PIPELINING", b"SIZE 10000000", b"8BITMIME", b"SMTPUTF8")
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    login: tuple[str, str] | None = None
    tokens: set[str] = field(default_factory=set)
    """Access tokens that it accepts for ``user`` now, whichever mechanism carries them."""
    challenge: str = '{"status":"invalid_token","scope":"smtp.send"}'
    """Why a token is refused."""
    hangs_up_after_challenge: bool = False
    mechanisms: tuple[str, ...] = ("PLAIN",)
    """What it offers where it asks for a login: with a password, or with a token."""
    grants_data_to_nobody: bool = False
    """Answer 354 to DATA although every RCPT was refused."""
    places: int | None = None
    """How many connections it takes at the same time; others hear 421."""
    session: tuple[int, str, bytes] | None = None
    """How many mails it takes over one connection; at which phase it says so then, and how."""
    drip: bool = False
    """Send replies one octet at a time."""
    accepted: list[Mail] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Every command, in order."""
    body_read: threading.Event = field(default_factory=threading.Event)
    idle: threading.Event = field(default_factory=threading.Event)
    """Set when a connection has ended and none is left."""
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._phases: Counter[str] = Counter()
        self._open: set[socket.socket] = set()
        self._seats = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Else a second reply waits until the first is acknowledged: 40 ms for each mail.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self._listener.getsockname()[1]
        self._stopping = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def hang_up(self, goodbye: bytes = b"") -> None:
        """End every open connection, with or without a word; clients can see it at once."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            if goodbye:
                connection.sendall(goodbye)
            connection.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def copies(self) -> Counter[str]:
        """How many mails each recipient got."""
        with self._lock:
            return Counter(mail.recipient for mail in self.accepted)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        with contextlib.suppress(OSError, _Cut):
            conversation = _Conversation(self, connection)
            with self._lock:
                conversation.seated = self.places is None or self._seats < self.places
                self._seats += conversation.seated
            try:
                conversation.hold()
            finally:
                with self._lock:
                    self._seats -= conversation.seated
                # The file first: as long as it is open, so is the connection.
                conversation.lines.close()
                conversation.connection.close()
        with self._lock:
            self._open.discard(connection)
        connection.close()
        if not self._open:
            self.idle.set()

    def misbehaviour(self, phase: str) -> bytes | None:
        with self._lock:
            earlier = self._phases[phase]
            self._phases[phase] += 1
        behaviour = self.behaviours.get(phase)
        return behaviour(earlier) if behaviour else None


class _Cut(Exception):
    pass


def _says_goodbye(reply: bytes) -> bool:
    """Whether the server closes the connection behind it (RFC 5321, section 3.8)."""
    return any(line.startswith(b"421") for line in reply.splitlines())


class _Conversation:
    def __init__(self, server: SmtpServer, connection: socket.socket) -> None:
        self.server = server
        if server.implicit_tls:
            assert server.tls is not None
            connection = server.tls.wrap_socket(connection, server_side=True)
        self.connection = connection
        self.lines = connection.makefile("rb")
        self.sender: str | None = None
        self.recipient: str | None = None
        self.encrypted = server.implicit_tls
        self.seated = True
        self.taken = 0

    def hold(self) -> None:
        if not self.seated:
            self.say("crowd", b"421 4.7.0 too many connections")
            return
        self.say("banner", b"220 test.example ESMTP")
        while line := self.lines.readline():
            verb = line.split()[0].decode("ascii", "replace").upper() if line.split() else ""
            self.server.seen.append(line.decode("utf-8", "replace").rstrip())
            handler = getattr(self, f"on_{verb.lower()}", None)
            if handler is None:
                self.say(verb, b"500 5.5.1 unknown command")
            else:
                handler(line)
            if verb == "QUIT":
                return

    def say(self, phase: str, reply: bytes) -> bool:
        """Send the phase's reply; whether it was a positive one."""
        instead = self.misbehaviour(phase)
        if instead == CUT:
            raise _Cut
        if instead == SILENCE:
            self.server._stopping.wait(30)
            raise _Cut
        self.write(instead if instead is not None else reply)
        if instead is not None and _says_goodbye(instead):
            raise _Cut
        return instead is None or instead.startswith((b"2", b"3"))

    def misbehaviour(self, phase: str) -> bytes | None:
        limit = self.server.session
        if limit is not None and limit[1] == phase and self.taken >= limit[0]:
            return limit[2]
        return self.server.misbehaviour(phase)

    def write(self, reply: bytes) -> None:
        data = reply + b"\r\n"
        if not self.server.drip:
            self.connection.sendall(data)
            return
        # With Nagle's delay, so that octets in TLS records of their own arrive together.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        for position in range(len(data)):
            self.connection.sendall(data[position : position + 1])

    def on_ehlo(self, _line: bytes) -> None:
        words = [b"test.example", *self.server.extensions]
        if self.server.tls and not self.encrypted:
            words.append(b"STARTTLS")
        if self.server.login:
            words.append(f"AUTH {' '.join(self.server.mechanisms)}".encode())
        lines = [b"250-" + word for word in words]
        lines[-1] = lines[-1].replace(b"250-", b"250 ", 1)
        self.say("EHLO", b"\r\n".join(lines))

    def on_starttls(self, _line: bytes) -> None:
        assert self.server.tls is not None
        if not self.say("STARTTLS", b"220 go ahead"):
            return
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.lines = self.connection.makefile("rb")
        self.encrypted = True

    def on_auth(self, line: bytes) -> None:
        assert self.server.login
        _, mechanism, *response = line.decode().split()
        assert mechanism in self.server.mechanisms
        if not response:
            assert len(line) < 100
            self.write(b"334 ")
            response = [self.lines.readline().decode().strip()]
            self.server.seen.append(response[0])
        else:
            assert len(line) <= 512, "RFC 5321 4.5.3.1.4"
        said = base64.b64decode(response[0], validate=True).decode()
        user, known = self.server.login[0], self.server.tokens
        if mechanism == "PLAIN":
            good = said.split("\0")[1:] == list(self.server.login)
        elif mechanism == "XOAUTH2":
            good = said in {f"user={user}\1auth=Bearer {token}\1\1" for token in known}
        else:
            place = f"host=127.0.0.1\1port={self.server.port}"
            good = said in {f"n,a={user},\1{place}\1auth=Bearer {token}\1\1" for token in known}
        if not good and mechanism != "PLAIN" and "AUTH" not in self.server.behaviours:
            # RFC 7628 3.2.2: why, and the client's empty answer.
            self.write(b"334 " + base64.b64encode(self.server.challenge.encode()))
            if self.server.hangs_up_after_challenge:
                raise _Cut
            ended = self.lines.readline().strip()
            assert ended == (b"AQ==" if mechanism == "OAUTHBEARER" else b""), ended
        self.say("AUTH", b"235 2.7.0 welcome" if good else b"535 5.7.8 wrong")

    def on_mail(self, line: bytes) -> None:
        if self.say("MAIL", b"250 2.1.0 ok"):
            self.sender = _address(line)
            self.recipient = None

    def on_rcpt(self, line: bytes) -> None:
        address = _address(line)
        refused = self.server.recipients.get(address)
        if refused is not None:
            self.write(refused)
        elif self.sender is None:
            self.write(b"503 5.5.1 MAIL first")
        elif self.say("RCPT", b"250 2.1.5 ok"):
            self.recipient = address

    def on_data(self, _line: bytes) -> None:
        if self.recipient is None and self.server.grants_data_to_nobody:
            self.write(b"354 go ahead")
            while self.lines.readline() not in (b".\r\n", b""):
                pass
            self.write(b"554 5.5.1 no valid recipients")
            return
        if self.recipient is None:
            self.write(b"554 5.5.1 no valid recipients")
            return
        if not self.say("DATA", b"354 go ahead"):
            return
        self.read_body()

    def read_body(self) -> None:
        cut_short = self.server.misbehaviour("body")
        lines: list[bytes] = []
        while (line := self.lines.readline()) != b".\r\n":
            if not line:
                raise _Cut
            lines.append(line[1:] if line.startswith(b".") else line)
            self.server.body_read.set()
            if cut_short == CUT:
                raise _Cut
        assert self.sender is not None
        assert self.recipient is not None
        mail = Mail(self.sender, self.recipient, b"".join(lines))
        instead = self.misbehaviour("dot")
        # What is refused by a reply is not kept; what is answered by nothing is.
        if instead is None or instead in (CUT, SILENCE) or instead.startswith(b"2"):
            self.taken += 1
            with self.server._lock:
                self.server.accepted.append(mail)
        self.sender = self.recipient = None
        if instead == CUT:
            raise _Cut
        if instead == SILENCE:
            self.server._stopping.wait(30)
            raise _Cut
        self.write(instead if instead is not None else b"250 2.0.0 queued as 1")
        if instead is not None and _says_goodbye(instead):
            raise _Cut

    def on_rset(self, _line: bytes) -> None:
        self.sender = self.recipient = None
        self.say("RSET", b"250 2.0.0 ok")

    def on_noop(self, _line: bytes) -> None:
        self.say("NOOP", b"250 2.0.0 ok")

    def on_quit(self, _line: bytes) -> None:
        self.say("QUIT", b"221 2.0.0 bye")


def _address(line: bytes) -> str:
    return line.decode().split("<", 1)[1].split(">", 1)[0]


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """A port on which nobody listens, kept from others while the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
