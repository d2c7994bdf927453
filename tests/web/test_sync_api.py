"""The public log over HTTP: who may read it, how much at a time, and what is refused."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from newsletter.message.keys import KeyRing
from newsletter.web.log import MOST_ENTRIES, PublicLog

from tests.support.public_side import PublicSide, log_app, served


class Server:
    def __init__(self, port: int, side: PublicSide) -> None:
        self.port = port
        self.side = side
        assert side.keys.bearer is not None
        self.bearer = f"Bearer {side.keys.bearer.hex()}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(connection):
            headers = {"Authorization": self.bearer} if headers is None else headers
            connection.request(method, path, body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    KeyRing.load_or_create(tmp_path / "newsletter.key")
    keys = KeyRing.with_bearer(tmp_path / "newsletter.key")
    with closing(PublicLog(tmp_path / "public.db")) as log, served(log_app(log, keys)) as port:
        yield Server(port, PublicSide(log, keys))


def test_the_officers_machine_reads_the_log(server: Server) -> None:
    ids = [server.side.leave(f"reader{n}@readers.example") for n in range(3)]
    status, headers, body = server.ask("/log?after=1&most=1")
    told = json.loads(body)
    assert 200 == status
    assert "application/json" == headers["content-type"]
    assert "no-store" == headers["cache-control"]
    assert "set-cookie" not in headers
    assert {"log_id", "first", "last", "head", "secret", "entries"} == told.keys()
    assert (1, 3, 0) == (told["first"], told["last"], told["secret"])
    assert [ids[1].hex()] == [entry["id"] for entry in told["entries"]]
    page = server.side.log.page(1)
    assert page.head is not None
    assert page.head.hex() == told["head"]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer " + "0" * 64,
        "Basic {secret}",
        "{secret}",
        "Bearer {secret}0",
        "Bearer \xe9\xff",
        "Bearer " + "x" * 8_000,
    ],
)
def test_nobody_else_reads_it(server: Server, authorization: str | None) -> None:
    server.side.leave("anna@readers.example")
    secret = server.bearer.removeprefix("Bearer ")
    given = authorization.replace("{secret}", secret) if authorization is not None else None
    headers = {} if given is None else {"Authorization": given}
    for path, method in (("/log", "GET"), ("/log/synced", "POST")):
        status, told, body = server.ask(path, method, b"{}", headers)
        assert 401 == status
        assert "Bearer" == told["www-authenticate"]
        assert b"entries" not in body


def test_the_scheme_may_be_written_in_small_letters(server: Server) -> None:
    lower = server.bearer.replace("Bearer", "bearer")
    assert 200 == server.ask("/log", headers={"Authorization": lower})[0]


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=1e9", "most=", "after=" + "9" * 30, "after=%D9%A1"]
)
def test_what_is_no_number_is_refused(server: Server, query: str) -> None:
    assert 400 == server.ask(f"/log?{query}")[0]


def test_a_page_is_bounded(server: Server) -> None:
    box = server.side.box(kind="leave")
    for each in [server.side.log.submit(box) for _ in range(MOST_ENTRIES + 5)]:
        each.result()
    for most in ("", f"&most={10**17}"):
        told = json.loads(server.ask(f"/log?after=0{most}")[2])
        assert MOST_ENTRIES == len(told["entries"])
    assert [] == json.loads(server.ask("/log?most=0")[2])["entries"]
    assert 5 == len(json.loads(server.ask(f"/log?after={MOST_ENTRIES}")[2])["entries"])


def test_what_was_read_leaves_after_the_days_that_the_officer_names(server: Server) -> None:
    server.side.leave("anna@readers.example")
    body = json.dumps({"seq": 1, "keep_days": 90}).encode()
    assert 204 == server.ask("/log/synced", "POST", body)[0]
    assert 1 == len(server.side.log.page(0).entries)
    with closing(PublicLog(server.side.log.path)) as log:
        assert 0 == log.drop_synced(0)
        assert 1 == log.drop_synced(10**6)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"seq": 1}',
        b'{"seq": "1", "keep_days": 90}',
        b'{"seq": true, "keep_days": 90}',
        b'{"seq": 1.5, "keep_days": 90}',
        b'{"seq": 1, "keep_days": 90}' + b" " * 2_000,
    ],
)
def test_a_body_that_makes_no_sense_is_refused(server: Server, body: bytes) -> None:
    assert 400 == server.ask("/log/synced", "POST", body)[0]


def test_absurd_numbers_drop_nothing_that_was_not_read(server: Server) -> None:
    server.side.leave("anna@readers.example")
    body = b'{"seq": 99999999999999999999999999999999999, "keep_days": -5}'
    assert 204 == server.ask("/log/synced", "POST", body)[0]
    assert 1 == len(server.side.log.page(0).entries)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/log"), ("PUT", "/log"), ("GET", "/log/synced")]
)
def test_other_methods_are_refused(server: Server, method: str, path: str) -> None:
    assert 405 == server.ask(path, method)[0]


def test_a_log_that_cannot_be_read_is_503(server: Server) -> None:
    for file in server.side.log.path.parent.glob("public.db*"):
        file.unlink()
    status, _, body = server.ask("/log")
    assert 503 == status
    assert b"public log" in body
