"""Runs, calls, events, proofs, adoptions, and by what a ledger is known."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from newsletter.errors import LedgerRefused
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.reading import AttemptRecord, Claim
from newsletter.ledger.runs import CallRecord, RunRecord
from newsletter.ledger.states import Disposition, State, Step
from newsletter.ledger.versions import Approved

from tests.ledger.conftest import EDITION, KEYS, NOW, Freeze, T, after, planned

RUN = "run-1"


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def in_doubt(ledger: Ledger, campaign: Campaign) -> Claim:
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=T)
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=after(1))
        ledger.deliveries.record(
            claim, Disposition(Step.DOUBT, "cut"), run=RUN, now=after(2), started_at=after(1)
        )
    return claim


def test_a_run_is_known_from_its_beginning_to_its_end(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        ledger.runs.begin(RUN, campaign.id, transport="smtp", place="mail.example:587", now=T)
    with ledger.transaction():
        ledger.runs.alive(RUN, after(10))
    begun = RunRecord(*(RUN, campaign.id, "smtp", "mail.example:587", NOW, NOW + at(10), None, ""))
    assert (begun,) == ledger.runs.of(campaign.id)
    with ledger.transaction():
        ledger.runs.end(RUN, after(20), "Everybody was attempted.")
    (ended,) = ledger.runs.of(campaign.id)
    assert (NOW + at(20), NOW + at(20), "Everybody was attempted.") == (
        ended.seen_at,
        ended.ended_at,
        ended.ending,
    )
    with pytest.raises(LedgerRefused), ledger.transaction():
        ledger.runs.begin(RUN, campaign.id, transport="smtp", place="", now=T)


def test_a_call_is_noted_once_and_its_first_time_counts(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(3)
    noted = CallRecord(*("key-1", campaign.id, "resend", "resend api.resend.com", (3, 1), "d", NOW))
    for first_at, members in ((NOW, (3, 1)), (NOW + at(60), (2,))):
        with ledger.transaction():
            ledger.runs.note_call(replace(noted, members=members, first_at=first_at))
    assert (noted,) == ledger.runs.calls(campaign.id)


def test_the_same_news_twice_is_one_event(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        assert ledger.events.add(1, "bounced", "mailbox", NOW + at(5), "550 no such user", "mark-1")
    with ledger.transaction():
        assert not ledger.events.add(1, "bounced", "webhook", NOW, "550 again", "mark-1")
    with ledger.transaction():
        assert ledger.events.add(1, "complained", "webhook", NOW, "", "mark-2")
    found = [(one.kind, one.source, one.at, one.detail) for one in ledger.events.of(campaign.id)]
    assert [
        ("complained", "webhook", NOW, ""),
        ("bounced", "mailbox", NOW + at(5), "550 no such user"),
    ] == found


def test_news_about_nobody_is_refused(ledger: Ledger, freeze: Freeze) -> None:
    freeze(1)
    with pytest.raises(LedgerRefused), ledger.transaction():
        ledger.events.add(99, "bounced", "mailbox", NOW, "", "mark-1")


def test_a_proof_settles_a_doubt_once_and_keeps_the_providers_name_for_it(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    claim = in_doubt(ledger, campaign)
    with ledger.transaction():
        assert ledger.deliveries.evidence(claim.id, "delivered\x1b", "id-\ud800", after(60))
    with ledger.transaction():
        assert not ledger.deliveries.evidence(claim.id, "again", None, after(90))
    (held,) = ledger.deliveries.of(campaign.id, State.ACCEPTED)
    assert ("delivered�", NOW + at(60)) == (held.reply, held.changed_at)
    kept = ledger._database.execute("SELECT provider_id FROM delivery").fetchall()
    assert [("id-�",)] == kept


def test_a_doubt_tells_what_composes_the_very_same_message(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(1)
    claim = in_doubt(ledger, campaign)
    with ledger.transaction():
        assert ledger.deliveries.decide(claim.id, Step.RESEND, note="again", now=after(50))
    with ledger.transaction():
        ledger.controls.correct(campaign, Approved({"en": EDITION}, "{}"), NOW)
    with ledger.transaction():
        (again,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=after(60))
        assert ledger.deliveries.write_ahead([again], run=RUN, now=after(61))
        ledger.deliveries.recover(campaign.id, alive=(), now=after(99))
    (doubt,) = ledger.deliveries.in_doubt_claims(campaign.id)
    (row,) = ledger.deliveries.of(campaign.id, State.IN_DOUBT)
    assert (again.recipient, again.date, again.version, again.number) == (
        doubt.recipient,
        doubt.date,
        doubt.version,
        doubt.number - 1,
    )
    assert (NOW, 1, 2, 1) == (doubt.date, doubt.version, row.attempts, doubt.recipient.resends)
    assert (NOW + at(61), NOW + at(99)) == (row.first_attempt_at, row.changed_at)
    assert (
        AttemptRecord(1, RUN, NOW + at(1), NOW + at(2), "doubt", "cut"),
        AttemptRecord(2, RUN, NOW + at(61), None, None, ""),
    ) == ledger.deliveries.history(doubt.id)


def test_whoever_waits_in_an_adopted_ledger_is_in_doubt_and_the_others_stay(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(6)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=5, now=T)
        accepted, rejected, deferred, attempting, _claimed = claims
        for claim, step in ((accepted, Step.ACCEPT), (rejected, Step.REJECT)):
            assert ledger.deliveries.write_ahead([claim], run=RUN, now=T)
            ledger.deliveries.record(claim, Disposition(step, "said"), run=RUN, now=T)
        ledger.deliveries.record(deferred, Disposition(Step.DEFER, "450"), run=RUN, now=T)
        assert ledger.deliveries.write_ahead([attempting], run=RUN, now=after(3))
        assert 4 == ledger.deliveries.adopt(campaign.id, after(60), "Restored from a backup.")
    expected = {State.ACCEPTED: 1, State.REJECTED: 1, State.IN_DOUBT: 4}
    assert expected == ledger.campaigns.verify(campaign).counts
    assert {"Restored from a backup."} == {
        one.reply for one in ledger.deliveries.of(campaign.id, State.IN_DOUBT)
    }
    (attempt,) = ledger.deliveries.history(attempting.id)
    assert (NOW + at(3), None) == (attempt.started_at, attempt.outcome)


def test_one_who_was_never_attempted_here_can_be_asked_for_and_mailed_again(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(1)
    with ledger.transaction():
        ledger.deliveries.adopt(campaign.id, after(60), "Restored from a backup.")
    (doubt,) = ledger.deliveries.in_doubt_claims(campaign.id)
    assert (planned(1).recipient, NOW + at(60), 1, 0, None) == (
        doubt.recipient,
        doubt.date,
        doubt.version,
        doubt.number - 1,
        doubt.first_attempt_at,
    )
    with ledger.transaction():
        assert ledger.deliveries.decide(doubt.id, Step.RESEND, note="again", now=after(99))
    with ledger.transaction():
        (claim,) = ledger.deliveries.claim(campaign.id, run=RUN, count=1, now=after(99))
        assert ledger.deliveries.write_ahead([claim], run=RUN, now=after(99))
    assert (1, 1) == (claim.number, claim.recipient.resends)


def test_a_late_answer_after_an_adoption_counts_only_if_it_proves_acceptance(
    ledger: Ledger, freeze: Freeze
) -> None:
    campaign = freeze(2)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign.id, run=RUN, count=2, now=T)
        assert ledger.deliveries.write_ahead(claims, run=RUN, now=T)
        ledger.deliveries.adopt(campaign.id, after(60), "Restored from a backup.")
        one, two = claims
        assert ledger.deliveries.record(
            one, Disposition(Step.ACCEPT, "250"), run=RUN, now=after(61)
        )
        assert not ledger.deliveries.record(
            two, Disposition(Step.REJECT, "550"), run=RUN, now=after(61)
        )
    expected = {State.ACCEPTED: 1, State.IN_DOUBT: 1}
    assert expected == ledger.campaigns.tally(campaign).counts


def test_a_ledger_keeps_its_name(ledger: Ledger) -> None:
    with closing(Ledger(ledger.path, KEYS)) as other:
        assert ledger.identity == other.identity
    with closing(Ledger(ledger.path.with_name("another.db"), KEYS)) as another:
        assert another.identity != ledger.identity
