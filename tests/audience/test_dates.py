"""Dates of exports: the span that each may mean."""

from datetime import UTC, datetime, timedelta

import pytest
from newsletter.audience.dates import read_date

AT = datetime(2024, 3, 4, 10, tzinfo=UTC)
DAY, ZONES = timedelta(days=1), timedelta(hours=14)


@pytest.mark.parametrize(
    "said",
    [
        "2024-03-04 10:00:00", "2024-03-04T10:00:00.000Z", "2024-03-04 12:00:00+02",
        "2024-03-04 12:00:00.123456+02", "2024-03-04 04:30:00-0530", "2024-03-04 04:30:00-05:30",
        "4 Mar 2024 10:00", "Mon, 4 March 2024 10:00:00 GMT", "March 4, 2024 10:00 am",
        "1709546400", "1709546400000",
    ],
)  # fmt: skip
def test_a_moment_is_read_in_every_form_that_programs_write(said: str) -> None:
    assert (AT, AT) == read_date(said)


def test_a_day_without_an_hour_is_a_day_anywhere_and_one_of_two_months_is_both() -> None:
    day = AT.replace(hour=0)
    assert (day - ZONES, day + DAY + ZONES) == read_date("2024-03-04")
    april = datetime(2024, 4, 3, tzinfo=UTC)
    assert (day - ZONES, april + DAY + ZONES) == read_date("03/04/2024")
    assert (AT, april.replace(hour=10)) == read_date("03/04/2024 10:00")
    assert read_date("13/03/2024") == read_date("03/13/2024") == read_date("13.03.2024")


@pytest.mark.parametrize("said", ["", "never", "0000-00-00", "1970-01-01", "31/31/2024", "1-Mar"])
def test_what_is_no_date_is_none(said: str) -> None:
    assert read_date(said) is None
