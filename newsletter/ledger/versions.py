"""Versions of a campaign's editions: what was approved, and what it was corrected to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.ledger.database import Database
from newsletter.ledger.seal import broken, version_seal
from newsletter.render.edition import Edition

if TYPE_CHECKING:
    from newsletter.ledger.campaigns import Campaign


@dataclass(frozen=True, slots=True)
class Version:
    """One set of editions: ``number`` 1 with the freeze, one more with each correction.

    ``attempted`` is how many deliveries were first attempted with it, and so
    keep it for good.
    """

    number: int
    made_at: datetime
    fingerprint: str
    letterhead: str
    attempted: int


@dataclass(frozen=True, slots=True)
class Approved:
    """What one version sends: the editions by language, and the letterhead as JSON."""

    editions: Mapping[str, Edition]
    letterhead: str


def fingerprint(editions: Mapping[str, Edition], letterhead: str) -> str:
    """One digest over all that a campaign sends, besides who gets it."""
    digest = hashlib.sha256(letterhead.encode())
    for language in sorted(editions):
        digest.update(editions[language].fingerprint.encode())
    return digest.hexdigest()


def write_version(
    database: Database,
    campaign: Campaign,
    number: int,
    approved: Approved,
    *,
    now: datetime,
) -> None:
    """Write one down, sealed; inside the caller's transaction."""
    contents = {language: each.to_json() for language, each in approved.editions.items()}
    print_ = fingerprint(approved.editions, approved.letterhead)
    made = version_seal(
        database.seal_key,
        (campaign.id, campaign.issue, campaign.round, campaign.planned),
        number=number,
        fingerprint=print_,
        letterhead=approved.letterhead,
        contents=contents,
    )
    database.execute(
        "INSERT INTO version (campaign, number, made_at, fingerprint, letterhead, seal)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (campaign.id, number, now, print_, approved.letterhead, made),
    )
    for language, content in contents.items():
        database.execute(
            "INSERT INTO edition (campaign, version, language, content) VALUES (?, ?, ?, ?)",
            (campaign.id, number, language, content),
        )


def read_versions(database: Database, campaign: Campaign) -> dict[int, Approved]:
    """What was approved, by the number of the version, held against its seals.

    Raises:
        LedgerRefused: something is not what was frozen.
    """
    versions = database.rows(
        "SELECT number, fingerprint, letterhead, seal FROM version WHERE campaign = ?"
        " ORDER BY number",
        (campaign.id,),
    )
    editions = database.rows(
        "SELECT version, language, content FROM edition WHERE campaign = ?", (campaign.id,)
    )
    found = {}
    for number, print_, letterhead, sealed in versions:
        contents = {language: content for of, language, content in editions if of == number}
        made = version_seal(
            database.seal_key,
            (campaign.id, campaign.issue, campaign.round, campaign.planned),
            number=number,
            fingerprint=print_,
            letterhead=letterhead,
            contents=contents,
        )
        if made != sealed:
            raise broken(campaign.id, f"Version {number} of the mail or its sender")
        read = {language: Edition.from_json(content) for language, content in contents.items()}
        found[number] = Approved(read, letterhead)
    return found
