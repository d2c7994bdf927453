"""What a plan is: who gets an issue, who does not and why. Values; no I/O.

Every row of the list is accounted for:
``listed == len(recipients) + sum(excluded.values())``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from newsletter.message.model import Recipient


class Exclusion(StrEnum):
    """Why a row of the list gets no mail in this campaign."""

    REFUSED = "refused"
    """The row holds no usable address."""
    REPEATED = "repeated"
    """The address stands further up in the list."""
    LEFT = "left by the list"
    """The list itself says that they left, bounced or never confirmed."""
    UNCONFIRMED = "never confirmed"
    """An import says that they never confirmed."""
    EXCLUDED = "excluded"
    """An import says that whoever kept the list excluded them."""
    OUTSIDE = "outside"
    """They are not in the segment that the issue is sent to."""
    SUPPRESSED = "suppressed"
    """They left, complained, or their mailbox is gone."""
    PAUSED = "paused"
    """They asked for a pause that is not over."""
    HAS_IT = "has it"
    """An earlier campaign of this issue reached them, or may have."""
    BEYOND_LIMIT = "beyond limit"
    """Left for a later send by --limit."""


class Wave(IntEnum):
    """In which order the audience is attempted; the ledger keeps the numbers."""

    SEEDS = 0
    """Those named in newsletter.toml, who look whether it arrives well."""
    CANARY = 1
    """A small sample of the rest."""
    REST = 2
    """Everybody else, once the sample was not refused."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One recipient with the tag by which suppressions know them."""

    recipient: Recipient
    tag: bytes
    wave: Wave = Wave.REST


@dataclass(frozen=True, slots=True)
class Plan:
    """Who gets ``issue`` and how many of the list do not, by reason."""

    issue: str
    listed: int
    recipients: tuple[Planned, ...]
    excluded: Mapping[Exclusion, int]
    unlisted_seeds: tuple[str, ...] = ()
    """Addresses to get it first that are not on the list, or not mailed now."""

    @property
    def waves(self) -> Mapping[Wave, int]:
        """How many are in each wave that there is, in their order."""
        counted = Counter(planned.wave for planned in self.recipients)
        return {wave: counted[wave] for wave in Wave if counted[wave]}

    @property
    def languages(self) -> Mapping[str, int]:
        """How many get the edition of each language."""
        return Counter(planned.recipient.language for planned in self.recipients)
