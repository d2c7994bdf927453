"""The plan: who gets the issue, who does not and why. A value; no I/O.

Every row of the list is accounted for:
``listed == len(recipients) + sum(excluded.values())``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from newsletter.addresses import Address, AddressError
from newsletter.audience.languages import edition_for
from newsletter.audience.model import Roster
from newsletter.message.model import Recipient

_CANARY_FROM = 500
"""Of a smaller audience no sample is taken: it would tell nothing."""
_SMALLEST_CANARY = 10


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


def make_plan(
    roster: Roster,
    *,
    issue: str,
    languages: Collection[str],
    default_language: str,
    tag: Callable[[Address], bytes],
    suppressed: Collection[bytes],
    has_it: Collection[str],
    may_have: Callable[[Address], bool] = lambda _: False,
    former_tags: Callable[[Address], Collection[bytes]] = lambda _: (),
    limit: int | None = None,
    seeds: Collection[str] = (),
    canary_share: float = 0.0,
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
        may_have: whether somebody has the issue, or may have it, by the send record.
        former_tags: an address's tags under key files of before, for ``suppressed``.
        limit: the most recipients in this campaign.
        seeds: addresses that get it first.
        canary_share: share of a large audience that gets it before the rest.
    """
    excluded: Counter[Exclusion] = Counter(
        {Exclusion.REFUSED: len(roster.refused), Exclusion.REPEATED: len(roster.repeated)}
    )
    recipients: list[Planned] = []
    for subscriber in roster.subscribers:
        address_tag = tag(subscriber.address)
        if address_tag in suppressed or any(
            former in suppressed for former in former_tags(subscriber.address)
        ):
            excluded[Exclusion.SUPPRESSED] += 1
        elif subscriber.address.key in has_it or may_have(subscriber.address):
            excluded[Exclusion.HAS_IT] += 1
        else:
            recipient = Recipient(
                address=subscriber.address,
                name=subscriber.name,
                language=edition_for(subscriber.language, languages, default_language),
                fields=subscriber.fields,
            )
            recipients.append(Planned(recipient, address_tag))
    first = {_key(seed): seed for seed in seeds}
    within = _within(limit, recipients, first)
    excluded[Exclusion.BEYOND_LIMIT] = len(recipients) - len(within)
    waved = _in_waves(within, first, canary_share)
    here = {planned.recipient.address.key for planned in waved}
    return Plan(
        issue=issue,
        listed=roster.rows,
        recipients=waved,
        excluded={reason: count for reason, count in excluded.items() if count},
        unlisted_seeds=tuple(seed for key, seed in first.items() if key not in here),
    )


def _within(
    limit: int | None, recipients: Sequence[Planned], seeds: Collection[str]
) -> Sequence[Planned]:
    """The first of the list up to ``limit``; seeds wherever they stand, since they look first."""
    if limit is None:
        return recipients
    ahead = sorted(recipients, key=lambda each: each.recipient.address.key not in seeds)
    chosen = {each.recipient.address.key for each in ahead[:limit]}
    return [each for each in recipients if each.recipient.address.key in chosen]


def _in_waves(
    recipients: Sequence[Planned], seeds: Collection[str], share: float
) -> tuple[Planned, ...]:
    """Seeds first; then a sample, if the audience is large enough for one to tell something."""
    rest = [each for each in recipients if each.recipient.address.key not in seeds]
    sample: set[str] = set()
    if share > 0 and len(recipients) >= _CANARY_FROM:
        sample = _spread(rest, max(_SMALLEST_CANARY, round(share * len(rest))))

    def wave(address: Address) -> Wave:
        if address.key in seeds:
            return Wave.SEEDS
        return Wave.CANARY if address.key in sample else Wave.REST

    return tuple(replace(each, wave=wave(each.recipient.address)) for each in recipients)


def _spread(recipients: Sequence[Planned], count: int) -> set[str]:
    """So many, spread over the domains by their sizes and over the list within each.

    The same list gives the same sample: a plan that was shown is the one that is frozen.
    """
    order = {planned.recipient.address.key: place for place, planned in enumerate(recipients)}
    by_domain = sorted(
        (planned.recipient.address for planned in recipients),
        key=lambda address: (address.domain, order[address.key]),
    )
    step = len(by_domain) / count
    return {by_domain[int((number + 0.5) * step)].key for number in range(count)}


def _key(text: str) -> str:
    try:
        return Address.parse(text).key
    except AddressError:
        return text
