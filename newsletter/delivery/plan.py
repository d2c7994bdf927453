"""Makes the plan: decides about each row of the list. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from newsletter.addresses import Address, AddressError
from newsletter.audience.model import Roster
from newsletter.config import Delivery
from newsletter.ledger.plan import Exclusion, Plan, Planned, Wave
from newsletter.message.model import Recipient

_CANARY_FROM = 500
"""Of a smaller audience no sample is taken: it would tell nothing."""
_SMALLEST_CANARY = 10


def make_plan(
    roster: Roster,
    *,
    issue: str,
    edition_of: Callable[[str | None], str],
    tags_of: Callable[[Address], Sequence[bytes]],
    excluded_by: Callable[[Address, Sequence[bytes]], Exclusion | None],
    settings: Delivery,
    limit: int | None = None,
) -> Plan:
    """Decide about every row of ``roster``.

    Args:
        roster: the list as read.
        issue: the issue's id.
        edition_of: the language of the edition for readers of a language.
        tags_of: the keyed hashes of an address that suppressions use: today's first,
            then those under key files of before.
        excluded_by: why an address with these tags is left out, as :func:`exclusion` tells
            by what the ledger knows.
        settings: newsletter.toml's [delivery], for its seeds and the size of its canary.
        limit: the most recipients in this campaign.
    """
    excluded: Counter[Exclusion] = Counter(
        {
            Exclusion.REFUSED: len(roster.refused),
            Exclusion.REPEATED: len(roster.repeated),
            Exclusion.LEFT: len(roster.left),
            Exclusion.UNCONFIRMED: len(roster.unconfirmed),
            Exclusion.EXCLUDED: len(roster.excluded),
            Exclusion.OUTSIDE: roster.outside,
        }
    )
    recipients: list[Planned] = []
    for subscriber in roster.subscribers:
        tags = tags_of(subscriber.address)
        if (reason := excluded_by(subscriber.address, tags)) is not None:
            excluded[reason] += 1
        else:
            recipient = Recipient(
                address=subscriber.address,
                name=subscriber.name,
                language=edition_of(subscriber.language),
                fields=subscriber.fields,
            )
            recipients.append(Planned(recipient, tags[0]))
    first = {_key(seed): seed for seed in settings.seeds}
    within = _within(limit, recipients, first)
    excluded[Exclusion.BEYOND_LIMIT] = len(recipients) - len(within)
    waved = _in_waves(within, first, settings.canary_share)
    here = {planned.recipient.address.key for planned in waved}
    return Plan(
        issue=issue,
        listed=roster.rows,
        recipients=waved,
        excluded={reason: count for reason, count in excluded.items() if count},
        unlisted_seeds=tuple(seed for key, seed in first.items() if key not in here),
    )


def exclusion(
    address: Address,
    tags: Sequence[bytes],
    *,
    suppressed: Collection[bytes],
    paused: Collection[bytes] = frozenset(),
    has_it: Callable[[Address], bool],
) -> Exclusion | None:
    """Why an address gets no mail, by what the ledger knows; None: it gets it.

    Args:
        address: whose.
        tags: its keyed hashes.
        suppressed: tags of those who must not be mailed.
        paused: tags of those who want nothing for now.
        has_it: whether somebody has the issue, or may have it.
    """
    if any(tag in suppressed for tag in tags):
        return Exclusion.SUPPRESSED
    if any(tag in paused for tag in tags):
        return Exclusion.PAUSED
    return Exclusion.HAS_IT if has_it(address) else None


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
