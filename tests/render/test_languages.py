"""Dates and names as each language writes them, and stories that are in another one."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from newsletter.material import Material
from newsletter.model import Issue, Quote, Story
from newsletter.render.edition import CompileInput
from newsletter.render.locales import language_name, long_date
from newsletter.render.pipeline import compile_edition
from newsletter.render.wrap import display_width
from newsletter.source import Source

from tests.support.march import SETTINGS, THEME


@pytest.mark.parametrize(
    ("tag", "language", "name"),
    [
        ("ru", "en", "Russian"),
        ("ru", "fr", "russe"),
        ("en", "ar", "الإنجليزية"),
        ("pt-BR", "en", "Portuguese (Brazil)"),
        ("fr", "en-ZZ", "French"),
    ],
)
def test_a_language_is_named_in_the_language_of_the_issue(
    tag: str, language: str, name: str
) -> None:
    assert name == language_name(tag, language)


def test_a_tag_that_nobody_knows_stays_as_it_is() -> None:
    assert "zzz" == language_name("zzz", "en")


def test_in_a_language_that_nobody_knows_a_language_names_itself() -> None:
    assert "русский" == language_name("ru", "zzz")


@pytest.mark.parametrize(
    ("language", "full", "day_and_month"),
    [
        ("en", "31 March 2017", "31 March"),
        ("en-US", "March 31, 2017", "31 March"),
        ("fr", "31 mars 2017", "31 mars"),
        ("es", "31 de marzo de 2017", "31 marzo"),
        ("ar", "31 مارس 2017", "31 مارس"),
        ("ar-SY", "٣١ آذار ٢٠١٧", "٣١ آذار"),
        ("ar-EG", "٣١ مارس ٢٠١٧", "٣١ مارس"),
        ("fa", "۳۱ مارس ۲۰۱۷", "۳۱ مارس"),
        ("ru", "31 марта 2017\u202fг.", "31 марта"),
        ("fr-ZZ", "31 mars 2017", "31 mars"),
        ("zzz", "2017-03-31", "2017-03-31"),
    ],
)
def test_a_date_is_written_as_the_language_writes_it(
    language: str, full: str, day_and_month: str
) -> None:
    date = dt.date(2017, 3, 31)
    assert (full, day_and_month) == (
        long_date(date, language),
        long_date(date, language, "d MMMM"),
    )


NAMES = {
    "en": ("English", "French", "Spanish", "Arabic", "Russian"),
    "fr": ("anglais", "français", "espagnol", "arabe", "russe"),
    "es": ("inglés", "francés", "español", "árabe", "ruso"),
    "ar": ("الإنجليزية", "الفرنسية", "الإسبانية", "العربية", "الروسية"),
    "ru": ("английский", "французский", "испанский", "арабский", "русский"),
}


@pytest.mark.parametrize(("language", "names"), NAMES.items())
def test_each_language_has_its_names_for_all_languages(
    language: str, names: tuple[str, ...]
) -> None:
    assert names == tuple(language_name(tag, language) for tag in NAMES)


def text_of(issue: Issue) -> str:
    """The text part, by the theme and settings of this repository."""
    return compile_edition(
        CompileInput(issue, Source(Path("x.yaml")), THEME, SETTINGS, Material())
    ).text


def issue_in(language: str, *stories: Story) -> Issue:
    return Issue(
        id="2017-03",
        title="2017",
        date=dt.date(2017, 3, 31),
        language=language,
        subject="2017",
        preheader="2017",
        stories=stories,
    )


MIXED = {
    "en": "The lawyers رزان زيتونة (Razan Zaitouneh), מאיר לוי (Meir Levi) and Elena Pershakova "
    "spoke for an hour each, on 30 March 2017, about the 84 names of the list.",
    "ar": "تحدثت رزان زيتونة وإلينا بيرشاكوفا (Elena Pershakova) من Tbilisi Shelter City والمحامي "
    "מאיר לוי ساعة كاملة يوم 30 مارس 2017 عن 84 اسمًا في القائمة (OMCT وFIDH).",
}
BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("language", MIXED)
def test_names_that_run_the_other_way_stand_as_they_were_written(language: str) -> None:
    story = Story(id="one", headline=MIXED[language], blurb=MIXED[language] * 2)
    text = text_of(issue_in(language, story))
    # The first mark alone tells a text from right to left; names get none.
    marks = BIDI_CONTROLS.findall(text)
    assert marks == (["\u200f"] if language == "ar" else [])
    assert 4 == " ".join(text.split()).count(MIXED[language])  # in the list of contents, too
    lines = text.splitlines()
    assert [] == [line for line in lines if display_width(line) > 72 and "://" not in line]


GUEST = Story(
    id="guest",
    headline="A guest",
    blurb='She said "no".',
    quote=Quote(text="I stay.", by="A guest"),
    source="A friend",
)


@pytest.mark.parametrize(
    ("edition", "language", "told", "said", "quoted"),
    [
        ("fr", "en", "(En anglais)", "She said “no”.", "“I stay.”"),
        ("ar", "en", "(باللغة الإنجليزية)", "She said “no”.", "“I stay.”"),
        ("en", "fr", "(In French)", "She said «\u00a0no\u00a0».", "«\u00a0I stay.\u00a0»"),
        ("es", "ru", "(En ruso)", "She said «no».", "«I stay.»"),
        ("ru", "ar", "(Язык: арабский)", 'She said "no".', "«I stay.»"),
        # The theme speaks no German: the marks in Markdown are German all the same.
        ("en", "de", "(In German)", "She said „no“.", "“I stay.”"),
        ("en", None, "", "She said “no”.", "“I stay.”"),
    ],
)
def test_a_story_in_another_language_says_so_and_is_set_as_its_own_language_is(
    edition: str, language: str | None, told: str, said: str, quoted: str
) -> None:
    guest = GUEST.model_copy(update={"language": language})
    lines = text_of(issue_in(edition, guest)).splitlines()
    under = lines.index("-------") + 1
    assert (told, said) == (lines[under], lines[under + 2 if told else under + 1])
    assert f"    {quoted}" in lines


def test_the_phrases_within_a_story_are_in_its_language() -> None:
    text = text_of(issue_in("fr", GUEST.model_copy(update={"language": "en"})))
    assert "Source: A friend" in text
    assert "Dans ce numéro" in text


def test_a_table_in_a_story_keeps_its_columns_only_where_the_story_runs_from_the_left() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    guest = Story(id="guest", headline="A guest", blurb=table, language="en")
    assert "a  b\n-  -\n1  2" in text_of(issue_in("ar", guest))
    assert "a: 1\nb: 2" in text_of(issue_in("en", guest.model_copy(update={"language": "ar"})))
