"""What the ledger holds of a campaign, read for a report: counts by time, domain and reply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.addresses import Address
from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.reading import HELD_BACK
from newsletter.ledger.seal import INTACT, broken
from newsletter.ledger.states import State, Step


@dataclass(frozen=True, slots=True)
class Moment:
    """How many attempts ended with one outcome in the span that began at ``at``."""

    at: datetime
    outcome: Step | None
    count: int


@dataclass(frozen=True, slots=True)
class Told:
    """How many recipients of one domain are in a state with the same reply."""

    state: State
    domain: str
    reply: str
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """One recipient, as exported."""

    address: str
    language: str
    wave: int
    version: int | None
    state: State
    attempts: int
    first_attempt_at: datetime | None
    changed_at: datetime
    provider_id: str
    reply: str


@dataclass(frozen=True, slots=True)
class Member:
    """One recipient as news about them is brought to the ledger; ``tag`` is the suppressions'."""

    id: int
    address: Address
    tag: bytes


class Statement:
    """Reads one ledger; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def span(self, campaign: str) -> tuple[datetime, datetime] | None:
        """When the first attempt ended and when the last; None if there was none."""
        first, last = self._rows(
            "SELECT MIN(ended_at), MAX(ended_at) FROM attempt"
            " JOIN delivery ON delivery.id = attempt.delivery WHERE campaign = ?",
            campaign,
        )[0]
        return None if first is None else (moment_at(first), moment_at(last))

    def moments(self, campaign: str, *, span_s: float) -> list[Moment]:
        """Ended attempts by outcome, in spans of ``span_s`` seconds, in their order."""
        rows = self._rows(
            f"SELECT CAST(ended_at / {float(span_s)} AS INTEGER) AS span,"
            f" REPLACE(outcome, '{HELD_BACK}', '{Step.DEFER}') AS what, COUNT(*)"
            " FROM attempt JOIN delivery ON delivery.id = attempt.delivery"
            " WHERE campaign = ? AND ended_at IS NOT NULL GROUP BY span, what ORDER BY span",
            campaign,
        )
        return [
            Moment(moment_at(span * span_s), Step(outcome) if outcome else None, count)
            for span, outcome, count in rows
        ]

    def domains(self, campaign: str) -> dict[str, int]:
        """How many were planned at each domain."""
        return dict(
            self._rows(
                "SELECT domain, COUNT(*) FROM delivery WHERE campaign = ? GROUP BY domain", campaign
            )
        )

    def told(self, campaign: str, *states: State) -> list[Told]:
        """What was replied to those in ``states``, by domain."""
        marks = ", ".join(f"'{state}'" for state in states)
        rows = self._rows(
            f"SELECT state, domain, reply, COUNT(*) FROM delivery WHERE campaign = ?"
            f" AND state IN ({marks}) GROUP BY state, domain, reply",
            campaign,
        )
        return [Told(State(state), domain, reply, count) for state, domain, reply, count in rows]

    def attempts(self, campaign: str) -> dict[int, int]:
        """How many of the accepted needed how many attempts."""
        return dict(
            self._rows(
                "SELECT attempts, COUNT(*) FROM delivery WHERE campaign = ?"
                f" AND state = '{State.ACCEPTED}' GROUP BY attempts ORDER BY attempts",
                campaign,
            )
        )

    def versions(self, campaign: str) -> dict[int, int]:
        """How many were attempted with which version of the edition."""
        return dict(
            self._rows(
                "SELECT version, COUNT(*) FROM delivery WHERE campaign = ?"
                " AND version IS NOT NULL GROUP BY version ORDER BY version",
                campaign,
            )
        )

    def settled_doubts(self, campaign: str) -> int:
        """How many attempts ended in doubt although their reader is not in doubt any more."""
        ((count,),) = self._rows(
            "SELECT COUNT(DISTINCT delivery.id) FROM attempt JOIN delivery"
            f" ON delivery.id = attempt.delivery WHERE campaign = ? AND state != '{State.IN_DOUBT}'"
            f" AND (outcome = '{Step.DOUBT}' OR outcome IS NULL)"
            f" AND state != '{State.ATTEMPTING}'",
            campaign,
        )
        return int(count)

    def events(self, campaign: str) -> dict[str, int]:
        """What was learned later, by kind."""
        return dict(
            self._rows(
                "SELECT kind, COUNT(*) FROM event JOIN delivery ON delivery.id = event.delivery"
                " WHERE campaign = ? GROUP BY kind ORDER BY kind",
                campaign,
            )
        )

    def members(self, campaign: str) -> list[Member]:
        """The whole audience.

        Raises:
            LedgerRefused: somebody is not who was frozen.
        """
        rows = self._rows(
            f"SELECT id, address, tag, {INTACT} FROM delivery WHERE campaign = ?", campaign
        )
        for id_, *_, intact in rows:
            if not intact:
                raise broken(campaign, f"Delivery {id_}")
        return [
            Member(id_, Address(*address.rpartition("@")[::2]), tag)
            for id_, address, tag, _ in rows
        ]

    def lines(self, campaign: str) -> Iterator[Line]:
        """Everybody, in the order they were frozen in.

        Raises:
            LedgerRefused: somebody is not who was frozen.
        """
        with self._database.errors():
            rows = self._database.execute(
                "SELECT address, language, wave, version, state, attempts, first_attempt_at,"
                " changed_at, provider_id, reply, id,"
                f" {INTACT} FROM delivery WHERE campaign = ? ORDER BY id",
                (campaign,),
            )
            for row in rows:
                if not row[11]:
                    raise broken(campaign, f"Delivery {row[10]}")
                yield Line(
                    address=row[0],
                    language=row[1],
                    wave=row[2],
                    version=row[3],
                    state=State(row[4]),
                    attempts=row[5],
                    first_attempt_at=None if row[6] is None else moment_at(row[6]),
                    changed_at=moment_at(row[7]),
                    provider_id=row[8] or "",
                    reply=row[9],
                )

    def _rows(self, sql: str, campaign: str) -> list[Any]:
        with self._database.errors():
            return self._database.execute(sql, (campaign,)).fetchall()
