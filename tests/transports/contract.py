"""What every transport must do, as tests to inherit.

Subclass :class:`TransportContract` in ``test_<name>.py`` and give it a fixture
``harness``; a transport that talks to somebody else's server subclasses
:class:`RemoteContract`, which adds what such a server may do::

    class TestSmtp(RemoteContract):
        @pytest.fixture
        def harness(self) -> Iterator[SmtpHarness]:
            with SmtpServer() as server:
                yield SmtpHarness(server)

The harness is the server's side. Each of its methods that changes how the
server behaves is called before the first ``deliver``. The server counts what
it took; against that count the journal is judged.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from newsletter.errors import TransportStopped
from newsletter.testing import FakeMessage, RecordingJournal, fake_messages
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Rejected,
    Transport,
)

ANNA, BOB, CLAIRE = "anna@a.example", "bob@b.example", "claire@c.example"


class Harness(Protocol):
    """A server that behaves until it is told otherwise, and the way to it."""

    def transport(self) -> Transport:
        """A new transport that talks to the server."""

    def taken(self) -> Counter[str]:
        """How many letters the server took responsibility for, by recipient."""


class RemoteHarness(Harness, Protocol):
    """A server that can be told to misbehave."""

    def cut_after_taking(self) -> None:
        """At the first act that makes it responsible, the server takes it and hangs up."""

    def cut_before_taking(self) -> None:
        """Once, the server hangs up before it could be responsible for anything."""

    def refuse(self, address: str) -> None:
        """The server refuses letters to ``address`` for good."""

    def refuse_login(self) -> None:
        """The server refuses the account."""

    def vanish(self) -> None:
        """Nobody listens any more."""


def deliver(
    harness: Harness, messages: Sequence[FakeMessage], journal: RecordingJournal
) -> TransportStopped | None:
    """One session's work; the error with which it ended, if it did."""
    transport = harness.transport()
    session = transport.open()
    try:
        session.deliver(messages, journal)
    except TransportStopped as stopped:
        return stopped
    finally:
        session.close()
        transport.close()
    return None


def judge(harness: Harness, messages: Sequence[FakeMessage], journal: RecordingJournal) -> None:
    """Hold the journal against the server's own count."""
    assert [] == journal.breaches
    taken = harness.taken()
    for message in messages:
        copies, outcome = taken[str(message.envelope_to)], journal.outcome(message)
        assert copies <= 1, f"{message.envelope_to} has {copies} copies"
        if isinstance(outcome, Accepted):
            assert 1 == copies, f"{message.envelope_to} is said to be taken, and is not"
        elif not isinstance(outcome, InDoubt):
            assert 0 == copies, f"{message.envelope_to} was taken, and is recorded as {outcome}"


class TransportContract:
    """For every transport. Subclasses define the fixture ``harness``."""

    def test_each_message_is_taken_once_and_recorded_once(self, harness: Harness) -> None:
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB, CLAIRE)
        assert deliver(harness, messages, journal) is None
        judge(harness, messages, journal)
        assert Counter([ANNA, BOB, CLAIRE]) == harness.taken()
        for message in messages:
            outcome = journal.outcome(message)
            assert isinstance(outcome, Accepted)
            assert outcome.reply

    def test_a_session_serves_several_batches(self, harness: Harness) -> None:
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB, CLAIRE)
        transport = harness.transport()
        session = transport.open()
        for message in messages:
            session.deliver([message], journal)
        session.close()
        transport.close()
        judge(harness, messages, journal)
        assert Counter([ANNA, BOB, CLAIRE]) == harness.taken()

    def test_nothing_is_taken_before_the_attempt_is_durable(self, harness: Harness) -> None:
        journal, messages = RecordingJournal(held=True), fake_messages(ANNA)
        worker = threading.Thread(target=deliver, args=(harness, messages, journal), daemon=True)
        worker.start()
        assert journal.waiting.wait(timeout=20)
        assert not _appears(harness, within_s=0.2)
        journal.release()
        worker.join(timeout=20)
        assert not worker.is_alive()
        judge(harness, messages, journal)
        assert Counter([ANNA]) == harness.taken()

    def test_when_the_ticket_says_no_nothing_is_taken_and_nothing_recorded(
        self, harness: Harness
    ) -> None:
        journal, messages = RecordingJournal(allow=lambda _: False), fake_messages(ANNA, BOB)
        deliver(harness, messages, journal)
        judge(harness, messages, journal)
        assert not _appears(harness, within_s=0.2)
        assert not journal.outcomes

    def test_a_message_that_may_not_go_does_not_take_others_with_it(self, harness: Harness) -> None:
        messages = fake_messages(ANNA, BOB, CLAIRE)
        journal = RecordingJournal(allow=lambda batch: messages[1] not in batch)
        deliver(harness, messages, journal)
        judge(harness, messages, journal)
        assert 0 == harness.taken()[BOB]
        assert journal.outcome(messages[1]) is None

    def test_nobody_connects_before_there_is_something_to_deliver(self, harness: Harness) -> None:
        transport = harness.transport()
        transport.open().close()
        transport.close()
        assert Counter() == harness.taken()

    def test_closing_twice_does_no_harm(self, harness: Harness) -> None:
        transport = harness.transport()
        session = transport.open()
        session.deliver(fake_messages(ANNA), RecordingJournal())
        for _ in range(2):
            session.close()
        for _ in range(2):
            transport.close()

    def test_several_sessions_work_side_by_side(self, harness: Harness) -> None:
        journal = RecordingJournal()
        transport = harness.transport()
        messages = [
            fake_messages(*(f"r{number}@{side}.example" for number in range(5))) for side in "abc"
        ]

        def work(batch: list[FakeMessage]) -> None:
            session = transport.open()
            session.deliver(batch, journal)
            session.close()

        workers = [threading.Thread(target=work, args=(batch,)) for batch in messages]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=30)
        transport.close()
        everyone = [message for batch in messages for message in batch]
        judge(harness, everyone, journal)
        assert len(everyone) == sum(harness.taken().values())

    def test_the_transport_names_itself_and_its_batch(self, harness: Harness) -> None:
        transport = harness.transport()
        assert transport.name.islower()
        assert transport.batch_size >= 1
        transport.close()


class RemoteContract(TransportContract):
    """For transports that hand mail to a server of somebody else."""

    def test_a_line_cut_after_the_server_took_it_is_no_refusal(
        self, harness: RemoteHarness
    ) -> None:
        harness.cut_after_taking()
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB, CLAIRE)
        deliver(harness, messages, journal)
        judge(harness, messages, journal)
        assert 1 == harness.taken()[ANNA]
        assert isinstance(journal.outcome(messages[0]), InDoubt | Accepted)

    def test_a_line_cut_before_loses_nobody(self, harness: RemoteHarness) -> None:
        harness.cut_before_taking()
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB, CLAIRE)
        deliver(harness, messages, journal)
        judge(harness, messages, journal)
        for message in messages:
            assert not isinstance(journal.outcome(message), Rejected)

    def test_when_nobody_listens_nobody_is_lost(self, harness: RemoteHarness) -> None:
        harness.vanish()
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB)
        stopped = deliver(harness, messages, journal)
        assert [] == journal.breaches
        for message in messages:
            outcome = journal.outcome(message)
            assert outcome is None or isinstance(outcome, Deferred)
        _tells(stopped)

    def test_one_refused_recipient_stops_nobody_else(self, harness: RemoteHarness) -> None:
        harness.refuse(BOB)
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB, CLAIRE)
        assert deliver(harness, messages, journal) is None
        judge(harness, messages, journal)
        assert isinstance(journal.outcome(messages[1]), Rejected)
        assert Counter([ANNA, CLAIRE]) == harness.taken()

    def test_a_refused_account_stops_the_run_and_loses_nobody(self, harness: RemoteHarness) -> None:
        harness.refuse_login()
        journal, messages = RecordingJournal(), fake_messages(ANNA, BOB)
        stopped = deliver(harness, messages, journal)
        judge(harness, messages, journal)
        for message in messages:
            outcome = journal.outcome(message)
            assert outcome is None or isinstance(outcome, Deferred)
        _tells(stopped)


def _tells(stopped: TransportStopped | None) -> None:
    """The run is stopped, with words a person can act on."""
    assert stopped is not None
    assert stopped.what
    assert stopped.next


def _appears(harness: Harness, *, within_s: float) -> bool:
    """Whether the server takes anything; there is no event for what must not happen."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if harness.taken():
            return True
        threading.Event().wait(0.01)
    return False
