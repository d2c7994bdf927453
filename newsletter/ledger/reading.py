"""What the ledger tells of deliveries; nothing here changes one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.addresses import Address
from newsletter.clock import moment_at
from newsletter.ledger.database import Database
from newsletter.ledger.plan import Wave
from newsletter.ledger.schema import TRIALS
from newsletter.ledger.seal import INTACT, broken
from newsletter.ledger.states import State, Step
from newsletter.message.model import Recipient

HELD_BACK = "held back"
"""The outcome of an attempt that was deferred for the message's or the account's sake."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as it stands.

    ``tag`` is that by which suppressions know the reader, ``message_tag`` that by which
    the message is known. ``next_attempt_at`` is None unless it is deferred.
    """

    id: int
    campaign: str
    address: str
    tag: bytes
    message_tag: str
    language: str
    wave: Wave
    version: int | None
    state: State
    attempts: int
    first_attempt_at: datetime | None
    next_attempt_at: datetime | None
    changed_at: datetime
    provider_id: str
    reply: str


_ROW = (
    "id, campaign, address, tag, message_tag, language, wave, version, state, attempts,"
    " first_attempt_at, next_attempt_at, changed_at, provider_id, reply"
)
_CHECKED_ROW = f"{_ROW}, {INTACT} AND message_tag IS message_tag_of(campaign, address)"
BY_MESSAGE_TAG = f"SELECT {_CHECKED_ROW} FROM delivery WHERE message_tag = ?"


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery with what its message is composed from: one that a run holds, or one in doubt.

    ``number`` is that of its next attempt, ``version`` that of the edition it is
    attempted with: always that of its first attempt, whatever was corrected since.
    Before that, it is not ``bound`` to it.
    """

    id: int
    recipient: Recipient
    number: int
    date: datetime
    first_attempt_at: datetime | None
    version: int
    bound: bool = False


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt. Without ``outcome`` the answer was never written down."""

    number: int
    run: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reply: str


class DeliveryQueries:
    """Questions to the table of deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign: str, *states: State) -> tuple[DeliveryRow, ...]:
        """The deliveries in ``states``, for a person to read."""
        marks = ", ".join("?" for _ in states)
        rows = self._database.rows(
            f"SELECT {_ROW} FROM delivery WHERE campaign = ? AND state IN ({marks}) ORDER BY id",
            (campaign, *states),
        )
        return tuple(map(_delivery, rows))

    def all_of(self, campaign: str) -> Iterator[DeliveryRow]:
        """All deliveries, in the order they were frozen in.

        Raises:
            LedgerRefused: somebody is not who was frozen.
        """
        with self._database.errors():
            for row in self._database.execute(
                f"SELECT {_CHECKED_ROW} FROM delivery WHERE campaign = ? ORDER BY id", (campaign,)
            ):
                yield _intact(row)

    def by_message_tag(self, tag: str) -> DeliveryRow | None:
        """The delivery whose message is known by ``tag``, 24 hexadecimal digits.

        Raises:
            LedgerRefused: it is not what was frozen.
        """
        rows = self._database.rows(BY_MESSAGE_TAG, (bytes.fromhex(tag),))
        return _intact(rows[0]) if rows else None

    def by_provider_id(self, provider_id: str) -> list[DeliveryRow]:
        """The deliveries that a provider, or another next hop, knows by this id.

        Raises:
            LedgerRefused: one is not what was frozen.
        """
        rows = self._database.rows(
            f"SELECT {_CHECKED_ROW} FROM delivery WHERE provider_id = ? LIMIT 2", (provider_id,)
        )
        return list(map(_intact, rows))

    def letters_to(self, address: str) -> list[tuple[DeliveryRow, datetime]]:
        """What left for an address, the latest first, with the dates; trials aside."""
        rows = self._database.rows(
            f"SELECT {_ROW}, dated_at FROM delivery WHERE campaign IN"
            f" (SELECT campaign FROM run WHERE transport NOT IN {TRIALS}) AND address = ?"
            " AND dated_at IS NOT NULL ORDER BY dated_at DESC, id DESC",
            (address,),
        )
        return [(_delivery(row[:-1]), moment_at(row[-1])) for row in rows]

    def next_due(self, campaign: str) -> datetime | None:
        """When the next one of the queue may be claimed, in the past if now; None: nobody waits.

        Who belongs to a wave that is not open does not count: no time opens it.
        """
        due = [
            at
            for state in (State.PENDING, State.DEFERRED)
            for wave in Wave
            # One look into the index each, however long the queue is.
            for (at,) in self._database.rows(
                "SELECT next_attempt_at FROM delivery JOIN control USING (campaign)"
                " WHERE campaign = ? AND state = ? AND delivery.wave = ? AND control.wave >= ?"
                " ORDER BY next_attempt_at LIMIT 1",
                (campaign, state, wave, wave),
            )
        ]
        return moment_at(min(due)) if due else None

    def wave_tally(self, campaign: str, wave: Wave) -> Mapping[State, int]:
        """How many of one wave are in which state."""
        counts: dict[State, int] = {}
        for state in State:
            ((count,),) = self._database.rows(
                "SELECT COUNT(*) FROM delivery WHERE campaign = ? AND state = ? AND wave = ?",
                (campaign, state, wave),
            )
            if count:
                counts[state] = count
        return counts

    def wave_replies(self, campaign: str, wave: Wave) -> Mapping[tuple[State, str], int]:
        """What those of one wave were told who were refused or deferred, and how many."""
        rows = self._database.rows(
            "SELECT state, reply, COUNT(*) FROM delivery WHERE campaign = ? AND wave = ?"
            f" AND (state = '{State.REJECTED}' OR (state = '{State.DEFERRED}'"
            " AND first_attempt_at IS NOT NULL)) GROUP BY state, reply",
            (campaign, wave),
        )
        return {(State(state), reply): count for state, reply, count in rows}

    def wave_unanswered(self, campaign: str, wave: Wave) -> int:
        """How many of one wave have had no answer of their own yet."""
        ((count,),) = self._database.rows(
            "SELECT COUNT(*) FROM delivery WHERE campaign = ? AND wave = ?"
            f" AND (state IN ('{State.PENDING}', '{State.CLAIMED}', '{State.ATTEMPTING}')"
            f" OR (state = '{State.DEFERRED}' AND first_attempt_at IS NULL))",
            (campaign, wave),
        )
        return int(count)

    def untried(self, campaign: str) -> int:
        """How many wait for their first attempt: those whom a correction reaches."""
        ((count,),) = self._database.rows(
            "SELECT COUNT(*) FROM delivery WHERE campaign = ? AND version IS NULL"
            f" AND state IN ('{State.PENDING}', '{State.CLAIMED}', '{State.DEFERRED}')",
            (campaign,),
        )
        return int(count)

    def deferrals(self, delivery: int) -> int:
        """How often the server deferred this recipient, for their own sake."""
        ((count,),) = self._database.rows(
            "SELECT COUNT(*) FROM attempt WHERE delivery = ? AND outcome = ?",
            (delivery, Step.DEFER),
        )
        return int(count)

    def in_doubt_claims(self, campaign: str) -> list[Claim]:
        """Who is in doubt, with what is needed to compose the very same message again.

        Date and version are those of the attempts. Where this ledger knows of none (a
        restored backup was adopted), they are the time of the adoption and the version
        in force: good enough to ask by reference, and a repeated call would not have
        the same bytes.

        Raises:
            LedgerRefused: one of them is not what was frozen.
        """
        rows = self._database.rows(
            "SELECT id, address, name, language, fields, resends, attempts,"
            " COALESCE(dated_at, changed_at), first_attempt_at, COALESCE(version, (SELECT version"
            " FROM control WHERE control.campaign = delivery.campaign)), version IS NOT NULL,"
            f" {INTACT} FROM delivery WHERE campaign = ? AND state = ? ORDER BY id",
            (campaign, State.IN_DOUBT),
        )
        return [claim_of(campaign, row) for row in rows]

    def history(self, delivery: int) -> tuple[AttemptRecord, ...]:
        """The attempts of a delivery, first to last."""
        rows = self._database.rows(
            "SELECT number, run, started_at, ended_at, outcome, reply FROM attempt"
            " WHERE delivery = ? ORDER BY number",
            (delivery,),
        )
        return tuple(
            AttemptRecord(
                number=number,
                run=run,
                started_at=moment_at(started_at),
                ended_at=_time(ended_at),
                outcome=outcome,
                reply=reply,
            )
            for number, run, started_at, ended_at, outcome, reply in rows
        )


def claim_of(campaign: str, row: tuple[Any, ...]) -> Claim:
    """A claim from the row that :data:`newsletter.ledger.steps.CLAIM` returns."""
    if not row[11]:
        raise broken(campaign, f"Delivery {row[0]}")
    return Claim(
        id=row[0],
        recipient=_recipient(*row[1:6]),
        number=row[6] + 1,
        date=moment_at(row[7]),
        first_attempt_at=_time(row[8]),
        version=row[9],
        bound=bool(row[10]),
    )


def _recipient(address: str, name: str, language: str, fields: str, resends: int) -> Recipient:
    """A recipient from their row."""
    local, _, domain = address.rpartition("@")
    return Recipient(
        # Parsed when it was frozen; parsing again would cost a hundred times more.
        address=Address(local, domain),
        name=name,
        language=language,
        fields=json.loads(fields),
        resends=resends,
    )


def fields_json(reader: Recipient) -> str:
    """Further columns of the list, as a delivery keeps them."""
    return json.dumps(dict(reader.fields), ensure_ascii=False)


def _intact(row: tuple[Any, ...]) -> DeliveryRow:
    *values, intact = row
    if not intact:
        raise broken(row[1], f"Delivery {row[0]}")
    return _delivery(values)


def _delivery(row: Sequence[Any]) -> DeliveryRow:
    state = State(row[8])
    return DeliveryRow(
        id=row[0],
        campaign=row[1],
        address=row[2],
        tag=row[3],
        message_tag=row[4].hex(),
        language=row[5],
        wave=Wave(row[6]),
        version=row[7],
        state=state,
        attempts=row[9],
        first_attempt_at=_time(row[10]),
        next_attempt_at=moment_at(row[11]) if state is State.DEFERRED else None,
        changed_at=moment_at(row[12]),
        provider_id=row[13] or "",
        reply=row[14],
    )


def _time(at: float | None) -> datetime | None:
    return None if at is None else moment_at(at)
