"""What becomes of one call, row by row: Resend knows keys, Mailtrap knows none."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme
from newsletter.errors import ConfigError, TransportStopped
from newsletter.testing import FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.api import ApiTransport
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope

from tests.support import http_server as misbehaviours
from tests.support.http_server import HttpServer, Misbehaviour, Reply, says, says_after_taking
from tests.support.resend_side import API_KEY, ResendSide, error
from tests.support.smtp_server import refusing_port
from tests.transports.contract import ANNA, BOB, CLAIRE
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_harness,
    provider_of,
)
from tests.transports.providers.test_mailtrap import TOKEN, MailtrapSide

NOW = datetime(2017, 3, 1, 9, 0, tzinfo=UTC)  # where a FrozenClock begins
IN_DOUBT_OR_ONCE = "accepted once, by its key; without keys in_doubt; the other connections go on"


@pytest.fixture
def harness() -> Iterator[ProviderHarness]:
    with provider_harness("resend", ResendSide(), secrets={"api_key": API_KEY}) as harness:
        yield harness


@pytest.fixture
def keyless() -> Iterator[ProviderHarness]:
    with provider_harness("mailtrap", MailtrapSide(), secrets={"api_token": TOKEN}) as harness:
        yield harness


def nobody_is_lost(url: str, *, words: str) -> None:
    """The address leads nowhere: all are put off, nobody is blamed, the run stops and says why."""
    transport = ApiTransport(
        provider_of("resend", url=url), timeout_s=0.5, clock=FrozenClock(), secrets=()
    )
    journal, session, messages = RecordingJournal(), transport.open(), fake_messages(ANNA, BOB)
    with pytest.raises(TransportStopped, match=words) as caught:
        session.deliver(messages, journal)
    session.close()
    assert "Resend cannot be reached" in str(caught.value)
    for message in messages:
        outcome = journal.outcome(message)
        assert isinstance(outcome, Deferred)
        assert Scope.ACCOUNT is outcome.scope


@pytest.mark.fault(
    "HTTP", "the provider's name cannot be resolved", state="deferred; the run stops"
)
def test_a_name_that_leads_nowhere() -> None:
    nobody_is_lost("https://no-such-host.invalid", words="resolve|resolution|not known")


@pytest.mark.fault("HTTP", "the connection is refused", state="deferred; the run stops")
def test_nobody_listens() -> None:
    with refusing_port() as port:
        nobody_is_lost(f"http://127.0.0.1:{port}", words="refused")


@pytest.mark.fault("HTTP", "no connection in time", state="deferred; the run stops")
def test_a_server_that_takes_no_connection() -> None:
    with socket.socket() as full, contextlib.ExitStack() as held:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # what the kernel keeps waiting is full then
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        nobody_is_lost(f"http://127.0.0.1:{full.getsockname()[1]}", words="timed out")


@pytest.mark.fault(
    "HTTP", "the certificate is somebody else's or nobody's", state="deferred; the run stops"
)
def test_a_certificate_that_nobody_vouches_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with HttpServer(ResendSide(), tls=context) as server:
        nobody_is_lost(server.url, words="certificate")
        assert [] == server.requests


@pytest.mark.fault("HTTP", "no TLS where there should be", state="deferred; the run stops")
def test_a_server_that_speaks_no_tls() -> None:
    with HttpServer(ResendSide()) as server:
        nobody_is_lost(server.url.replace("http:", "https:"), words="SSL|TLS|record")
        assert [] == server.requests


AMBIGUOUS = [
    pytest.param(misbehaviour, marks=pytest.mark.fault("HTTP", name, state=IN_DOUBT_OR_ONCE))
    for name, misbehaviour in {
        "hung up before the request was read": misbehaviours.cut_before_reading,
        "hung up when the request was read": misbehaviours.cut_before_taking,
        "hung up when the mail was taken": misbehaviours.cut_after_taking,
        "an answer that is no HTTP": misbehaviours.garbage_after_taking,
        "no answer in time": misbehaviours.silence_after_taking,
        "408, request timeout": says_after_taking(error(408, "application_error")),
        "500, internal error": says_after_taking(error(500, "application_error")),
        "502, bad gateway": says_after_taking(error(502, "application_error")),
        "503, unavailable": says_after_taking(error(503, "application_error")),
        "504, gateway timeout": says_after_taking(error(504, "application_error")),
        "502 with a page of a gateway": misbehaviours.gateway_page(502),
        "404 with a page of a gateway": misbehaviours.gateway_page(404),
        "403 with a page of a gateway": misbehaviours.gateway_page(403),
        "429 with a page of a gateway": misbehaviours.gateway_page(429),
        "200 with a page of a gateway": misbehaviours.gateway_page(200),
        "a redirect": misbehaviours.redirect,
        "200 with an error in its body": says(Reply(200, {"error": "something"})),
    }.items()
]


@pytest.mark.parametrize("misbehaviour", AMBIGUOUS)
def test_when_nobody_knows_the_same_bytes_and_key_go_again_and_mail_once(
    harness: ProviderHarness, misbehaviour: Misbehaviour
) -> None:
    harness.server.script.extend([misbehaviour, misbehaviour])
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB))
    assert None is stopped
    assert [Accepted("200 accepted", "id-0"), Accepted("200 accepted", "id-1")] == outcomes
    assert 3 == len(harness.server.requests)
    assert 1 == len({harness.side.key(request) for request in harness.server.requests})
    # The first may have been cut before its body was read.
    assert 1 == len({request.body for request in harness.server.requests} - {b""})


@pytest.mark.parametrize("misbehaviour", AMBIGUOUS)
def test_without_keys_one_call_is_in_doubt_and_nothing_follows_it(
    keyless: ProviderHarness, misbehaviour: Misbehaviour
) -> None:
    keyless.server.script.append(misbehaviour)
    outcomes, stopped = deliver(keyless, fake_messages(ANNA, BOB))
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert stopped is not None
    assert "what became of a call" in stopped.what
    assert "newsletter reconcile" in stopped.next
    assert 1 == len(keyless.server.requests)


@pytest.mark.parametrize("misbehaviour", AMBIGUOUS)
def test_when_nobody_knows_for_long_the_batch_is_in_doubt_and_the_run_stops(
    harness: ProviderHarness, misbehaviour: Misbehaviour
) -> None:
    harness.server.always = misbehaviour
    if misbehaviour is misbehaviours.silence_after_taking:
        harness.server.script.extend([misbehaviour, *[misbehaviours.cut_after_taking] * 4])
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB))
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert stopped is not None
    assert "what became of a call" in stopped.what
    assert 5 == len(harness.server.requests)
    assert [1.0, 3.0, 9.0, 27.0] == harness.clock.slept


def test_a_doubt_tells_how_the_providers_support_finds_the_call(keyless: ProviderHarness) -> None:
    named = {"X-Request-Id": "req_0123-abc"}
    keyless.server.always = says(Reply(500, {"success": False, "errors": ["Oops"]}, named))
    outcomes, _ = deliver(keyless, fake_messages(ANNA))
    assert isinstance(outcomes[0], InDoubt)
    assert outcomes[0].reason.endswith("500. Their id of the call: req_0123-abc.")


@pytest.mark.parametrize(
    "then",
    [
        error(422, "validation_error"),
        error(403, "invalid_api_key"),
        error(429, "rate_limit_exceeded"),
        error(429, "daily_quota_exceeded"),
    ],
)
@pytest.mark.fault("HTTP", "a refusal after an answer that was missed", state="in_doubt")
def test_a_refusal_after_a_missed_answer_proves_nothing(
    harness: ProviderHarness, then: Reply
) -> None:
    harness.server.script.append(misbehaviours.cut_after_taking)
    harness.server.always = says(then)
    outcomes, _ = deliver(harness, fake_messages(ANNA, BOB))
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert 2 == sum(harness.taken().values())


@pytest.mark.parametrize(("asked", "slept"), [("40", [1.0, 40.0]), ("600", [1.0])])
def test_a_pause_asked_for_before_a_repeat_is_kept_if_it_is_short(
    harness: ProviderHarness, asked: str, slept: list[float]
) -> None:
    later = error(429, "rate_limit_exceeded", headers={"Retry-After": asked})
    harness.server.script.extend([misbehaviours.cut_after_taking, says(later)])
    outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert slept == harness.clock.slept
    assert isinstance(outcomes[0], Accepted if asked == "40" else InDoubt)


def test_when_the_run_ends_between_two_repeats_it_is_in_doubt(harness: ProviderHarness) -> None:
    class Ending(RecordingJournal):
        def acquire_permit(self) -> bool:
            super().acquire_permit()
            return self.calls < 2

    harness.server.always = misbehaviours.cut_after_taking
    journal, session, messages = Ending(), harness.transport().open(), fake_messages(ANNA)
    with pytest.raises(TransportStopped, match="did not say"):
        session.deliver(messages, journal)
    session.close()
    assert isinstance(journal.outcome(messages[0]), InDoubt)
    assert 1 == len(harness.server.requests)


def test_when_leave_comes_too_late_for_the_key_nothing_is_repeated(
    harness: ProviderHarness,
) -> None:
    class Slow(RecordingJournal):
        def acquire_permit(self) -> bool:
            harness.clock.advance(13 * 3600)
            return super().acquire_permit()

    harness.server.script.append(misbehaviours.cut_after_taking)
    journal, session, messages = Slow(), harness.transport().open(), fake_messages(ANNA)
    with pytest.raises(TransportStopped, match="did not say"):
        session.deliver(messages, journal)
    session.close()
    assert isinstance(journal.outcome(messages[0]), InDoubt)
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        pytest.param(
            misbehaviour,
            marks=pytest.mark.fault(
                "HTTP", name, state="accepted once asked again under a key; else in_doubt"
            ),
        )
        for name, misbehaviour in {
            "2xx, and the answer breaks off": misbehaviours.truncated_after_taking,
            "2xx, and its chunks break off": misbehaviours.broken_chunks_after_taking,
            "2xx with a body that is no JSON": misbehaviours.no_json_after_taking,
            "2xx with more results than messages": misbehaviours.one_result_more_after_taking,
        }.items()
    ],
)
def test_a_success_whose_ids_are_lost(
    harness: ProviderHarness, keyless: ProviderHarness, misbehaviour: Misbehaviour
) -> None:
    harness.server.script.append(misbehaviour)
    outcomes, _ = deliver(harness, fake_messages(ANNA, BOB))
    assert [Accepted("200 accepted", "id-0"), Accepted("200 accepted", "id-1")] == outcomes
    assert 2 == len(harness.server.requests)
    for each in (harness, keyless):
        each.server.always = misbehaviour
        outcomes, _ = deliver(each, fake_messages(CLAIRE, "dora@d.example"))
        assert all(isinstance(outcome, InDoubt) for outcome in outcomes)


@pytest.mark.fault(
    "HTTP",
    "2xx with fewer results than messages",
    state="in_doubt for all whom no result names",
)
def test_whom_the_answer_leaves_out(harness: ProviderHarness, keyless: ProviderHarness) -> None:
    for each in (harness, keyless):
        each.server.always = misbehaviours.one_result_short_after_taking
        outcomes, _ = deliver(each, fake_messages(ANNA, BOB))
        assert [InDoubt] * 2 == [type(outcome) for outcome in outcomes]


def spelt(name: str, headers: dict[str, str], seconds: float | None, **value: object) -> object:
    mark = pytest.mark.fault("HTTP", f"429, {name}", state="deferred; the whole transport waits")
    return pytest.param(headers, value, seconds, marks=mark, id=name)


@pytest.mark.parametrize(
    ("headers", "value", "seconds"),
    [
        spelt("without a pause asked for", {}, None),
        spelt("Retry-After in seconds", {"Retry-After": "7"}, 7),
        spelt("Retry-After as a fraction", {"Retry-After": "2.5"}, 2.5),
        spelt(
            "Retry-After as a date",
            {"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)},
            90,
        ),
        spelt("Retry-After of no time", {"Retry-After": "0"}, 1),
        spelt("Retry-After of a day", {"Retry-After": "86400"}, 3600),
        spelt("Retry-After that is no time", {"Retry-After": "soon"}, None),
        spelt("ratelimit-reset in seconds", {"ratelimit-reset": "12"}, 12),
        spelt(
            "X-RateLimit-Reset as a moment",
            {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 40)},
            40,
        ),
        spelt("x-sib-ratelimit-reset in seconds", {"x-sib-ratelimit-reset": "33"}, 33),
        spelt("retry_after in its JSON", {}, 21, retry_after=21),
    ],
)
def test_too_fast(
    harness: ProviderHarness, headers: dict[str, str], value: dict[str, object], seconds: float
) -> None:
    reply = error(429, "rate_limit_exceeded", headers=headers)
    harness.server.always = says(Reply(429, {**reply.value, **value}, headers))
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB))
    words = "429 rate_limit_exceeded: This is rate_limit_exceeded."
    assert [Deferred(words, Scope.ACCOUNT, seconds)] * 2 == outcomes
    assert None is stopped
    assert [] == harness.clock.slept
    assert 1 == len(harness.server.requests)


@pytest.mark.fault("HTTP", "a proxy in the environment", state="accepted; it is not used")
def test_no_proxy_is_taken_from_the_environment(
    harness: ProviderHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_port() as port:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        outcomes, _ = deliver(harness, fake_messages(ANNA))
    assert [Accepted("200 accepted", "id-0")] == outcomes


@pytest.mark.fault("HTTP", "the key or the account is refused", state="deferred; the run stops")
def test_a_refused_account(harness: ProviderHarness) -> None:
    harness.refuse_login()
    outcomes, stopped = deliver(harness, crowd(3))
    assert [Deferred("403 invalid_api_key: API key is invalid.", Scope.ACCOUNT)] * 3 == outcomes
    assert stopped is not None


@pytest.mark.fault("HTTP", "an address is refused", state="rejected; all others accepted")
def test_a_refused_address(harness: ProviderHarness) -> None:
    harness.refuse(BOB)
    outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
    assert [Accepted, Rejected, Accepted] == [type(outcome) for outcome in outcomes]
    assert None is stopped


def test_the_key_never_travels_in_the_open() -> None:
    with pytest.raises(ConfigError, match="https"):
        ApiTransport(
            provider_of("resend", url="http://api.resend.com"),
            timeout_s=1,
            clock=FrozenClock(),
            secrets=(),
        )


def test_a_transport_tells_where_it_leads_and_how_fast(harness: ProviderHarness) -> None:
    transport = harness.transport()
    assert f"resend 127.0.0.1:{harness.server.port}" == transport.place
    assert 2 == transport.allowance.calls_per_second
    assert 100 == transport.batch_size
