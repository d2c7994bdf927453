"""Runs: who worked on a campaign and how it ended, their calls, and the pace that they learned."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import datetime

from newsletter.clock import EARLIEST, moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.schema import TRIALS


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. ``seen_at`` is when it was last alive; without ``ended_at`` it goes on, or died.

    ``place`` is the transport's: relay and port, or provider and endpoint.
    ``ending`` says in words why it ended.
    """

    id: str
    campaign: str
    transport: str
    place: str
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    ending: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One request to a provider, as it must be known to be repeated safely.

    ``members`` are the ids of its deliveries, in its order; ``digest`` is the
    SHA-256 of its body in hex; ``first_at`` when it was made first, from which
    on its key lives.
    """

    key: str
    campaign: str
    transport: str
    place: str
    members: tuple[int, ...]
    digest: str
    first_at: datetime


@dataclass(frozen=True, slots=True)
class BucketRow:
    """How fast mail may go through a way out, or to a domain.

    ``tokens`` is how many may go at ``filled_at``; below zero, so many went
    ahead of their time. ``per_second`` is None where no limit is known.
    """

    name: str
    tokens: float
    filled_at: datetime
    per_second: float | None = None
    blocked_until: datetime = EARLIEST
    learned: str = ""


class Runs:
    """What runs write down beside the deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: str, campaign: str, *, transport: str, place: str, now: datetime) -> None:
        """Write down that a run begins; inside the caller's transaction.

        Raises:
            LedgerRefused: it cannot be written, or a run of this id began already.
        """
        self._database.execute(
            "INSERT INTO run (id, campaign, transport, place, started_at, seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (run, campaign, transport, place, now, now),
        )

    def alive(self, run: str, now: datetime) -> None:
        """Note that a run is alive; inside the caller's transaction."""
        self._database.execute("UPDATE run SET seen_at = ? WHERE id = ?", (now, run))

    def end(self, run: str, now: datetime, ending: str) -> None:
        """Write down that a run ended, and why, in words; inside the caller's transaction.

        Raises:
            LedgerRefused: it cannot be written.
        """
        self._database.execute(
            "UPDATE run SET seen_at = ?, ended_at = ?, ending = ? WHERE id = ?",
            (now, now, ending, run),
        )

    def campaigns_that_left(self) -> list[str]:
        """Ids of campaigns of which a run handed mail to anything but a trial."""
        rows = self._database.rows(
            "SELECT DISTINCT campaign FROM run WHERE transport NOT IN (?, ?)", TRIALS
        )
        return [campaign for (campaign,) in rows]

    def is_trial(self, campaign: str) -> bool:
        """Whether all of a campaign's runs went to nobody, and there was one."""
        ways = {run.transport for run in self.of(campaign)}
        return bool(ways) and ways <= set(TRIALS)

    def of(self, campaign: str) -> tuple[RunRecord, ...]:
        """A campaign's runs, oldest first."""
        rows = self._database.rows(
            "SELECT id, transport, place, started_at, seen_at, ended_at, ending FROM run"
            " WHERE campaign = ? ORDER BY started_at, id",
            (campaign,),
        )
        return tuple(
            RunRecord(
                id=run,
                campaign=campaign,
                transport=transport,
                place=place,
                started_at=moment_at(started_at),
                seen_at=moment_at(seen_at),
                ended_at=None if ended_at is None else moment_at(ended_at),
                ending=ending,
            )
            for run, transport, place, started_at, seen_at, ended_at, ending in rows
        )

    def note_call(self, call: CallRecord) -> None:
        """Write down that a call is about to be made; inside the caller's transaction.

        The same key again changes nothing: the first time counts.
        """
        self._database.execute(
            "INSERT OR IGNORE INTO call (key, campaign, transport, place, members, digest,"
            " first_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(call.key, call.campaign, call.transport, call.place),
                *(json.dumps(call.members), call.digest, call.first_at),
            ),
        )

    def calls(self, campaign: str) -> tuple[CallRecord, ...]:
        """A campaign's calls, oldest first."""
        rows = self._database.rows(
            "SELECT key, transport, place, members, digest, first_at FROM call"
            " WHERE campaign = ? ORDER BY first_at, key",
            (campaign,),
        )
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

    def buckets(self) -> dict[str, BucketRow]:
        """The pace as earlier runs learned it, by the bucket's name."""
        rows = self._database.rows(
            "SELECT name, tokens, filled_at, per_second, blocked_until, learned FROM bucket"
        )
        return {
            name: BucketRow(
                name, tokens, moment_at(filled_at), per_second, moment_at(blocked_until), learned
            )
            for name, tokens, filled_at, per_second, blocked_until, learned in rows
        }

    def keep_buckets(self, buckets: Iterable[BucketRow]) -> None:
        """Keep what was learned for the next run; inside the caller's transaction."""
        self._database.executemany(
            "INSERT OR REPLACE INTO bucket"
            " (name, tokens, filled_at, per_second, blocked_until, learned)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            map(astuple, buckets),
        )
