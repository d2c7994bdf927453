import itertools
from collections.abc import Callable

import pytest
from newsletter.clock import Clock
from newsletter.config import Delivery, ListIdentity, Sender
from newsletter.delivery.queue import Queue
from newsletter.delivery.run import Run
from newsletter.delivery.worker import Compose
from newsletter.ledger.campaigns import Campaign
from newsletter.ledger.ledger import Ledger
from newsletter.message.compose import Composer
from newsletter.message.keys import KeyRing
from newsletter.message.shared_headers import Letterhead
from newsletter.testing import FrozenClock
from newsletter.transports.protocol import Transport

from tests.ledger.conftest import EDITION, NOW, freeze, ledger, ledger_path

__all__ = ["freeze", "ledger", "ledger_path"]

LIMITS = Delivery(connections=3, batch=4, wait_minutes=0, stop_above=1)


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    keys = KeyRing.load_or_create(tmp_path_factory.mktemp("keys") / "newsletter.key")
    composer = Composer(
        EDITION,
        Letterhead(
            Sender(name="News", address="news@news.example"),
            ListIdentity(
                id="news.example", name="News", unsubscribe_url="https://news.example/u/{token}"
            ),
        ),
        campaign_id="2017-03.1",
        keys=keys,
    )
    return lambda recipient, date, version: composer.compose(recipient, date=date)


Begin = Callable[..., Run]


@pytest.fixture
def begin(ledger: Ledger, compose: Compose) -> Begin:
    runs = itertools.count(1)

    def begin_(
        campaign: Campaign,
        transport: Transport,
        *,
        clock: Clock | None = None,
        limits: Delivery = LIMITS,
        compose_: Compose = compose,
    ) -> Run:
        queue = Queue(
            ledger,
            campaign,
            transport=transport,
            settings=limits,
            clock=clock or FrozenClock(NOW),
            run_id=f"run-{next(runs)}",
        )
        return Run(queue, compose_)

    return begin_
