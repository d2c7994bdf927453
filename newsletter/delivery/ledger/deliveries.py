"""Deliveries: each recipient's way through the states, by compare-and-set.

Every change names the states it may start from (states.TRANSITIONS) and, while
a run owns the row, the run; a row that is elsewhere stays as it is. The methods
run inside a transaction that the caller opened, so that many of them share
one fsync.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from newsletter.addresses import Address
from newsletter.delivery.ledger.database import Database
from newsletter.delivery.states import TRANSITIONS, State, Step, sources
from newsletter.message.model import Recipient

_LONGEST_REPLY = 1000
"""Characters of a reply that are kept; a relay may send half a megabyte of them."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that a run holds.

    ``number`` is that of its next attempt, ``version`` that of the edition it is
    attempted with: always that of its first attempt, whatever was corrected since.
    """

    id: int
    recipient: Recipient
    number: int
    date: datetime
    first_attempt_at: float | None
    version: int


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery as a person sees it."""

    id: int
    address: str
    state: State
    attempts: int
    reply: str
    changed_at: datetime
    next_attempt_at: datetime | None


def _step_sql(step: Step, assignments: str, condition: str) -> str:
    targets = set(TRANSITIONS[step].values())
    (target,) = targets
    states = ", ".join(f"'{state}'" for state in sources(step))
    return (
        f"UPDATE delivery SET state = '{target}', changed_at = ?{assignments}"
        f" WHERE state IN ({states}) AND {condition}"
    )


_LEFT = "EXISTS (SELECT 1 FROM suppression WHERE suppression.tag = delivery.tag)"
_DUE = (
    "SELECT delivery.id FROM delivery JOIN control ON control.campaign = delivery.campaign"
    " WHERE delivery.campaign = ? AND state = ? AND delivery.wave <= control.wave"
    " AND next_attempt_at <= ? AND control.held IS NULL LIMIT ?"
)
_CLAIM = _step_sql(Step.CLAIM, ", run = ?, dated_at = COALESCE(dated_at, ?)", f"id IN ({_DUE})") + (
    " RETURNING id, address, name, language, fields, attempts, dated_at, first_attempt_at,"
    " COALESCE(version, (SELECT version FROM control WHERE control.campaign = delivery.campaign)),"
    " resends"
)
_SUPPRESS = _step_sql(Step.SUPPRESS, "", f"id = ? AND {_LEFT}")
_SUPPRESS_ALL = _step_sql(Step.SUPPRESS, "", f"campaign = ? AND {_LEFT}")
_HELD = (
    "EXISTS (SELECT 1 FROM control WHERE control.campaign = delivery.campaign"
    " AND control.held IS NOT NULL)"
)
_WRITE_AHEAD = _step_sql(
    Step.WRITE_AHEAD,
    ", attempts = ?, version = ?, first_attempt_at = COALESCE(first_attempt_at, ?)",
    f"id = ? AND run = ? AND NOT {_LEFT} AND NOT {_HELD}",
)
# What was due stays due, also when the clock is set back meanwhile.
_RELEASE = _step_sql(Step.RELEASE, ", run = NULL, next_attempt_at = 0", "id = ? AND run = ?")
_OUTCOMES = {
    step: _step_sql(
        step,
        ", attempts = ?, version = ?, reply = ?, provider_id = ?, next_attempt_at = ?,"
        " first_attempt_at = ?, run = NULL",
        "id = ? AND run = ?",
    )
    for step in (Step.ACCEPT, Step.REJECT, Step.DEFER, Step.DOUBT)
}
_EVIDENCE = _step_sql(Step.EVIDENCE, ", reply = ?, provider_id = ?", "id = ?")
# changed_at is the last attempt. Not the time of the run: whoever resumes a day
# late would give up readers who were tried only once.
_EXPIRE = _step_sql(Step.EXPIRE, "", "campaign = ? AND changed_at - first_attempt_at >= ?")
_BY_HAND = {
    Step.ASSUME: _step_sql(Step.ASSUME, ", reply = ?", "id = ?"),
    # The time for retries begins anew: it was over long ago, as a rule.
    Step.RESEND: _step_sql(
        Step.RESEND,
        ", reply = ?, next_attempt_at = 0, first_attempt_at = NULL, resends = resends + 1",
        "id = ?",
    ),
}
_ATTEMPT = (
    "INSERT INTO attempt (delivery, number, run, started_at, ended_at, outcome, reply)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (delivery, number) DO UPDATE"
    " SET ended_at = excluded.ended_at, outcome = excluded.outcome, reply = excluded.reply"
)
_ORPHANED_ATTEMPTS = (
    "INSERT OR IGNORE INTO attempt (delivery, number, run, started_at)"
    " SELECT id, attempts, run, changed_at FROM delivery WHERE campaign = ? AND state = ?"
)


class Deliveries:
    """The rows of one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, campaign: str, *, run: str, count: int, now: float) -> list[Claim]:
        """Take up to ``count`` deliveries that are due, first attempts before retries."""
        claims: list[Claim] = []
        for state in (State.PENDING, State.DEFERRED):
            wanted = count - len(claims)
            if wanted > 0:
                rows = self._database.execute(
                    _CLAIM, (now, run, now, campaign, state, now, wanted)
                ).fetchall()
                claims.extend(_claim(row) for row in rows)
        return claims

    def write_ahead(self, claims: Sequence[Claim], *, run: str, now: float) -> bool:
        """Record ``attempting`` for all of ``claims``, or for none of them.

        Who was suppressed meanwhile is marked so. Then, or when a claim was
        lost, the others stay claimed.

        Returns:
            Whether all may go.
        """
        for done, claim in enumerate(claims):
            changed = self._database.execute(
                _WRITE_AHEAD, (now, claim.number, claim.version, now, claim.id, run)
            ).rowcount
            if changed != 1:
                self._take_back(claims[:done], run, now)
                for each in claims:
                    self._database.execute(_SUPPRESS, (now, each.id))
                return False
        return True

    def _take_back(self, claims: Sequence[Claim], run: str, now: float) -> None:
        # Still inside the uncommitted transaction: for everybody else these
        # rows were never attempting, so this is no step of the state table.
        for claim in claims:
            self._database.execute(
                "UPDATE delivery SET state = 'claimed', attempts = ?, first_attempt_at = ?,"
                " version = CASE WHEN ? > 0 THEN version END, changed_at = ?"
                " WHERE id = ? AND run = ?",
                (claim.number - 1, claim.first_attempt_at, claim.number - 1, now, claim.id, run),
            )

    def record(
        self,
        claim: Claim,
        step: Step,
        *,
        run: str,
        reply: str,
        now: float,
        started_at: float | None = None,
        provider_id: str | None = None,
        next_attempt_at: float = 0,
        theirs: bool = True,
    ) -> bool:
        """Note an outcome: ``step`` is ACCEPT, REJECT, DEFER or DOUBT.

        A late acceptance upgrades a row that was put in doubt meanwhile.
        ``started_at`` is the time of the write-ahead; None where it was refused
        before that. Where the outcome is not ``theirs``, but the letter's or the
        account's, their time for retries does not begin.

        Returns:
            Whether the row changed; False when this run had lost it.
        """
        reply = _storable(reply)
        provider_id = provider_id and _storable(provider_id)
        started_at = now if started_at is None else started_at
        began_at = claim.first_attempt_at
        if began_at is None and theirs:
            began_at = started_at
        changed = self._database.execute(
            _OUTCOMES[step],
            (
                *(now, claim.number, claim.version, reply, provider_id, next_attempt_at, began_at),
                *(claim.id, run),
            ),
        ).rowcount
        if changed == 0 and step is Step.ACCEPT:
            changed = self._database.execute(
                _EVIDENCE, (now, reply, provider_id, claim.id)
            ).rowcount
        if changed:
            self._database.execute(
                _ATTEMPT, (claim.id, claim.number, run, started_at, now, step, reply)
            )
        return bool(changed)

    def release(self, claims: Sequence[Claim], *, run: str, now: float) -> None:
        """Return claims that were not attempted to the queue."""
        for claim in claims:
            self._database.execute(_RELEASE, (now, claim.id, run))

    def recover(self, campaign: str, *, now: float) -> int:
        """Settle what a run that died left behind; call only while holding the lock.

        Claimed rows go back to the queue. Attempting rows become in doubt:
        the other side may have them.

        Returns:
            How many are newly in doubt.
        """
        orphans = TRANSITIONS[Step.ORPHAN]
        self._database.execute(_ORPHANED_ATTEMPTS, (campaign, State.ATTEMPTING))
        self._database.execute(
            "UPDATE delivery SET state = ?, run = NULL, next_attempt_at = 0, changed_at = ?"
            " WHERE campaign = ? AND state = ?",
            (orphans[State.CLAIMED], now, campaign, State.CLAIMED),
        )
        return self._database.execute(
            "UPDATE delivery SET state = ?, run = NULL, changed_at = ?, reply = ?"
            " WHERE campaign = ? AND state = ?",
            (
                orphans[State.ATTEMPTING],
                now,
                "The program ended before the answer was recorded.",
                campaign,
                State.ATTEMPTING,
            ),
        ).rowcount

    def suppress(self, campaign: str, *, now: float) -> int:
        """Take those who left since the freeze out of the queue, before a run begins.

        Each write-ahead asks again; but then the relay has heard of them, and
        to withhold a letter costs the connection.
        """
        return self._database.execute(_SUPPRESS_ALL, (now, campaign)).rowcount

    def expire(self, campaign: str, *, retry_for_s: float, now: float) -> int:
        """Give up those who were still put off ``retry_for_s`` after their first attempt."""
        return self._database.execute(_EXPIRE, (now, campaign, retry_for_s)).rowcount

    def decide(self, delivery: int, step: Step, *, note: str, now: float) -> bool:
        """A person settles a doubt: ASSUME it arrived, or RESEND it.

        Returns:
            Whether the delivery was in doubt and now is not.
        """
        with self._database.transaction():
            cursor = self._database.execute(_BY_HAND[step], (now, note, delivery))
        return cursor.rowcount == 1

    def held(self, campaign: str, *states: State) -> tuple[Held, ...]:
        """The deliveries in ``states``, for a person to read."""
        marks = ", ".join("?" for _ in states)
        with self._database.errors():
            rows = self._database.execute(
                "SELECT id, address, state, attempts, reply, changed_at, next_attempt_at"
                f" FROM delivery WHERE campaign = ? AND state IN ({marks}) ORDER BY id",
                (campaign, *states),
            ).fetchall()
        return tuple(_held(row) for row in rows)

    def next_due(self, campaign: str) -> datetime | None:
        """When the earliest deferred delivery comes back, if there is one."""
        with self._database.errors():
            (at,) = self._database.execute(
                "SELECT MIN(next_attempt_at) FROM delivery WHERE campaign = ? AND state = ?",
                (campaign, State.DEFERRED),
            ).fetchone()
        return None if at is None else datetime.fromtimestamp(at, UTC)


def _claim(row: tuple[Any, ...]) -> Claim:
    local, _, domain = row[1].rpartition("@")
    return Claim(
        id=row[0],
        recipient=Recipient(
            # Parsed when it was frozen; parsing again would cost a hundred times more.
            address=Address(local, domain),
            name=row[2],
            language=row[3],
            fields=json.loads(row[4]),
            resends=row[9],
        ),
        number=row[5] + 1,
        date=datetime.fromtimestamp(row[6], UTC),
        first_attempt_at=row[7],
        version=row[8],
    )


def _storable(reply: str) -> str:
    """The other side's words as far as they are worth keeping, without control characters.

    Half a surrogate pair, which JSON can carry, would stop the ledger, and an
    escape sequence would play with the terminal that shows it.
    """
    if len(reply) <= _LONGEST_REPLY and reply.isprintable():
        return reply
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
                   for char in reply[:_LONGEST_REPLY])  # fmt: skip


def _held(row: tuple[Any, ...]) -> Held:
    state = State(row[2])
    return Held(
        id=row[0],
        address=row[1],
        state=state,
        attempts=row[3],
        reply=row[4],
        changed_at=datetime.fromtimestamp(row[5], UTC),
        next_attempt_at=(datetime.fromtimestamp(row[6], UTC) if state is State.DEFERRED else None),
    )
