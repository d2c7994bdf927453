"""What is asked of the ledger thousands of times is found by its indexes alone."""

from datetime import datetime

from newsletter.ledger import steps
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State

from tests.ledger.conftest import Freeze, T, after


def plan(ledger: Ledger, sql: str) -> str:
    """How SQLite goes about it; whatever the parameters are."""
    rows = ledger._database.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * sql.count("?"))
    return "\n".join(row[3] for row in rows)


def steps_of(ledger: Ledger, campaign: str, count: int, now: datetime) -> int:
    """How many hundreds of instructions of SQLite's a claim takes."""
    spent = 0

    def count_up() -> int:
        nonlocal spent
        spent += 1
        return 0

    ledger._database._connection.set_progress_handler(count_up, 100)
    with ledger.transaction():
        claims = ledger.deliveries.claim(campaign, run="run-1", count=count, now=now)
        assert count == len(claims)
        ledger.deliveries.release(claims, run="run-1", now=now)
    ledger._database._connection.set_progress_handler(None, 100)
    return spent


def test_a_claim_goes_straight_to_what_is_due_and_sorts_nothing(ledger: Ledger) -> None:
    how = plan(ledger, steps.CLAIM)
    due = "queue (campaign=? AND state=? AND wave=? AND next_attempt_at<?)"
    assert f"SEARCH delivery USING COVERING INDEX {due}" in how
    assert "SEARCH delivery USING INTEGER PRIMARY KEY" in how
    assert "SCAN" not in how
    assert "TEMP B-TREE" not in how


def test_each_step_of_a_single_delivery_finds_it_by_its_number(ledger: Ledger) -> None:
    single = (steps.WRITE_AHEAD, steps.MAY_GO_AGAIN, steps.RELEASE, *steps.OUTCOMES.values())
    for sql in single:
        how = plan(ledger, sql)
        assert "SEARCH delivery USING INTEGER PRIMARY KEY" in how
        assert "SCAN" not in how


def test_a_postponement_looks_at_its_domain_alone(ledger: Ledger) -> None:
    how = plan(ledger, steps.POSTPONE)
    assert "SEARCH delivery USING INDEX of_domain (campaign=? AND domain=?)" in how


def test_a_claim_costs_the_same_however_many_are_postponed(ledger: Ledger, freeze: Freeze) -> None:
    campaign = freeze(3000)
    before = steps_of(ledger, campaign.id, 20, T)
    with ledger.transaction():
        ledger._database.execute(
            "UPDATE delivery SET next_attempt_at = ?, state = ? WHERE id <= 2900",
            (after(600), State.PENDING),
        )
    assert steps_of(ledger, campaign.id, 20, T) <= before + 2
