"""Segments against a naive reading of the same words, and the edges that words have."""

import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsletter.addresses import Address
from newsletter.audience.joined import read_day
from newsletter.audience.model import Roster, Subscriber
from newsletter.audience.reader import read_roster
from newsletter.audience.segments import Segment, narrowed
from newsletter.config import Audience, Condition
from pydantic import ValidationError

DAY = date(2025, 1, 1)
BEFORE, AFTER = date(2024, 12, 31), date(2025, 1, 2)
COUNTRIES = ["", "BE", "FR", "be", "FR; BE"]


def reader(**given_: Any) -> Subscriber:
    known: dict[str, Any] = {"name": "", "language": None, "fields": {"country": ""}}
    return Subscriber(address=Address.parse("a@a.example"), **{**known, **given_})


def condition(**words: Any) -> Condition:
    return Condition.model_validate(words)


def is_in(one: Subscriber, **words: Any) -> bool:
    return Segment.of("x", condition(**words), language="en").why_not(one) is None


readers = st.builds(
    reader,
    language=st.sampled_from([None, "en", "fr", "fr-CA"]),
    topics=st.dictionaries(st.sampled_from(["appeals", "news"]), st.booleans()),
    fields=st.fixed_dictionaries({"country": st.sampled_from(COUNTRIES)}),
    joined=st.sampled_from([None, BEFORE, DAY, AFTER]),
)
leaves = st.fixed_dictionaries(
    {},
    optional={
        "languages": st.lists(st.sampled_from(["en", "fr"]), min_size=1, max_size=2),
        "topics": st.lists(st.sampled_from(["appeals", "news"]), min_size=1, max_size=2),
        "fields": st.fixed_dictionaries(
            {"country": st.lists(st.sampled_from(["", "BE", "fr"]), min_size=1, max_size=2)}
        ),
        "joined_since": st.just(DAY),
        "joined_before": st.just(DAY),
    },
).filter(bool)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"any": several}),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: {"all": several}),
        inner.map(lambda one: {"not": one}),
        st.tuples(leaves, inner).map(lambda both: {**both[0], "not": both[1]}),
    ),
    max_leaves=6,
)


def naive(one: Subscriber, words: dict[str, Any]) -> bool:
    """The words of a condition, read one by one as the page says them."""
    for word, value in words.items():
        match word:
            case "languages":
                holds = (one.language or "en").partition("-")[0] in value
            case "topics":
                holds = any(one.topics.get(name) is not False for name in value)
            case "fields":
                cell = one.fields["country"].lower()
                wanted = [each.lower() for each in value["country"]]
                holds = cell in wanted or any(part.strip() in wanted for part in cell.split(";"))
            case "joined_since":
                holds = one.joined in {DAY, AFTER}
            case "joined_before":
                holds = one.joined == BEFORE
            case "any":
                holds = any(naive(one, each) for each in value)
            case "all":
                holds = all(naive(one, each) for each in value)
            case _:
                holds = not naive(one, value)
        if not holds:
            return False
    return True


@given(st.lists(readers, max_size=12), conditions)
@settings(max_examples=100, deadline=None)
def test_who_is_in_is_who_the_words_mean_and_everybody_is_counted_once(
    listed: list[Subscriber], words: dict[str, Any]
) -> None:
    roster = Roster((Path("list.csv"),), tuple(listed), (), (), (), len(listed))
    found, membership = narrowed(roster, "x", condition(**words), language="en")
    assert [one for one in listed if naive(one, words)] == [*found.subscribers]
    assert len(found.subscribers) == membership.inside
    assert found.outside == sum(membership.outside.values())
    assert found.rows == len(found.subscribers) + found.outside


@pytest.mark.parametrize(
    ("language", "wanted", "expected"),
    [
        ("pt-BR", "pt", True),
        ("pt", "pt-BR", True),
        ("fr", "FR", True),
        ("pt-BR", "PT-br", True),
        ("nb", "no", True),
        ("zh-TW", "zh-Hant", True),
        ("zh-TW", "zh-Hans", False),
        ("fr", "en", False),
        (None, "en", True),
    ],
)
def test_a_language_is_met_as_an_edition_in_it_would_be(
    language: str | None, wanted: str, expected: bool
) -> None:
    assert expected is is_in(reader(language=language), languages=[wanted])


@pytest.mark.parametrize(
    ("cell", "value", "expected"),
    [
        ("Donor", "donor", True),
        (" donor ", "Donor", True),
        ('"Donor","Press"', "press", True),
        ("a;b", "B", True),
        ("e\u0301t\u00e9", "\u00e9t\u00e9", True),
        ("Donors", "donor", False),
        ("", "", True),
        ("a;;b", "", False),
        ("x", "", False),
    ],
)
def test_a_cell_meets_a_value_as_a_whole_or_by_one_of_several(
    cell: str, value: str, expected: bool
) -> None:
    assert expected is is_in(reader(fields={"country": cell}), fields={"country": [value]})


def test_who_joined_on_no_known_day_is_neither_since_nor_before() -> None:
    unknown = reader(joined=None)
    assert not is_in(unknown, joined_since=DAY)
    assert not is_in(unknown, joined_before=DAY)
    assert is_in(unknown, **{"not": {"joined_before": DAY}})
    assert is_in(reader(joined=DAY), joined_since=DAY)
    assert not is_in(reader(joined=DAY), joined_before=DAY)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2025-01-01", DAY),
        ("2025-01-01 23:59:59", DAY),
        ("2025-01-01T23:59:59Z", DAY),
        ("1 January 2025", DAY),
        ("31/12/2024", BEFORE),
        ("3/4/2021", None),
        ("soon", None),
        ("", None),
        ("1970-01-01", None),
    ],
)
def test_the_day_of_a_cell_is_read_where_it_is_one_day(cell: str, expected: date | None) -> None:
    assert expected == read_day(cell)


def test_a_column_of_the_file_says_since_when_and_none_is_called_unused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,Joined,town\na@a.example,2025-01-01,X\nb@a.example,3/4/2021,Y\n")
    found = read_roster(path, Audience())
    assert [DAY, None] == [each.joined for each in found.subscribers]
    (warning,) = found.warnings
    assert "Unused columns: “town”." == warning.what


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"any": []},
        {"any": [{}]},
        {"languages": []},
        {"languages": ["french please"]},
        {"fields": {}},
        {"fields": {"country": []}},
        {"joined_since": "soon"},
        {"is": 1},
    ],
)
def test_a_condition_that_says_nothing_or_nonsense_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        condition(**words)


def test_a_list_costs_microseconds_a_reader() -> None:
    words = {
        "any": [{"topics": ["appeals"]}, {"fields": {"country": ["FR"]}}],
        "not": {"joined_before": DAY, "languages": ["fr"]},
    }
    segment = Segment.of("x", condition(**words), language="en")
    one = reader(topics={"appeals": False}, fields={"country": "FR"}, joined=AFTER)
    begun = time.process_time()
    for _ in range(20_000):
        segment.why_not(one)
    assert time.process_time() - begun < 1  # a million readers within a minute on a slow machine
