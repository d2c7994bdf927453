from datetime import UTC, datetime

import pytest
from newsletter.ledger.suppressions import Reason, Suppression


def test_a_suppression_holds_no_address_but_its_tag() -> None:
    suppression = Suppression(b"tag", Reason.MANUAL, "command", datetime.now(UTC))
    assert suppression.tag == b"tag"


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Suppression(b"tag", Reason.BOUNCED, "webhook", datetime(2017, 3, 1))  # noqa: DTZ001 - the very thing refused
