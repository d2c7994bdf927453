"""Deliveries: each recipient's way through the states, by compare-and-set.

Every change names the states it may start from (states.TRANSITIONS) and, while
a run owns the row, the run; a row that is elsewhere stays as it is. The methods
run inside a transaction that the caller opened, so that many of them share
one fsync.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import product

from newsletter.ledger import steps
from newsletter.ledger.reading import (
    HELD_BACK,
    Claim,
    DeliveryQueries,
    claim_of,
)
from newsletter.ledger.states import Disposition, State, Step

_LONGEST_REPLY = 1000
"""Characters of a reply that are kept; a relay may send half a megabyte of them."""


class Deliveries(DeliveryQueries):
    """The rows of one ledger, to read and to move."""

    def claim(self, campaign: str, *, run: str, count: int, now: datetime) -> list[Claim]:
        """Take up to ``count`` deliveries that are due, first attempts before retries.

        Earlier waves come first; none is taken while the campaign is held.

        Raises:
            LedgerRefused: one of them is not what was frozen.
        """
        control = self._database.execute(
            "SELECT wave, version, held FROM control WHERE campaign = ?", (campaign,)
        ).fetchone()
        if control is None or control[2] is not None:
            return []
        open_wave, version, _ = control
        claims: list[Claim] = []
        for state, wave in product((State.PENDING, State.DEFERRED), range(open_wave + 1)):
            wanted = count - len(claims)
            if wanted > 0:
                rows = self._database.execute(
                    steps.CLAIM, (now, run, now, campaign, state, wave, now, wanted, version)
                ).fetchall()
                claims.extend(claim_of(campaign, row) for row in rows)
        return claims

    def write_ahead(self, claims: Sequence[Claim], *, run: str, now: datetime) -> bool:
        """Record ``attempting`` for all of ``claims``, or for none of them.

        Who was suppressed meanwhile is marked so. Then, or when a claim was
        lost, the campaign is held, or the editions of a first attempt were
        corrected meanwhile, the others stay claimed.

        Returns:
            Whether all may go.
        """
        for done, claim in enumerate(claims):
            changed = self._database.execute(
                steps.WRITE_AHEAD,
                (now, claim.number, claim.version, now, claim.id, run, claim.version),
            ).rowcount
            if changed != 1:
                self._take_back(claims[:done], run, now)
                for each in claims:
                    self._database.execute(steps.SUPPRESS, (now, each.id))
                return False
        return True

    def may_go_again(self, claims: Sequence[Claim], *, run: str) -> bool:
        """Whether a further request within the same attempt may be made for ``claims``.

        For parts of a request that was definitely refused as a whole. Nothing
        changes: they are attempting, and stay so until an outcome is recorded.
        """
        return all(
            self._database.execute(steps.MAY_GO_AGAIN, (claim.id, run, claim.version)).fetchone()
            for claim in claims
        )

    def _take_back(self, claims: Sequence[Claim], run: str, now: datetime) -> None:
        # Still inside the uncommitted transaction: for everybody else these
        # rows were never attempting, so this is no step of the state table.
        for claim in claims:
            self._database.execute(
                "UPDATE delivery SET state = 'claimed', attempts = ?, first_attempt_at = ?,"
                " version = CASE WHEN ? THEN version END, changed_at = ?"
                " WHERE id = ? AND run = ?",
                (claim.number - 1, claim.first_attempt_at, claim.bound, now, claim.id, run),
            )

    def record(
        self,
        claim: Claim,
        found: Disposition,
        *,
        run: str,
        now: datetime,
        started_at: datetime | None = None,
    ) -> bool:
        """Note an outcome, whose step is ACCEPT, REJECT, DEFER, RETURN or DOUBT.

        A late acceptance upgrades a row that was put in doubt meanwhile.
        ``started_at`` is the time of the write-ahead; None where it was refused
        before that. RETURN is not the recipient's outcome, but the message's or the
        account's, and does not count as an attempt: their time for retries does
        not begin, they are not tried less often, and a corrected version reaches
        them. Else they could never be mailed: the very message was refused.

        Returns:
            Whether the row changed; False when this run had lost it.
        """
        step, reply = found.step, _storable(found.reply)
        provider_id = found.provider_id and _storable(found.provider_id)
        started_at = now if started_at is None else started_at
        began_at = claim.first_attempt_at
        if began_at is None and step is not Step.RETURN:
            began_at = started_at
        changed = self._database.execute(
            steps.OUTCOMES[step],
            (
                *(now, claim.number, began_at is not None, claim.version, reply, provider_id),
                *(found.next_attempt_at, began_at, claim.id, run),
            ),
        ).rowcount
        if changed == 0 and step is Step.ACCEPT:
            changed = self._database.execute(
                steps.EVIDENCE, (now, reply, provider_id, claim.id)
            ).rowcount
        if changed:
            outcome = HELD_BACK if step is Step.RETURN else step
            self._database.execute(
                steps.ATTEMPT,
                (claim.id, claim.number, run, started_at, now, outcome, reply),
            )
        return bool(changed)

    def put_back(self, claims: Sequence[Claim], *, now: datetime) -> int:
        """Let those wait again whose refusal turned out to be about us; it is no attempt of theirs.

        Inside the caller's transaction.

        Args:
            claims: as they were before the attempt.
            now: the time.

        Returns:
            How many were refused or deferred and now wait.
        """
        changed = 0
        for claim in claims:
            began_at = claim.first_attempt_at
            changed += self._database.execute(
                steps.PUT_BACK,
                (now, began_at, began_at is not None, claim.id),
            ).rowcount
            self._database.execute(steps.PUT_BACK_ATTEMPT, (HELD_BACK, claim.id, claim.number))
        return changed

    def release(self, claims: Sequence[Claim], *, run: str, now: datetime) -> None:
        """Return claims that were not attempted to the queue."""
        for claim in claims:
            self._database.execute(steps.RELEASE, (now, claim.id, run))

    def recover(self, campaign: str, *, alive: Sequence[str], now: datetime) -> int:
        """Settle what runs that died left behind.

        Claimed rows go back to the queue. Attempting rows become in doubt:
        the server may have them.

        Args:
            campaign: its id.
            alive: ids of runs that still work; theirs are left alone.
            now: the time.

        Returns:
            How many are newly in doubt.
        """
        kept = json.dumps(list(alive))
        self._database.execute(steps.ORPHANED_ATTEMPTS, (campaign, State.ATTEMPTING, kept))
        self._database.execute(steps.ORPHAN_CLAIMED, (now, campaign, kept))
        reply = "The program ended before the answer was recorded."
        return self._database.execute(
            steps.ORPHAN_ATTEMPTING, (now, reply, campaign, kept)
        ).rowcount

    def suppress(self, campaign: str, *, now: datetime) -> int:
        """Take those who left since the freeze out of the queue, before a run begins.

        Each write-ahead asks again; but then the relay has heard of them, and
        to withhold a message costs the connection.
        """
        return self._database.execute(steps.SUPPRESS_ALL, (now, campaign)).rowcount

    def expire(self, campaign: str, *, retry_for_s: float, now: datetime) -> int:
        """Give up recipients who are still deferred ``retry_for_s`` after their first attempt."""
        return self._database.execute(steps.EXPIRE, (now, campaign, retry_for_s)).rowcount

    def decide(self, delivery: int, step: Step, *, note: str, now: datetime) -> bool:
        """A person settles a doubt: ASSUME it arrived, or RESEND it.

        Inside the caller's transaction: thousands can be settled with one word.

        Returns:
            Whether the delivery was in doubt and now is not.
        """
        cursor = self._database.execute(steps.BY_HAND[step], (now, note, delivery))
        return cursor.rowcount == 1

    def evidence(self, delivery: int, reply: str, provider_id: str | None, now: datetime) -> bool:
        """Proof came late that a delivery in doubt was accepted; inside the caller's transaction.

        Returns:
            Whether it was in doubt and now is not.
        """
        provider_id = provider_id and _storable(provider_id)
        cursor = self._database.execute(
            steps.EVIDENCE, (now, _storable(reply), provider_id, delivery)
        )
        return cursor.rowcount == 1

    def adopt(self, campaign: str, now: datetime, note: str) -> int:
        """Put in doubt whoever waits: another ledger may have mailed them since.

        Inside the caller's transaction, and only while holding the lock.

        Returns:
            How many are newly in doubt.
        """
        self._database.execute(steps.ORPHANED_ATTEMPTS, (campaign, State.ATTEMPTING, "[]"))
        return self._database.execute(steps.ADOPT, (now, note, campaign)).rowcount

    def postpone(self, campaign: str, domain: str, until: datetime) -> int:
        """Let those at ``domain`` who wait do so until then; inside the caller's transaction.

        Returns:
            How many wait longer now.
        """
        return self._database.execute(steps.POSTPONE, (until, campaign, domain, until)).rowcount


def _storable(reply: str) -> str:
    """The server's words as far as they are worth keeping, without control characters.

    Half a surrogate pair, which JSON can carry, would stop the ledger, and an
    escape sequence would play with the terminal that shows it.
    """
    if len(reply) <= _LONGEST_REPLY and reply.isprintable():
        return reply
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
                   for char in reply[:_LONGEST_REPLY])  # fmt: skip
