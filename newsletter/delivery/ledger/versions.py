"""Versions of a campaign's editions: what was approved, and what it was corrected to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from newsletter.delivery.ledger.database import Database
from newsletter.render.edition import Edition


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


def write_version(
    database: Database,
    campaign: str,
    number: int,
    *,
    editions: Mapping[str, Edition],
    fingerprint: str,
    letterhead: str,
    now: float,
) -> None:
    """Write one down; inside the caller's transaction."""
    database.execute(
        "INSERT INTO version (campaign, number, made_at, fingerprint, letterhead)"
        " VALUES (?, ?, ?, ?, ?)",
        (campaign, number, now, fingerprint, letterhead),
    )
    for language, edition in editions.items():
        database.execute(
            "INSERT INTO edition (campaign, version, language, content) VALUES (?, ?, ?, ?)",
            (campaign, number, language, edition.to_json()),
        )
