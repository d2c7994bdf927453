"""A real HTTP server on a free port that stands in for a provider, with misbehaviours by name.

It counts the mails it took and keeps idempotency keys where its provider
does, so it is the judge of who got what. What is a provider's own (how a
request says whom it is for, how answers are worded) comes from a
:class:`Provider`. What the server does is a script: one misbehaviour a
request, from the front; when the script is empty it behaves.
"""

import contextlib
import hashlib
import json
import os
import socket
import ssl
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.parser import Parser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Cut(Exception):
    """The server hangs up."""


@dataclass(frozen=True)
class Reply:
    """An answer; ``value`` is sent as JSON, or as it is where it is bytes."""

    status: int
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def listed(
    rows: Sequence[Mapping[str, Any]], asked: Mapping[str, list[str]], *, of: str = ""
) -> list[Mapping[str, Any]]:
    """The page of events that a query asks for; ``of`` names the field for their kind."""
    told = {name.lower(): values[0] for name, values in asked.items()}
    start = int(told.get("offset", 0))
    kind = told.get(of.lower())
    wanted = [row for row in rows if kind is None or row.get("_kind", row.get(of)) == kind]
    return wanted[start : start + int(told.get("count") or told["limit"])]


@dataclass(frozen=True)
class Item:
    """One mail of a request; ``key`` is its own idempotency key, if it has one."""

    address: str
    key: str = ""


@dataclass(frozen=True)
class Row:
    """What became of one mail; ``id`` is None where its address is refused.

    ``known`` says that it was taken before, under the same key of its own.
    """

    address: str
    id: str | None
    known: bool = False


class Provider:
    """How one provider reads requests and words its answers; subclass it.

    ``whole`` says whether it takes a request whole or not at all; else it
    answers for each mail on its own.
    """

    whole = True
    accepted_status = 200
    happened: Sequence[Mapping[str, Any]] = ()
    """What it tells of events, where it can be asked what happened."""

    def knows(self, request: "Request") -> bool:
        """Whether the request carries the right secret."""
        raise NotImplementedError

    def items(self, request: "Request") -> Sequence[Item]:
        """Whom the request is for, in its order."""
        raise NotImplementedError

    def key(self, request: "Request") -> str:
        """The request's idempotency key; empty where the provider knows none."""
        return ""

    def answer(self, rows: Sequence[Row]) -> Reply:
        """The answer to a request; if ``whole`` and an id is None, nothing was taken."""
        raise NotImplementedError

    def other_body(self) -> Reply:
        """The answer to a key that came with another body before."""
        raise NotImplementedError

    def locked_out(self) -> Reply:
        """The answer to a wrong secret."""
        raise NotImplementedError

    def too_fast(self, headers: Mapping[str, str]) -> Reply:
        """The answer to one request too many: 429 in the provider's own shape."""
        raise NotImplementedError

    def broken(self, status: int) -> Reply:
        """A failure of the provider itself, in its own shape."""
        raise NotImplementedError

    def search(self, request: "Request", mails: Sequence["Mail"]) -> Reply:
        """The answer to a GET: what the provider tells of mails it took."""
        raise NotImplementedError


@dataclass(frozen=True)
class Mail:
    """One mail that was taken."""

    address: str
    id: str
    request: "Request"


@dataclass
class Request:
    """One request, and what a misbehaviour may do with it."""

    server: "HttpServer"
    handler: BaseHTTPRequestHandler
    path: str
    headers: Mapping[str, str]
    method: str
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    def read(self) -> None:
        self.body = self.handler.rfile.read(int(self.headers.get("content-length", "0")))

    def behave(self, spoil: Callable[[list[Row]], list[Row]] = lambda rows: rows) -> Reply:
        """Do what the provider would; ``spoil`` changes what it tells of it."""
        provider = self.server.provider
        if self.server.locked or not provider.knows(self):
            return provider.locked_out()
        if self.method == "GET":
            return provider.search(self, self.server.mails)
        return self.server.take(self, spoil)

    def say(self, reply: Reply) -> None:
        given: dict[str, str] = {"Content-Type": "application/json; charset=utf-8"}
        body = reply.value if isinstance(reply.value, bytes) else json.dumps(reply.value).encode()
        given |= {**reply.headers, "Content-Length": str(len(body))}
        self.raw(head(reply.status, given) + body)

    def raw(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()


Misbehaviour = Callable[[Request], None]


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# Misbehaviours. Those that take the mail say so in their names.


def well(request: Request) -> None:
    request.read()
    request.say(request.behave())


def cut_before_reading(_request: Request) -> None:
    raise Cut


def cut_before_taking(request: Request) -> None:
    request.read()
    raise Cut


def cut_after_taking(request: Request) -> None:
    request.read()
    request.behave()
    raise Cut


def garbage_after_taking(request: Request) -> None:
    request.read()
    request.behave()
    request.raw(b"SMTP/9 what?\r\n\r\n")
    raise Cut


def spoilt_tls_after_taking(request: Request) -> None:
    """Bytes below TLS that are no TLS."""
    request.read()
    request.behave()
    with socket.socket(fileno=os.dup(request.handler.connection.fileno())) as below:
        below.sendall(b"HTTP/1.1 500 Not encrypted\r\n\r\n")
    raise Cut


def silence_after_taking(request: Request) -> None:
    request.read()
    request.behave()
    request.server.stopping.wait(20)
    raise Cut


def truncated_after_taking(request: Request) -> None:
    request.read()
    reply = request.behave()
    kind = {"Content-Type": "application/json", "Content-Length": "500"}
    request.raw(head(reply.status, kind) + b'{"data":[')
    raise Cut


def broken_chunks_after_taking(request: Request) -> None:
    request.read()
    reply = request.behave()
    kind = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    request.raw(head(reply.status, kind) + b'5\r\n{"dat')
    raise Cut


def no_json_after_taking(request: Request) -> None:
    request.read()
    reply = request.behave()
    request.say(Reply(reply.status, b"okay"))


def one_result_short_after_taking(request: Request) -> None:
    request.read()
    request.say(request.behave(lambda rows: rows[:-1]))


def one_result_more_after_taking(request: Request) -> None:
    request.read()
    request.say(request.behave(lambda rows: [Row("stray@s.example", "stray"), *rows]))


def gateway_page(status: int) -> Misbehaviour:
    """An HTML page from something on the way; nothing is taken."""

    def answer(request: Request) -> None:
        request.read()
        page = b"<html><h1>Something happened</h1></html>"
        request.say(Reply(status, page, {"Content-Type": "text/html"}))

    return answer


def redirect(request: Request) -> None:
    request.read()
    elsewhere = f"http://127.0.0.1:{request.server.port}/elsewhere"
    request.say(Reply(307, b"", {"Location": elsewhere}))


def says(reply: Reply) -> Misbehaviour:
    """An answer word for word; nothing is taken."""

    def answer(request: Request) -> None:
        request.read()
        request.say(reply)

    return answer


def says_after_taking(reply: Reply) -> Misbehaviour:
    """An answer word for word, whatever was taken."""

    def answer(request: Request) -> None:
        request.read()
        request.behave()
        request.say(reply)

    return answer


@dataclass
class HttpServer:
    """Takes mail at every path; use it as a context manager."""

    provider: Provider
    script: deque[Misbehaviour] = field(default_factory=deque)
    always: Misbehaviour = well
    refused: set[str] = field(default_factory=set)
    """Addresses that are refused."""
    locked: bool = False
    """The account is refused."""
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.mails: list[Mail] = []
        self.stopping = threading.Event()
        self._keys: dict[str, tuple[str, list[Row]]] = {}
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()
        self._server = _Listener(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def taken(self) -> Counter[str]:
        """How many mails each recipient got."""
        with self._lock:
            return Counter(mail.address for mail in self.mails)

    def take(self, request: Request, spoil: Callable[[list[Row]], list[Row]]) -> Reply:
        """Take a request once a key; none of it, if its provider takes it whole or not at all."""
        key, digest = self.provider.key(request), hashlib.sha256(request.body).hexdigest()
        with self._lock:
            if key and key in self._keys:
                seen, rows = self._keys[key]
                return self.provider.answer(spoil(rows)) if seen == digest else self._other()
            rows = self._rows(self.provider.items(request))
            if self.provider.whole and any(row.id is None for row in rows):
                return self.provider.answer(rows)
            self.mails += [
                Mail(row.address, row.id, request) for row in rows if row.id and not row.known
            ]
            if key:
                self._keys[key] = (digest, rows)
        return self.provider.answer(spoil(rows))

    def _other(self) -> Reply:
        return self.provider.other_body()

    def _rows(self, items: Sequence[Item]) -> list[Row]:
        if self.provider.whole and any(item.address in self.refused for item in items):
            return [
                Row(item.address, None if item.address in self.refused else "untaken")
                for item in items
            ]
        rows = []
        taken = len(self.mails)
        for item in items:
            if item.address in self.refused:
                rows.append(Row(item.address, None))
            elif item.key and item.key in self._known:
                rows.append(Row(item.address, self._known[item.key], known=True))
            else:
                rows.append(Row(item.address, f"id-{taken}"))
                taken += 1
                if item.key:
                    self._known[item.key] = f"id-{taken - 1}"
        return rows

    def note(self, request: Request) -> Misbehaviour:
        """Remember a request; what to do with it."""
        with self._lock:
            self.requests.append(request)
            return self.script.popleft() if self.script else self.always

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join(timeout=10)
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    def __init__(self, owner: HttpServer) -> None:
        class Handler(_Handler):
            server_side = owner

        self.owner = owner
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.owner.connections += 1
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a failing handshake must not stop the others.
        if self.owner.tls:
            request = self.owner.tls.wrap_socket(request, server_side=True)
        with contextlib.closing(request):
            super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for its headers to be acknowledged
    server_side: HttpServer

    def do_POST(self) -> None:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.server_side, self, self.path, lowered, self.command)
        try:
            self.server_side.note(request)(request)
        except Cut:
            self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the base class's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def address_in(mailbox: str) -> str:
    """The address in ``Name <address>``, read by the standard library's parser."""
    header = Parser(policy=default).parsestr(f"To: {mailbox}\n\n")["To"]
    found: Address = header.addresses[0]
    return found.addr_spec
