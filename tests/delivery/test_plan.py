from collections.abc import Collection
from functools import partial
from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.audience.languages import edition_for
from newsletter.audience.model import Roster, Subscriber
from newsletter.config import Delivery
from newsletter.delivery.plan import exclusion, make_plan
from newsletter.errors import Problem
from newsletter.ledger.plan import Exclusion, Plan, Wave

LANGUAGES = ("en", "fr", "pt-BR")


def subscriber(number: int, language: str | None = None) -> Subscriber:
    address = Address.parse(f"reader{number}@example.org")
    return Subscriber(address, f"Reader {number}", language, {"city": "Minsk"}, row=number + 1)


def edition_of(language: str | None) -> str:
    return edition_for(language, LANGUAGES, "en")


def tags_of(address: Address) -> list[bytes]:
    return [address.local.encode(), b"by a key of before, " + address.local.encode()]


def plan(
    *subscribers: Subscriber,
    refused: int = 0,
    repeated: int = 0,
    left: int = 0,
    suppressed: Collection[bytes] = (),
    has_it: Collection[str] = (),
    limit: int | None = None,
    seeds: Collection[str] = (),
    canary_share: float = 0.0,
) -> Plan:
    roster = Roster(
        (Path("subscribers.csv"),),
        subscribers=subscribers,
        refused=(Problem("no address"),) * refused,
        repeated=(Problem("again"),) * repeated,
        warnings=(),
        rows=len(subscribers) + refused + repeated + left,
        left=(Problem("left"),) * left,
    )
    made = make_plan(
        roster,
        issue="2017-03",
        edition_of=edition_of,
        tags_of=tags_of,
        excluded_by=partial(
            exclusion, suppressed=suppressed, has_it=lambda address: address.key in has_it
        ),
        settings=Delivery(seeds=tuple(seeds), canary_share=canary_share),
        limit=limit,
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


def test_who_left_under_a_key_of_before_is_left_out() -> None:
    made = plan(subscriber(1), subscriber(2), suppressed={b"by a key of before, reader2"})
    assert ["Reader 1"] == names(made)


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
    made = plan(*map(subscriber, range(6)), limit=3, seeds=["reader5@EXAMPLE.org"])
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
    made = plan(subscriber(1), refused=2, repeated=3, left=4)
    assert made.excluded == {
        Exclusion.REFUSED: 2,
        Exclusion.REPEATED: 3,
        Exclusion.LEFT: 4,
    }
    assert 10 == made.listed


@pytest.mark.parametrize(
    ("wanted", "gets"),
    [
        (None, "en"),
        ("fr", "fr"),
        ("fr-BE", "fr"),
        ("pt-BR", "pt-BR"),
        ("pt", "pt-BR"),
        ("ru", "en"),
    ],
)
def test_a_reader_gets_the_nearest_edition_there_is(wanted: str | None, gets: str) -> None:
    made = plan(subscriber(1, wanted))
    assert {gets: 1} == made.languages


def waved(count: int, *, seeds: tuple[str, ...] = (), share: float = 0.01) -> Plan:
    roster = Roster(
        (Path("subscribers.csv"),),
        subscribers=tuple(
            Subscriber(
                Address.parse(f"reader{n}@{'rare' if n % 10 == 0 else 'big'}.example"),
                "", None, {}, row=n + 2,
            )
            for n in range(count)
        ),
        refused=(),
        repeated=(),
        warnings=(),
        rows=count,
    )  # fmt: skip
    return make_plan(
        roster,
        issue="2017-03",
        edition_of=edition_of,
        tags_of=tags_of,
        excluded_by=lambda *_: None,
        settings=Delivery(seeds=tuple(seeds), canary_share=share),
    )


def of_wave(made: Plan, wave: Wave) -> list[str]:
    return [str(each.recipient.address) for each in made.recipients if each.wave is wave]


@pytest.mark.parametrize(
    ("count", "share", "sample"),
    [(499, 0.01, 0), (500, 0.01, 10), (5000, 0.01, 50), (5000, 0.2, 1000), (5000, 0, 0)],
)
def test_a_large_audience_has_a_sample_and_a_small_one_none(
    count: int, share: float, sample: int
) -> None:
    made = waved(count, share=share)
    assert sample == len(of_wave(made, Wave.CANARY))
    assert count == sum(made.waves.values())


def test_the_sample_is_spread_over_list_and_domains_and_always_the_same() -> None:
    made = waved(5000)
    sample = of_wave(made, Wave.CANARY)
    assert 5 == len([address for address in sample if address.endswith("@rare.example")])
    numbers = sorted(int(address[6:].partition("@")[0]) for address in sample)
    assert numbers[0] < 200
    assert numbers[-1] > 4800
    assert sample == of_wave(waved(5000), Wave.CANARY)


def test_the_sample_is_the_middle_of_each_stretch_of_a_domain() -> None:
    subscribers = [subscriber(number) for number in range(500)]
    sample = of_wave(plan(*subscribers, canary_share=0.02), Wave.CANARY)
    assert [f"reader{number}@example.org" for number in range(25, 500, 50)] == sample


def test_seeds_take_nobodys_place_in_the_sample() -> None:
    seeds = [f"reader{number}@example.org" for number in range(25, 500, 50)]
    subscribers = [subscriber(number) for number in range(510)]
    made = plan(*subscribers, seeds=seeds, canary_share=0.02)
    assert {Wave.SEEDS: 10, Wave.CANARY: 10, Wave.REST: 490} == made.waves


def test_seeds_that_are_no_addresses_are_named() -> None:
    seeds = ["the boss", "the board"]
    assert tuple(seeds) == plan(subscriber(1), seeds=seeds).unlisted_seeds


def test_the_ledger_knows_waves_by_numbers_that_stay() -> None:
    assert {"SEEDS": 0, "CANARY": 1, "REST": 2} == {wave.name: wave.value for wave in Wave}


def test_seeds_are_those_on_the_list_and_the_others_are_named() -> None:
    made = waved(20, seeds=("Reader3@BIG.example", "reader3@big.example", "boss@else.example"))
    assert ["reader3@big.example"] == of_wave(made, Wave.SEEDS)
    assert {"boss@else.example", "Reader3@BIG.example"} >= set(made.unlisted_seeds)
    assert "boss@else.example" in made.unlisted_seeds
