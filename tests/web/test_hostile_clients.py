"""What whoever is out there may do to ``newsletter serve``; readers are answered all along."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.message.tokens import Purpose

from tests.crash.warm import Running
from tests.support.tools import PROVE
from tests.web.process import ServerProcess, leave_token, wait_for, write_bundle

SILENT = 10_000 if PROVE else 1_500
REPEATED = 1_000_000 if PROVE else 2_000
USUALLY, ALWAYS = 8, 20
"""So many times what the same takes at a server that nobody attacks, on the same machine."""
FEWEST, A_LONG_WAIT_S = 5, 0.05
"""Visits of which a median tells something; what one may take on a machine that is busy."""
MORE_MEMORY_KB = 150_000
_WITHIN_S = 60
_GB = 1_000_000_000


class Reached:
    """A server that runs, as a hostile client reaches it."""

    def __init__(self, server: ServerProcess, process: Running) -> None:
        self.server = server
        self.process = process
        self._seen = 0
        self._campaigns: Counter[str | None] = Counter()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.server.port), _WITHIN_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def send(self, sent: bytes, answers: int = 1) -> list[int]:
        """Send octets, and hand back the statuses of some answers, or of all until it hangs up."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(sent)
            return statuses(connection, answers)

    def left(self, campaign: str) -> int:
        """How many leaves a token made."""
        new = self.server.events(self._seen)
        self._seen += len(new)
        self._campaigns.update(event.get("campaign") for event in new)
        return self._campaigns[campaign]

    def memory_kb(self, name: str = "VmRSS") -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        (found,) = re.findall(rf"{name}:\s+(\d+) kB", text)
        return int(found)

    def files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d) ")


def statuses(connection: socket.socket, most: int) -> list[int]:
    answer = b""
    with contextlib.suppress(ConnectionError):
        while len(_STATUS.findall(answer)) < most and (piece := connection.recv(1_000_000)):
            answer += piece
    return [int(each) for each in _STATUS.findall(answer)]


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    server = ServerProcess(write_bundle(tmp_path_factory.mktemp("server") / "public"))
    with server.running() as process:
        yield Reached(server, process)
        assert process.poll() is None
    assert "Traceback" not in server.said()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """A server like it that nobody attacks: it has as much of the machine as the other."""
    server = ServerProcess(write_bundle(tmp_path_factory.mktemp("quiet") / "public"))
    with server.running() as process:
        yield Reached(server, process)


@pytest.fixture(autouse=True)
def readers(reached: Reached, quiet: Reached) -> Iterator[None]:
    """People who look at the page and leave by the header's address, all along, at either."""
    waits: list[float] = []
    otherwise: list[float] = []
    problems: list[object] = []
    told: list[str] = []
    stop = threading.Event()

    def visit(server: ServerProcess, waited: list[float]) -> str:
        token, campaign = leave_token()
        page, _ = leave_token(Purpose.PAGE)
        began = time.monotonic()
        got = server.ask("GET", f"/leave/{page}?lang=fr")[0]
        post = server.ask("POST", f"/1/{token}", b"List-Unsubscribe=One-Click")[0]
        waited.append(time.monotonic() - began)
        assert (got, post) == (200, 200)
        return campaign

    def read_on() -> None:
        while not stop.is_set():
            try:
                told.append(visit(reached.server, waits))
                visit(quiet.server, otherwise)
            except (OSError, AssertionError) as error:
                problems.append(error)
            stop.wait(0.1)

    before = reached.server.ask("GET", "/health")
    assert before[0] == 200
    thread = threading.Thread(target=read_on)
    thread.start()
    try:
        yield
        already = len(otherwise)
        wait_for(lambda: bool(problems) or len(otherwise) > already)
    finally:
        stop.set()
        thread.join(_WITHIN_S)
    assert [] == problems
    usual, longest = statistics.median(otherwise), max(otherwise)
    print(f"readers waited {statistics.median(waits):.3f} s, {max(waits):.2f} s at most; ", end="")
    print(f"at a server that nobody attacks {usual:.3f} s, {longest:.2f} s at most")
    assert len(waits) < FEWEST or statistics.median(waits) <= USUALLY * usual
    # Ten connections that close at once may take as long as a visit.
    assert max(waits) <= max(ALWAYS * max(longest, A_LONG_WAIT_S), SILENT / 10 * usual)
    assert all(reached.left(campaign) == 1 for campaign in told)


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def post(token: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    lines = [f"POST /1/{token} HTTP/{version}", "Host: news.defenders.example", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


# Connections


@pytest.mark.fault(
    "Public",
    "thousands of connections that say nothing, or half of a request",
    state="readers wait no longer than it takes to accept them; the silent ones are closed",
)
@pytest.mark.parametrize("said", ["", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["0", "half"])
def test_connections_that_say_nothing(reached: Reached, said: str) -> None:
    before = reached.memory_kb()
    with many_files(), contextlib.ExitStack() as stack:
        held = []
        for _ in range(SILENT):
            connection = stack.enter_context(contextlib.closing(reached.connect()))
            with contextlib.suppress(ConnectionError):
                connection.sendall(said.encode())
            held.append(connection)
        time.sleep(2)
        print(f"{reached.files()} files, {reached.memory_kb() - before} kB more")
        assert reached.memory_kb() - before < MORE_MEMORY_KB


@pytest.mark.fault(
    "Public",
    "a request that drips, in its headers or its body",
    state="closed after 20 seconds",
)
def test_requests_that_drip(reached: Reached) -> None:
    token, campaign = leave_token()
    starts = {
        "headers": b"POST /1/%s HTTP/1.1\r\nHost: x\r\nX: " % token.encode(),
        "body": post(token, "Content-Length: 4000"),
        "form": post(token, "Content-Length: 4000").replace(b"/1/", b"/leave/"),
        "chunks": post(token, "Transfer-Encoding: chunked"),
        "nothing more": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    }
    drips = {"chunks": b"1\r\nx\r\n", "nothing more": b""}
    began = time.monotonic()
    connections = {name: reached.connect() for name in starts}
    ended: dict[str, float] = {}
    for name, connection in connections.items():
        connection.sendall(starts[name])
        connection.settimeout(0.01)
    while len(ended) < len(starts) and time.monotonic() - began < 40:
        for name in connections.keys() - ended.keys():
            try:
                connections[name].sendall(drips.get(name, b"x"))
                while connections[name].recv(65_536):
                    pass
                ended[name] = time.monotonic() - began
            except TimeoutError:
                continue
            except ConnectionError:
                ended[name] = time.monotonic() - began
        time.sleep(0.5)
    for connection in connections.values():
        connection.close()
    assert starts.keys() == ended.keys()
    assert max(ended.values()) < 30, ended
    assert 0 == reached.left(campaign)


# Bodies


@pytest.mark.fault(
    "Public", "a form of two gigabytes", state="refused, after 64 KiB at the header's address 200"
)
@pytest.mark.parametrize("road", ["1", "leave", "log/synced", "health"])
@pytest.mark.parametrize("how", ["Content-Length: 2000000000", "Transfer-Encoding: chunked"])
def test_a_body_of_two_gigabytes(reached: Reached, road: str, how: str) -> None:
    token, campaign = leave_token()
    before = reached.memory_kb()
    path = f"/{road}/{token}" if road in {"1", "leave"} else f"/{road}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{how}\r\n\r\n".encode()
    piece = b"fffc\r\n" + b"x" * 0xFFFC + b"\r\n" if "chunked" in how else b"x" * 65_536
    sent = 0
    with reached.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head)
            while sent < 2 * _GB:
                connection.sendall(piece)
                sent += len(piece)
        statuses(connection, 1)
    assert sent < 0.1 * _GB
    assert reached.memory_kb() - before < MORE_MEMORY_KB
    assert reached.left(campaign) == (road == "1")


def test_what_a_form_of_two_gigabytes_is_told(reached: Reached) -> None:
    token, campaign = leave_token()
    for road, told in (("1", 200), ("leave", 413)):
        head = f"POST /{road}/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n"
        with reached.connect() as connection:
            connection.sendall(head.encode() + b"x" * 70_000)
            assert [told] == statuses(connection, 1)
    assert 1 == reached.left(campaign)


@pytest.mark.fault("Public", "a form of thousands of fields", state="the page asks again")
def test_a_form_of_thousands_of_fields(reached: Reached) -> None:
    token, campaign = leave_token(Purpose.PAGE)
    for form in (
        "&".join(f"f{n}=" for n in range(600)),
        "&" * 4_000,
        "do=leave&" * 400,
        "=" * 4_000,
    ):
        assert 200 == reached.server.ask("POST", f"/leave/{token}", form.encode())[0]
    assert 0 == reached.left(campaign)


# HTTP


def test_many_requests_in_one_piece_are_answered_in_order(reached: Reached) -> None:
    made = [leave_token() for _ in range(100)]
    pipelined = b"".join(post(token, "Content-Length: 0") for token, _ in made)
    assert [200] * 100 == reached.send(pipelined, 100)
    for _, campaign in (made[0], made[50], made[99]):
        assert 1 == reached.left(campaign)


@pytest.mark.parametrize(
    "start",
    [
        "POST {path} HTTP/1.0\r\n\r\n",
        "POST {path} HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        "POST {path} HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n",
        "POST {path} HTTP/1.1\r\nHost: evil.example:99999\r\nContent-Length: 0\r\n\r\n",
        "POST {path}{host}Transfer-Encoding: chunked\r\n\r\n1;ext=x\r\nx\r\n0\r\n\r\n",
        "POST {path}{host}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
        "POST {path}{host}Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
        "POST http://other.example{path}{end}",
        "POST https://news.defenders.example:443{path}?x=1{end}",
        "POST {path}?utm_source=mail&token=x{end}",
        "POST {path}/{end}",
        "POST /{path}{end}",
        "POST {path}.{end}",
        "POST {path}%3E{host}X-Forwarded-Proto: gopher\r\nX-Forwarded-For: \xff\r\n"
        "Content-Length: 0\r\n\r\n",
    ],
)
def test_a_leave_counts_however_proxies_and_programs_write_it(reached: Reached, start: str) -> None:
    token, campaign = leave_token()
    host = " HTTP/1.1\r\nHost: x\r\n"
    written = start.replace("{end}", "{host}Content-Length: 0\r\n\r\n").replace("{host}", host)
    found = reached.send(written.replace("{path}", f"/1/{token}").encode("latin-1"))
    assert [200] == found
    assert 1 == reached.left(campaign)


START = b"POST /1/{} HTTP/1.1\r\nHost: x\r\n"
NO_REQUESTS = {
    "two lengths": START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length below nothing": START + b"Content-Length: -1\r\n\r\n",
    "a length that is none": START + b"Content-Length: 0x4\r\n\r\nabcd",
    "a length without end": START + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "length and chunks": START + b"Content-Length: 3\r\n"
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunks that are none": START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx",
    "a chunk that lies": START + b"Transfer-Encoding: chunked\r\n\r\n"
    b"5\r\nxxxxxxxxxxxx\r\n0\r\n\r\n",
    "a chunk of a size beyond all": START + b""
    b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 400 + b"\r\nx",
    "no host": b"POST /1/{} HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "a header of a megabyte": START + b"X: " + b"x" * 1_000_000,
    "ten thousand headers": START + b"" + b"X: y\r\n" * 10_000,
    "a path of a megabyte": b"POST /1/{}" + b"A" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "nothing of HTTP": bytes(range(256)) * 40,
    "only a method": b"POST\r\n\r\n",
    "a NUL": b"POST /1/{}\0 HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.fault(
    "Public",
    "what is no request: lengths, chunks and headers that lie or never end",
    state="refused with 400, and nobody leaves",
)
@pytest.mark.parametrize("what", NO_REQUESTS)
def test_what_is_no_request_is_refused(reached: Reached, what: str) -> None:
    token, campaign = leave_token()
    found = reached.send(NO_REQUESTS[what].replace(b"{}", token.encode()))
    # The answer is lost where the client sends on although the server hung up.
    assert set(found) <= {400, 404}
    assert 0 == reached.left(campaign)


@pytest.mark.parametrize(
    "path",
    ["*", "/", "//", "/1", "/1/", "/1/x/", "/leave", "/leave/", "/health/", "/log/", "/1/../log",
     "/%2e%2e/%2e%2e/etc/passwd", "/1/%00", "/1/%ff%fe", "/undo/x", "/leave/x?lang=../../etc",
     "http://[::1/1/x", "http:///1/x", "evil.example:443"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_leads_elsewhere_or_breaks(reached: Reached, path: str, method: str) -> None:
    sent = f"{method} {path} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n"
    sent += "Connection: close\r\n\r\n"
    with reached.connect() as connection:
        connection.sendall(sent.encode())
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    status = int(answer.split(b" ", 2)[1])
    assert status in {200, 400, 401, 404, 405}
    assert b"location:" not in answer.lower()
    assert b"evil.example" not in answer


# The same again


@pytest.mark.fault(
    "Public",
    "one valid token posted again and again",
    state="answered alike, one entry, no more memory",
)
@pytest.mark.timeout(3600 if PROVE else 180)
def test_one_token_posted_again_and_again(reached: Reached, quiet: Reached) -> None:
    token, campaign = leave_token()
    one = post(token, "Content-Length: 0")

    def more_than_quiet_kb() -> int:
        # The readers' leaves, which both servers remember for a day, grow with the time it takes.
        return reached.memory_kb() - quiet.memory_kb()

    memory = [more_than_quiet_kb()]
    for _ in range(2):
        answered = 0
        for _ in range(REPEATED // 200):
            answered += reached.send(one * 100, 100).count(200)
        assert REPEATED // 2 == answered
        memory.append(more_than_quiet_kb())
    print(f"{REPEATED:,} times; kB more than a quiet server before, midway and after: {memory}")
    assert 1 == reached.left(campaign)
    # What the first requests take is not given back; more requests take no more.
    assert memory[1] - memory[0] < 20_000
    assert memory[2] - memory[1] < 4_000
