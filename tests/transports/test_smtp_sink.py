"""The transport against a server we did not write: Postfix's smtp-sink."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from newsletter.config import Smtp
from newsletter.testing import FakeMessage, FrozenClock, RecordingJournal, fake_messages
from newsletter.transports.protocol import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from newsletter.transports.smtp import SmtpTransport

from tests.support.smtp_sink import Sink, smtp_sink
from tests.transports.contract import ANNA, BOB, CLAIRE, TransportContract, deliver, judge

pytestmark = pytest.mark.needs_smtp_sink

PIPELINING = [pytest.param((), id="pipelining"), pytest.param(("-p",), id="one by one")]


class SinkHarness:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def transport(self) -> SmtpTransport:
        settings = Smtp(
            host="127.0.0.1",
            port=self.sink.port,
            security="none",
            timeout_s=5,
            final_timeout_s=5,
        )
        return SmtpTransport(
            settings, credentials=[None], client_name="news.example", clock=FrozenClock()
        )

    def taken(self) -> Counter[str]:
        return self.sink.copies()


Starts = Callable[..., SinkHarness]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starts]:
    numbers = itertools.count(1)
    with ExitStack() as sinks:
        yield lambda *arguments: SinkHarness(
            sinks.enter_context(smtp_sink(tmp_path / f"sink{next(numbers)}", *arguments))
        )


class TestSink(TransportContract):
    @pytest.fixture(params=PIPELINING)
    def harness(self, request: pytest.FixtureRequest, start: Starts) -> SinkHarness:
        return start(*request.param)


def outcomes(
    harness: SinkHarness, *messages: FakeMessage, judged: bool = True
) -> list[Outcome | None]:
    journal = RecordingJournal()
    deliver(harness, messages, journal)
    if judged:
        judge(harness, messages, journal)
    return [journal.outcome(message) for message in messages]


@pytest.mark.parametrize("more", PIPELINING)
def test_who_is_cut_off_after_the_dot_is_in_doubt_and_the_sink_has_as_many(
    start: Starts, more: tuple[str, ...]
) -> None:
    harness = start("-q", ".", *more)
    (found,) = outcomes(harness, *fake_messages(ANNA))
    assert isinstance(found, InDoubt)
    assert Counter([ANNA]) == harness.taken()


def test_each_cut_after_the_dot_is_one_doubt_and_four_of_them_end_the_session(
    start: Starts,
) -> None:
    harness = start("-q", ".")
    found = outcomes(harness, *fake_messages(*(f"r{number}@a.example" for number in range(7))))
    assert [True] * 4 == [isinstance(one, InDoubt) for one in found[:4]]
    assert [None] * 3 == found[4:]
    assert 4 == sum(harness.taken().values())


@pytest.mark.parametrize("more", PIPELINING)
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_cut_before_the_dot_is_never_a_doubt(
    start: Starts, command: str, more: tuple[str, ...]
) -> None:
    harness = start("-q", command, *more)
    found = outcomes(harness, *fake_messages(ANNA, BOB, CLAIRE))
    assert [one for one in found if isinstance(one, Deferred)]
    assert not [one for one in found if isinstance(one, Accepted | InDoubt | Rejected)]
    assert Counter() == harness.taken()


@pytest.mark.parametrize("more", PIPELINING)
@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_421_before_the_dot_makes_everybody_wait(
    start: Starts, command: str, more: tuple[str, ...]
) -> None:
    harness = start("-Q", command, *more)
    first, *others = outcomes(harness, *fake_messages(ANNA, BOB, CLAIRE))
    assert isinstance(first, Deferred)
    assert Scope.ACCOUNT is first.scope
    assert first.reply.startswith("421 ")
    assert [None, None] == others
    assert Counter() == harness.taken()


@pytest.mark.parametrize("more", PIPELINING)
def test_a_421_after_the_dot_makes_everybody_wait(start: Starts, more: tuple[str, ...]) -> None:
    harness = start("-Q", ".", *more)
    # Not judged: the sink keeps what it refused only after the dot.
    anna, bob = outcomes(harness, *fake_messages(ANNA, BOB), judged=False)
    assert isinstance(anna, Deferred)
    assert Scope.ACCOUNT is anna.scope
    assert bob is None


FOR_GOOD, FOR_NOW = "500 5.3.0 Error: command failed", "450 4.3.0 Error: command failed"


@pytest.mark.parametrize("more", PIPELINING)
@pytest.mark.parametrize(
    ("option", "command", "outcome"),
    [
        ("-f", "MAIL", Rejected(FOR_GOOD, Scope.CAMPAIGN)),
        ("-f", "RCPT", Rejected(FOR_GOOD)),
        ("-f", "DATA", Rejected(FOR_GOOD)),
        ("-f", ".", Rejected(FOR_GOOD)),
        ("-r", "MAIL", Deferred(FOR_NOW, Scope.ACCOUNT)),
        ("-r", "RCPT", Deferred(FOR_NOW, Scope.ACCOUNT)),
        ("-r", "DATA", Deferred(FOR_NOW, Scope.ACCOUNT)),
        ("-r", ".", Deferred(FOR_NOW, Scope.ACCOUNT)),
    ],
)
def test_a_refusal_is_recorded_in_the_sinks_words_and_ends_the_batch_unless_it_is_one_recipients(
    start: Starts, option: str, command: str, outcome: Rejected | Deferred, more: tuple[str, ...]
) -> None:
    kept_all_the_same = command == "."
    found = outcomes(
        start(option, command, *more), *fake_messages(ANNA, BOB), judged=not kept_all_the_same
    )
    assert [outcome, outcome if outcome.scope is Scope.RECIPIENT else None] == found


def test_a_sink_that_is_slow_now_and_then_has_everybody_once(start: Starts) -> None:
    harness = start("-W", ".:1:3", "-p")
    found = outcomes(harness, *fake_messages(*(f"r{number}@a.example" for number in range(6))))
    assert all(isinstance(one, Accepted) for one in found)
    assert 6 == sum(harness.taken().values())


def test_a_sink_that_answers_what_stands_behind_a_dot_first_is_not_believed(start: Starts) -> None:
    # So smtp-sink does when it is to be slow and takes commands together.
    found = outcomes(start("-W", ".:1"), *fake_messages(ANNA, BOB))
    assert isinstance(found[0], InDoubt)
    assert "replies do not match the commands" in found[0].reason


def test_an_answer_that_comes_before_the_body_ends_is_no_acceptance(start: Starts) -> None:
    harness = start("-A", "0")
    found = outcomes(harness, *fake_messages(ANNA, BOB, text="x" * 60 + "\n" * 3000))
    assert not [one for one in found if isinstance(one, Accepted)]
    assert Counter() == harness.taken()


def test_a_server_that_ends_after_three_messages_has_three_and_nobody_is_lost(
    start: Starts,
) -> None:
    harness = start("-M", "3")
    found = outcomes(harness, *fake_messages(*(f"r{number}@a.example" for number in range(6))))
    taken = sum(harness.taken().values())
    assert 3 == taken == sum(isinstance(one, Accepted | InDoubt) for one in found)
