"""Languages as lists write them, and the edition that each reader gets."""

import re
from pathlib import Path

import pytest
from babel.core import get_global
from newsletter.audience.languages import edition_for, read_language
from newsletter.audience.reader import read_roster

from tests.cli.support import mails, went_well
from tests.support.project import SHORT_ISSUE, Project

SAID = {
    "fr": "fr FR fra FRA fre French french français Français FRANCAIS francés Französisch "
    "французский الفرنسية francese Frans francuski",
    "fr-FR": "fr_FR fr-fr FRA-fr fr_FR.UTF-8 fr_FR@euro French_(France) Français_(France)",
    "en": "en eng English english Anglais inglés английский الإنجليزية Englisch",
    "en-GB": "en_GB English_(UK) English_-_GB English_(United_Kingdom)",
    "es": "es spa Spanish español Castellano espagnol испанский الإسبانية",
    "de": "de deu ger German Deutsch allemand alemán",
    "ar": "ar ara Arabic العربية arabe árabe арабский arb",
    "ru": "ru rus Russian русский Русский russe ruso الروسية",
    "zh": "zh zho chi Chinese 中文 chinois cmn",
    "zh-Hans": "zh-Hans Simplified_Chinese Chinese_(Simplified)",
    "zh-Hant-TW": "zh-hant-tw zh_Hant_TW",
    "pt-BR": "pt_br pt-BR Brazilian_Portuguese Portuguese_(Brazil) português_(Brasil)",
    "fa": "fa fas per Persian Farsi فارسی persan pes",
    "fa-AF": "prs Dari دری",
    "he": "he heb iw Hebrew עברית",
    "id": "in ind Indonesian Indonesia",
    "cs": "cs ces cze Czech čeština",
    "el": "el ell gre Greek Ελληνικά",
    "nl": "nl nld dut Dutch Nederlands",
    "uk": "uk ukr Ukrainian українська",
    "tr": "tr tur Turkish Türkçe",
    "vi": "vi vie Vietnamese Tiếng_Việt",
    "ckb": "ckb Sorani",
    "sr-Latn": "sr-latn sh",
    "ro": "ro ron rum mo Romanian română",
    "kk": "kk kaz Kazakh қазақ",
    "sw": "sw swa Swahili Kiswahili",
    "arz": "arz ar-arz",
}


@pytest.mark.parametrize(
    ("cell", "language"),
    [(cell.replace("_", " ") if "_(" in cell or cell[0].isupper() or not cell.isascii() else cell,
      language) for language, cells in SAID.items() for cell in cells.split()],
)  # fmt: skip
def test_a_language_is_understood_however_it_is_written(cell: str, language: str) -> None:
    assert language == read_language(cell)


def test_every_code_of_three_letters_becomes_the_one_of_two() -> None:
    for code, language in get_global("language_aliases").items():
        if len(code) == 3 and len(language) == 2:
            assert language == read_language(code) == read_language(code.upper())


@pytest.mark.parametrize(
    "cell", ["", "x", "xx", "cz", "jp", "nan", "NA", "N/A", "NULL", "und", "mul", "Klingonish", "1",
             "en/fr", "English, French", "https://a.example", "a" * 200, "zz-ZZ"],
)  # fmt: skip
def test_what_is_no_language_is_none(cell: str) -> None:
    assert read_language(cell) in {None, *(["en"] if "English," in cell else [])}


@pytest.mark.parametrize(
    ("wanted", "editions", "edition"),
    [
        ("fr", "en fr", "fr"),
        ("fr-CA", "en fr", "fr"),
        ("pt-PT", "en pt", "pt"),
        ("zh-TW", "en zh-Hans zh-Hant", "zh-Hant"),
        ("zh-Hant-HK", "en zh-Hant", "zh-Hant"),
        ("zh-Hant", "en zh-Hans", "en"),
        ("nb", "en no", "no"),
        ("no", "en nb", "nb"),
        ("fa-AF", "en fa", "fa"),
        ("fa-AF", "en prs fa", "prs"),
        ("arz", "en ar", "ar"),
        ("he", "en iw", "iw"),
        ("he", "en fr", "en"),
        ("pt", "en pt-BR", "pt-BR"),
        ("pt-PT", "en pt-BR", "pt-BR"),
        ("pt", "en pt-PT pt-BR", "pt-BR"),
        ("pt-AO", "en pt-PT pt-BR", "pt-PT"),
        ("es-MX", "en es-419", "es-419"),
        ("de-AT", "en de-CH", "de-CH"),
        ("zh", "en zh-Hans", "zh-Hans"),
        ("zh-TW", "en zh-Hans", "en"),
        ("sr", "en sr-Latn", "en"),
        ("de", "en fr", "en"),
        (None, "fr en", "en"),
    ],
)
def test_each_reader_gets_the_nearest_edition(
    wanted: str | None, editions: str, edition: str
) -> None:
    assert edition == edition_for(wanted, editions.split(), "en")


def test_an_unknown_language_is_said_with_the_edition_that_comes_instead(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,language\na@a.example,Klingonish\nb@a.example,French\n")
    found = read_roster(path, language="es")
    assert [None, "fr"] == [each.language for each in found.subscribers]
    (warning,) = found.warnings
    assert "“Klingonish”" in warning.what
    assert "edition in “es”" in warning.what


def test_readers_get_the_edition_in_their_language(project: Project) -> None:
    french = SHORT_ISSUE.replace("language: en", "language: fr")
    for key, text in (
        ("title", "Avril"), ("subject", "Une histoire"), ("preheader", "Un numéro court"),
        ("headline", "La seule histoire du mois"), ("blurb", "Elle est courte."),
        ("label", "Toute l’histoire"), ("greeting", '"Bonjour {{ name | friend }},"'),
    ):  # fmt: skip
        french = re.sub(rf"\b{key}: .*", f"{key}: {text}", french)
    project.issue(french, "2017-04.fr")
    rows = (
        "a@example.net,A,fra\nb@example.net,B,fre\nc@example.net,C,Français\nd@example.net,D,iw\n"
    )
    (project.folder / "subscribers.csv").write_text(f"email,name,language\n{rows}")
    went_well(project.run("send", "2017-04", "--dry-run"), "3 in French and 1 in English")
    assert mails(project) == []
