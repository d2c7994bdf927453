from datetime import UTC, datetime

import pytest
from newsletter.audience.suppression import Reason, Suppression


def test_a_suppression_is_known_by_its_folded_address() -> None:
    from newsletter.addresses import Address

    key = Address.parse("Anna.L@a.example").suppression_key
    assert Suppression(key, Reason.MANUAL, "command", datetime.now(UTC)).key == "anna.l@a.example"


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Suppression("a@a.example", Reason.BOUNCED, "webhook", datetime(2017, 3, 1))  # noqa: DTZ001 - the very thing refused
