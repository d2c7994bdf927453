"""What the random lives of a ledger are made of: readers, and what a run holds in its hands."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.plan import Planned, Wave
from newsletter.ledger.reading import Claim

from tests.ledger.conftest import planned as plain

DOMAINS = ("even.example", "odd.example")
Copy = tuple[str, int]
"""A reader's copy in one round."""


def planned(number: int) -> Planned:
    """A reader at one of two domains, in one of the three waves."""
    address = Address.parse(f"reader{number}@{DOMAINS[number % 2]}")
    one = plain(number)
    return replace(
        one, recipient=replace(one.recipient, address=address), wave=Wave(number % len(Wave))
    )


@dataclass(frozen=True)
class Attempt:
    """What a run holds in its hands."""

    run: str
    campaign: Campaign
    claim: Claim

    @property
    def copy(self) -> Copy:
        return self.claim.recipient.address.key, self.campaign.round


def drawn(data: st.DataObject, attempts: list[Attempt]) -> Attempt:
    """One of them, taken out."""
    return attempts.pop(data.draw(st.integers(0, len(attempts) - 1)))
