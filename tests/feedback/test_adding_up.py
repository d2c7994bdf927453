"""Letters that keep coming back: how many in a row suppress their reader, and what ends the row."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from newsletter.feedback.apply import apply_events
from newsletter.feedback.event import DeliveryEvent, Kind
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.suppressions import Lift, Reason
from newsletter.ledger.versions import Approved

from tests.ledger.conftest import EDITION, KEYS, NOW, plan_of

TAG = b"tag1"
UNKNOWN = "failed 5.0.0 550 undeliverable"


class Letters:
    """What one reader was sent, and what came of it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def send(self, day: int, *, transport: str = "smtp") -> str:
        """An issue that is accepted on a day; the letter's tag."""
        at = NOW + timedelta(days=day)
        issue = f"issue-{day}"
        now = at
        with self.ledger.transaction():
            campaign = self.ledger.campaigns.freeze(
                plan_of(1, issue=issue), Approved({"en": EDITION}, "{}"), now=at
            )
        with self.ledger.transaction():
            self.ledger.runs.begin(issue, campaign.id, transport=transport, place="relay", now=now)
        with self.ledger.transaction():
            (claim,) = self.ledger.deliveries.claim(campaign.id, run=issue, count=1, now=now)
            assert self.ledger.deliveries.write_ahead([claim], run=issue, now=now)
            self.ledger.deliveries.record(
                claim, Disposition(Step.ACCEPT, "250"), run=issue, now=now
            )
        (row,) = self.ledger.deliveries.of(campaign.id, State.ACCEPTED)
        return row.message_tag

    def comes_back(self, letter: str, said: str = UNKNOWN, *, enough: int = 3) -> int:
        at = NOW + timedelta(days=99)
        event = DeliveryEvent(frozenset({letter}), Kind.RETURNED, at, "bounce report", said)
        campaigns = self.ledger.campaigns.all()
        return apply_events(
            [event], self.ledger, campaigns, now=at, suppress_after=enough
        ).suppressed

    @property
    def is_suppressed(self) -> bool:
        return self.ledger.suppressions.is_suppressed(TAG)


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Letters]:
    with closing(Ledger(tmp_path / "newsletter.db", KEYS)) as ledger:
        yield Letters(ledger)


@pytest.mark.parametrize(
    ("days", "enough", "suppressed"),
    [
        ((0, 7, 14), 3, True),
        ((0, 6, 13), 3, False),
        ((0, 30), 3, False),
        ((0, 30), 2, True),
        ((0, 30, 60), 0, False),
        ((0, 1, 2, 30), 3, True),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_so_many_in_a_row_over_two_weeks_suppress_whatever_order_is_read(
    letters: Letters, days: tuple[int, ...], enough: int, suppressed: bool, order: int
) -> None:
    sent = [letters.send(day) for day in days]
    for letter in sent[::order]:
        letters.comes_back(letter, enough=enough)
    assert suppressed is letters.is_suppressed


def test_all_of_them_are_the_evidence(letters: Letters) -> None:
    sent = [letters.send(day) for day in (0, 10, 20)]
    assert [0, 0, 1] == [letters.comes_back(letter) for letter in sent]
    (leave,) = letters.ledger.suppressions.in_force(TAG)
    assert Reason.BOUNCED is leave.reason
    assert "3 messages in a row came back" == leave.source
    assert sent == [piece["letter"].rpartition(".")[2] for piece in leave.evidence]
    assert {UNKNOWN} == {piece["said"] for piece in leave.evidence}


def test_a_letter_that_did_not_come_back_ends_the_row_and_a_trial_does_not(
    letters: Letters,
) -> None:
    for day in (0, 10, 30):
        letters.comes_back(letters.send(day))
        if day == 10:
            letters.send(20)
    assert not letters.is_suppressed
    letters.send(35, transport="mailbox")
    letters.comes_back(letters.send(40))
    assert not letters.is_suppressed
    letters.comes_back(letters.send(50))
    assert letters.is_suppressed


@pytest.mark.parametrize(
    "said",
    ["failed 5.2.2 552 mailbox full", "failed 5.7.1 550 blocked by policy", "602 Too old",
     "failed 5.2.1 550 receiving mail at a rate that is too high", "soft_bounce", "550 spam"],
)  # fmt: skip
def test_another_cause_is_no_sign(letters: Letters, said: str) -> None:
    for day in (0, 10, 20):
        letters.comes_back(letters.send(day), said)
    assert not letters.is_suppressed


def test_what_a_person_lifted_is_not_counted_again(letters: Letters) -> None:
    for day in (0, 10, 20):
        letters.comes_back(letters.send(day))
    (leave,) = letters.ledger.suppressions.in_force(TAG)
    lifted_at: datetime = NOW + timedelta(days=25)
    with letters.ledger.transaction():
        letters.ledger.suppressions.add(Lift(leave.id, "a mistake", "command", lifted_at))
    for day in (30, 40):
        letters.comes_back(letters.send(day))
    assert not letters.is_suppressed
    letters.comes_back(letters.send(50))
    assert letters.is_suppressed
