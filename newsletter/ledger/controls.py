"""What people and runs decide about a campaign while it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.clock import moment_at
from newsletter.errors import LedgerRefused, Where
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.database import Database
from newsletter.ledger.plan import Wave
from newsletter.ledger.versions import Approved, Version, write_version


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why nothing new of a campaign is attempted.

    Attributes:
        why: in a sentence.
        by_person: whether it is a pause, which whoever resumes takes back. Else answers
            were too bad, and a person should look first.
    """

    why: str
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """How a campaign stands.

    Nothing is attempted before ``not_before`` and after ``not_after``; that is
    for the run to keep. What the ledger itself keeps: who is of a later wave
    than ``wave`` is not claimed, a first attempt is made with ``version`` of
    the editions, and while there are ``holds`` (the latest first) nothing is attempted.
    """

    not_before: datetime
    not_after: datetime
    wave: Wave
    version: int
    holds: tuple[Hold, ...] = ()

    @property
    def held(self) -> str | None:
        """Why nothing is attempted, in words; None if it goes on."""
        return " ".join(hold.why for hold in self.holds) or None


class Controls:
    """The table of controls, one row a campaign, and the versions they choose from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign: str) -> Control:
        """How a campaign stands now.

        Raises:
            LedgerRefused: there is no such campaign.
        """
        rows = self._database.rows(
            "SELECT not_before, not_after, wave, version, held FROM control WHERE campaign = ?",
            (campaign,),
        )
        if not rows:
            raise _unknown(campaign)
        ((not_before, not_after, wave, version, held),) = rows
        return Control(
            not_before=moment_at(not_before),
            not_after=moment_at(not_after),
            wave=Wave(wave),
            version=version,
            holds=_holds(held),
        )

    def hold(self, campaign: str, hold: Hold) -> None:
        """Let nothing new be attempted, from the next write-ahead on, in every process.

        Inside the caller's transaction.

        The latest word stands first, but none is lost: a person who pauses
        must still read that the canary stopped it, and the other way round.

        Args:
            campaign: its id.
            hold: why, for whoever asks later.

        Raises:
            LedgerRefused: there is no such campaign.
        """
        row = self._database.execute(
            "SELECT held FROM control WHERE campaign = ?", (campaign,)
        ).fetchone()
        if row is None:
            raise _unknown(campaign)
        holds = _holds(row[0])
        if hold not in holds:
            self._change(campaign, "held = ?", _told((hold, *holds)))

    def go_on(self, campaign: str) -> None:
        """Lift every hold; a person's word. Inside the caller's transaction.

        Raises:
            LedgerRefused: there is no such campaign.
        """
        self._change(campaign, "held = ?", None)

    def open_wave(self, campaign: str, wave: Wave) -> None:
        """Let ``wave`` and those before it be claimed; inside the caller's transaction.

        Never closes a wave that is open.

        Raises:
            LedgerRefused: there is no such campaign.
        """
        self._change(campaign, "wave = MAX(wave, ?)", wave)

    def begin_at(self, campaign: str, not_before: datetime, not_after: datetime) -> None:
        """Move the time at which a campaign begins or goes on, and that from which it is too late.

        Inside the caller's transaction.

        Raises:
            LedgerRefused: there is no such campaign.
        """
        self._change(campaign, "not_before = ?", not_before)
        self._change(campaign, "not_after = ?", not_after)

    def allow_until(self, campaign: str, until: datetime) -> None:
        """Move the time from which on it is too late; inside the caller's transaction.

        Raises:
            LedgerRefused: there is no such campaign.
        """
        self._change(campaign, "not_after = ?", until)

    def correct(
        self,
        campaign: Campaign,
        approved: Approved,
        now: datetime,
    ) -> int:
        """Give new editions to all who were not attempted yet.

        Whoever was attempted keeps what they were attempted with. Inside the caller's
        transaction.

        Args:
            campaign: which.
            approved: the new editions, in the same languages as before, and the letterhead.
            now: the time, for the record.

        Returns:
            The new version's number.

        Raises:
            LedgerRefused: a language is missing or new. Nothing was changed.
        """
        latest, languages = self._latest(campaign.id)
        if set(approved.editions) != languages:
            raise LedgerRefused(
                f"The correction is in {_listed(approved.editions)}, but the campaign in "
                f"{_listed(languages)}.",
                where=Where(item=f"campaign {campaign.id}"),
                next="Correct the issue in exactly these languages; nothing was changed.",
            )
        write_version(self._database, campaign, latest + 1, approved, now=now)
        self._change(campaign.id, "version = ?", latest + 1)
        return latest + 1

    def versions(self, campaign: str) -> tuple[Version, ...]:
        """What the editions were, oldest first, and how many were attempted with each."""
        rows = self._database.rows(
            "SELECT number, made_at, fingerprint, letterhead, COALESCE(attempted, 0)"
            " FROM version"
            " LEFT JOIN (SELECT version, COUNT(*) AS attempted FROM delivery"
            " WHERE campaign = ? GROUP BY version) AS counts ON counts.version = number"
            " WHERE campaign = ? ORDER BY number",
            (campaign, campaign),
        )
        return tuple(
            Version(number, moment_at(made_at), fingerprint, letterhead, attempted)
            for number, made_at, fingerprint, letterhead, attempted in rows
        )

    def _latest(self, campaign: str) -> tuple[int, set[str]]:
        rows = self._database.execute(
            "SELECT version, language FROM edition WHERE campaign = ?"
            " AND version = (SELECT MAX(number) FROM version WHERE campaign = ?)",
            (campaign, campaign),
        ).fetchall()
        if not rows:
            raise _unknown(campaign)
        return rows[0][0], {language for _, language in rows}

    def _change(self, campaign: str, assignment: str, value: object) -> None:
        changed = self._database.execute(
            f"UPDATE control SET {assignment} WHERE campaign = ?", (value, campaign)
        ).rowcount
        if changed != 1:
            raise _unknown(campaign)


def _holds(held: str | None) -> tuple[Hold, ...]:
    try:
        told = json.loads(held or "[]")
        return tuple(Hold(why, by_person=kind == "pause") for kind, why in told)
    except ValueError:  # words alone, from a send record of an earlier version
        return (Hold(str(held)),)


def _told(holds: Sequence[Hold]) -> str:
    told = [("pause" if hold.by_person else "brake", hold.why) for hold in holds]
    return json.dumps(told, ensure_ascii=False)


def _unknown(campaign: str) -> LedgerRefused:
    return LedgerRefused(
        f"The ledger knows no campaign “{campaign}”.",
        next="“newsletter status” lists those it knows.",
    )


def _listed(languages: Mapping[str, object] | set[str]) -> str:
    return ", ".join(f"“{language}”" for language in sorted(languages)) or "no language"
