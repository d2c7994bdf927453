import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.clock import Clock
from newsletter.config import ListIdentity, Sender
from newsletter.delivery.dispatch import Limits, Run
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.ledger.campaigns import Campaign
from newsletter.delivery.plan import Plan, Planned
from newsletter.delivery.states import State
from newsletter.delivery.worker import Composes
from newsletter.message.compose import Composer
from newsletter.message.keys import KeyRing
from newsletter.message.model import Recipient
from newsletter.render.edition import Edition
from newsletter.render.slots import Slot
from newsletter.testing import FrozenClock
from newsletter.transports.protocol import Outcome, Transport

NOW = datetime(2017, 3, 31, 9, 0, tzinfo=UTC)
T = NOW.timestamp()

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
    opened = Ledger(ledger_path, key_check="k", seal_key=b"s")
    yield opened
    opened.close()


Freeze = Callable[[int], Campaign]


@pytest.fixture
def freeze(ledger: Ledger) -> Freeze:
    def freeze_(count: int) -> Campaign:
        return ledger.campaigns.freeze(
            plan_of(count), editions={"en": EDITION}, letterhead="{}", now=NOW
        )

    return freeze_


LIMITS = Limits(connections=3, batch=4, rate_per_second=0, retry_for_s=86400)


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Composes:
    keys = KeyRing.load_or_create(tmp_path_factory.mktemp("keys") / "newsletter.key")
    composer = Composer(
        EDITION,
        sender=Sender(name="News", address="news@news.example"),
        list_identity=ListIdentity(
            id="news.example", name="News", unsubscribe_url="https://news.example/u/{token}"
        ),
        archive_url=None,
        campaign_id="2017-03.1",
        keys=keys,
    )
    return lambda recipient, *, date, version: composer.compose(recipient, date=date)


Begin = Callable[..., Run]


@pytest.fixture
def begin(ledger: Ledger, compose: Composes) -> Begin:
    runs = itertools.count(1)

    def begin_(
        campaign: Campaign,
        transport: Transport,
        *,
        clock: Clock | None = None,
        limits: Limits = LIMITS,
        compose_: Composes = compose,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
        on_wait: Callable[[str | None, datetime | None], None] = lambda *_: None,
        on_beat: Callable[[], None] = lambda: None,
    ) -> Run:
        return Run(
            ledger,
            campaign,
            compose=compose_,
            transport=transport,
            limits=limits,
            clock=clock or FrozenClock(NOW),
            run_id=f"run-{next(runs)}",
            on_outcome=on_outcome,
            on_wait=on_wait,
            on_beat=on_beat,
        )

    return begin_


def counts(ledger: Ledger, campaign: Campaign) -> dict[State, int]:
    tally = ledger.campaigns.tally(campaign)
    assert tally.adds_up
    return dict(tally.counts)
