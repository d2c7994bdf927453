"""Runs: who worked on a campaign, through what, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.log import is_on, note

TRIALS = ("mailbox", "smtp-trial")
"""Names of transports that deliver to nobody."""


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


class Runs:
    """The table of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run: str, campaign: str, *, transport: str, place: str, now: float) -> None:
        """Write down that a run begins.

        Raises:
            LedgerRefused: it cannot be written, or a run of this id began already.
        """
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO run (id, campaign, transport, place, started_at, seen_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (run, campaign, transport, place, now, now),
            )
        note("run began", campaign=campaign)

    def alive(self, run: str, now: float) -> None:
        """Note that a run is alive; inside the caller's transaction."""
        self._database.execute("UPDATE run SET seen_at = ? WHERE id = ?", (now, run))

    def end(self, run: str, now: float, ending: str) -> None:
        """Write down that a run ended, and why, in words.

        Raises:
            LedgerRefused: it cannot be written.
        """
        with self._database.transaction():
            self._database.execute(
                "UPDATE run SET seen_at = ?, ended_at = ?, ending = ? WHERE id = ?",
                (now, now, ending, run),
            )
        if is_on():
            self._note_end(run)

    def _note_end(self, run: str) -> None:
        with self._database.errors():
            rows = self._database.execute(
                "SELECT campaign, state, COUNT(*) FROM delivery WHERE campaign ="
                " (SELECT campaign FROM run WHERE id = ?) GROUP BY campaign, state",
                (run,),
            ).fetchall()
        counts = {state: count for _, state, count in rows}
        note("run ended", campaign=rows[0][0] if rows else None, counts=counts)

    def campaigns_that_left(self) -> list[str]:
        """Ids of campaigns of which a run handed mail to anything but a trial."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT DISTINCT campaign FROM run WHERE transport NOT IN (?, ?)", TRIALS
            ).fetchall()
        return [campaign for (campaign,) in rows]

    def is_trial(self, campaign: str) -> bool:
        """Whether all of a campaign's runs went to nobody, and there was one."""
        ways = {run.transport for run in self.of(campaign)}
        return bool(ways) and ways <= set(TRIALS)

    def of(self, campaign: str) -> tuple[RunRecord, ...]:
        """A campaign's runs, oldest first."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT id, transport, place, started_at, seen_at, ended_at, ending FROM run"
                " WHERE campaign = ? ORDER BY started_at, id",
                (campaign,),
            ).fetchall()
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
