"""Answers without end: each has its time and its size as a whole, whatever its pieces."""

import contextlib
import io
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.clock import SystemClock
from newsletter.delivery.policy import DomainBreaker
from newsletter.errors import TransportStopped
from newsletter.testing import RecordingJournal, fake_messages
from newsletter.transports.http import HttpClient, NoResponse
from newsletter.transports.http_values import Request, Response, retry_after_s
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected
from newsletter.transports.smtp_reply import Reply, ReplyError, Stage, read_reply, refusal

from tests.support.http_server import HttpServer, head
from tests.support.http_server import Request as ServerRequest
from tests.support.resend_side import ResendSide
from tests.support.smtp_server import SmtpServer, always, once
from tests.transports.contract import ANNA, BOB
from tests.transports.smtp_harness import SmtpHarness, deliver, fault
from tests.transports.test_http import LETTER, NOW

WORST = 1_000_000
PIECES = 2_000
"""So many would come if nobody gave up; at a twentieth of a second each, that is minutes."""


class Dripping(SmtpServer):
    """Sends the reply of one phase an octet at a time, slower than anybody waits for a whole."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.sent = 0
        self.behaviours = {phase: self._drip}

    def _drip(self, _earlier: int) -> bytes:
        pause = threading.Event()
        while self.sent < PIECES and not self._stopping.is_set() and not pause.wait(0.05):
            with self._lock, contextlib.suppress(OSError):
                for connection in self._open:
                    connection.sendall(b"2")
            self.sent += 1
        return b"250 ok"


@pytest.mark.parametrize("phase", ["banner", "EHLO", "MAIL", "dot"])
@fault("a reply that drips", "as if none came")
def test_a_reply_that_drips_is_given_up_in_its_time(phase: str) -> None:
    with Dripping(phase) as server:
        harness = SmtpHarness(server)
        setattr(harness, "clock", SystemClock())  # noqa: B010 - one that goes on
        (message,) = fake_messages(ANNA)
        journal = RecordingJournal()
        session = harness.transport(timeout_s=0.4, final_timeout_s=0.4).open()
        with contextlib.suppress(TransportStopped):
            session.deliver([message], journal)
        session.close()
        assert not isinstance(journal.outcome(message), Accepted | Rejected)
        assert server.sent < PIECES / 2


@fault("an answer without end", "pending; the run stops")
def test_ten_thousand_lines_of_ehlo_are_no_answer() -> None:
    with SmtpServer({"EHLO": always(b"250-X\r\n" * 10_000 + b"250 ok")}) as server:
        _, stopped = deliver(SmtpHarness(server), fake_messages(ANNA))
    assert stopped is not None
    assert "no end" in stopped.what


@pytest.mark.parametrize("size", [b"\xb2", b"9" * 5000, b"-1", b"1e9", b"0"])
def test_a_size_that_is_none_sets_none(size: bytes) -> None:
    with SmtpServer(extensions=(b"PIPELINING", b"SIZE " + size)) as server:
        journal, stopped = deliver(SmtpHarness(server), fake_messages(ANNA))
    assert stopped is None or len(size) > 4000
    assert len(journal.outcomes) == (stopped is None)


def test_a_challenge_that_is_no_base64_is_no_login() -> None:
    with SmtpServer({"AUTH": always(b"334 A")}, login=("user", "right")) as server:
        _, stopped = deliver(SmtpHarness(server), fake_messages(ANNA))
    assert stopped is not None


@pytest.fixture
def web() -> Iterator[HttpServer]:
    with HttpServer(ResendSide()) as running:
        yield running


def _drips(first: bytes, piece: bytes) -> tuple[list[int], object]:
    sent = [0]

    def drip(request: ServerRequest) -> None:
        request.read()
        request.behave()
        request.raw(first)
        pause = threading.Event()
        while sent[0] < PIECES and not pause.wait(0.05):
            request.raw(piece)
            sent[0] += 1

    return sent, drip


@pytest.mark.fault("HTTP", "headers that drip", state="in_doubt")
@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_headers_that_drip_are_given_up_in_their_time(
    web: HttpServer, first: bytes, piece: bytes
) -> None:
    sent, web.always = _drips(first, piece)  # type: ignore[assignment]
    waiting = HttpClient(web.url, timeout_s=0.4, clock=SystemClock())
    with pytest.raises(NoResponse):
        waiting.send(LETTER)
    waiting.close()
    assert sent[0] < PIECES / 2


@pytest.mark.parametrize(
    "start",
    [
        head(200, {"Content-Type": "application/json", "Content-Length": "999999999"}),
        head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}),
        head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}) + b"F;",
    ],
)
def test_an_answer_that_is_too_large_is_cut_off(web: HttpServer, start: bytes) -> None:
    sent = [0]

    def flood(request: ServerRequest) -> None:
        request.read()
        request.raw(start)
        while sent[0] < 100:
            request.raw(b"1" * WORST)
            sent[0] += 1

    web.always = flood
    waiting = HttpClient(web.url, timeout_s=30, clock=SystemClock())
    answer = waiting.send(Request("/emails/batch", b"{}"))
    waiting.close()
    assert (200, None) == (answer.status, answer.body)
    assert sent[0] < 50


@pytest.mark.parametrize(
    "text",
    [
        "nan",
        "inf",
        "-inf",
        "-5",
        "1e400",
        "9" * 5000,
        "9" * WORST,
        "Wed, " * 20_000,
        "",
        "٣",
        "1_0",
    ],
)
def test_a_pause_of_absurd_size_is_none_or_within_an_hour(text: str) -> None:
    for value in (None, {"retry_after": text}, {"error": {"retry_after": text}}):
        headers = {} if value else {"Retry-After": text}
        found = retry_after_s(headers, now=NOW, value=value)
        assert found is None or 1 <= found <= 3600


WORST_REPLIES = [
    "mailbox " * (WORST // 8),
    "a" * WORST,
    "<" * WORST,
    "1" * WORST,
    "too many " * (WORST // 9),
    "retry after " * (WORST // 12),
    "user\n" * (WORST // 5),
    "5.1.1 " * (WORST // 6),
    " " * WORST,
]


@pytest.mark.parametrize("text", WORST_REPLIES)
def test_the_worst_reply_costs_no_square_of_its_length(text: str) -> None:
    # Each of these took a minute and more where an expression looked at all of it.
    for code in (450, 550):
        for stage in Stage:
            outcome = refusal(Reply(code, text[:1000]), stage)
            assert isinstance(outcome, Deferred | Rejected)
    breaker = DomainBreaker()
    for _ in range(3):
        breaker.record("a.example", Rejected(f"550 {text}"))


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"250-", b"250 ok", b"354", b"\n"])))
def test_any_octets_are_a_reply_or_none(pieces: list[bytes]) -> None:
    lines = io.BytesIO(b"\r\n".join(pieces))
    try:
        reply = read_reply(lines)
    except ReplyError:
        return
    assert 200 <= reply.code <= 599
    assert reply.text.isprintable()
    if reply.negative:
        for stage in Stage:
            assert isinstance(refusal(reply, stage), Deferred | Rejected)


@given(st.binary(max_size=200))
@settings(max_examples=25, deadline=None)
def test_any_octets_after_the_dot_accept_nobody_unless_they_say_so(octets: bytes) -> None:
    with SmtpServer({"dot": once(octets)}) as server:
        journal, _ = deliver(SmtpHarness(server), fake_messages(ANNA, BOB), final_timeout_s=0.05)
    outcome = journal.outcome(fake_messages(ANNA)[0])
    assert not isinstance(outcome, Accepted) or octets.startswith(b"2")
    assert isinstance(outcome, Accepted | Deferred | InDoubt | Rejected)


@given(st.binary())
def test_any_octets_are_json_or_none(octets: bytes) -> None:
    Response(200, {"content-type": "application/json"}, octets).json()
