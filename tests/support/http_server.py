"""A real HTTP server on a free port that takes batches of mail, with misbehaviours by name.

It keeps keys and answers as Resend does, and counts the mails it took, so it
is the judge of who got what. What it does is a script: one misbehaviour a
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.parser import Parser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

API_KEY = "re_test_0123456789"


class Cut(Exception):
    """The server hangs up."""


@dataclass
class Request:
    """One POST, and what a misbehaviour may do with it."""

    server: "HttpServer"
    handler: BaseHTTPRequestHandler
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def read(self) -> None:
        self.body = self.handler.rfile.read(int(self.headers["content-length"]))

    def behave(self) -> tuple[int, Any]:
        """What Resend would do: status and value."""
        if self.headers.get("authorization") != f"Bearer {self.server.api_key}":
            return error(403, "invalid_api_key", "API key is invalid.")
        return self.server.take(self.headers.get("idempotency-key", ""), self.body)

    def say(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        given = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        self.raw(head(status, {**given, "Content-Length": str(len(body))}) + body)

    def raw(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()


Misbehaviour = Callable[[Request], None]


def head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def error(status: int, name: str, message: str) -> tuple[int, Any]:
    return status, {"statusCode": status, "name": name, "message": message}


# Misbehaviours. Those that take the mail say so in their names.


def well(request: Request) -> None:
    request.read()
    request.say(*request.behave())


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
    status, _ = request.behave()
    request.raw(
        head(status, {"Content-Type": "application/json", "Content-Length": "500"}) + b'{"data":['
    )
    raise Cut


def broken_chunks_after_taking(request: Request) -> None:
    request.read()
    status, _ = request.behave()
    kind = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    request.raw(head(status, kind) + b'5\r\n{"dat')
    raise Cut


def no_json_after_taking(request: Request) -> None:
    request.read()
    request.behave()
    request.raw(head(200, {"Content-Type": "application/json", "Content-Length": "4"}) + b"okay")


def one_id_short_after_taking(request: Request) -> None:
    request.read()
    status, value = request.behave()
    request.say(status, {"data": value["data"][:-1]})


def one_id_more_after_taking(request: Request) -> None:
    request.read()
    status, value = request.behave()
    request.say(status, {"data": [{"id": "stray"}, *value["data"]]})


def success_without_ids(request: Request) -> None:
    request.read()
    request.say(200, {"error": "something"})


def gateway_page(status: int) -> Misbehaviour:
    """An HTML page from something on the way; nothing is taken."""

    def answer(request: Request) -> None:
        request.read()
        page = b"<html><h1>Something happened</h1></html>"
        headers = {"Content-Type": "text/html", "Content-Length": str(len(page))}
        request.raw(head(status, headers) + page)

    return answer


def redirect(request: Request) -> None:
    request.read()
    headers = {"Location": f"http://127.0.0.1:{request.server.port}/elsewhere"}
    request.raw(head(307, {**headers, "Content-Length": "0"}))


def refuses(status: int, name: str, headers: Mapping[str, str] | None = None) -> Misbehaviour:
    """An error in Resend's own shape; nothing is taken."""

    def answer(request: Request) -> None:
        request.read()
        request.say(*error(status, name, f"This is {name}."), headers)

    return answer


def error_after_taking(status: int) -> Misbehaviour:
    def answer(request: Request) -> None:
        request.read()
        request.behave()
        request.say(*error(status, "application_error", "Something went wrong."))

    return answer


@dataclass
class HttpServer:
    """Takes batches at every path; use it as a context manager."""

    script: deque[Misbehaviour] = field(default_factory=deque)
    always: Misbehaviour = well
    refused: set[str] = field(default_factory=set)
    """Addresses for which a batch is refused."""
    refusal: str = "Invalid `to` field."
    api_key: str = API_KEY
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self.mails: list[dict[str, Any]] = []
        self.stopping = threading.Event()
        self._keys: dict[str, tuple[str, Any]] = {}
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
            return Counter(_address(mail["to"][0]) for mail in self.mails)

    def take(self, key: str, body: bytes) -> tuple[int, Any]:
        """Take a batch once a key, as Resend does; None of it, if it refuses any of it."""
        digest = hashlib.sha256(body).hexdigest()
        batch = json.loads(body)
        with self._lock:
            if key in self._keys:
                seen, answer = self._keys[key]
                if seen != digest:
                    return error(409, "invalid_idempotent_request", "The payload differs.")
                return 200, answer
            if len(batch) > 100:
                return error(422, "validation_error", "Too many.")
            if any(_address(mail["to"][0]) in self.refused for mail in batch):
                return error(422, "validation_error", self.refusal)
            first = len(self.mails)
            self.mails += batch
            answer = {"data": [{"id": f"id-{first + index}"} for index in range(len(batch))]}
            if key:
                self._keys[key] = (digest, answer)
            return 200, answer

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
    server_side: HttpServer

    def do_POST(self) -> None:
        request = Request(self.server_side, self, self.path, dict(_lower(self.headers.items())))
        try:
            self.server_side.note(request)(request)
        except Cut:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def _lower(items: Any) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in items]


def _address(mailbox: str) -> str:
    """The address in ``Name <address>``, read by the standard library's parser."""
    header = Parser(policy=default).parsestr(f"To: {mailbox}\n\n")["To"]
    found: Address = header.addresses[0]
    return found.addr_spec
