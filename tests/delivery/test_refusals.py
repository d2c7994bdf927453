"""Refusals during a run: whose they are, and what becomes of everybody else."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from newsletter.addresses import Address
from newsletter.config import Delivery
from newsletter.errors import TransportStopped
from newsletter.ledger import Ledger
from newsletter.ledger.plan import Plan
from newsletter.ledger.states import State
from newsletter.ledger.versions import Approved
from newsletter.message.model import Message
from newsletter.testing import ScriptedTransport
from newsletter.transports.protocol import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
)

from tests.delivery.conftest import LIMITS, Begin
from tests.ledger.conftest import EDITION, NOW, Freeze, counts, planned


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
    found = counts(ledger, campaign)
    assert {State.PENDING, State.DEFERRED} >= set(found)
    assert found[State.DEFERRED] <= LIMITS.connections


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
        begin(campaign, ScriptedTransport(by_number(answers))).execute()
    assert "newsletter resume" in (stopped.value.next or "")
    left = {State.PENDING: refused} | ({State.ACCEPTED: accepted} if accepted else {})
    waiting = counts(ledger, campaign)
    waiting[State.PENDING] += waiting.pop(State.DEFERRED, 0)
    assert left == waiting
    # Somebody mends it, and whoever was refused gets the mail as if for the first time.
    begin(campaign, ScriptedTransport()).execute()
    assert {State.ACCEPTED: 60} == counts(ledger, campaign)


def test_the_same_refusal_at_one_domain_is_that_domains(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(60)
    begin(campaign, ScriptedTransport(lambda *_: Rejected("554 no"))).execute()
    assert counts(ledger, campaign)[State.REJECTED] < 22 + LIMITS.connections * LIMITS.batch
    assert counts(ledger, campaign)[State.PENDING] > 0


def test_one_acceptance_shows_that_refusals_are_about_their_recipients(
    ledger: Ledger, freeze: Freeze, begin: Begin
) -> None:
    campaign = freeze(40)
    answers: dict[int, Outcome] = {number: Rejected("550 no") for number in range(1, 41)}
    del answers[15]
    del answers[30]
    one_at_a_time = Delivery(connections=1, batch=10, wait_minutes=0, stop_above=1)
    begin(campaign, ScriptedTransport(by_number(answers)), limits=one_at_a_time).execute()
    assert {State.ACCEPTED: 2, State.REJECTED: 38} == counts(ledger, campaign)
