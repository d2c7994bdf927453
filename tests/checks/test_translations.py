"""What the checks say of an edition that is not whole in its language."""

from pathlib import Path

import pytest
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Finding, Severity
from newsletter.checks.run import run_checks
from newsletter.config import Settings
from newsletter.issues.languages import load_languages
from newsletter.material import Material
from newsletter.render.edition import CompileInput
from newsletter.render.pipeline import compile_edition

from tests.support.march import SETTINGS, THEME

ENGLISH = """\
title: March 2017
date: 2017-03-31
language: en
subject: Two stories from March
preheader: A verdict in Kampala, and a room in Hamburg that has a key
stories:
  - id: kampala
    headline: A verdict in Kampala
    blurb: 'The judge said "no" on Thursday, 30 March. [The file](https://courts.example/1).'
  - id: hamburg
    headline: A room with a key
    blurb: She sleeps behind a door of her own.
"""
FRENCH = """\
title: Mars 2017
date: 2017-03-31
language: fr
subject: Deux récits de mars
preheader: Un verdict à Kampala, et à Hambourg une chambre qui a une clé
fallback: [kampala]
stories:
  - id: hamburg
    headline: Une chambre à elle
    blurb: Elle dort derrière une porte qui ferme.
"""


def findings(
    folder: Path,
    *,
    settings: Settings = SETTINGS,
    english: str = ENGLISH,
    french: str = FRENCH,
    language: str = "fr",
) -> dict[str, list[Finding]]:
    """What the checks find in each language; ``language`` is the translation's."""
    (folder / "2017-03.yaml").write_text(english, encoding="utf-8")
    french = french.replace("language: fr", f"language: {language}")
    (folder / f"2017-03.{language}.yaml").write_text(french, encoding="utf-8")
    found = {}
    for tag, one in load_languages(folder / "2017-03.yaml").items():
        edition = compile_edition(CompileInput(one.issue, one.source, THEME, settings, Material()))
        made = CheckInput(one.issue, one.source, THEME, settings, Material(), edition, one.original)
        checked = run_checks(made)
        found[tag] = [each for each in checked if not each.id.startswith("privacy-")]
    return found


def test_each_story_that_falls_back_is_noted_with_the_line_that_says_so(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [] == found["en"]
    (note,) = found["fr"]
    assert ("translation-fallback", Severity.NOTE) == (note.id, note.severity)
    where = note.where
    assert (tmp_path / "2017-03.fr.yaml", 6, 12) == (where.file, where.line, where.column)
    assert ("A verdict in Kampala", "kampala") == (note.story, note.story_id)
    assert "The edition in “fr” shows “A verdict in Kampala” in “en”." == note.what


def test_a_date_in_a_story_that_falls_back_is_read_in_the_storys_language(tmp_path: Path) -> None:
    found = findings(tmp_path, english=ENGLISH.replace("Thursday", "Friday"))
    places = {
        language: [(f.where.file, f.where.line) for f in each if f.id == "weekday"]
        for language, each in found.items()
    }
    assert {"en": [(tmp_path / "2017-03.yaml", 9)], "fr": [(tmp_path / "2017-03.yaml", 9)]} == (
        places
    )


def settings_without(language: str) -> Settings:
    organisation = SETTINGS.organisation
    kept = {k: v for k, v in organisation.translations.items() if k != language}
    without = organisation.model_copy(update={"translations": kept})
    return SETTINGS.model_copy(update={"organisation": without})


def test_an_edition_that_would_end_in_another_language_is_warned_of(tmp_path: Path) -> None:
    french = FRENCH.replace("fallback: [kampala]\n", "").replace(
        "stories:\n", "stories:\n  - id: kampala\n    headline: Un verdict\n"
        "    blurb: 'Non, dit le juge. [Le dossier](https://courts.example/1).'\n"
    )  # fmt: skip
    found = findings(tmp_path, settings=settings_without("fr"), french=french)
    assert [] == found["en"]
    (warning,) = found["fr"]
    assert ("organisation-language", Severity.WARNING) == (warning.id, warning.severity)
    assert "newsletter.toml" == str(warning.where.file)
    assert "[organisation.translations.fr]" in warning.mend


@pytest.mark.parametrize("language", ["fr-CA", "en-GB"])
def test_the_words_of_a_base_language_are_enough(tmp_path: Path, language: str) -> None:
    found = findings(tmp_path, language=language)
    assert {"translation-fallback"} == {each.id for each in found[language]}


WORDED = """\
sections:
  - id: shelter
    title: {shelter}
stories:
  - id: hamburg
    headline: {headline}
    section: shelter
    kicker: {kicker}
    blurb: {headline}.
    quote:
      text: {headline}!
      by: {by}
    background:
      title: {background}
      text: {headline} …
    links:
      - label: {label}
        url: https://defenders.example/hamburg
      - label: Отчёт
        url: https://defenders.example/ru
        language: ru
    download:
      label: {download}
      url: https://defenders.example/paper.pdf
    source: {source}
posts:
  - text: {post}
    url: https://social.example/1
    network: Mastodon
"""
TRANSLATED = {
    "shelter": ("Shelter", "Un abri"),
    "headline": ("A room", "Une chambre"),
    "kicker": ("In the north", "Au nord"),
    "by": ("Ana López, writer", "Ana López, autrice"),
    "background": ("Background", "Pour comprendre"),
    "label": ("Read more", "Lire la suite"),
    "download": ("Paper (PDF)", "Étude (PDF)"),
    "source": ("The editors", "La rédaction"),
    "post": ("At risk?", "En danger ?"),
}


@pytest.mark.parametrize("left", ["", *(key for key in TRANSLATED if key != "headline")])
def test_short_words_that_were_overlooked_are_noted(tmp_path: Path, left: str) -> None:
    words = {key: pair[0] if key == left else pair[1] for key, pair in TRANSLATED.items()}
    english = ENGLISH[: ENGLISH.index("stories:")] + WORDED.format(
        **{key: pair[0] for key, pair in TRANSLATED.items()}
    )
    french = FRENCH[: FRENCH.index("fallback:")] + WORDED.format(**words)
    found = findings(tmp_path, english=english, french=french)
    assert [] == [each for each in found["en"] if each.id.startswith("translation")]
    told = [each for each in found["fr"] if each.id.startswith("translation")]
    assert [("translation-same", Severity.NOTE)] * bool(left) == [
        (each.id, each.severity) for each in told
    ]
    for note in told:
        line = next(n for n, text in enumerate(french.splitlines(), start=1) if words[left] in text)
        assert (tmp_path / "2017-03.fr.yaml", line) == (note.where.file, note.where.line)


def test_names_may_be_the_same_in_two_languages(tmp_path: Path) -> None:
    names = {"kicker": "Sierra Leone", "by": "Nur Nobi Dulal", "source": "Amnesty International"}
    english = ENGLISH[: ENGLISH.index("stories:")] + WORDED.format(
        **{key: pair[0] for key, pair in TRANSLATED.items()} | names
    )
    french = FRENCH[: FRENCH.index("fallback:")] + WORDED.format(
        **{key: pair[1] for key, pair in TRANSLATED.items()} | names
    )
    found = findings(tmp_path, english=english, french=french)
    assert [] == [each for each in found["fr"] if each.id.startswith("translation")]
