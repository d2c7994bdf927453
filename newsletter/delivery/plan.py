"""The plan: who gets the issue, who does not and why. A value; no I/O.

Every row of the list is accounted for:
``listed == len(recipients) + sum(excluded.values())``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from newsletter.addresses import Address
from newsletter.audience.languages import edition_for
from newsletter.audience.model import Roster
from newsletter.message.model import Recipient


class Exclusion(StrEnum):
    """Why a row of the list gets no mail in this campaign."""

    REFUSED = "refused"
    """The row holds no usable address."""
    REPEATED = "repeated"
    """The address stands further up in the list."""
    SUPPRESSED = "suppressed"
    """They left, complained, or their mailbox is gone."""
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

    @property
    def languages(self) -> Mapping[str, int]:
        """How many get the edition of each language."""
        return Counter(planned.recipient.language for planned in self.recipients)


def make_plan(
    roster: Roster,
    *,
    issue: str,
    languages: Collection[str],
    default_language: str,
    tag: Callable[[Address], bytes],
    suppressed: Collection[bytes],
    has_it: Collection[str],
    limit: int | None = None,
) -> Plan:
    """Decide about every row of ``roster``.

    Args:
        roster: the list as read.
        issue: the issue's id.
        languages: of the editions there are.
        default_language: the edition for readers whose language has none.
        tag: the keyed hash that suppressions use.
        suppressed: tags of those who must not be mailed.
        has_it: address keys that an earlier campaign of the issue covers.
        limit: the most recipients in this campaign.
    """
    excluded: Counter[Exclusion] = Counter(
        {Exclusion.REFUSED: len(roster.refused), Exclusion.REPEATED: len(roster.repeated)}
    )
    recipients: list[Planned] = []
    for subscriber in roster.subscribers:
        address_tag = tag(subscriber.address)
        if address_tag in suppressed:
            excluded[Exclusion.SUPPRESSED] += 1
        elif subscriber.address.key in has_it:
            excluded[Exclusion.HAS_IT] += 1
        elif limit is not None and len(recipients) >= limit:
            excluded[Exclusion.BEYOND_LIMIT] += 1
        else:
            recipient = Recipient(
                address=subscriber.address,
                name=subscriber.name,
                language=edition_for(subscriber.language, languages, default_language),
                fields=subscriber.fields,
            )
            recipients.append(Planned(recipient, address_tag))
    return Plan(
        issue=issue,
        listed=roster.rows,
        recipients=tuple(recipients),
        excluded={reason: count for reason, count in excluded.items() if count},
    )
