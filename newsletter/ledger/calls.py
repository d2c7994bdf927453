"""Calls: requests to a provider, as they must be known to be repeated safely."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import moment_at
from newsletter.ledger.database import Database


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One request. ``members`` are the ids of its deliveries, in its order.

    ``digest`` is the SHA-256 of its body in hex; ``first_at`` when it was made
    first, from which on its key lives.
    """

    key: str
    campaign: str
    transport: str
    place: str
    members: tuple[int, ...]
    digest: str
    first_at: datetime


class Calls:
    """The table of calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        key: str,
        campaign: str,
        *,
        transport: str,
        place: str,
        members: Sequence[int],
        digest: str,
        now: float,
    ) -> None:
        """Write down that a call is about to be made; inside the caller's transaction.

        The same key again changes nothing: the first time counts.
        """
        self._database.execute(
            "INSERT OR IGNORE INTO call (key, campaign, transport, place, members, digest,"
            " first_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, campaign, transport, place, json.dumps(list(members)), digest, now),
        )

    def of(self, campaign: str) -> tuple[CallRecord, ...]:
        """A campaign's calls, oldest first."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT key, transport, place, members, digest, first_at FROM call"
                " WHERE campaign = ? ORDER BY first_at, key",
                (campaign,),
            ).fetchall()
        return tuple(
            CallRecord(
                key=key,
                campaign=campaign,
                transport=transport,
                place=place,
                members=tuple(json.loads(members)),
                digest=digest,
                first_at=moment_at(first_at),
            )
            for key, transport, place, members, digest, first_at in rows
        )
