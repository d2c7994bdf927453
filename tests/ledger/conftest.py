from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.plan import Plan, Planned
from newsletter.ledger.states import State
from newsletter.ledger.versions import Approved
from newsletter.message.keys import KeyRing
from newsletter.message.model import Recipient
from newsletter.render.edition import Edition
from newsletter.render.slots import Slot

NOW = datetime(2017, 3, 31, 9, 0, tzinfo=UTC)
T = NOW
KEYS = KeyRing(bytes(32), {1: bytes(32)})

EDITION = Edition(
    issue_id="2017-03",
    language="en",
    subject="March",
    preheader="News of March",
    html="<p>Dear Zq0123abcdx0000qZ, <a href='Zq0123abcdx0001qZ'>leave</a></p>",
    text="Dear Zq0123abcdx0002qZ, leave: Zq0123abcdx0003qZ\n",
    slots=(
        Slot("Zq0123abcdx0000qZ", "name", "html", "friend"),
        Slot("Zq0123abcdx0001qZ", "unsubscribe_url", "url"),
        Slot("Zq0123abcdx0002qZ", "name", "text", "friend"),
        Slot("Zq0123abcdx0003qZ", "unsubscribe_url", "text"),
    ),
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def planned(number: int) -> Planned:
    address = Address.parse(f"reader{number}@example.org")
    return Planned(Recipient(address, f"Reader {number}", "en"), tag=f"tag{number}".encode())


def plan_of(count: int, *, first: int = 1, issue: str = "2017-03") -> Plan:
    recipients = tuple(planned(number) for number in range(first, first + count))
    return Plan(issue, listed=count, recipients=recipients, excluded={})


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "newsletter.db"


@pytest.fixture
def ledger(ledger_path: Path) -> Iterator[Ledger]:
    opened = Ledger(ledger_path, KEYS)
    yield opened
    opened.close()


Freeze = Callable[[int], Campaign]


@pytest.fixture
def freeze(ledger: Ledger) -> Freeze:
    def freeze_(count: int) -> Campaign:
        with ledger.transaction():
            return ledger.campaigns.freeze(plan_of(count), Approved({"en": EDITION}, "{}"), now=NOW)

    return freeze_


def counts(ledger: Ledger, campaign: Campaign) -> dict[State, int]:
    tally = ledger.campaigns.tally(campaign)
    assert tally.adds_up
    return dict(tally.counts)
