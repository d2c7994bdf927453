"""Holds, waves, corrections and postponements: what is claimed, and with which editions."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from newsletter.errors import LedgerRefused
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.controls import Control, Hold
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan, Wave
from newsletter.ledger.reading import Claim
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.suppressions import Leave, Reason
from newsletter.ledger.versions import Approved

from tests.ledger.conftest import EDITION, NOW, Freeze, T, after, planned

RUN = "run-1"
CORRECTED = replace(EDITION, subject="March, corrected")
LATER = NOW + timedelta(hours=1)


def freeze_waves(ledger: Ledger, *waves: Wave) -> Campaign:
    recipients = tuple(
        replace(planned(number), wave=wave) for number, wave in enumerate(waves, start=1)
    )
    with ledger.transaction():
        return ledger.campaigns.freeze(
            Plan("2017-03", len(waves), recipients, {}),
            Approved({"en": EDITION}, "{}"),
            now=NOW,
        )


def claim(ledger: Ledger, campaign: Campaign, count: int = 9, *, now: datetime = T) -> list[Claim]:
    with ledger.transaction():
        return ledger.deliveries.claim(campaign.id, run=RUN, count=count, now=now)


def write_ahead(ledger: Ledger, claims: list[Claim]) -> bool:
    with ledger.transaction():
        return ledger.deliveries.write_ahead(claims, run=RUN, now=T)


def record(ledger: Ledger, claim_: Claim, step: Step) -> None:
    with ledger.transaction():
        assert ledger.deliveries.record(
            claim_, Disposition(step, "said", next_attempt_at=T), run=RUN, now=T
        )


def correct(ledger: Ledger, campaign: Campaign) -> int:
    with ledger.transaction():
        return ledger.controls.correct(campaign, Approved({"en": CORRECTED}, "{}"), LATER)


# Control.


def test_a_frozen_campaign_goes_on_at_once_with_its_first_wave_and_version(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    expected = Control(NOW, NOW + timedelta(hours=72), Wave.REST, 1)
    assert expected == ledger.controls.of(campaign.id)
    with ledger.transaction():
        ledger.controls.allow_until(campaign.id, NOW + timedelta(days=9))
    assert NOW + timedelta(days=9) == ledger.controls.of(campaign.id).not_after


def test_what_is_asked_of_a_campaign_that_does_not_exist_is_refused(ledger: Ledger) -> None:
    for ask in (
        lambda: ledger.controls.of("2017-04.1"),
        lambda: ledger.controls.hold("2017-04.1", Hold("why")),
        lambda: ledger.controls.go_on("2017-04.1"),
        lambda: ledger.controls.allow_until("2017-04.1", NOW),
    ):
        with pytest.raises(LedgerRefused, match="knows no campaign"), ledger.transaction():
            ask()


def test_nothing_is_written_outside_of_a_transaction(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    for write in (
        lambda: ledger.controls.hold(campaign.id, Hold("why")),
        lambda: ledger.runs.begin(RUN, campaign.id, transport="smtp", place="", now=NOW),
        lambda: ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=NOW),
    ):
        with pytest.raises(RuntimeError, match="outside of a transaction"):
            write()
    assert ledger.controls.of(campaign.id).held is None
    assert () == ledger.runs.of(campaign.id)


def test_a_hold_keeps_every_reason_and_the_latest_first(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        ledger.controls.hold(campaign.id, Hold("Too many were refused."))
    with ledger.transaction():
        ledger.controls.hold(campaign.id, Hold("Paused by a person.", by_person=True))
    with ledger.transaction():
        ledger.controls.hold(campaign.id, Hold("Too many were refused."))
    held = ledger.controls.of(campaign.id).held
    assert "Paused by a person. Too many were refused." == held
    with ledger.transaction():
        ledger.controls.go_on(campaign.id)
    assert ledger.controls.of(campaign.id).held is None


def test_words_alone_are_a_hold_that_a_person_should_look_at(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        ledger._database.execute("UPDATE control SET held = 'Paused by a person.'")
    assert (Hold("Paused by a person."),) == ledger.controls.of(campaign.id).holds


def test_a_held_campaign_is_neither_claimed_nor_attempted_but_outcomes_are_recorded(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(3)
    on_its_way, waiting = claim(ledger, campaign, 2)
    assert write_ahead(ledger, [on_its_way])
    with ledger.transaction():
        ledger.controls.hold(campaign.id, Hold("Paused.", by_person=True))
    assert [] == claim(ledger, campaign)
    assert not write_ahead(ledger, [waiting])
    record(ledger, on_its_way, Step.ACCEPT)
    expected = {State.ACCEPTED: 1, State.CLAIMED: 1, State.PENDING: 1}
    assert expected == ledger.campaigns.tally(campaign).counts
    with ledger.transaction():
        ledger.controls.go_on(campaign.id)
    assert write_ahead(ledger, [waiting])
    assert 1 == len(claim(ledger, campaign))


# Waves.


def test_later_waves_wait_until_they_are_opened(ledger: Ledger) -> None:
    campaign = freeze_waves(ledger, Wave.REST, Wave.CANARY, Wave.SEEDS, Wave.REST)
    assert Wave.SEEDS == ledger.controls.of(campaign.id).wave
    assert [3] == [one.id for one in claim(ledger, campaign)]
    with ledger.transaction():
        ledger.controls.open_wave(campaign.id, Wave.CANARY)
    assert [2] == [one.id for one in claim(ledger, campaign)]
    with ledger.transaction():
        ledger.controls.open_wave(campaign.id, Wave.REST)
        ledger.controls.open_wave(campaign.id, Wave.SEEDS)  # closes nothing
    assert [1, 4] == [one.id for one in claim(ledger, campaign)]


def test_earlier_waves_are_claimed_first_and_first_attempts_before_retries(ledger: Ledger) -> None:
    campaign = freeze_waves(ledger, Wave.REST, Wave.CANARY, Wave.SEEDS)
    (seed,) = claim(ledger, campaign)
    record(ledger, seed, Step.DEFER)
    with ledger.transaction():
        ledger.controls.open_wave(campaign.id, Wave.REST)
    assert [2, 1, 3] == [one.id for one in claim(ledger, campaign)]


def test_each_wave_is_counted_on_its_own(ledger: Ledger) -> None:
    campaign = freeze_waves(ledger, Wave.CANARY, Wave.REST, Wave.CANARY)
    first, _ = claim(ledger, campaign)
    record(ledger, first, Step.REJECT)
    expected = {State.REJECTED: 1, State.CLAIMED: 1}
    assert expected == ledger.deliveries.wave_tally(campaign.id, Wave.CANARY)
    assert {State.PENDING: 1} == ledger.deliveries.wave_tally(campaign.id, Wave.REST)
    assert {} == ledger.deliveries.wave_tally(campaign.id, Wave.SEEDS)


# Corrections.


def test_a_correction_reaches_those_who_were_not_attempted_and_nobody_else(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(4)
    deferred, refused_early, _ = claim(ledger, campaign, 3)
    assert write_ahead(ledger, [deferred])
    record(ledger, deferred, Step.DEFER)
    record(ledger, refused_early, Step.DEFER)
    with ledger.transaction():
        ledger.deliveries.recover(campaign.id, alive=(), now=T)
    assert 2 == correct(ledger, campaign)
    versions = {one.id: one.version for one in claim(ledger, campaign)}
    assert {1: 1, 2: 1, 3: 2, 4: 2} == versions
    approved = ledger.campaigns.approved(campaign)
    assert [{"en": EDITION}, {"en": CORRECTED}] == [one.editions for one in approved.values()]


def test_a_correction_reaches_those_for_whom_the_letter_itself_was_refused(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(3)
    at_the_dot, before_it, put_off_once = claim(ledger, campaign, 3)
    assert write_ahead(ledger, [at_the_dot, put_off_once])
    record(ledger, at_the_dot, Step.RETURN)
    record(ledger, before_it, Step.RETURN)
    record(ledger, put_off_once, Step.DEFER)
    (again,) = [one for one in claim(ledger, campaign) if one.id == put_off_once.id]
    record(ledger, again, Step.RETURN)
    with ledger.transaction():
        ledger.deliveries.recover(campaign.id, alive=(), now=T)
    correct(ledger, campaign)
    assert {1: 2, 2: 2, 3: 1} == {one.id: one.version for one in claim(ledger, campaign)}


def test_the_ledger_knows_how_many_were_attempted_with_each_version(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(4)
    for one in claim(ledger, campaign, 2):
        assert write_ahead(ledger, [one])
        record(ledger, one, Step.ACCEPT)
    correct(ledger, campaign)
    correct(ledger, campaign)
    (third,) = claim(ledger, campaign, 1)
    assert write_ahead(ledger, [third])
    versions = [
        (one.number, one.made_at, one.attempted) for one in ledger.controls.versions(campaign.id)
    ]
    assert [(1, NOW, 2), (2, LATER, 0), (3, LATER, 1)] == versions


def test_a_first_attempt_claimed_before_a_correction_goes_back_to_the_queue(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    claims = claim(ledger, campaign)
    correct(ledger, campaign)
    assert not write_ahead(ledger, claims)
    with ledger.transaction():
        ledger.deliveries.release(claims, run=RUN, now=T)
    (again,) = claim(ledger, campaign)
    assert (2, 1) == (again.version, again.number)
    assert write_ahead(ledger, [again])


def test_who_was_attempted_keeps_the_version_through_retry_and_resend(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    (first,) = claim(ledger, campaign)
    assert write_ahead(ledger, [first])
    record(ledger, first, Step.DEFER)
    (retry,) = claim(ledger, campaign)
    correct(ledger, campaign)
    assert write_ahead(ledger, [retry])
    record(ledger, retry, Step.DOUBT)
    with ledger.transaction():
        assert ledger.deliveries.decide(retry.id, Step.RESEND, note="again", now=T)
    (resent,) = claim(ledger, campaign)
    assert (1, 1) == (resent.version, resent.recipient.resends)
    assert write_ahead(ledger, [resent])


def test_a_write_ahead_that_is_taken_back_binds_nobody_to_a_version(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(2)
    one, two = claim(ledger, campaign)
    with ledger.transaction():
        ledger.deliveries.release([two], run=RUN, now=T)
        assert not ledger.deliveries.write_ahead([one, two], run=RUN, now=T)
        ledger.deliveries.release([one], run=RUN, now=T)
    correct(ledger, campaign)
    assert [2, 2] == [each.version for each in claim(ledger, campaign)]


def test_taken_back_after_the_letter_itself_was_refused_they_still_get_the_correction(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(2)
    claims = claim(ledger, campaign)
    assert write_ahead(ledger, claims)
    with ledger.transaction():
        for each in claims:
            ledger.deliveries.record(each, Disposition(Step.RETURN, "550"), run=RUN, now=T)
    again = claim(ledger, campaign)
    with ledger.transaction():
        ledger.suppressions.add(Leave(b"tag2", Reason.UNSUBSCRIBED, "test", NOW))
    assert not write_ahead(ledger, again)
    assert 1 == ledger.deliveries.untried(campaign.id)


@pytest.mark.parametrize("languages", [(), ("fr",), ("en", "fr")])
def test_a_correction_in_other_languages_is_refused(
    ledger: Ledger, freeze: Freeze, languages: tuple[str, ...]
) -> None:
    campaign = freeze(1)
    with pytest.raises(LedgerRefused, match="but the campaign in “en”"), ledger.transaction():
        ledger.controls.correct(
            campaign, Approved(dict.fromkeys(languages, CORRECTED), "{}"), LATER
        )
    assert 1 == ledger.controls.of(campaign.id).version
    assert [1] == [one.number for one in ledger.controls.versions(campaign.id)]


# Postponements.


def test_a_domain_that_is_postponed_waits_and_the_others_do_not(ledger: Ledger) -> None:
    campaign = freeze_waves(ledger, Wave.REST, Wave.REST, Wave.REST)
    first, second, _ = claim(ledger, campaign)
    record(ledger, first, Step.DEFER)
    with ledger.transaction():
        ledger.deliveries.release([second], run=RUN, now=T)
        assert 0 == ledger.deliveries.postpone(campaign.id, "elsewhere.example", after(600))
        # The claimed one is on its way.
        assert 2 == ledger.deliveries.postpone(campaign.id, "example.org", after(600))
        assert 0 == ledger.deliveries.postpone(campaign.id, "example.org", after(300))
    assert NOW + timedelta(seconds=600) == ledger.deliveries.next_due(campaign.id)
    assert [] == claim(ledger, campaign, now=after(599))
    assert [2, 1] == [one.id for one in claim(ledger, campaign, now=after(600))]


def test_what_is_due_next_is_told_of_open_waves_alone(ledger: Ledger) -> None:
    campaign = freeze_waves(ledger, Wave.CANARY, Wave.REST)
    (canary,) = claim(ledger, campaign)
    assert ledger.deliveries.next_due(campaign.id) is None
    record(ledger, canary, Step.DEFER)
    assert NOW == ledger.deliveries.next_due(campaign.id)
    with ledger.transaction():
        ledger.controls.open_wave(campaign.id, Wave.REST)
    due = ledger.deliveries.next_due(campaign.id)
    assert due is not None
    assert due < NOW
