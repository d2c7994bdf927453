"""The organisation in the language of the edition: whole, or as it is."""

from pathlib import Path

import pytest
from newsletter.config import Settings, load_settings
from newsletter.errors import ConfigError
from newsletter.issues.loader import parse_issue
from newsletter.material import Material
from newsletter.message.compose import Composer
from newsletter.message.shared_headers import Letterhead
from newsletter.render.edition import CompileInput, Edition
from newsletter.render.pipeline import compile_edition

from tests.issues.support import GOOD
from tests.message.samples import DATE, KEYS, reader
from tests.render.samples import page_of
from tests.support.march import SETTINGS, THEME
from tests.support.tools import ROOT

FRENCH = """
[organisation.translations.fr]
about = "Nous protégeons les défenseurs."
direct_access = [{ label = "De l’aide", url = "https://www.example.org/fr/aide" }]
"""
ENGLISH = """
language = "en"
[list]
id = "news.example.org"
name = "News"
translations = { fr = { name = "Nouvelles" } }
unsubscribe_url = "https://news.example.org/u/{token}"
[sender]
name = "News"
address = "news@example.org"
[archive]
url = "https://news.example.org/archive/"
[organisation]
name = "Front Gate"
about = "We protect defenders."
postal_address = "1 Example Street, Brussels"
website = "https://www.example.org/"
direct_access = [{ label = "Get help", url = "https://www.example.org/help" }]
"""
FRENCH_WORDS = ("Nous protégeons les défenseurs.", "De l’aide", "https://www.example.org/fr/aide")
ENGLISH_WORDS = ("We protect defenders.", "Get help", "https://www.example.org/help")
SHARED = ("Front Gate", "1 Example Street, Brussels", "https://www.example.org/")


def settings(folder: Path, text: str) -> Settings:
    file = folder / "newsletter.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(folder, text)
    return str(caught.value)


def edition(folder: Path, language: str, used: Settings) -> Edition:
    text = GOOD[: GOOD.index("    image:")].replace("language: en", f"language: {language}")
    loaded = parse_issue(text, folder / "2017-03.yaml")
    return compile_edition(CompileInput(loaded.issue, loaded.source, THEME, used, Material()))


@pytest.mark.parametrize(
    ("language", "own", "foreign", "marked"),
    [
        ("en", ENGLISH_WORDS, FRENCH_WORDS, set()),
        ("fr", FRENCH_WORDS, ENGLISH_WORDS, set()),
        ("fr-CA", FRENCH_WORDS, ENGLISH_WORDS, {"fr"}),
        ("es", ENGLISH_WORDS, FRENCH_WORDS, {"en"}),
    ],
)
def test_an_edition_ends_in_the_words_of_its_language_or_says_which_they_are_in(
    tmp_path: Path, language: str, own: tuple[str, ...], foreign: tuple[str, ...], marked: set[str]
) -> None:
    made = edition(tmp_path, language, settings(tmp_path, ENGLISH + FRENCH))
    for part in (made.html, made.text):
        assert [] == [words for words in (*own, *SHARED) if words not in part]
        assert [] == [words for words in foreign if words in part]
    tags = {element.get("lang") for element in page_of(made.html).iter() if element.get("lang")}
    assert {language} | marked == tags


@pytest.mark.parametrize(
    ("language", "shown", "marked"),
    [
        ("en", "News", None),
        ("fr", "Nouvelles", None),
        ("fr-CA", "Nouvelles", "fr"),
        ("es", "News", "en"),
    ],
)
def test_the_list_has_the_name_of_the_readers_language_or_says_which_it_is_in(
    tmp_path: Path, language: str, shown: str, marked: str | None
) -> None:
    used = settings(tmp_path, ENGLISH + FRENCH)
    made = edition(tmp_path, language, used)
    page = page_of(made.html)
    (title,), (leave,) = page.findall(".//h1"), page.findall(".//a[@class='leave']")
    for element in (title, leave, page.xpath("//a[@class='leave']/ancestor::div[1]/p[1]")[0]):
        (name,) = [each for each in element.iter() if shown in (each.text or "")]
        assert marked == name.get("lang")
    assert made.text.startswith(shown)
    message = Composer(
        made,
        Letterhead(used.sender, used.list, language=used.language),
        campaign_id="c",
        keys=KEYS,
    ).compose(reader(), date=DATE)
    assert f"From: {shown} <news@example.org>\r\n".encode() in message.as_bytes()
    assert shown == message.as_content().from_name


def test_a_sender_with_a_name_of_its_own_keeps_it(tmp_path: Path) -> None:
    text = ENGLISH.replace('[sender]\nname = "News"', '[sender]\nname = "Ada"')
    assert "Ada" == settings(tmp_path, text).sender_in("fr").name


def test_an_address_that_its_translation_leaves_out_is_marked_in_another_script(
    tmp_path: Path,
) -> None:
    arabic = FRENCH.replace(".fr]", ".ar]").replace("Nous protégeons les", "نحمي")
    made = edition(tmp_path, "ar", settings(tmp_path, ENGLISH + arabic))
    (address,) = page_of(made.html).xpath("//span[text()='1 Example Street, Brussels']")
    assert "en" == address.get("lang")


def test_new_words_in_one_language_leave_the_edition_in_another_as_it_was(tmp_path: Path) -> None:
    before = settings(tmp_path, ENGLISH + FRENCH)
    after = settings(tmp_path, ENGLISH + FRENCH.replace("De l’aide", "Aide"))
    same = [edition(tmp_path, "en", each).fingerprint for each in (before, after)]
    changed = [edition(tmp_path, "fr", each).fingerprint for each in (before, after)]
    assert same[0] == same[1]
    assert changed[0] != changed[1]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('about = "Nous protégeons les défenseurs."\n', "", "lacks about; translate"),
        (FRENCH[FRENCH.index("direct") :], "", "lacks direct_access (0 of 1 links); translate"),
        (FRENCH, "[organisation.translations.fr]", "lacks about, direct_access (0 of 1 links);"),
        ("translations.fr", "translations.en", "take [organisation.translations.en] out"),
        ("translations.fr", "translations.French", "is no language code; write one such as en"),
        (
            "about",
            "abuot",
            "[organisation.translations.fr] abuot: is no setting. Did you mean “about”?",
        ),
    ],
)
def test_a_translation_that_is_not_whole_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in FRENCH
    assert told in refused(tmp_path, ENGLISH + FRENCH.replace(old, new))


def test_a_list_is_named_once_in_its_own_language(tmp_path: Path) -> None:
    told = refused(tmp_path, ENGLISH.replace("{ fr =", "{ en ="))
    assert "take [list.translations.en] out" in told


def test_each_translation_that_lacks_something_is_named(tmp_path: Path) -> None:
    spanish = '[organisation.translations.es]\nabout = "Protegemos."\n'
    told = refused(tmp_path, ENGLISH + FRENCH.replace("about", "name") + spanish)
    assert "[organisation.translations.fr] lacks about; " in told
    assert "[organisation.translations.es] lacks direct_access (0 of 1 links); " in told


def test_the_newsletter_of_this_repository_speaks_all_its_languages() -> None:
    files = (ROOT / "issues").glob("2017-03.*.yaml")
    assert (
        {path.suffixes[0].strip(".") for path in files}
        == SETTINGS.organisation.translations.keys()
        == SETTINGS.list.translations.keys()
    )
