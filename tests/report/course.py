"""A campaign with everything a report can tell of, lived through in a real ledger."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from newsletter.addresses import Address
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan, Planned
from newsletter.ledger.states import Disposition, Step
from newsletter.ledger.versions import Approved
from newsletter.message.keys import KeyRing
from newsletter.message.model import Recipient

from tests.ledger.conftest import EDITION, NOW

REFUSED = "550 5.1.1 <{address}>: no such user, says postmaster@europa.example"
LAST_WORDS = {
    0: (Step.REJECT, REFUSED),
    1: (Step.REJECT, "550 5.7.1 refused by policy"),
    2: (Step.REJECT, '=HYPERLINK("https://evil.example","552 full")'),
    3: (Step.DEFER, "451 4.7.1 greylisted"),
    4: (Step.DOUBT, "No answer to the end of the message. It broke for anna@europa.example."),
}
"""What becomes of every twentieth reader; the others are accepted."""


def address(number: int) -> str:
    """Most are at one large domain, and each thirtieth at one of their own."""
    domain = f"tiny{number}.example" if number % 30 == 0 else "europa.example"
    return f"reader{number}@{domain}"


@contextmanager
def lived(folder: Path, readers: int = 200) -> Iterator[tuple[Ledger, Campaign, KeyRing]]:
    keys = KeyRing.load_or_create(folder / "newsletter.key")
    people = tuple(
        Planned(Recipient(parsed, f"Reader {n}", "en"), keys.address_tag(parsed))
        for n in range(readers)
        for parsed in [Address.parse(address(n))]
    )
    with closing(Ledger(folder / "newsletter.db", keys)) as ledger:
        with ledger.transaction():
            campaign = ledger.campaigns.freeze(
                Plan("2017-03", readers, people, {}),
                Approved({"en": EDITION}, "{}"),
                now=NOW,
            )
        _send(ledger, campaign)
        yield ledger, campaign, keys


def _send(ledger: Ledger, campaign: Campaign) -> None:
    now = NOW
    with ledger.transaction():
        place = "smtp relay.example:587"
        ledger.runs.begin("r", campaign.id, transport="smtp", place=place, now=now)
        for claim in ledger.deliveries.claim(campaign.id, run="r", count=1000, now=now):
            now += timedelta(seconds=1.5)
            ledger.deliveries.write_ahead([claim], run="r", now=now)
            step, reply = LAST_WORDS.get(claim.id % 20, (Step.ACCEPT, "250 2.0.0 ok"))
            ledger.deliveries.record(
                claim,
                Disposition(
                    step,
                    reply.format(address=claim.recipient.address),
                    next_attempt_at=now + timedelta(seconds=300),
                ),
                run="r",
                now=now + timedelta(seconds=0.5),
                started_at=now,
            )
    with ledger.transaction():
        ledger.runs.end("r", now, "Paused by a person.")


ENDED = NOW + timedelta(seconds=200 * 1.5 + 0.5)
