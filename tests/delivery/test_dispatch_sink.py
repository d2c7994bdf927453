"""Dispatch over real connections into a server we did not write: Postfix's smtp-sink."""

from pathlib import Path

import pytest
from newsletter.config import Delivery, Smtp
from newsletter.errors import TransportStopped
from newsletter.ledger.ledger import Ledger
from newsletter.ledger.states import State
from newsletter.testing import FrozenClock
from newsletter.transports.smtp import SmtpTransport

from tests.delivery.conftest import Begin
from tests.ledger.conftest import Freeze, counts
from tests.support.smtp_sink import smtp_sink

pytestmark = pytest.mark.needs_smtp_sink

LIMITS = Delivery(connections=5, batch=10, wait_minutes=0, stop_above=1)


def relay(port: int, *, timeout_s: float = 5) -> SmtpTransport:
    settings = Smtp(
        host="127.0.0.1", port=port, security="none", timeout_s=timeout_s, final_timeout_s=5
    )
    return SmtpTransport(
        settings, credentials=[None], client_name="news.example", clock=FrozenClock()
    )


def test_connections_beyond_the_relays_limit_retire_and_the_others_finish(
    ledger: Ledger, freeze: Freeze, begin: Begin, tmp_path: Path
) -> None:
    campaign = freeze(60)
    with smtp_sink(tmp_path / "sink", "-m", "2") as sink:
        # The sink leaves the others in the queue: they wait for a greeting in vain.
        begin(campaign, relay(sink.port, timeout_s=0.5), limits=LIMITS).execute()
        copies = sink.copies()
    assert {State.ACCEPTED: 60} == counts(ledger, campaign)
    assert (60, {1}) == (len(copies), set(copies.values()))


def test_a_relay_that_cuts_every_line_after_the_dot_leaves_four_in_doubt_a_connection(
    ledger: Ledger, freeze: Freeze, begin: Begin, tmp_path: Path
) -> None:
    campaign = freeze(60)
    with smtp_sink(tmp_path / "sink", "-q", ".") as sink:
        for _ in range(2):
            with pytest.raises(TransportStopped, match="in a row"):
                begin(campaign, relay(sink.port), limits=LIMITS).execute()
        copies = sink.copies()
    found = counts(ledger, campaign)
    assert {State.IN_DOUBT, State.PENDING} == set(found)
    assert found[State.IN_DOUBT] <= 2 * 4 * LIMITS.connections
    assert {1} == set(copies.values())
    in_doubt = {held.address for held in ledger.deliveries.of(campaign.id, State.IN_DOUBT)}
    assert in_doubt == set(copies)


def test_a_relay_that_ends_in_the_middle_loses_nobody(
    ledger: Ledger, freeze: Freeze, begin: Begin, tmp_path: Path
) -> None:
    campaign = freeze(60)
    with smtp_sink(tmp_path / "one", "-M", "25") as sink:
        with pytest.raises(TransportStopped):
            begin(campaign, relay(sink.port), limits=LIMITS).execute()
        copies = sink.copies()
    doubt = counts(ledger, campaign).get(State.IN_DOUBT, 0)
    assert doubt <= LIMITS.connections
    deferred = counts(ledger, campaign).get(State.DEFERRED, 0)
    with smtp_sink(tmp_path / "two") as sink:
        begin(campaign, relay(sink.port), limits=LIMITS).execute()
        copies += sink.copies()
    assert {1} == set(copies.values())
    assert 60 - doubt - deferred == counts(ledger, campaign)[State.ACCEPTED]
