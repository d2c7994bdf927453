"""Campaigns: frozen in one transaction, then never changed."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from newsletter.clock import moment_at
from newsletter.errors import LedgerRefused, Where
from newsletter.ledger.database import Database
from newsletter.ledger.plan import Plan, Planned, Wave
from newsletter.ledger.reading import fields_json
from newsletter.ledger.seal import DELIVERY, INTACT, broken, seal
from newsletter.ledger.states import HAS_OR_MAY_HAVE, State, listed
from newsletter.ledger.tally import Tally
from newsletter.ledger.versions import (
    Approved,
    fingerprint,
    read_versions,
    write_version,
)

_OWN_CHARACTERS = 5


@dataclass(frozen=True, slots=True)
class Campaign:
    """One frozen send of an issue to an audience."""

    id: str
    issue: str
    round: int
    frozen_at: datetime
    planned: int
    fingerprint: str
    letterhead: str
    excluded: Mapping[str, int]


class Campaigns:
    """The table of campaigns, and the freeze that writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def freeze(
        self,
        plan: Plan,
        approved: Approved,
        *,
        now: datetime,
        again: bool = False,
        not_before: datetime | None = None,
        late_after: timedelta = timedelta(hours=72),
        round_elsewhere: int = 1,
    ) -> Campaign:
        """Write campaign, editions and audience; inside the caller's transaction.

        Args:
            plan: who gets it.
            approved: an edition for each language of the plan, and the letterhead.
            now: the time, for the record.
            again: begin a new round: those who have the issue get it once more.
            not_before: when sending begins; now if left out.
            late_after: so long after that it is too late to send.
            round_elsewhere: the issue's latest round that is known of, be it not in here.

        Raises:
            LedgerRefused: somebody in the plan was put into another campaign of
                the issue meanwhile, or nothing can be written. Nothing is frozen.
        """
        latest = max(self.latest_round(plan.issue), round_elsewhere)
        print_ = fingerprint(approved.editions, approved.letterhead)
        campaign = Campaign(
            id=self._new_id(plan, print_, now),
            issue=plan.issue,
            round=latest + (1 if again else 0),
            frozen_at=now,
            planned=len(plan.recipients),
            fingerprint=print_,
            letterhead=approved.letterhead,
            excluded={str(reason): count for reason, count in plan.excluded.items()},
        )
        self._insert(campaign, plan, approved)
        begins_at = not_before or now
        first_wave = min((planned.wave for planned in plan.recipients), default=Wave.REST)
        # Written last: it seals the audience.
        self._database.execute(
            "INSERT INTO control VALUES (?, ?, ?, ?, 1, NULL)",
            (campaign.id, begins_at, begins_at + late_after, first_wave),
        )
        (frozen,) = self._database.execute(
            "SELECT COUNT(*) FROM delivery WHERE campaign = ?", (campaign.id,)
        ).fetchone()
        if frozen != campaign.planned:
            raise LedgerRefused(
                f"{campaign.planned} recipients were planned, but {frozen} were written.",
                next="Nothing was frozen or sent; run the command again.",
            )
        return campaign

    def _insert(self, campaign: Campaign, plan: Plan, approved: Approved) -> None:
        self._database.execute(
            "INSERT INTO campaign VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                campaign.id,
                campaign.issue,
                campaign.round,
                campaign.frozen_at,
                campaign.planned,
                campaign.fingerprint,
                campaign.letterhead,
                json.dumps(dict(campaign.excluded), sort_keys=True),
            ),
        )
        write_version(self._database, campaign, 1, approved, now=campaign.frozen_at)
        try:
            self._database.executemany(
                f"INSERT INTO delivery ({DELIVERY}, message_tag, seal, state, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (self._row(campaign, planned) for planned in plan.recipients),
            )
        except sqlite3.IntegrityError:
            raise LedgerRefused(
                "Somebody on the list is already in another campaign of this issue.",
                where=Where(item=f"issue {plan.issue}"),
                next="Nothing was frozen or sent; run the command again for a new plan.",
            ) from None

    def _row(self, campaign: Campaign, planned: Planned) -> tuple[object, ...]:
        frozen = _frozen(campaign, planned)
        return (
            *frozen,
            self._database.message_tag(campaign.id, planned.recipient.address.key),
            seal(self._database.seal_key, frozen),
            State.PENDING,
            campaign.frozen_at,
        )

    def _new_id(self, plan: Plan, print_: str, now: datetime) -> str:
        """``2017-03.1-k7q2m``: the issue, a number for people, and what no other freeze has.

        Copies of a ledger count alike. Without the last part two campaigns would share their
        Message-IDs and idempotency keys for other messages.
        """
        (earlier,) = self._database.execute(
            "SELECT COUNT(*) FROM campaign WHERE issue = ?", (plan.issue,)
        ).fetchone()
        tags = b"".join(each.tag for each in plan.recipients)
        frozen = f"{now.isoformat()} {print_} {earlier} ".encode() + tags
        own = base64.b32encode(hashlib.sha256(frozen).digest())[:_OWN_CHARACTERS]
        return f"{plan.issue}.{earlier + 1}-{own.decode().lower()}"

    def latest_round(self, issue: str) -> int:
        """1 for an issue's first round; “send --again” begins another."""
        ((highest,),) = self._database.rows(
            "SELECT COALESCE(MAX(round), 1) FROM campaign WHERE issue = ?", (issue,)
        )
        return int(highest)

    def of_issue(self, issue: str) -> tuple[Campaign, ...]:
        """All campaigns of an issue, oldest first."""
        return self._select("WHERE issue = ? ORDER BY frozen_at, id", (issue,))

    def all(self) -> tuple[Campaign, ...]:
        """All campaigns, oldest first."""
        return self._select("ORDER BY frozen_at, id", ())

    def _select(self, clause: str, parameters: tuple[object, ...]) -> tuple[Campaign, ...]:
        rows = self._database.rows(
            "SELECT id, issue, round, frozen_at, planned, fingerprint, letterhead, excluded"
            f" FROM campaign {clause}",
            parameters,
        )
        return tuple(_campaign(row) for row in rows)

    def approved(self, campaign: Campaign) -> dict[int, Approved]:
        """What was approved, by version: 1 with the freeze, one more with each correction.

        Raises:
            LedgerRefused: something of it is not what was frozen.
        """
        return read_versions(self._database, campaign)

    def check_seals(self, campaign: Campaign) -> None:
        """See whether everybody is who was frozen, with what was frozen for them.

        About a second for 100,000: a run asks once, before it begins.

        Raises:
            LedgerRefused: somebody is not.
        """
        self._refuse_broken("campaign = ?", campaign.id)

    def _refuse_broken(self, condition: str, value: str) -> None:
        for campaign, delivery in self._database.rows(
            f"SELECT campaign, id FROM delivery WHERE {condition} AND NOT ({INTACT}) LIMIT 1",
            (value,),
        ):
            raise broken(campaign, f"Delivery {delivery}")

    def tally(self, campaign: Campaign) -> Tally:
        """How many are in which state, counted now."""
        rows = self._database.rows(
            "SELECT state, COUNT(*) FROM delivery WHERE campaign = ? GROUP BY state",
            (campaign.id,),
        )
        return Tally(campaign.planned, {State(state): count for state, count in rows})

    def verify(self, campaign: Campaign) -> Tally:
        """Count, and refuse to go on if anybody is missing or too many.

        An index alone is read: 0.1 µs a recipient, cheap enough for each
        heartbeat of a run.

        Raises:
            LedgerRefused: planned is not the sum of the states.
        """
        tally = self.tally(campaign)
        if not tally.adds_up:
            raise LedgerRefused(
                f"{campaign.planned} recipients were planned, but the ledger counts "
                f"{sum(tally.counts.values())}.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Nothing more is sent. Keep the file, and ask for help before sending: "
                "it was damaged, or changed by another program.",
            )
        return tally

    def has_it(self, issue: str) -> frozenset[str]:
        """Address keys of those who have the issue, may have it, or will get it.

        Raises:
            LedgerRefused: somebody is not who was frozen; they would get it again.
        """
        self._refuse_broken("issue = ?", issue)
        with self._database.errors():
            rows = self._database.execute(
                "SELECT DISTINCT address FROM delivery WHERE issue = ?"
                f" AND state IN {listed(HAS_OR_MAY_HAVE)}",
                (issue,),
            )
            return frozenset(address for (address,) in rows)

    def in_round(self, issue: str, number: int) -> frozenset[str]:
        """Address keys of those who were in a round, whatever came of it.

        Who was refused in it had their turn: else no round would ever be over.

        Raises:
            LedgerRefused: somebody is not who was frozen; they would get it again.
        """
        self._refuse_broken("issue = ?", issue)
        with self._database.errors():
            rows = self._database.execute(
                "SELECT DISTINCT address FROM delivery WHERE issue = ? AND round = ?",
                (issue, number),
            )
            return frozenset(address for (address,) in rows)


def _frozen(campaign: Campaign, planned: Planned) -> tuple[object, ...]:
    """The values of a delivery's columns ``DELIVERY``."""
    recipient = planned.recipient
    return (
        *(campaign.id, campaign.issue, campaign.round),
        *(recipient.address.key, recipient.address.domain, planned.tag),
        *(recipient.name, recipient.language),
        fields_json(recipient),
        planned.wave,
    )


def _campaign(row: tuple[Any, ...]) -> Campaign:
    return Campaign(
        id=row[0],
        issue=row[1],
        round=row[2],
        frozen_at=moment_at(row[3]),
        planned=row[4],
        fingerprint=row[5],
        letterhead=row[6],
        excluded=json.loads(row[7]),
    )
