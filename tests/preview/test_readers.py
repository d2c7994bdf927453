"""Whom the preview offers to show the mail to."""

from pathlib import Path

import pytest
from newsletter.addresses import Address
from newsletter.audience.languages import edition_for
from newsletter.audience.model import Roster, Subscriber
from newsletter.preview.readers import MOST_READERS, sample_readers


def roster(*people: tuple[str, str | None]) -> Roster:
    subscribers = tuple(
        Subscriber(Address.parse(f"p{row}@readers.example"), name, language, row=row)
        for row, (name, language) in enumerate(people, start=2)
    )
    return Roster((Path("list.csv"),), subscribers, (), (), (), len(subscribers))


def test_without_a_list_there_is_a_reader_without_a_name() -> None:
    (reader,) = sample_readers(None, languages={"en"}, default="en", fields=["city"])
    assert ("empty", "", {"city": ""}) == (
        reader.id,
        reader.recipient.name,
        reader.recipient.fields,
    )


def test_each_language_of_a_long_list_is_there() -> None:
    people: list[tuple[str, str | None]] = [("Reader", "en")] * 50
    people += [("Lecteur", "fr"), ("قارئ", "ar")]
    readers = sample_readers(roster(*people), languages={"en", "fr"}, default="en", fields=[])
    assert MOST_READERS + 2 == len(readers)
    names = [reader.recipient.name for reader in readers]
    assert "Lecteur" in names
    assert "قارئ" in names
    assert len(readers) == len({reader.id for reader in readers})


def test_the_longest_name_is_one_of_them_wherever_it_stands() -> None:
    people: list[tuple[str, str | None]] = [("Reader", "en")] * 50
    people.append(("Maria Magdalena von Hohenstein-Oberweiler", "en"))
    readers = sample_readers(roster(*people), languages={"en"}, default="en", fields=[])
    longest = next(reader for reader in readers if reader.id == "longest")
    assert "Maria Magdalena von Hohenstein-Oberweiler" == longest.recipient.name


def test_no_label_gives_an_address_away() -> None:
    readers = sample_readers(roster(("", "en")), languages={"en"}, default="en", fields=[])
    assert "No name · p…@r….example" == readers[0].label


@pytest.mark.parametrize(
    ("wanted", "edition"),
    [("fr", "fr"), ("fr-CA", "fr"), ("pt-BR", "pt-BR"), ("de", "en"), (None, "en")],
)
def test_readers_get_their_language_its_base_or_the_default(
    wanted: str | None, edition: str
) -> None:
    assert edition == edition_for(wanted, {"en", "fr", "pt-BR"}, "en")
