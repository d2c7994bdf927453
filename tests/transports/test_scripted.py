"""The double that ships keeps the contract that it is used to test others against."""

from collections import Counter

import pytest
from newsletter.errors import TransportStopped
from newsletter.message.model import Message
from newsletter.testing import RecordingJournal, ScriptedTransport, accept_all, fake_messages
from newsletter.transports.protocol import Accepted, InDoubt, Outcome, Rejected

from tests.transports.contract import ANNA, BOB, CLAIRE, RemoteContract


class ScriptedHarness:
    def __init__(self) -> None:
        self._refused: set[str] = set()
        self._once: Outcome | TransportStopped | None = None
        self._always: TransportStopped | None = None
        self._taken: Counter[str] = Counter()

    def transport(self) -> ScriptedTransport:
        transport = ScriptedTransport(self._script)
        self._taken = transport.copies
        return transport

    def taken(self) -> Counter[str]:
        return self._taken

    def _script(self, message: Message, attempt: int) -> Outcome | TransportStopped:
        if self._always:
            return self._always
        if str(message.envelope_to) in self._refused:
            return Rejected("550 no")
        once, self._once = self._once, None
        return once or accept_all(message, attempt)

    def cut_after_taking(self) -> None:
        self._once = InDoubt("the line was cut")

    def cut_before_taking(self) -> None:
        self._once = TransportStopped("The line was cut.")

    def refuse(self, address: str) -> None:
        self._refused.add(address)

    def refuse_login(self) -> None:
        self._always = TransportStopped("Wrong password.", next="Mend it.")

    def vanish(self) -> None:
        self._always = TransportStopped("Nobody there.", next="Call them.")


class TestScripted(RemoteContract):
    @pytest.fixture
    def harness(self) -> ScriptedHarness:
        return ScriptedHarness()


def test_the_journal_notes_what_a_transport_does_against_the_protocol() -> None:
    anna, bob, claire = fake_messages(ANNA, BOB, CLAIRE)
    journal = RecordingJournal(allow=lambda batch: bob not in batch)
    journal.record(anna, Accepted("250"))
    journal.record(anna, Rejected("550"))
    journal.attempt([bob]).wait()
    journal.record(bob, Rejected("550"))
    journal.attempt([claire]).wait()
    journal.record(claire, InDoubt("cut"))
    assert [ANNA, ANNA, BOB] == [breach.split(": ")[0] for breach in journal.breaches]
