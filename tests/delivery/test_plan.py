from collections.abc import Collection
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.audience.model import Roster, Subscriber
from newsletter.delivery.plan import Exclusion, Plan, Wave, make_plan
from newsletter.errors import Problem

LANGUAGES = ("en", "fr", "pt-BR")


def subscriber(number: int, language: str | None = None) -> Subscriber:
    address = Address.parse(f"reader{number}@example.org")
    return Subscriber(address, f"Reader {number}", language, {"city": "Minsk"}, row=number + 1)


def plan(
    *subscribers: Subscriber,
    refused: int = 0,
    repeated: int = 0,
    suppressed: Collection[bytes] = (),
    has_it: Collection[str] = (),
    limit: int | None = None,
    seeds: Collection[str] = (),
    canary_share: float = 0.0,
) -> Plan:
    roster = Roster(
        Path("subscribers.csv"),
        subscribers=subscribers,
        refused=(Problem("no address"),) * refused,
        repeated=(Problem("again"),) * repeated,
        warnings=(),
        rows=len(subscribers) + refused + repeated,
    )
    made = make_plan(
        roster,
        issue="2017-03",
        languages=LANGUAGES,
        default_language="en",
        tag=lambda address: address.local.encode(),
        suppressed=suppressed,
        has_it=has_it,
        limit=limit,
        seeds=seeds,
        canary_share=canary_share,
    )
    assert made.listed == len(made.recipients) + sum(made.excluded.values())
    return made


def names(made: Plan) -> list[str]:
    return [planned.recipient.name for planned in made.recipients]


def test_everybody_on_the_list_gets_it_with_name_fields_and_tag() -> None:
    (only,) = plan(subscriber(1)).recipients
    assert ("Reader 1", {"city": "Minsk"}) == (only.recipient.name, only.recipient.fields)
    assert b"reader1" == only.tag


def test_who_left_is_left_out_and_counted() -> None:
    made = plan(subscriber(1), subscriber(2), suppressed={b"reader2"})
    assert ["Reader 1"] == names(made)
    assert {Exclusion.SUPPRESSED: 1} == made.excluded


def test_who_has_the_issue_is_left_out_and_counted() -> None:
    made = plan(subscriber(1), subscriber(2), has_it={"reader1@example.org"})
    assert ["Reader 2"] == names(made)
    assert {Exclusion.HAS_IT: 1} == made.excluded


def test_who_left_and_has_the_issue_is_counted_once() -> None:
    made = plan(subscriber(1), suppressed={b"reader1"}, has_it={"reader1@example.org"})
    assert {Exclusion.SUPPRESSED: 1} == made.excluded


def test_a_limit_is_used_up_by_those_who_get_it_alone() -> None:
    made = plan(*map(subscriber, range(6)), has_it={"reader0@example.org"}, limit=2)
    assert ["Reader 1", "Reader 2"] == names(made)
    assert {Exclusion.HAS_IT: 1, Exclusion.BEYOND_LIMIT: 3} == made.excluded


def test_who_looks_first_is_within_the_limit_wherever_they_stand_in_the_list() -> None:
    made = plan(*map(subscriber, range(6)), limit=3, seeds=["READER5@example.org"])
    assert ["Reader 0", "Reader 1", "Reader 5"] == names(made)
    assert {Wave.REST: 2, Wave.SEEDS: 1} == made.waves
    assert {Exclusion.BEYOND_LIMIT: 3} == made.excluded
    assert () == made.unlisted_seeds


def test_a_sample_is_taken_from_those_within_the_limit() -> None:
    made = plan(*map(subscriber, range(5000)), limit=1000, canary_share=0.5)
    assert {Wave.CANARY: 500, Wave.REST: 500} == made.waves
    few = plan(*map(subscriber, range(5000)), limit=3, canary_share=0.5)
    assert {Wave.REST: 3} == few.waves  # too few for a sample to tell anything


def test_rows_that_cannot_be_used_are_accounted_for() -> None:
    made = plan(subscriber(1), refused=2, repeated=3)
    assert {Exclusion.REFUSED: 2, Exclusion.REPEATED: 3} == made.excluded
    assert 6 == made.listed


@pytest.mark.parametrize(
    ("wanted", "gets"),
    [(None, "en"), ("fr", "fr"), ("fr-BE", "fr"), ("pt-BR", "pt-BR"), ("pt", "en"), ("ru", "en")],
)
def test_a_reader_gets_the_nearest_edition_there_is(wanted: str | None, gets: str) -> None:
    made = plan(subscriber(1, wanted))
    assert {gets: 1} == made.languages
