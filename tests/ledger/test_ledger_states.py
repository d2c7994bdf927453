"""The state table of docs/ledger.md, row by row: every step from every state."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.reading import Claim
from newsletter.ledger.states import TERMINAL, TRANSITIONS, Disposition, State, Step
from newsletter.ledger.suppressions import Leave, Reason

from tests.ledger.conftest import Freeze, T, after, planned

RUN = "run-1"


def claim_of(campaign: Campaign) -> Claim:
    return Claim(
        id=1,
        recipient=planned(1).recipient,
        number=1,
        date=T,
        first_attempt_at=None,
        version=1,
    )


def _record(step: Step) -> Callable[[Ledger, Campaign], object]:
    return lambda ledger, campaign: ledger.deliveries.record(
        claim_of(campaign), Disposition(step, "said"), run=RUN, now=T
    )


def _suppress(ledger: Ledger, campaign: Campaign) -> object:
    return ledger.deliveries.write_ahead([claim_of(campaign)], run=RUN, now=T)


ACTIONS: dict[Step, Callable[[Ledger, Campaign], object]] = {
    Step.CLAIM: lambda ledger, c: ledger.deliveries.claim(c.id, run=RUN, count=5, now=T),
    Step.RELEASE: lambda ledger, c: ledger.deliveries.release([claim_of(c)], run=RUN, now=T),
    Step.SUPPRESS: _suppress,
    Step.WRITE_AHEAD: _suppress,
    Step.ACCEPT: _record(Step.ACCEPT),
    Step.REJECT: _record(Step.REJECT),
    Step.DEFER: _record(Step.DEFER),
    Step.RETURN: _record(Step.RETURN),
    Step.DOUBT: _record(Step.DOUBT),
    Step.ORPHAN: lambda ledger, c: ledger.deliveries.recover(c.id, alive=(), now=T),
    Step.EXPIRE: lambda ledger, c: ledger.deliveries.expire(c.id, retry_for_s=9, now=T),
    Step.EVIDENCE: lambda ledger, _: ledger.deliveries.evidence(1, "250", "id-1", T),
    Step.ASSUME: lambda ledger, c: ledger.deliveries.decide(1, Step.ASSUME, note="n", now=T),
    Step.RESEND: lambda ledger, c: ledger.deliveries.decide(1, Step.RESEND, note="n", now=T),
    Step.PUT_BACK: lambda ledger, c: ledger.deliveries.put_back([claim_of(c)], now=T),
    Step.ADOPT: lambda ledger, c: ledger.deliveries.adopt(c.id, T, "restored"),
}


def put(path: Path, state: State) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE delivery SET state = ?, run = ?, first_attempt_at = ?", (state, RUN, after(-9))
        )
    connection.close()


def state_in(path: Path) -> State:
    connection = sqlite3.connect(path)
    (state,) = connection.execute("SELECT state FROM delivery").fetchone()
    connection.close()
    return State(state)


def expected(step: Step, state: State) -> State:
    tables = [TRANSITIONS[step]]
    if step is Step.ACCEPT:  # the run's own late answer is evidence, too
        tables.append(TRANSITIONS[Step.EVIDENCE])
    return next((table[state] for table in tables if state in table), state)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("step", list(Step))
def test_each_step_leads_from_each_state_where_the_table_says(
    step: Step, state: State, ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    campaign = freeze(1)
    if step is Step.SUPPRESS:
        with ledger.transaction():
            ledger.suppressions.add(Leave(b"tag1", Reason.UNSUBSCRIBED, "test", datetime.now(UTC)))
    put(ledger_path, state)

    with ledger.transaction():
        ACTIONS[step](ledger, campaign)

    assert expected(step, state) == state_in(ledger_path)


def test_every_step_of_the_table_is_tried_here() -> None:
    assert set(Step) == set(ACTIONS) == set(TRANSITIONS)


def test_no_step_but_a_persons_word_leads_out_of_doubt_into_the_queue() -> None:
    queue = {State.PENDING, State.CLAIMED, State.DEFERRED, State.ATTEMPTING}
    ways = {
        step
        for step, table in TRANSITIONS.items()
        if State.IN_DOUBT in table and table[State.IN_DOUBT] in queue
    }
    assert {Step.RESEND} == ways


def test_nothing_leads_out_of_a_terminal_state_but_evidence_that_a_refusal_was_about_us() -> None:
    ways = {step: TERMINAL & set(table) for step, table in TRANSITIONS.items()}
    assert {Step.PUT_BACK: {State.REJECTED}} == {step: on for step, on in ways.items() if on}


def test_an_orphan_that_was_attempting_never_goes_back_to_the_queue() -> None:
    assert TRANSITIONS[Step.ORPHAN][State.ATTEMPTING] == State.IN_DOUBT


@pytest.mark.parametrize("step", [Step.ACCEPT, Step.REJECT, Step.DEFER, Step.RETURN, Step.DOUBT])
def test_another_runs_outcome_changes_nothing(
    ledger: Ledger, ledger_path: Path, freeze: Freeze, step: Step
) -> None:
    campaign = freeze(1)
    put(ledger_path, State.ATTEMPTING)
    with ledger.transaction():
        changed = ledger.deliveries.record(
            claim_of(campaign), Disposition(step, ""), run="somebody else", now=T
        )
    assert not changed
    assert state_in(ledger_path) == State.ATTEMPTING


def test_another_runs_claim_is_neither_attempted_nor_returned(
    ledger: Ledger, ledger_path: Path, freeze: Freeze
) -> None:
    claims = [claim_of(freeze(1))]
    put(ledger_path, State.CLAIMED)
    with ledger.transaction():
        assert not ledger.deliveries.write_ahead(claims, run="somebody else", now=T)
        ledger.deliveries.release(claims, run="somebody else", now=T)
    assert state_in(ledger_path) == State.CLAIMED
