"""[privacy]: what readers are told about their data, and how long it is kept. No I/O."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from newsletter.config.identity import Mailbox
from newsletter.config.table import Table
from newsletter.model import Language, Line, WebAddress

Words = Line | Annotated[dict[Language, Line], Field(min_length=1)]
"""Words in the list's own language, or by language."""
Profile = Literal["proof", "eu-institution", "minimal"]


class Privacy(Table):
    """What the privacy notice says, and what is erased when."""

    profile: Profile = Field(
        default="proof",
        description="proof: the record of a consent outlives leaving; eu-institution: all goes "
        "once somebody leaves; minimal: addresses of those who stay go as well.",
    )
    keep_proof_years: int = Field(
        default=3,
        ge=0,
        le=30,
        description="How long the proof is kept after the year of leaving, in years.",
    )
    keep_deliveries_days: int = Field(
        default=90,
        ge=30,
        le=3650,
        description="How long it is known to whom an issue was mailed, in days; minimal alone.",
    )
    basis: Literal["consent", "legitimate-interest", "public-task"] | None = Field(
        default=None, description="The legal basis."
    )
    officer: Mailbox | None = Field(
        default=None, description="Address of the data protection officer, if you have one."
    )
    recipients: list[Line] = Field(
        default=[], max_length=20, description="Who works for you: relay, provider, host."
    )
    transfers: Words | None = Field(
        default=None,
        description="Where outside the EU data goes and on what ground, or that it does not.",
    )
    authority: Line | None = Field(
        default=None, description="The supervisory authority for complaints."
    )
    authority_url: WebAddress | None = Field(default=None, description="Its web page.")

    @property
    def missing(self) -> tuple[str, ...]:
        """The settings that a notice needs (GDPR article 13) and that are not there."""
        needed = ("basis", "recipients", "transfers", "authority")
        return tuple(key for key in needed if not getattr(self, key))

    def transfers_in(self, language: str, *, own: str) -> str:
        """What is said of transfers, in a language or the list's own; empty: nothing is."""
        if self.transfers is None or isinstance(self.transfers, str):
            return self.transfers or ""
        said = self.transfers
        known = (language, language.partition("-")[0], own)
        return next((said[tag] for tag in known if tag in said), next(iter(said.values())))
