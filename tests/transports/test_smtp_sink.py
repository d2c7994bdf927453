"""The transport against a server we did not write: Postfix's smtp-sink."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from newsletter.config import Smtp
from newsletter.testing import FakeMessage, RecordingJournal, letters
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
        return SmtpTransport(settings, password=None, client_name="news.example")

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
    (found,) = outcomes(harness, *letters(ANNA))
    assert isinstance(found, InDoubt)
    assert Counter([ANNA]) == harness.taken()


def test_each_cut_after_the_dot_is_one_doubt_and_four_of_them_end_the_session(
    start: Starts,
) -> None:
    harness = start("-q", ".")
    found = outcomes(harness, *letters(*(f"r{number}@a.example" for number in range(7))))
    assert [True] * 4 == [isinstance(one, InDoubt) for one in found[:4]]
    assert [None] * 3 == found[4:]
    assert 4 == sum(harness.taken().values())


@pytest.mark.parametrize("more", PIPELINING)
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_cut_or_a_421_before_the_dot_is_never_a_doubt(
    start: Starts, command: str, more: tuple[str, ...]
) -> None:
    for option in ("-q", "-Q"):
        harness = start(option, command, *more)
        found = outcomes(harness, *letters(ANNA, BOB, CLAIRE))
        assert not [one for one in found if isinstance(one, Accepted | InDoubt | Rejected)]
        assert Counter() == harness.taken()


def test_a_421_after_the_dot_is_a_delay(start: Starts) -> None:
    harness = start("-Q", ".")
    # Not judged: the sink keeps what it refused only after the dot.
    found = outcomes(harness, *letters(ANNA, BOB), judged=False)
    assert [True, True] == [isinstance(one, Deferred) for one in found]


@pytest.mark.parametrize(
    ("option", "command", "outcome"),
    [
        ("-f", "MAIL", Rejected("500 5.3.0 Error: command failed", Scope.CAMPAIGN)),
        ("-f", "RCPT", Rejected("500 5.3.0 Error: command failed")),
        ("-f", "DATA", Rejected("500 5.3.0 Error: command failed")),
        ("-f", ".", Rejected("500 5.3.0 Error: command failed")),
        ("-r", "MAIL", Deferred("450 4.3.0 Error: command failed")),
        ("-r", "RCPT", Deferred("450 4.3.0 Error: command failed")),
        ("-r", "DATA", Deferred("450 4.3.0 Error: command failed")),
        ("-r", ".", Deferred("450 4.3.0 Error: command failed")),
    ],
)
def test_a_refusal_is_recorded_in_the_sinks_words(
    start: Starts, option: str, command: str, outcome: Outcome
) -> None:
    kept_all_the_same = command == "."
    found = outcomes(start(option, command), *letters(ANNA, BOB), judged=not kept_all_the_same)
    assert [outcome, outcome] == found


def test_an_answer_that_comes_before_the_body_ends_is_no_acceptance(start: Starts) -> None:
    harness = start("-A", "0")
    found = outcomes(harness, *letters(ANNA, BOB, text="x" * 60 + "\n" * 3000))
    assert not [one for one in found if isinstance(one, Accepted)]
    assert Counter() == harness.taken()


def test_a_server_that_ends_after_three_messages_has_three_and_nobody_is_lost(
    start: Starts,
) -> None:
    harness = start("-M", "3")
    found = outcomes(harness, *letters(*(f"r{number}@a.example" for number in range(6))))
    taken = sum(harness.taken().values())
    assert 3 == taken == sum(isinstance(one, Accepted | InDoubt) for one in found)
