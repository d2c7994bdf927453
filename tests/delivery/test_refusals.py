"""Refusals during a run: whose they are, and what becomes of everybody else."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from newsletter.addresses import Address
from newsletter.config import Delivery
from newsletter.errors import TransportStopped
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan
from newsletter.ledger.states import State
from newsletter.ledger.versions import Approved
from newsletter.message.model import Message
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)

from tests.delivery.conftest import Begin
from tests.ledger.conftest import EDITION, NOW, Freeze, counts, planned

ONE_AT_A_TIME = Delivery(connections=1, batch=10, wait_minutes=0, stop_above=1)


def by_number(answers: dict[int, Outcome]) -> Callable[[Message, int], Outcome]:
    def script(message: Message, _attempt: int) -> Outcome:
        number = int(message.envelope_to.local.removeprefix("reader"))
        return answers.get(number, Accepted("250 ok"))

    return script


def test_one_recipients_trouble_stays_theirs(ledger: Ledger, freeze: Freeze, begin: Begin) -> None:
    campaign = freeze(9)
    answers: dict[int, Outcome] = {
        1: Rejected("550 no"),
        2: Deferred("450 later"),
        3: InDoubt("cut"),
    }
    begin(campaign, ScriptedTransport(by_number(answers))).execute()
    assert {
        State.ACCEPTED: 6,
        State.REJECTED: 1,
        State.DEFERRED: 1,
        State.IN_DOUBT: 1,
    } == counts(ledger, campaign)


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        (Rejected, Scope.ACCOUNT),
        (Rejected, Scope.CAMPAIGN),
        (Deferred, Scope.CAMPAIGN),
    ],
)
def test_a_refused_letter_or_account_stops_the_run_and_blames_nobody(
    ledger: Ledger,
    freeze: Freeze,
    begin: Begin,
    scope: Scope,
    kind: type[Rejected] | type[Deferred],
) -> None:
    campaign = freeze(40)
    transport = ScriptedTransport(lambda *_: kind("550 5.1.8 sender", scope))
    with pytest.raises(TransportStopped, match=r"5\.1\.8"):
        begin(campaign, transport).execute()
    assert {State.PENDING: 40} == counts(ledger, campaign)


def elsewhere(*, count: int) -> Plan:
    """``count`` readers, each at a domain of their own."""
    readers = (planned(number) for number in range(1, count + 1))
    return Plan(
        "2017-05",
        listed=count,
        recipients=tuple(
            replace(
                each,
                recipient=replace(
                    each.recipient,
                    address=Address.parse(f"{each.recipient.address.local}@d{number}.example"),
                ),
            )
            for number, each in enumerate(readers, start=1)
        ),
        excluded={},
    )


@pytest.mark.parametrize(("accepted", "refused"), [(0, 60), (25, 35)])
def test_the_same_refusal_for_readers_of_many_domains_is_about_us_and_nobody_is_blamed(
    ledger: Ledger, begin: Begin, accepted: int, refused: int
) -> None:
    plan = elsewhere(count=60)
    with ledger.transaction():
        campaign = ledger.campaigns.freeze(plan, Approved({"en": EDITION}, "{}"), now=NOW)
    said = Rejected("550 Mensaje no aceptado")
    answers: dict[int, Outcome] = dict.fromkeys(range(accepted + 1, 61), said)
    with pytest.raises(TransportStopped, match="no aceptado") as stopped:
        # Of several at once, one refused might be written down before one accepted.
        begin(campaign, ScriptedTransport(by_number(answers)), limits=ONE_AT_A_TIME).execute()
    assert "newsletter resume" in (stopped.value.next or "")
    left = {State.PENDING: refused} | ({State.ACCEPTED: accepted} if accepted else {})
    waiting = counts(ledger, campaign)
    waiting[State.PENDING] += waiting.pop(State.DEFERRED, 0)
    assert left == waiting
    # Somebody mends it, and whoever was refused gets the mail as if for the first time.
    begin(campaign, ScriptedTransport()).execute()
    assert {State.ACCEPTED: 60} == counts(ledger, campaign)


@pytest.mark.parametrize("attempts", [0, 30])
def test_the_same_deferral_for_everybody_makes_the_run_wait_and_gives_nobody_up(
    ledger: Ledger, begin: Begin, attempts: int
) -> None:
    plan = elsewhere(count=60)
    with ledger.transaction():
        campaign = ledger.campaigns.freeze(plan, Approved({"en": EDITION}, "{}"), now=NOW)
    clock, heard = FrozenClock(NOW), Counter[str]()

    def later(message: Message, _attempt: int) -> Outcome:
        heard[str(message.envelope_to)] += 1
        return Deferred("450 4.7.1 Client host rejected: cannot find your hostname")

    ending = begin(campaign, ScriptedTransport(later), clock=clock).execute()
    assert "waiting" == ending.how
    assert "Everybody waits, and nobody is given up for it." in " ".join(ending.notes)
    assert ending.until
    assert 300 <= (ending.until - clock.now()).total_seconds() <= 330
    assert {State.PENDING: 60} == counts(ledger, campaign)
    for _ in range(attempts):
        clock.advance(4500)
        begin(campaign, ScriptedTransport(later), clock=clock).execute()
    # After a day and a half, few were asked at a time, and nobody is given up.
    assert {State.PENDING: 60} == counts(ledger, campaign)
    assert heard.total() <= 20 * (1 + attempts)
    clock.advance(4500)
    begin(campaign, ScriptedTransport(), clock=clock).execute()
    assert {State.ACCEPTED: 60} == counts(ledger, campaign)


def test_the_same_refusal_at_one_domain_is_that_domains(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(60)
    begin(campaign, ScriptedTransport(lambda *_: Rejected("554 no"))).execute()
    assert {State.PENDING: 60} == counts(ledger, campaign)


def test_who_was_refused_last_where_a_domain_then_waits_waits_too(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(60)
    enough = Rejected("554 5.7.1 we had enough of you")
    answers: dict[int, Outcome] = dict.fromkeys(range(41, 61), enough)
    transport = ScriptedTransport(by_number(answers))
    ending = begin(campaign, transport, limits=ONE_AT_A_TIME).execute()
    assert "waiting" == ending.how
    assert {State.ACCEPTED: 40, State.PENDING: 20} == counts(ledger, campaign)


def test_a_bad_address_where_a_domain_waits_is_refused_all_the_same(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(60)
    answers: dict[int, Outcome] = {
        39: Rejected("550 5.1.1 user unknown"),
        40: Rejected("550 5.1.1 no"),
        **dict.fromkeys(range(41, 61), Rejected("554 5.7.1 we had enough of you")),
    }
    begin(campaign, ScriptedTransport(by_number(answers)), limits=ONE_AT_A_TIME).execute()
    assert 2 == counts(ledger, campaign)[State.REJECTED]


def test_one_acceptance_shows_that_refusals_are_about_their_recipients(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(40)
    answers: dict[int, Outcome] = {number: Rejected("550 no") for number in range(1, 41)}
    del answers[15]
    del answers[30]
    clock, transport = FrozenClock(NOW), ScriptedTransport(by_number(answers))
    begin(campaign, transport, limits=ONE_AT_A_TIME, clock=clock).execute()
    # The domain waits, and with it whom it refused since it last accepted somebody.
    assert {State.ACCEPTED: 2, State.REJECTED: 28, State.PENDING: 10} == counts(ledger, campaign)
    clock.advance(3601)
    begin(campaign, transport, limits=ONE_AT_A_TIME, clock=clock).execute()
    assert {State.ACCEPTED: 2, State.REJECTED: 38} == counts(ledger, campaign)
