"""What a picture's file says of who made it, against the credit in the issue."""

import pytest
from newsletter.issues.credit import Credit


def told(field: str, caption: str) -> bool:
    """Whether the name may go out inside a picture under this caption."""
    as_creator = Credit.of([field], "", "").told_by(caption).creators
    assert bool(as_creator) == bool(Credit.of([], field, "").told_by(caption).line)
    assert bool(as_creator) == bool(Credit.of([], "", field).told_by(caption).rights)
    return bool(as_creator)


@pytest.mark.parametrize(
    ("field", "caption"),
    [
        ("Ana López", "Ana López"),
        ("Ana López", "Photo: ANA LOPEZ"),
        ("Ana Lopez", "© Ana López / Front Line Defenders"),
        ("López, Ana", "Photograph by Ana López"),
        ("Photo by Ana López", "Ana López"),
        ("© 2017 Ana López. All rights reserved.", "Ana López"),
        ("Front Line", "Ana López for Front Line"),
        ("AFP via Getty Images", "Ana López/AFP/Getty"),
        ("CC BY-SA 4.0 Ana López", "Ana López"),
        ("Crédit photo : Ana López, tous droits réservés", "Photo : Ana López"),
        ("Łukasz Żółw", "Zdjęcie: ŁUKASZ ŻÓŁW"),
        ("آنا لوبيز", "صورة: آنا لوبيز"),
        ("Анна Лопес", "Фото: АННА ЛОПЕС"),
        ("Straße e. V.", "STRASSE"),
    ],
)
def test_a_name_that_the_caption_gives_may_go_out(field: str, caption: str) -> None:
    assert told(field, caption)


@pytest.mark.parametrize(
    ("field", "caption"),
    [
        ("Ana López", "Name withheld"),
        ("Ana López", "Photo: Ana L."),
        ("Ana López", "López"),
        ("Ana López", "Photo: Ana, and not Lopezia"),
        ("Ana López / Front Line", "Front Line"),
        ("© Ana López, +216 555 0100", "Ana López"),
        ("Ana López <ana@front.example>", "Ana López"),
        ("© Ana López 9. March", "Ana López"),
        ("Ana López " * 30, "Ana López"),
        ("Ana López", ""),
        ("أحمد", "Ahmad"),
    ],
)
def test_a_name_that_says_more_than_the_caption_stays(field: str, caption: str) -> None:
    assert not told(field, caption)


@pytest.mark.parametrize("field", ["", "   ", "© 2017", "All rights reserved", "Photo", "\0", "."])
def test_words_that_name_nobody_are_neither_kept_nor_missed(field: str) -> None:
    assert () == Credit.of([field], field, field).names
    assert Credit() == Credit.of([field], field, field).told_by("All rights reserved © 2017 Photo")


def test_each_part_is_held_against_the_caption_for_itself() -> None:
    credit = Credit.of(["Ana López", "Bo Ek"], "Front Line", "© 2017 Ana López")

    assert Credit(("Bo Ek",), "Front Line", "") == credit.told_by("Bo Ek for Front Line")


def test_a_text_is_tidied_before_anything_else() -> None:
    credit = Credit.of([" Ana \n\t López\0", "Ana López", "", "a\u202eb"], "x" * 3, "")

    assert (("Ana López", "a b"), "xxx") == (credit.creators, credit.line)
    assert 10 == len(Credit.of([f"Name {n}" for n in range(99)], "", "").creators)


def test_what_one_source_lacks_the_next_may_have() -> None:
    first, second = Credit.of(["Ana"], "", ""), Credit.of(["Bo"], "Line", "Rights")

    assert Credit(("Ana",), "Line", "Rights") == first.or_else(second)
