"""Seeds and a sample first, the rest only if those were not refused; domains that refuse us."""

from collections import Counter

import pytest
from newsletter.addresses import Address
from newsletter.config import Delivery
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan, Planned, Wave
from newsletter.ledger.states import State
from newsletter.ledger.versions import Approved
from newsletter.message.model import Message, Recipient
from newsletter.testing import FrozenClock, ScriptedTransport
from newsletter.transports.protocol import Accepted, Deferred, Outcome, Rejected, Scope

from tests.delivery.conftest import Begin
from tests.ledger.conftest import EDITION, NOW, counts

LIMITS = Delivery(connections=3, batch=4, wait_minutes=0, stop_above=0.05)
ONE = LIMITS.model_copy(update={"connections": 1})


def freeze(ledger: Ledger, *addresses: str, seeds: int = 0, sample: int = 0) -> Campaign:
    """The first ``seeds`` are seeds, the next ``sample`` the canary."""
    waves = [Wave.SEEDS] * seeds + [Wave.CANARY] * sample
    waves += [Wave.REST] * (len(addresses) - len(waves))
    recipients = tuple(
        Planned(Recipient(Address.parse(address), "", "en"), address.encode(), wave)
        for address, wave in zip(addresses, waves, strict=True)
    )
    with ledger.transaction():
        return ledger.campaigns.freeze(
            Plan("2017-03", len(recipients), recipients, {}),
            Approved({"en": EDITION}, "{}"),
            now=NOW,
        )


def readers(count: int, domain: str = "example.org") -> list[str]:
    return [f"reader{number}@{domain}" for number in range(1, count + 1)]


def refusing(reply: str, *numbers: int) -> ScriptedTransport:
    names = {f"reader{number}" for number in numbers}

    def script(message: Message, _attempt: int) -> Outcome:
        return Rejected(reply) if message.envelope_to.local in names else Accepted("250 ok")

    return ScriptedTransport(script)


def test_a_wave_begins_only_when_the_one_before_is_through(ledger: Ledger, begin: Begin) -> None:
    campaign, order = freeze(ledger, *readers(60), seeds=2, sample=10), list[int]()

    def script(message: Message, _attempt: int) -> Outcome:
        order.append(int(message.envelope_to.local.removeprefix("reader")))
        return Accepted("250 ok")

    assert "done" == begin(campaign, ScriptedTransport(script), limits=LIMITS).execute().how
    assert [{1, 2}, set(range(3, 13))] == [set(order[:2]), set(order[2:12])]
    assert {State.ACCEPTED: 60} == counts(ledger, campaign)


def test_a_refused_sample_holds_the_campaign_and_says_why(ledger: Ledger, begin: Begin) -> None:
    campaign = freeze(ledger, *readers(60), sample=10)
    transport = refusing("554 5.7.1 spam", 2, 5)
    ending = begin(campaign, transport, limits=LIMITS).execute()
    assert "paused" == ending.how
    assert (
        "Of the sample, 2 of 10 were refused (20%), most often with: 554 5.7.1 spam" == ending.words
    )
    assert ending.words == ledger.controls.of(campaign.id).held
    assert {State.ACCEPTED: 8, State.REJECTED: 2, State.PENDING: 50} == counts(ledger, campaign)


def test_whoever_resumes_has_looked_so_the_rest_goes_out(ledger: Ledger, begin: Begin) -> None:
    campaign = freeze(ledger, *readers(60), sample=10)
    begin(campaign, refusing("554 5.7.1 spam", 2, 5), limits=LIMITS).execute()
    transport = ScriptedTransport()
    assert "paused" == begin(campaign, transport, limits=LIMITS).execute().how
    assert Counter() == transport.copies
    with ledger.transaction():
        ledger.controls.go_on(campaign.id)
    assert "done" == begin(campaign, transport, limits=LIMITS).execute().how
    assert {State.ACCEPTED: 58, State.REJECTED: 2} == counts(ledger, campaign)


def test_one_bad_address_in_a_small_sample_holds_nothing(ledger: Ledger, begin: Begin) -> None:
    campaign = freeze(ledger, *readers(60), sample=10)
    assert "done" == begin(campaign, refusing("550 5.1.1 who", 4), limits=LIMITS).execute().how


def test_a_sample_put_off_as_a_matter_of_policy_counts_as_refused(
    ledger: Ledger, begin: Begin
) -> None:
    campaign = freeze(ledger, *readers(60), sample=10)
    deferred = Deferred("421 4.7.28 unusual rate of mail")
    ending = begin(campaign, ScriptedTransport(lambda *_: deferred), limits=LIMITS).execute()
    assert "paused" == ending.how
    assert "4.7.28" in ending.words


@pytest.mark.parametrize(
    "outcome",
    [Deferred("451 4.7.1 Greylisted"), Deferred("454 4.7.0 slow down", Scope.ACCOUNT, 1)],
)
def test_greylisting_and_throttling_hold_no_campaign(
    ledger: Ledger, begin: Begin, outcome: Outcome
) -> None:
    campaign, clock = freeze(ledger, *readers(30), sample=10), FrozenClock(NOW)
    transport = ScriptedTransport(
        lambda _, attempt: outcome if attempt == 1 else Accepted("250 ok")
    )
    limits = ONE.model_copy(update={"wait_minutes": 60})
    assert "done" == begin(campaign, transport, clock=clock, limits=limits).execute().how
    assert {State.ACCEPTED: 30} == counts(ledger, campaign)


def test_a_crash_between_two_waves_changes_nothing(ledger: Ledger, begin: Begin) -> None:
    campaign = freeze(ledger, *readers(60), sample=10)
    refused = refusing("554 5.7.1 spam", 2, 5)
    now = NOW
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run="dead", count=99, now=now)
        assert 10 == len(claims)
        ledger.deliveries.write_ahead(claims[9:], run="dead", now=now)
    ending = begin(campaign, refused, limits=LIMITS).execute()
    assert "paused" == ending.how
    assert {
        State.ACCEPTED: 7, State.REJECTED: 2, State.IN_DOUBT: 1, State.PENDING: 50,
    } == counts(ledger, campaign)  # fmt: skip


def test_more_than_the_share_of_refusals_holds_the_campaign(ledger: Ledger, begin: Begin) -> None:
    campaign = freeze(ledger, *readers(400))
    transport = refusing("550 5.1.1 who", *range(1, 400, 10))
    ending = begin(campaign, transport, limits=ONE).execute()
    assert "paused" == ending.how
    assert "were refused (10%), most often with: 550 5.1.1 who" in ending.words
    assert ending.words == ledger.controls.of(campaign.id).held
    assert 340 < counts(ledger, campaign)[State.PENDING]


def test_a_domain_that_refuses_us_is_left_in_peace_and_the_others_go_on(
    ledger: Ledger, begin: Begin
) -> None:
    angry, kind = readers(200, "angry.example"), readers(400, "kind.example")
    mixed = [address for three in zip(kind, kind[200:], angry, strict=False) for address in three]
    campaign, clock = freeze(ledger, *mixed), FrozenClock(NOW)

    def script(message: Message, _attempt: int) -> Outcome:
        if message.envelope_to.domain == "angry.example" and clock.monotonic() < 1000:
            return Rejected(f"554 5.7.1 <{message.envelope_to}> we had enough")
        return Accepted("250 ok")

    limits = ONE.model_copy(update={"stop_above": 1.0})
    ending = begin(campaign, ScriptedTransport(script), clock=clock, limits=limits).execute()
    assert "waiting" == ending.how
    assert "angry.example refused 21 of 21" in ending.notes[0]
    found = counts(ledger, campaign)
    assert {State.ACCEPTED: 400, State.PENDING: 200} == {
        **found, State.ACCEPTED: found[State.ACCEPTED],
    }  # fmt: skip
    clock.advance(3700)
    begin(campaign, ScriptedTransport(script), clock=clock, limits=limits).execute()
    assert {State.ACCEPTED: 600} == counts(ledger, campaign)


def test_a_rate_for_a_domain_is_kept_while_others_go_on(ledger: Ledger, begin: Begin) -> None:
    slow, fast = readers(120, "slow.example"), readers(120, "fast.example")
    mixed = [address for pair in zip(slow, fast, strict=True) for address in pair]
    campaign, clock, at = freeze(ledger, *mixed), FrozenClock(NOW), list[float]()

    def script(message: Message, _attempt: int) -> Outcome:
        if message.envelope_to.domain == "slow.example":
            at.append(clock.monotonic())
        return Accepted("250 ok")

    limits = ONE.model_copy(update={"wait_minutes": 60, "domain_per_minute": {"slow.example": 60}})
    begin(campaign, ScriptedTransport(script), clock=clock, limits=limits).execute()
    assert {State.ACCEPTED: 240} == counts(ledger, campaign)
    assert 90 <= clock.monotonic() <= 140
    assert max(Counter(int(moment // 60) for moment in at).values()) <= 60 + 15
