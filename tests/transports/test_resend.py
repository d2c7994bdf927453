import contextlib
import json
import logging
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.config import Resend, Secret, load_settings
from newsletter.errors import ConfigError, TransportStopped
from newsletter.render.edition import Enclosure
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, letters
from newsletter.transports.http import Answer, canonical_json
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)
from newsletter.transports.resend import ResendTransport, Turns, idempotency_key
from newsletter.transports.resend_answer import Ambiguous, Taken, read_answer

from tests.message.samples import DATE, EDITION, composer, reader
from tests.support import http_server as misbehaviours
from tests.support.http_server import API_KEY, HttpServer, Misbehaviour
from tests.support.project import SETTINGS
from tests.support.smtp_server import refusing_port
from tests.support.tools import npm_program, spec
from tests.transports.contract import ANNA, BOB, CLAIRE, RemoteContract, judge
from tests.transports.contract import deliver as through


def settings(url: str) -> Resend:
    return Resend(api_key=Secret(env="RESEND_API_KEY"), base_url=url, timeout_s=0.5)


class ResendHarness:
    def __init__(self, server: HttpServer, nobody: int) -> None:
        self.server = server
        self.clock = FrozenClock()
        self._nobody = nobody
        self._url = server.url

    def transport(self) -> ResendTransport:
        return ResendTransport(settings(self._url), api_key=API_KEY, clock=self.clock)

    def taken(self) -> Counter[str]:
        return self.server.taken()

    def cut_after_taking(self) -> None:
        self.server.script.append(misbehaviours.cut_after_taking)

    def cut_before_taking(self) -> None:
        self.server.script.append(misbehaviours.cut_before_taking)

    def refuse(self, address: str) -> None:
        self.server.refused.add(address)

    def refuse_login(self) -> None:
        self.server.api_key = "re_another"

    def vanish(self) -> None:
        self._url = f"http://127.0.0.1:{self._nobody}"


@pytest.fixture
def harness() -> Iterator[ResendHarness]:
    with HttpServer() as server, refusing_port() as nobody:
        yield ResendHarness(server, nobody)


class TestResend(RemoteContract):
    """Passes the contract with the fixture above."""


def crowd(count: int) -> list[FakeMessage]:
    return letters(*(f"reader{number}@a.example" for number in range(count)))


def deliver(
    harness: ResendHarness, messages: Sequence[FakeMessage]
) -> tuple[list[Outcome | None], TransportStopped | None]:
    """What became of each message, held against the server's count."""
    journal = RecordingJournal()
    stopped = through(harness, messages, journal)
    judge(harness, messages, journal)
    return [journal.outcome(message) for message in messages], stopped


def keys(harness: ResendHarness) -> list[str]:
    return [request.headers["idempotency-key"] for request in harness.server.requests]


def test_each_message_gets_its_own_id(harness: ResendHarness) -> None:
    outcomes, stopped = deliver(harness, crowd(100))
    assert None is stopped
    assert [Accepted("200 accepted", f"id-{number}") for number in range(100)] == outcomes
    assert 1 == len(harness.server.requests)


def test_the_whole_letter_travels(harness: ResendHarness) -> None:
    message = FakeMessage(Address.parse("anna@münchen.example"), to_name='Lind, "Annä"')
    deliver(harness, [message])
    (request,) = harness.server.requests
    (mail,) = json.loads(request.body)
    assert {
        "from": "News <newsletter@news.example>",
        "to": ['"Lind, \\"Annä\\"" <anna@xn--mnchen-3ya.example>'],
        "reply_to": ["editors@news.example"],
        "subject": "The news",
        "html": "<p>Good morning.\n</p>",
        "text": "Good morning.\n",
        "headers": {
            "List-ID": "News <list.news.example>",
            "List-Unsubscribe": "<https://news.example/u/token>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Message-ID": message.message_id,
        },
    } == mail
    assert "strict" == request.headers["x-batch-validation"]
    assert request.headers["user-agent"].startswith("newsletter/")


AMBIGUOUS = [
    misbehaviours.cut_before_reading,
    misbehaviours.cut_before_taking,
    misbehaviours.cut_after_taking,
    misbehaviours.garbage_after_taking,
    misbehaviours.silence_after_taking,
    misbehaviours.error_after_taking(500),
    misbehaviours.error_after_taking(503),
    misbehaviours.error_after_taking(408),
    misbehaviours.gateway_page(502),
    misbehaviours.gateway_page(404),
    misbehaviours.gateway_page(403),
    misbehaviours.gateway_page(200),
    misbehaviours.redirect,
    misbehaviours.success_without_ids,
    misbehaviours.refuses(409, "concurrent_idempotent_requests"),
]


@pytest.mark.parametrize("misbehaviour", AMBIGUOUS)
def test_when_nobody_knows_the_same_bytes_and_key_go_again_and_mail_once(
    harness: ResendHarness, misbehaviour: Misbehaviour
) -> None:
    harness.server.script.extend([misbehaviour, misbehaviour])
    outcomes, stopped = deliver(harness, letters(ANNA, BOB))
    assert None is stopped
    assert [Accepted("200 accepted", "id-0"), Accepted("200 accepted", "id-1")] == outcomes
    assert 3 == len(harness.server.requests)
    assert 1 == len(set(keys(harness)))
    # The first may have been cut before its body was read.
    assert 1 == len({request.body for request in harness.server.requests} - {b""})


@pytest.mark.parametrize("misbehaviour", AMBIGUOUS)
def test_when_nobody_knows_for_long_the_batch_is_in_doubt_and_the_run_stops(
    harness: ResendHarness, misbehaviour: Misbehaviour
) -> None:
    harness.server.always = misbehaviour
    if misbehaviour is misbehaviours.silence_after_taking:
        harness.server.script.extend([misbehaviour, *[misbehaviours.cut_after_taking] * 4])
    outcomes, stopped = deliver(harness, letters(ANNA, BOB))
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert stopped is not None
    assert "2 messages" in stopped.what
    assert 5 == len(harness.server.requests)
    assert 1 == len(set(keys(harness)))
    assert 40 <= sum(harness.clock.slept) < 60


@pytest.mark.parametrize(
    "then",
    [
        misbehaviours.refuses(422, "validation_error"),
        misbehaviours.refuses(403, "invalid_api_key"),
        misbehaviours.refuses(429, "rate_limit_exceeded"),
        misbehaviours.refuses(429, "daily_quota_exceeded"),
    ],
)
def test_a_refusal_after_a_missed_answer_proves_nothing(
    harness: ResendHarness, then: Misbehaviour
) -> None:
    harness.server.script.append(misbehaviours.cut_after_taking)
    harness.server.always = then
    outcomes, _ = deliver(harness, letters(ANNA, BOB))
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert Counter([ANNA, BOB]) == harness.taken()


def test_a_key_used_for_another_payload_is_in_doubt_at_once(harness: ResendHarness) -> None:
    harness.server.always = misbehaviours.refuses(409, "invalid_idempotent_request")
    outcomes, stopped = deliver(harness, letters(ANNA))
    assert isinstance(outcomes[0], InDoubt)
    assert stopped is not None
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        misbehaviours.truncated_after_taking,
        misbehaviours.broken_chunks_after_taking,
        misbehaviours.no_json_after_taking,
        misbehaviours.one_id_more_after_taking,
    ],
)
def test_a_success_whose_ids_are_lost_is_a_success(
    harness: ResendHarness, misbehaviour: Misbehaviour
) -> None:
    harness.server.always = misbehaviour
    outcomes, _ = deliver(harness, letters(ANNA, BOB))
    assert [Accepted("200 accepted")] * 2 == outcomes
    assert 1 == len(harness.server.requests)


def test_whom_the_answer_leaves_out_is_in_doubt(harness: ResendHarness) -> None:
    harness.server.always = misbehaviours.one_id_short_after_taking
    outcomes, _ = deliver(harness, letters(ANNA, BOB))
    assert Accepted("200 accepted", "id-0") == outcomes[0]
    assert isinstance(outcomes[1], InDoubt)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "missing_api_key"),
        (401, "restricted_api_key"),
        (403, "invalid_api_key"),
        (403, "validation_error"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (422, "invalid_access"),
        (429, "daily_quota_exceeded"),
        (429, "monthly_quota_exceeded"),
        (451, "security_error"),
        (400, "invalid_idempotency_key"),
    ],
)
def test_a_refused_account_stops_the_run_and_blames_no_reader(
    harness: ResendHarness, status: int, name: str
) -> None:
    harness.server.always = misbehaviours.refuses(status, name)
    outcomes, stopped = deliver(harness, crowd(5))
    reply = f"{status} {name}: This is {name}."
    assert [Deferred(reply, Scope.ACCOUNT)] * 5 == outcomes
    assert stopped is not None
    assert reply == stopped.what
    assert 1 == len(harness.server.requests)


@pytest.mark.parametrize(("asked", "waited"), [({"retry-after": "20"}, 20.0), ({}, 1.0)])
def test_a_short_pause_asked_for_is_kept_and_the_batch_goes_then(
    harness: ResendHarness, asked: dict[str, str], waited: float
) -> None:
    harness.server.script.append(misbehaviours.refuses(429, "rate_limit_exceeded", asked))
    outcomes, stopped = deliver(harness, letters(ANNA))
    assert None is stopped
    assert [Accepted("200 accepted", "id-0")] == outcomes
    assert [waited] == harness.clock.slept


def test_a_long_pause_asked_for_is_passed_on(harness: ResendHarness) -> None:
    asked = {"retry-after": "600"}
    harness.server.always = misbehaviours.refuses(429, "rate_limit_exceeded", asked)
    outcomes, stopped = deliver(harness, letters(ANNA, BOB))
    reply = "429 rate_limit_exceeded: This is rate_limit_exceeded."
    assert [Deferred(reply, Scope.ACCOUNT, 600.0)] * 2 == outcomes
    assert None is stopped
    assert [] == harness.clock.slept


def test_pauses_asked_for_again_and_again_come_to_an_end(harness: ResendHarness) -> None:
    asked = {"retry-after": "2"}
    harness.server.always = misbehaviours.refuses(429, "rate_limit_exceeded", asked)
    outcomes, _ = deliver(harness, letters(ANNA))
    assert isinstance(outcomes[0], Deferred)
    assert 5 == len(harness.server.requests)


@pytest.mark.parametrize("place", [0, 37, 99])
def test_the_one_whom_a_batch_is_refused_for_is_found(harness: ResendHarness, place: int) -> None:
    messages = crowd(100)
    harness.refuse(str(messages[place].envelope_to))
    outcomes, stopped = deliver(harness, messages)
    assert None is stopped
    assert Rejected("422 validation_error: Invalid `to` field.") == outcomes[place]
    assert 99 == sum(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(harness.server.requests) <= 15
    assert len(set(keys(harness))) == len(harness.server.requests)


def test_bad_addresses_alone_are_each_refused_for_themselves(harness: ResendHarness) -> None:
    messages = crowd(4)
    harness.server.refused.update(str(message.envelope_to) for message in messages)
    outcomes, stopped = deliver(harness, messages)
    assert None is stopped
    assert [Rejected("422 validation_error: Invalid `to` field.")] * 4 == outcomes


def test_a_letter_refused_for_all_alike_is_the_letter_and_not_its_readers(
    harness: ResendHarness,
) -> None:
    harness.server.always = misbehaviours.refuses(422, "invalid_attachment")
    outcomes, _ = deliver(harness, crowd(100))
    reply = "422 invalid_attachment: This is invalid_attachment."
    assert [Rejected(reply, Scope.CAMPAIGN)] * 100 == outcomes
    assert len(harness.server.requests) <= 15


def test_once_somebody_got_the_letter_a_refusal_is_about_its_reader(
    harness: ResendHarness,
) -> None:
    messages = crowd(8)
    harness.server.refused.update(str(message.envelope_to) for message in messages[5:])
    harness.server.refusal = "Something is wrong."
    outcomes, _ = deliver(harness, messages)
    assert [Rejected("422 validation_error: Something is wrong.")] * 3 == outcomes[5:]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes[:5])


def test_an_account_refused_between_two_halves_keeps_what_was_taken(harness: ResendHarness) -> None:
    messages = crowd(4)
    harness.server.script.extend(
        [
            misbehaviours.refuses(422, "validation_error"),
            misbehaviours.well,
            misbehaviours.refuses(429, "daily_quota_exceeded"),
        ]
    )
    outcomes, stopped = deliver(harness, messages)
    kinds = [type(outcome) for outcome in outcomes]
    assert [Accepted, Accepted, Deferred, Deferred] == kinds
    assert stopped is not None


def test_who_was_refused_before_the_account_was_stays_refused(harness: ResendHarness) -> None:
    refused = misbehaviours.refuses(422, "validation_error")
    harness.server.script.extend([refused, refused, refused])
    harness.server.always = misbehaviours.refuses(429, "daily_quota_exceeded")
    outcomes, _ = deliver(harness, crowd(4))
    kinds = [type(outcome) for outcome in outcomes]
    assert [Rejected, Deferred, Deferred, Deferred] == kinds


def test_the_rate_is_read_from_an_answer(harness: ResendHarness) -> None:
    asked = {"ratelimit-limit": "10"}
    harness.server.script.append(misbehaviours.refuses(422, "validation_error", asked))
    transport = harness.transport()
    session = transport.open()
    for address in (ANNA, BOB, CLAIRE):
        session.deliver(letters(address), RecordingJournal())
    session.close()
    assert [0.5, 0.1] == pytest.approx(harness.clock.slept)


ANSWERS = st.builds(
    Answer,
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(["content-type", "retry-after", "ratelimit-reset"]),
        st.sampled_from(["application/json", "text/html", "9" * 5000, "1e999", "-1"]) | st.text(),
    ),
    st.none()
    | st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["name", "message", "data", "id"]), inner)
        ),
    ).map(canonical_json),
)


@given(ANSWERS)
@example(Answer(422, {"content-type": "application/json"}, b"[" * 100_000))
@example(Answer(200, {"content-type": "application/json"}, b"9" * 5000))
@example(Answer(429, {"retry-after": "Wed, 01 Mar 99999999999 09:00:00 GMT"}, b"{}"))
def test_whatever_comes_back_has_a_meaning_and_no_success_is_a_refusal(answer: Answer) -> None:
    verdict = read_answer(answer, now=FrozenClock().now())
    if not 400 <= answer.status < 500 or answer.json() is None:
        assert isinstance(verdict, Taken | Ambiguous)
    if isinstance(verdict, Taken):
        assert 200 <= answer.status < 300


def test_silence_between_two_halves_leaves_only_that_half_in_doubt(harness: ResendHarness) -> None:
    messages = crowd(4)
    harness.server.script.append(misbehaviours.refuses(422, "validation_error"))
    harness.server.always = misbehaviours.cut_after_taking
    outcomes, _ = deliver(harness, messages)
    kinds = [type(outcome) for outcome in outcomes]
    assert [InDoubt, InDoubt, Deferred, Deferred] == kinds


def test_addresses_with_non_ascii_letters_are_refused_without_asking(
    harness: ResendHarness,
) -> None:
    outcomes, _ = deliver(harness, letters("почта@a.example", ANNA))
    assert isinstance(outcomes[0], Rejected)
    assert isinstance(outcomes[1], Accepted)
    assert [Rejected("Resend takes no addresses with non-ASCII letters.")] == deliver(
        harness, letters("почта@b.example")
    )[0]


def test_the_same_batch_has_the_same_key_and_another_another() -> None:
    assert idempotency_key(letters(ANNA, BOB)) == idempotency_key(letters(ANNA, BOB))
    others = [letters(ANNA), letters(BOB, ANNA), letters(ANNA, CLAIRE), letters(ANNA, text="x\n")]
    assert len({idempotency_key(each) for each in [letters(ANNA, BOB), *others]}) == 5
    assert len(idempotency_key(crowd(100))) <= 256


def test_a_batch_sent_again_by_another_process_mails_nobody_twice(harness: ResendHarness) -> None:
    first, _ = deliver(harness, letters(ANNA, BOB))
    second, _ = deliver(harness, letters(ANNA, BOB))
    assert first == second


def test_requests_of_all_sessions_keep_to_the_rate(harness: ResendHarness) -> None:
    transport = harness.transport()
    sessions = [transport.open(), transport.open()]
    for number in range(6):
        sessions[number % 2].deliver(letters(f"r{number}@a.example"), RecordingJournal())
    for session in sessions:
        session.close()
    assert [0.5] * 5 == harness.clock.slept


def test_the_rate_is_what_the_answers_tell(harness: ResendHarness) -> None:
    clock = FrozenClock()
    turns = Turns(2, clock)
    turns.learn(10)
    turns.learn(101)
    turns.learn(0)
    for _ in range(3):
        turns.take()
    assert [0.1, 0.1] == pytest.approx(clock.slept)


def test_the_attempt_is_asked_for_once_before_the_first_request(harness: ResendHarness) -> None:
    asked: list[int] = []

    def allow(messages: Sequence[object]) -> bool:
        asked.append(len(messages))
        assert not harness.server.requests
        return True

    harness.refuse(BOB)
    session = harness.transport().open()
    session.deliver(letters(ANNA, BOB, CLAIRE), RecordingJournal(allow=allow))
    session.close()
    assert [3] == asked


def test_a_message_that_cannot_be_written_down_harms_nobody(harness: ResendHarness) -> None:
    journal = RecordingJournal()
    broken = FakeMessage(Address.parse(BOB), to_name="Bob\r\nBcc: eve@e.example")
    with pytest.raises(ValueError, match="CR or LF"):
        through(harness, [*letters(ANNA), broken], journal)
    assert not journal.waiting.is_set()
    assert not harness.server.requests


def test_letters_with_files_are_refused_before_anything_is_asked_for(
    harness: ResendHarness,
) -> None:
    """A batch would lose them, and say nothing (github.com/resend/resend-node/issues/409)."""
    picture = Enclosure("map.png", "image/png", b"png", "map.png@news.example")
    letter = composer(replace(EDITION, enclosures=(picture,))).compose(reader(), date=DATE)
    journal, session = RecordingJournal(), harness.transport().open()
    with pytest.raises(ConfigError, match=r"\[delivery\] transport.*takes no files"):
        session.deliver([letter], journal)
    session.close()
    assert not journal.waiting.is_set()
    assert not journal.outcomes
    assert not harness.server.requests


@pytest.mark.parametrize("inside", ['pictures = "inline"', 'downloads = "attach"'])
def test_settings_that_would_lose_files_are_refused_with_the_remedy(
    tmp_path: Path, inside: str
) -> None:
    file = tmp_path / "newsletter.toml"
    resend = 'transport = "resend"\n[resend]\napi_key = { env = "RESEND_API_KEY" }'
    file.write_text(f"{SETTINGS}{resend}\n[mail]\n{inside}\n")
    with pytest.raises(ConfigError, match='write pictures = "hosted" and downloads = "link"'):
        load_settings(file)
    file.write_text(f"{SETTINGS}[mail]\n{inside}\n")
    assert "mailbox" == load_settings(file).delivery.transport


@pytest.mark.parametrize("key", ["", "re_\nX-Evil: 1", "re_ 1", "ключ"])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ResendTransport(settings("https://api.resend.com"), api_key=key, clock=FrozenClock())
    assert not key or key not in str(caught.value)


def test_the_key_never_travels_in_the_open() -> None:
    with pytest.raises(ConfigError, match="https"):
        ResendTransport(settings("http://api.resend.com"), api_key="re_1", clock=FrozenClock())


def test_the_key_stands_in_no_log_and_no_error(
    harness: ResendHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    harness.server.always = misbehaviours.cut_after_taking
    outcomes, stopped = deliver(harness, letters(ANNA))
    assert API_KEY not in f"{caplog.text} {outcomes} {stopped}"
    assert caplog.records


@contextlib.contextmanager
def prism() -> Iterator[str]:
    """Prism with Resend's own specification; it answers 422 to what does not fit."""
    command, file = npm_program("prism"), spec("resend.yaml")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    arguments = [command, "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(file)]
    started = threading.Event()

    def read(lines: IO[bytes]) -> None:
        for line in lines:
            if b"listening" in line:
                started.set()

    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            assert started.wait(timeout=60), "Prism did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)
            reader.join(timeout=20)


@pytest.mark.needs_prism
def test_the_vendors_own_specification_takes_our_request() -> None:
    messages = [
        *letters(ANNA, BOB),
        FakeMessage(Address.parse("zoe@a.example"), to_name="Zoë, «Зоя»"),
    ]
    with prism() as url:
        journal = RecordingJournal()
        transport = ResendTransport(
            settings(url).model_copy(update={"timeout_s": 30}),
            api_key=API_KEY,
            clock=FrozenClock(),
        )
        session = transport.open()
        session.deliver(messages, journal)
        session.close()
        # Prism answers with one example id, whatever was asked.
        kinds = [type(journal.outcome(message)) for message in messages]
        assert [Accepted, InDoubt, InDoubt] == kinds
        assert [] == journal.breaches
        # The judge is awake: without its “to” the same letter is refused.
        import requests

        refused = requests.post(
            f"{url}/emails/batch",
            json=[{"from": "a@a.example", "subject": "x"}],
            headers={"Authorization": "Bearer x"},
            timeout=30,
        )
        assert 422 == refused.status_code
