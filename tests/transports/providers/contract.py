"""What every provider must do, as tests to inherit; docs/adding-a-provider.md.

Subclass :class:`ProviderContract` in ``test_<name>.py`` and give it a fixture
``harness``::

    class TestPostmark(ProviderContract):
        @pytest.fixture
        def harness(self) -> Iterator[ProviderHarness]:
            with provider_harness("postmark", PostmarkSide()) as harness:
                yield harness
"""

import base64
import logging

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from newsletter.errors import ConfigError
from newsletter.testing import FrozenClock, fake_messages
from newsletter.transports.api_result import Ambiguous, Each, Taken
from newsletter.transports.http_values import Response, canonical_json
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Rejected, Scope
from newsletter.transports.redaction import Redactor
from newsletter.transports.verification import redacted, verified

from tests.support import http_server as misbehaviours
from tests.support.http_server import Misbehaviour, Reply, Request, says, says_after_taking
from tests.transports.contract import ANNA, BOB, CLAIRE, RemoteContract
from tests.transports.providers.harness import (
    ProviderHarness,
    crowd,
    deliver,
    provider_of,
    secret_names,
)

WORDS = [
    "name", "message", "data", "id", "errors", "responses", "success", "Messages", "Status",
    "ErrorCode", "MessageID", "Message", "message_id", "status", "details", "accepted", "index",
    "emails", "messageIds", "code", "type", "__type",
]  # fmt: skip

ANSWERS = st.builds(
    Response,
    st.sampled_from([200, 202, 400, 401, 403, 409, 413, 422, 429, 500]) | st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(["content-type", "retry-after", "ratelimit-reset", "x-message-id"]),
        st.sampled_from(["application/json", "text/html", "9" * 5000, "1e999", "-1"]) | st.text(),
    ),
    st.none()
    | st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(WORDS), inner),
        max_leaves=12,
    ).map(canonical_json),
)


def echoing(reply: Reply, words: str) -> Reply:
    """A reply with ``words`` behind each of its texts."""

    def more(value: object) -> object:
        if isinstance(value, str):
            return f"{value} {words}"
        if isinstance(value, list):
            return [more(each) for each in value]
        if isinstance(value, dict):
            return {name: more(each) for name, each in value.items()}
        return value

    return Reply(reply.status, more(reply.value), reply.headers)


class ProviderContract(RemoteContract):
    """For every provider. Subclasses define the fixture ``harness``."""

    @pytest.mark.parametrize(
        "misbehaviour",
        [
            misbehaviours.cut_before_reading,
            misbehaviours.cut_before_taking,
            misbehaviours.cut_after_taking,
            misbehaviours.garbage_after_taking,
            misbehaviours.gateway_page(502),
            misbehaviours.gateway_page(404),
            misbehaviours.gateway_page(403),
            misbehaviours.gateway_page(429),
            misbehaviours.redirect,
        ],
    )
    def test_what_says_nothing_of_the_mail_leaves_one_call_in_doubt_or_mails_once(
        self, harness: ProviderHarness, misbehaviour: Misbehaviour
    ) -> None:
        harness.server.script.append(misbehaviour)
        outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
        self._one_call_at_most(harness, outcomes, stopped)

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    def test_the_providers_own_failure_is_no_refusal(
        self, harness: ProviderHarness, status: int
    ) -> None:
        harness.server.script.append(says_after_taking(harness.side.broken(status)))
        outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
        self._one_call_at_most(harness, outcomes, stopped)

    @staticmethod
    def _one_call_at_most(harness: ProviderHarness, outcomes: object, stopped: object) -> None:
        provider = harness.provider()
        assert isinstance(outcomes, list)
        doubtful = [outcome for outcome in outcomes if isinstance(outcome, InDoubt)]
        if provider.key_lifetime_s:
            assert [] == doubtful
            assert None is stopped
            assert 3 == sum(harness.taken().values())
            keys = [harness.side.key(request) for request in harness.server.requests[:2]]
            assert keys[0]
            assert keys[0] == keys[1]
        else:
            assert min(3, provider.batch_size) == len(doubtful)
            assert stopped is not None
            assert 1 == len(harness.server.requests)

    @pytest.mark.parametrize("seconds", [1, 40, 600])
    def test_too_fast_is_passed_on_with_the_pause_asked_for_and_blames_nobody(
        self, harness: ProviderHarness, seconds: int
    ) -> None:
        headers = {"Retry-After": str(seconds)}
        harness.server.always = says(harness.side.too_fast(headers))
        outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
        assert None is stopped
        assert isinstance(outcomes[0], Deferred)
        assert (Scope.ACCOUNT, seconds) == (outcomes[0].scope, outcomes[0].retry_after_s)
        assert {None, outcomes[0]} >= set(outcomes)
        assert 1 == len(harness.server.requests)
        assert [] == harness.clock.slept

    def test_whom_an_answer_leaves_out_is_not_called_accepted(
        self, harness: ProviderHarness
    ) -> None:
        harness.server.always = misbehaviours.one_result_short_after_taking
        outcomes, _ = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
        assert not any(isinstance(outcome, Rejected | Deferred) for outcome in outcomes)

    def test_an_answer_for_too_many_gives_nobody_a_strangers_id(
        self, harness: ProviderHarness
    ) -> None:
        harness.server.always = misbehaviours.one_result_more_after_taking
        outcomes, _ = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
        for number, outcome in enumerate(outcomes):
            assert not isinstance(outcome, Rejected | Deferred)
            if isinstance(outcome, Accepted):
                assert outcome.provider_id in {None, f"id-{number}"}

    @pytest.mark.parametrize(
        "misbehaviour",
        [
            misbehaviours.truncated_after_taking,
            misbehaviours.broken_chunks_after_taking,
            misbehaviours.no_json_after_taking,
        ],
    )
    def test_a_success_that_breaks_off_is_never_a_refusal(
        self, harness: ProviderHarness, misbehaviour: Misbehaviour
    ) -> None:
        harness.server.script.append(misbehaviour)
        outcomes, _ = deliver(harness, fake_messages(ANNA, BOB, CLAIRE))
        assert isinstance(outcomes[0], Accepted | InDoubt)

    def test_a_full_call_is_accepted_each_with_its_own_id(self, harness: ProviderHarness) -> None:
        count = min(harness.provider().batch_size, 50)
        outcomes, stopped = deliver(harness, crowd(count))
        assert None is stopped
        assert 1 == len(harness.server.requests)
        for number, outcome in enumerate(outcomes):
            assert isinstance(outcome, Accepted)
            assert outcome.provider_id in {None, f"id-{number}"}

    def test_the_same_letters_make_the_same_body(self, harness: ProviderHarness) -> None:
        provider = harness.provider()
        group = fake_messages(ANNA, BOB, CLAIRE)[: provider.batch_size]
        bodies = {
            provider.request([provider.message(each) for each in group], "k").body for _ in range(2)
        }
        assert 1 == len(bodies)

    def test_secrets_stand_in_no_log_and_no_error(
        self, harness: ProviderHarness, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        harness.server.script.append(misbehaviours.cut_after_taking)
        harness.server.always = says(harness.side.locked_out())
        outcomes, stopped = deliver(harness, fake_messages(ANNA))
        for secret in harness.secrets.values():
            assert secret not in f"{caplog.text} {outcomes} {stopped} {harness.transport().place}"
        assert caplog.records

    @pytest.mark.fault("HTTP", "an answer that repeats the key", state="the key is shown nowhere")
    def test_a_provider_that_repeats_the_request_shows_no_secret(
        self, harness: ProviderHarness
    ) -> None:
        def repeats(request: Request) -> None:
            request.read()
            told = " ".join(f"{name}: {value}" for name, value in request.headers.items())
            reply = harness.side.locked_out()
            bare = isinstance(reply.value, bytes)
            request.say(echoing(harness.side.too_fast({}) if bare else reply, told))

        harness.server.always = repeats
        outcomes, stopped = deliver(harness, fake_messages(ANNA, BOB))
        words = f"{outcomes} {stopped}"
        assert "[secret]" in words
        (request, *_) = harness.server.requests
        _, proof, signature = request.headers.get("authorization", "").rpartition("Signature=")
        for secret in [*harness.secrets.values(), *([signature] if proof else [])]:
            assert secret not in words
            assert base64.b64encode(secret.encode()).decode()[2:-4] not in words

    @pytest.mark.fault("HTTP", "2xx without the ids that are promised", state="in_doubt")
    @pytest.mark.parametrize(
        "body", [None, b"", b"okay", b"null", b"{}", b"[]", b'{"data":[]}', b'{"x":NaN}', b"[" * 99]
    )
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_a_success_without_the_ids_that_are_promised_is_doubt(
        self, harness: ProviderHarness, status: int, body: bytes | None
    ) -> None:
        provider = harness.provider()
        group = [provider.message(each) for each in fake_messages(ANNA, BOB)][: provider.batch_size]
        answer = Response(status, {"content-type": "application/json"}, body)
        verdict = verified(provider.read(answer, group), group, title=provider.title)
        assert isinstance(verdict, Ambiguous | Each)
        results = verdict.results if isinstance(verdict, Each) else []
        assert all(isinstance(each, InDoubt) for each in results)

    @pytest.mark.parametrize("secret", ["", "k\nX-Evil: 1", "k 1", "ключ"])
    def test_a_secret_that_is_none_is_refused_without_showing_it(
        self, harness: ProviderHarness, secret: str
    ) -> None:
        for name in secret_names(harness.name):
            with pytest.raises(ConfigError) as caught:
                provider_of(
                    harness.name,
                    secrets={**harness.secrets, name: secret},
                    **harness.settings,
                )
            assert not secret or secret not in str(caught.value)

    @given(answer=ANSWERS, count=st.integers(1, 3))
    @example(Response(422, {"content-type": "application/json"}, b"[" * 100_000), 1)
    @example(Response(200, {"content-type": "application/json"}, b"9" * 5000), 2)
    @example(Response(200, {"content-type": "application/json"}, None), 2)
    @example(Response(429, {"retry-after": "Wed, 01 Mar 99999999999 09:00:00 GMT"}, b"{}"), 1)
    @settings(
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
        max_examples=150,
        deadline=None,
    )
    def test_whatever_comes_back_has_a_meaning_and_no_success_is_a_refusal(
        self, harness: ProviderHarness, answer: Response, count: int
    ) -> None:
        provider = provider_of(
            harness.name, secrets=harness.secrets, clock=FrozenClock(), **harness.settings
        )
        group = [provider.message(each) for each in fake_messages(ANNA, BOB, CLAIRE)[:count]]
        verdict = provider.read(answer, group[: provider.batch_size])
        # Some say 200 and mean no, in JSON of their own.
        may_refuse = 200 <= answer.status < 300 or 400 <= answer.status < 500
        if not may_refuse or answer.json() is None:
            assert isinstance(verdict, Taken | Ambiguous | Each)
        if isinstance(verdict, Taken):
            assert 200 <= answer.status < 300
        told = redacted(
            verified(verdict, group[: provider.batch_size], title="X"), Redactor().redact
        )
        if isinstance(told, Each):
            accepted = [each for each in told.results if isinstance(each, Accepted)]
            assert all(each.provider_id for each in accepted) or harness.name == "mailjet"
