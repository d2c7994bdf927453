"""News brought to a real ledger: what it settles, whom it suppresses, and what it leaves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.clock import EARLIEST
from newsletter.feedback.apply import Applied, apply_events
from newsletter.feedback.event import DeliveryEvent, Kind
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State
from newsletter.ledger.suppressions import Return
from newsletter.message.keys import KeyRing

from tests.report.course import lived

AT = datetime(2017, 4, 1, 9, 0, tzinfo=UTC)


class Course:
    def __init__(self, ledger: Ledger, campaign: Campaign, keys: KeyRing) -> None:
        self.ledger = ledger
        self.campaign = campaign
        self.keys = keys
        self.members = {m.id: m for m in ledger.deliveries.of(campaign.id, *State)}

    def one(self, state: State) -> int:
        """The id of somebody in ``state``."""
        return self.ledger.deliveries.of(self.campaign.id, state)[0].id

    def news(self, delivery: int, kind: Kind) -> DeliveryEvent:
        address = Address(*self.members[delivery].address.rpartition("@")[::2])
        tag = self.keys.message_tag(self.campaign.id, address)
        return DeliveryEvent(frozenset({tag, "0" * 24}), kind, AT, "bounce report", "words")

    def apply(self, *events: DeliveryEvent, now: datetime = AT) -> Applied:
        return apply_events(events, self.ledger, [self.campaign], now=now)

    def state(self, delivery: int) -> State:
        return next(
            held.state
            for held in self.ledger.deliveries.of(self.campaign.id, *State)
            if held.id == delivery
        )

    def is_suppressed(self, delivery: int) -> bool:
        return self.members[delivery].tag in self.ledger.suppressions.tags()


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    with lived(tmp_path, 60) as (ledger, campaign, keys):
        yield Course(ledger, campaign, keys)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.DROPPED}))
def test_whatever_only_the_other_side_can_know_settles_a_doubt(course: Course, kind: Kind) -> None:
    doubt = course.one(State.IN_DOUBT)
    assert 1 == course.apply(course.news(doubt, kind)).settled
    assert State.ACCEPTED is course.state(doubt)


def test_a_mail_that_the_provider_dropped_leaves_the_doubt(course: Course) -> None:
    doubt = course.one(State.IN_DOUBT)
    applied = course.apply(course.news(doubt, Kind.DROPPED))
    assert (0, 1) == (applied.settled, applied.new)
    assert State.IN_DOUBT is course.state(doubt)


@pytest.mark.parametrize(
    ("kind", "leaves"),
    [
        (Kind.BOUNCED, True),
        (Kind.COMPLAINED, True),
        (Kind.UNSUBSCRIBED, True),
        (Kind.RETURNED, False),
        (Kind.DELAYED, False),
        (Kind.TAKEN, False),
    ],
)
def test_who_must_not_be_mailed_again_is_suppressed(
    course: Course, kind: Kind, leaves: bool
) -> None:
    reader = course.one(State.ACCEPTED)
    assert int(leaves) == course.apply(course.news(reader, kind)).suppressed
    assert leaves is course.is_suppressed(reader)


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.COMPLAINED, Kind.UNSUBSCRIBED])
def test_news_of_somebody_behind_the_reader_or_beside_them_suppresses_nobody(
    course: Course, kind: Kind
) -> None:
    """One member of an alias, a forward, the others in a report about three recipients."""
    reader = course.one(State.ACCEPTED)
    other = replace(course.news(reader, kind), recipient="carol@elsewhere.example")
    assert (0, 1) == (course.apply(other).suppressed, course.apply(other).known)
    assert not course.is_suppressed(reader)
    (event,) = course.ledger.events.of(course.campaign.id)
    assert Kind.TAKEN == event.kind
    theirs = str(course.members[reader].address).upper()
    same = replace(course.news(reader, kind), recipient=f"Reader <{theirs}>")
    assert 1 == course.apply(same).suppressed
    assert course.is_suppressed(reader)


@pytest.mark.parametrize(
    ("named", "suppressed"),
    [("<{reader}>", 1), ("{shout}", 1), ("postmaster@{domain}", 1), ("no address", 1),
     ("<{local}@mx.{domain}>", 1), ("<carol@elsewhere.example>", 0),
     ("carol@elsewhere.example...", 0), ("<newsletter@example.org>", 0)],
)  # fmt: skip
def test_words_that_name_somebody_else_suppress_nobody(
    course: Course, named: str, suppressed: int
) -> None:
    """A server behind the reader's alias names whom it does not know."""
    reader = course.one(State.ACCEPTED)
    address = str(course.members[reader].address)
    local, _, domain = address.rpartition("@")
    who = named.format(reader=address, shout=address.upper(), local=local, domain=domain)
    words = f"550 5.1.1 {who}: user unknown"
    event = replace(course.news(reader, Kind.BOUNCED), recipient=address, words=words)
    assert suppressed == course.apply(event).suppressed


def test_a_drop_for_somebody_else_proves_nothing(course: Course) -> None:
    doubt = course.one(State.IN_DOUBT)
    event = replace(course.news(doubt, Kind.DROPPED), recipient="carol@elsewhere.example")
    assert 0 == course.apply(event).settled


def test_nothing_downgrades_an_acceptance_or_mends_a_refusal(course: Course) -> None:
    accepted, rejected = course.one(State.ACCEPTED), course.one(State.REJECTED)
    course.apply(course.news(accepted, Kind.BOUNCED), course.news(rejected, Kind.TAKEN))
    assert State.ACCEPTED is course.state(accepted)
    assert State.REJECTED is course.state(rejected)


def test_the_same_news_twice_is_one(course: Course) -> None:
    event = course.news(course.one(State.ACCEPTED), Kind.COMPLAINED)
    first, second = course.apply(event), course.apply(event)
    assert (1, 0) == (first.new, first.known)
    assert (0, 1) == (second.new, second.known)
    assert 1 == len(course.ledger.events.of(course.campaign.id))


def test_news_of_other_mail_changes_nothing(course: Course) -> None:
    event = replace(course.news(course.one(State.ACCEPTED), Kind.COMPLAINED),
                    tags=frozenset({"f" * 24}))  # fmt: skip
    assert Applied(0, 0, 0, 0, strangers=1) == course.apply(event)


def test_news_that_fits_two_letters_is_about_neither(course: Course) -> None:
    one, another = course.one(State.ACCEPTED), course.one(State.REJECTED)
    both = course.news(one, Kind.COMPLAINED).tags | course.news(another, Kind.COMPLAINED).tags
    event = replace(course.news(one, Kind.COMPLAINED), tags=both)
    assert Applied(0, 0, 0, 0, strangers=1) == course.apply(event)


def test_an_event_costs_a_lookup_by_index_however_many_readers_there_are(course: Course) -> None:
    tag = course.news(course.one(State.ACCEPTED), Kind.COMPLAINED).tags
    asked: list[str] = []
    connection = course.ledger._database._connection
    connection.set_trace_callback(asked.append)
    course.apply(DeliveryEvent(tag, Kind.COMPLAINED, AT, "provider's event", "words"))
    connection.set_trace_callback(None)
    lookups = [sql for sql in asked if sql.startswith("SELECT")]
    assert len(tag) == sum("FROM delivery" in sql for sql in lookups)
    for sql in lookups:
        plans = [plan for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [plan for plan in plans if plan.startswith("SCAN")]
        if "FROM delivery" in sql:
            assert ["SEARCH delivery USING INDEX of_message (message_tag=?)"] == plans


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.COMPLAINED, Kind.UNSUBSCRIBED])
@pytest.mark.parametrize(
    ("happened", "returned", "suppressed"),
    [
        (timedelta(hours=1), timedelta(hours=2), False),
        (timedelta(hours=2), timedelta(hours=1), True),
        # Of no time, of one before the message, of one that has not come: before or after the
        # return, nobody knows.
        (None, timedelta(hours=2), True),
        (-timedelta(days=1), timedelta(hours=2), True),
        (timedelta(days=9999), timedelta(hours=2), True),
        (None, timedelta(days=1, seconds=1), False),
    ],
)
def test_only_a_confirmation_that_is_surely_later_than_an_event_ends_what_it_led_to(
    course: Course,
    kind: Kind,
    happened: timedelta | None,
    returned: timedelta,
    suppressed: bool,
) -> None:
    reader = course.one(State.ACCEPTED)
    sent_at = course.members[reader].first_attempt_at
    assert sent_at is not None
    at = EARLIEST if happened is None else sent_at + happened
    event = replace(course.news(reader, kind), at=at)
    heard_at = sent_at + timedelta(days=1)
    assert 1 == course.apply(event, now=heard_at).new
    with course.ledger.transaction():
        back = Return(course.members[reader].tag, "public log", sent_at + returned)
        course.ledger.suppressions.add(back)
    assert suppressed is course.is_suppressed(reader)
    (known,) = course.ledger.events.of(course.campaign.id)
    assert sent_at <= known.at <= heard_at
    # The same again, days after the return, is the same.
    assert 1 == course.apply(event, now=heard_at + timedelta(days=5)).known
    assert suppressed is course.is_suppressed(reader)
