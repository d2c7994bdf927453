"""Makes the plan: decides about each row of the list. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from newsletter.addresses import Address, AddressError
from newsletter.audience.languages import edition_for
from newsletter.audience.model import Roster
from newsletter.ledger.plan import Exclusion, Plan, Planned, Wave
from newsletter.message.model import Recipient

_CANARY_FROM = 500
"""Of a smaller audience no sample is taken: it would tell nothing."""
_SMALLEST_CANARY = 10


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
        {
            Exclusion.REFUSED: len(roster.refused),
            Exclusion.REPEATED: len(roster.repeated),
            Exclusion.LEFT: len(roster.left),
        }
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
