"""The SQL of each step: every change names the states it may start from.

Made from states.TRANSITIONS, so that no statement can take a way that the
table does not list.
"""

from __future__ import annotations

from newsletter.ledger.seal import INTACT
from newsletter.ledger.states import TRANSITIONS, State, Step, listed, sources
from newsletter.ledger.suppressions import IN_FORCE


def _step_sql(step: Step, assignments: str, condition: str, *only: State) -> str:
    """The step from all states that it may start from, or from ``only`` some of them."""
    starts = only or sources(step)
    (target,) = {TRANSITIONS[step][state] for state in starts}
    return (
        f"UPDATE delivery SET state = '{target}', changed_at = ?{assignments}"
        f" WHERE state IN {listed(starts)} AND {condition}"
    )


LEFT = f"EXISTS (SELECT 1 FROM suppression AS leave WHERE leave.tag = delivery.tag AND {IN_FORCE})"
# Wave by wave, so that the index leads straight to what is due, however many
# of the same state wait for later.
_DUE = (
    "SELECT id FROM delivery WHERE campaign = ? AND state = ? AND wave = ?"
    " AND next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?"
)
CLAIM = _step_sql(Step.CLAIM, ", run = ?, dated_at = COALESCE(dated_at, ?)", f"id IN ({_DUE})") + (
    " RETURNING id, address, name, language, fields, resends, attempts, dated_at,"
    " first_attempt_at, COALESCE(version, ?), version IS NOT NULL,"
    f" {INTACT}"
)
SUPPRESS = _step_sql(Step.SUPPRESS, "", f"id = ? AND {LEFT}")
SUPPRESS_ALL = _step_sql(Step.SUPPRESS, "", f"campaign = ? AND {LEFT}")
# Goes on only if nobody holds the campaign, and with the right editions: those of
# the first attempt or, before it, those that are in force now.
_GO = (
    "EXISTS (SELECT 1 FROM control WHERE control.campaign = delivery.campaign"
    " AND control.held IS NULL AND COALESCE(delivery.version, control.version) = ?)"
)
WRITE_AHEAD = _step_sql(
    Step.WRITE_AHEAD,
    ", attempts = ?, version = ?, first_attempt_at = COALESCE(first_attempt_at, ?)",
    f"id = ? AND run = ? AND NOT {LEFT} AND {_GO}",
)
# A second request within the same attempt, after the first was refused whole.
MAY_GO_AGAIN = (
    f"SELECT 1 FROM delivery WHERE state = '{State.ATTEMPTING}' AND id = ? AND run = ?"
    f" AND NOT {LEFT} AND {_GO}"
)
# What was due stays due, also when the clock is set back meanwhile.
RELEASE = _step_sql(Step.RELEASE, ", run = NULL, next_attempt_at = 0", "id = ? AND run = ?")
OUTCOMES = {
    step: _step_sql(
        step,
        ", attempts = ?, version = CASE WHEN ? THEN COALESCE(version, ?) END, reply = ?,"
        " provider_id = ?, next_attempt_at = ?, first_attempt_at = ?, run = NULL",
        "id = ? AND run = ?",
    )
    for step in (Step.ACCEPT, Step.REJECT, Step.DEFER, Step.RETURN, Step.DOUBT)
}
EVIDENCE = _step_sql(Step.EVIDENCE, ", reply = ?, provider_id = ?", "id = ?")
# changed_at is the last attempt. Not the time of the run: whoever resumes a day
# late would give up readers who were tried only once.
EXPIRE = _step_sql(Step.EXPIRE, "", "campaign = ? AND changed_at - first_attempt_at >= ?")
BY_HAND = {
    Step.ASSUME: _step_sql(Step.ASSUME, ", reply = ?", "id = ?"),
    # The time for retries begins anew: it was over long ago, as a rule.
    Step.RESEND: _step_sql(
        Step.RESEND,
        ", reply = ?, next_attempt_at = 0, first_attempt_at = NULL, resends = resends + 1",
        "id = ?",
    ),
}
# As if they had never been attempted, unless they were before: a corrected version reaches them.
PUT_BACK = _step_sql(
    Step.PUT_BACK,
    ", next_attempt_at = 0, first_attempt_at = ?, version = CASE WHEN ? THEN version END",
    "id = ?",
)
PUT_BACK_ATTEMPT = "UPDATE attempt SET outcome = ? WHERE delivery = ? AND number = ?"
ADOPT = _step_sql(Step.ADOPT, ", run = NULL, reply = ?", "campaign = ?")
# Not a step: they wait where they are, only longer.
POSTPONE = (
    f"UPDATE delivery SET next_attempt_at = ? WHERE state IN ('{State.PENDING}',"
    f" '{State.DEFERRED}') AND campaign = ? AND domain = ? AND next_attempt_at < ?"
)
ATTEMPT = (
    "INSERT INTO attempt (delivery, number, run, started_at, ended_at, outcome, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (delivery, number) DO UPDATE"
    " SET ended_at = excluded.ended_at, outcome = excluded.outcome, reply = excluded.reply"
)
_OVER = "COALESCE(run, '') NOT IN (SELECT value FROM json_each(?))"
ORPHANED_ATTEMPTS = (
    "INSERT OR IGNORE INTO attempt (delivery, number, run, started_at)"
    " SELECT id, attempts, run, changed_at FROM delivery WHERE campaign = ? AND state = ?"
    f" AND {_OVER}"
)
ORPHAN_CLAIMED = _step_sql(
    Step.ORPHAN, ", run = NULL, next_attempt_at = 0", f"campaign = ? AND {_OVER}", State.CLAIMED
)
ORPHAN_ATTEMPTING = _step_sql(
    Step.ORPHAN, ", run = NULL, reply = ?", f"campaign = ? AND {_OVER}", State.ATTEMPTING
)
