import json
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from newsletter.clock import SystemClock
from newsletter.testing import FrozenClock
from newsletter.transports.http import HttpClient, NoResponse, NotSent
from newsletter.transports.http_values import Request, Response, canonical_json, retry_after_s

from tests.support.http_server import (
    HttpServer,
    Misbehaviour,
    broken_chunks_after_taking,
    cut_after_taking,
    cut_before_reading,
    cut_before_taking,
    garbage_after_taking,
    gateway_page,
    head,
    redirect,
    says,
    silence_after_taking,
    spoilt_tls_after_taking,
    truncated_after_taking,
)
from tests.support.http_server import Request as ServerRequest
from tests.support.resend_side import API_KEY, ResendSide, error
from tests.support.smtp_server import refusing_port

BATCH = canonical_json([{"to": ["anna@a.example"]}])
NOW = datetime(2017, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer(ResendSide()) as running:
        yield running


def client(url: str, clock: FrozenClock | None = None) -> HttpClient:
    return HttpClient(url, timeout_s=0.5, clock=clock or FrozenClock())


LETTER = Request(
    "/emails/batch",
    BATCH,
    {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
)


def send(url: str, request: Request = LETTER) -> Response:
    http = client(url)
    try:
        return http.send(request)
    finally:
        http.close()


def test_the_other_side_gets_the_very_bytes_and_the_headers(server: HttpServer) -> None:
    assert 200 == send(server.url).status
    (request,) = server.requests
    assert BATCH == request.body
    assert "/emails/batch" == request.path
    assert {
        "authorization": f"Bearer {API_KEY}",
        "user-agent": "newsletter/0.1",
        "content-type": "application/json",
        "content-length": str(len(BATCH)),
        "accept-encoding": "identity",
        "host": f"127.0.0.1:{server.port}",
    } == request.headers


def test_when_nobody_listens_nothing_left() -> None:
    with refusing_port() as port, pytest.raises(NotSent, match="refused"):
        send(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid", "nonsense", "http://127.0.0.1:99999", "http://"]
)
def test_an_address_that_leads_nowhere_is_never_left(url: str) -> None:
    with pytest.raises(NotSent):
        send(url)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        cut_before_reading,
        cut_before_taking,
        cut_after_taking,
        garbage_after_taking,
        silence_after_taking,
    ],
)
def test_whoever_hangs_up_or_talks_rubbish_leaves_us_in_doubt(
    server: HttpServer, misbehaviour: Misbehaviour
) -> None:
    server.always = misbehaviour
    with pytest.raises(NoResponse) as caught:
        send(server.url)
    assert "0x" not in str(caught.value)
    assert "re_test" not in str(caught.value)
    assert 1 == len(server.requests)


@pytest.mark.parametrize("misbehaviour", [truncated_after_taking, broken_chunks_after_taking])
def test_an_answer_that_breaks_off_keeps_its_status(
    server: HttpServer, misbehaviour: Misbehaviour
) -> None:
    server.always = misbehaviour
    answer = send(server.url)
    assert (200, None, None) == (answer.status, answer.body, answer.json())


def test_an_answer_that_drips_is_not_waited_for_to_its_end(server: HttpServer) -> None:
    sent = 0

    def drip(request: ServerRequest) -> None:
        nonlocal sent
        request.read()
        request.raw(head(200, {"Content-Type": "application/json", "Content-Length": "300"}))
        pause = threading.Event()
        while sent < 300 and not pause.wait(0.05):
            request.raw(b" ")
            sent += 1

    server.always = drip
    waiting = HttpClient(server.url, timeout_s=0.3, clock=SystemClock())
    answer = waiting.send(LETTER)
    waiting.close()
    assert (200, None) == (answer.status, answer.body)
    assert sent < 150


def test_a_redirect_is_not_followed(server: HttpServer) -> None:
    server.always = redirect
    assert 307 == send(server.url).status
    assert 1 == len(server.requests)


def test_no_proxy_is_taken_from_the_environment(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_port() as port:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert 200 == send(server.url).status


def test_a_page_of_a_gateway_is_no_json(server: HttpServer) -> None:
    server.always = gateway_page(404)
    answer = send(server.url)
    assert (False, None) == (answer.is_json, answer.json())


def test_json_is_read_and_rubbish_is_none() -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    assert {"a": 1} == Response(200, kind, b'{"a": 1}').json()
    assert None is Response(200, kind, b"{").json()
    assert None is Response(200, kind, b"\xff").json()


def test_a_busy_connection_is_kept_and_an_idle_one_is_not(server: HttpServer) -> None:
    clock = FrozenClock()
    http = client(server.url, clock)
    for pause_s, connections in [(0.0, 1), (4.9, 1), (5.1, 2), (1.0, 2)]:
        clock.advance(pause_s)
        http.send(LETTER)
        assert connections == server.connections
    http.close()


def test_after_a_failure_the_next_request_opens_a_new_connection(server: HttpServer) -> None:
    server.script.extend([cut_after_taking, says(error(422, "validation_error"))])
    http = client(server.url)
    with pytest.raises(NoResponse):
        http.send(LETTER)
    assert 422 == http.send(LETTER).status
    assert 2 == server.connections
    http.close()


def test_a_certificate_nobody_vouches_for_is_refused_before_anything_leaves() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with HttpServer(ResendSide(), tls=context) as server:
        with pytest.raises(NotSent, match="certificate"):
            send(server.url)
        assert [] == server.requests


@pytest.mark.parametrize("misbehaviour", [cut_after_taking, spoilt_tls_after_taking])
@pytest.mark.fault(
    "HTTP",
    "TLS that breaks after the request",
    state="accepted once, by its key; without keys in_doubt; the other connections go on",
)
def test_tls_that_fails_after_the_request_is_in_doubt_and_no_failed_handshake(
    tmp_path: Path, misbehaviour: Misbehaviour
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with HttpServer(ResendSide(), tls=context, always=misbehaviour) as server:
        http = client(server.url)
        http._session.verify = str(tmp_path / "ca.pem")
        with pytest.raises(NoResponse):
            http.send(LETTER)
        http.close()
        assert Counter(["anna@a.example"]) == server.taken()


def test_a_server_that_speaks_no_tls_gets_nothing(server: HttpServer) -> None:
    with pytest.raises(NotSent):
        send(server.url.replace("http:", "https:"))
    assert [] == server.requests


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "86400"}, 3600),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 1),
        ({"retry-after": "Wed, 01 Mar 2017 09:00:30 -0000"}, 30),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"ratelimit-reset": "12"}, 12),
        ({"ratelimit-reset": str(int(NOW.timestamp()) + 40)}, 40),
        ({"retry-after": "soon", "ratelimit-reset": "3"}, 3),
        ({"retry-after": "2", "ratelimit-reset": "300"}, 2),
        ({"Retry-After": "2.5"}, 2.5),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 50)}, 50),
        ({"x-ratelimit-reset": "30"}, 30),
        ({"x-sib-ratelimit-reset": "33"}, 33),
        ({"retry-after": "inf"}, None),
    ],
)
def test_the_wait_asked_for_is_read_in_all_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert seconds == retry_after_s(headers, now=NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ({"retry_after": 9}, 9),
        ({"retry_after": "9.5"}, 9.5),
        ({"error": {"retry_after": 12}}, 12),
        ({"error": "later"}, None),
        ({"retry_after": None}, None),
        ([9], None),
        (None, None),
    ],
)
def test_the_wait_asked_for_may_stand_in_the_answer(value: object, seconds: float | None) -> None:
    assert seconds == retry_after_s({}, now=NOW, value=value)
    assert 3 == retry_after_s({"retry-after": "3"}, now=NOW, value=value)


def test_what_is_kept_on_another_host_is_asked_for_there(server: HttpServer) -> None:
    with refusing_port() as port, pytest.raises(NotSent, match="refused"):
        send(server.url, Request(f"https://127.0.0.1:{port}/logs", method="GET"))
    assert [] == server.requests


def test_the_same_value_is_the_same_bytes() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == canonical_json({"a": "é", "b": 1})
    assert {"a": "é", "b": 1} == json.loads(canonical_json({"b": 1, "a": "é"}))
