"""A translation says all that its original says, or is refused with the place of what it lacks."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from newsletter.errors import IssueError
from newsletter.issues.languages import load_languages

from tests.issues.support import told, write

ENGLISH = """\
title: March 2017
date: 2017-03-31
language: en
subject: News from defenders
preheader: A year of safety in Hamburg
greeting: Dear friend,
lead: hamburg
sections:
  - id: shelter
    title: Shelter
  - id: courts
    title: Courts
stories:
  - id: hamburg
    headline: A year of safety
    section: shelter
    blurb: Nur Nobi Dulal has arrived, [as we said](https://defenders.example/before).
    highlight: Eight of 84 were murdered.
    quote:
      text: I can sleep.
      by: Nur Nobi Dulal, blogger
    image:
      file: port.png
      alt: A harbour
      credit: The editors
    background:
      title: Background
      text: It began in 2013.
      url: https://defenders.example/background
    links:
      - label: Read more
        url: https://defenders.example/hamburg
      - label: The report in Russian
        url: https://defenders.example/report
        language: ru
    download:
      label: Statement (PDF)
      url: https://defenders.example/statement.pdf
    source: The foundation
  - id: oaxaca
    headline: Inside the prisons
    section: courts
    blurb: Three men should be free.
posts:
  - text: At risk? Ask us.
    url: https://social.example/1
    network: Mastodon
"""

FRENCH = """\
title: Mars 2017
date: 2017-03-31
language: fr
subject: Nouvelles de défenseurs
preheader: Un an à l’abri à Hambourg
greeting: Bonjour,
lead: hamburg
sections:
  - id: shelter
    title: À l’abri
  - id: courts
    title: Tribunaux
stories:
  - id: hamburg
    headline: Un an à l’abri
    section: shelter
    blurb: Nur Nobi Dulal est arrivé, [nous l’avions dit](https://defenders.example/before).
    highlight: Huit sur 84 ont été assassinés.
    quote:
      text: Je peux dormir.
      by: Nur Nobi Dulal, blogueur
    image:
      file: port.png
      alt: Un port
      credit: La rédaction
    background:
      title: Rappel
      text: Tout commence en 2013.
      url: https://defenders.example/fr/background
    links:
      - label: Lire la suite
        url: https://defenders.example/hamburg
      - label: Le rapport en russe
        url: https://defenders.example/report
        language: ru
    download:
      label: Déclaration (PDF)
      url: https://defenders.example/statement.pdf
    source: La fondation
  - id: oaxaca
    headline: Dans les prisons
    section: courts
    blurb: Trois hommes devraient être libres.
posts:
  - text: En danger ? Parlez-nous.
    url: https://social.example/1
    network: Mastodon
"""


def refused(folder: Path, french: str) -> IssueError:
    original = write(folder, ENGLISH)
    write(folder, french, "2017-03.fr.yaml")
    with pytest.raises(IssueError) as caught:
        load_languages(original)
    return caught.value


def problems(folder: Path, french: str) -> Sequence[str]:
    return [told(problem) for problem in refused(folder, french).problems]


def without(text: str, first: str, last: str) -> str:
    """``text`` without the lines from the one that is ``first`` to the one that is ``last``."""
    before, _, rest = text.partition(first)
    return before + rest[rest.index(last) + len(last) :]


def test_a_whole_translation_stands_beside_its_original(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH)
    write(tmp_path, FRENCH, "2017-03.fr.yaml")
    loaded = load_languages(original)
    assert ["en", "fr"] == list(loaded)
    assert "Un an à l’abri" == loaded["fr"].issue.reading_order[0].headline
    assert tmp_path / "2017-03.fr.yaml" == loaded["fr"].source.file


def test_an_issue_without_translations_is_in_one_language(tmp_path: Path) -> None:
    assert ["en"] == list(load_languages(write(tmp_path, ENGLISH)))


def test_a_missing_story_is_told_with_its_place_in_the_original(tmp_path: Path) -> None:
    french = without(FRENCH, "  - id: oaxaca\n", "être libres.\n")
    error = refused(tmp_path, french)
    (problem,) = error.problems
    assert tmp_path / "2017-03.fr.yaml" == problem.where.file == error.where.file
    assert told(problem) == (
        "14:3: The story “oaxaca” is missing. "
        "Translate it, or list it under “fallback” to show it as the original has it. "
        f"The original is in {tmp_path / '2017-03.yaml'}, line 40."
    )


def test_a_part_that_is_missing_names_its_story(tmp_path: Path) -> None:
    french = without(FRENCH, "    quote:\n", "blogueur\n")
    (told_,) = problems(tmp_path, french)
    assert told_.startswith("14:5, story “Un an à l’abri”: “quote” is missing. Translate it too.")
    assert told_.endswith("line 20.")


@pytest.mark.parametrize(
    ("first", "last", "what"),
    [
        ("greeting:", "Bonjour,\n", "“greeting” is missing."),
        ("    highlight:", "assassinés.\n", "“highlight” is missing."),
        ("    image:\n", "La rédaction\n", "“image” is missing."),
        ("    background:\n", "fr/background\n", "“background” is missing."),
        ("    download:\n", "statement.pdf\n", "“download” is missing."),
        ("    source:", "fondation\n", "“source” is missing."),
        ("    section:", "shelter\n", "“section” is missing."),
        ("      - label: Lire", "/hamburg\n", "The link to https://defenders.example/hamburg is"),
        ("        language: ru", "\n", "The link to https://defenders.example/report (ru) is"),
        ("posts:\n", "Mastodon\n", "The translation has 0 posts, the original 1."),
    ],
)
def test_whatever_a_translation_lacks_is_told(
    tmp_path: Path, first: str, last: str, what: str
) -> None:
    assert what in problems(tmp_path, without(FRENCH, first, last))[0]


@pytest.mark.parametrize(
    ("french", "english", "what"),
    [
        ("2017-03-31", "2017-04-01", "date is 2017-04-01, the original's 2017-03-31."),
        ("lead: hamburg", "lead: oaxaca", "leads with “oaxaca”, the original with “hamburg”."),
        ("Nouvelles de défenseurs", "News from defenders", "“subject” is not translated."),
        ("Bonjour,", "Dear friend,", "“greeting” is not translated."),
        ("Un an à l’abri\n    section", "A year of safety\n    section", "“headline” is not"),
        ("Trois hommes devraient être libres.", "Three men should be free.", "“blurb” is not"),
        ("Un port", "A harbour", "“image.alt” is not translated."),
        ("Je peux dormir.", "I can sleep.", "“quote.text” is not translated."),
        ("section: courts", "section: shelter", "“section” is shelter, in the original courts."),
        ("example/before", "example/after", "The link to https://defenders.example/before is"),
        ("statement.pdf", "other.pdf", "“url” is https://defenders.example/other.pdf, in the"),
        ("social.example/1", "social.example/2", "The posts are not those of the original."),
        ("id: oaxaca", "id: somewhere", "The story “oaxaca” is missing."),
        ("id: oaxaca", "id: somewhere", "The original has no story “somewhere”."),
        ("    blurb: Trois", "    kicker: Ici\n    blurb: Trois", "The original has no “kicker”"),
    ],
)  # fmt: skip
def test_whatever_differs_is_told(tmp_path: Path, french: str, english: str, what: str) -> None:
    changed = FRENCH.replace(french, english)
    assert changed != FRENCH
    assert any(what in each for each in problems(tmp_path, changed))


def test_a_copy_is_told_story_by_story_until_it_is_translated(tmp_path: Path) -> None:
    copy = ENGLISH.replace("language: en", "language: fr")
    assert [
        "4:10: “subject”, “preheader” and “greeting” are not translated. Translate them.",
        "15:15, story “A year of safety”: “headline”, “blurb”, “highlight”, “quote.text”, "
        "“image.alt” and “background.text” are not translated. Translate them.",
        "41:15, story “Inside the prisons”: “headline” and “blurb” are not translated. "
        "Translate them.",
    ] == [each.partition(" The original")[0] for each in problems(tmp_path, copy)]


def test_stories_in_another_order_are_told(tmp_path: Path) -> None:
    hamburg, oaxaca, posts = map(FRENCH.index, ("  - id: hamburg", "  - id: oaxaca", "posts:"))
    turned = FRENCH[:hamburg] + FRENCH[oaxaca:posts] + FRENCH[hamburg:oaxaca] + FRENCH[posts:]
    (problem,) = problems(tmp_path, turned)
    assert "Here stands the story “oaxaca”, in the original “hamburg”." in problem


def test_what_is_wrong_in_two_files_is_told_at_once(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH.replace("date: 2017-03-31\n", ""))
    write(tmp_path, FRENCH.replace("Un port", ""), "2017-03.fr.yaml")
    with pytest.raises(IssueError) as caught:
        load_languages(original)
    files = [problem.where.file for problem in caught.value.problems]
    assert [original, tmp_path / "2017-03.fr.yaml"] == files


def test_two_files_in_one_language_are_refused(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH)
    write(tmp_path, ENGLISH, "2017-03.en.yaml")
    with pytest.raises(IssueError) as caught:
        load_languages(original)
    assert f"{original} is in “en” already." in str(caught.value)


OAXACA = """\
  - id: oaxaca
    headline: Dans les prisons
    section: courts
    blurb: Trois hommes devraient être libres.
"""
HAMBURG = FRENCH[FRENCH.index("  - id: hamburg") : FRENCH.index("  - id: oaxaca")]


def falling_back(*ids: str, lead: str = "hamburg", instead_of: str = OAXACA) -> str:
    """The French file with ids under ``fallback``, and without the stories that stood there."""
    listed = f"lead: {lead}\nfallback: [{', '.join(ids)}]"
    return FRENCH.replace("lead: hamburg", listed).replace(instead_of, "")


def test_a_story_that_falls_back_stands_where_the_original_has_it_in_its_language(
    tmp_path: Path,
) -> None:
    original = write(tmp_path, ENGLISH)
    write(tmp_path, falling_back("hamburg", instead_of=HAMBURG), "2017-03.fr.yaml")
    english, french = (one.issue for one in load_languages(original).values())
    assert ["A year of safety", "Dans les prisons"] == [s.headline for s in french.stories]
    assert ["en", None] == [story.language for story in french.stories]
    assert french.stories[0] == english.stories[0].model_copy(update={"language": "en"})
    assert "A year of safety" == french.reading_order[0].headline
    assert ["À l’abri", "Tribunaux"] == [section.title for section in french.sections]
    assert [None, None] == [story.language for story in english.stories]


def test_what_is_found_in_a_story_that_falls_back_is_told_with_its_place_in_the_original(
    tmp_path: Path,
) -> None:
    original = write(tmp_path, ENGLISH)
    french = write(tmp_path, falling_back("hamburg", instead_of=HAMBURG), "2017-03.fr.yaml")
    source = load_languages(original)["fr"].source
    line = {text.strip(): n for n, text in enumerate(ENGLISH.splitlines(), start=1)}
    there = source.where("stories", 0, "image", "alt")
    assert (original, line["alt: A harbour"]) == (there.file, there.line)
    own = {text.strip(): n for n, text in enumerate(french.read_text().splitlines(), start=1)}
    here = source.where("stories", 1, "headline")
    assert (french, own["headline: Dans les prisons"]) == (here.file, here.line)
    assert (french, own["subject: Nouvelles de défenseurs"]) == (
        source.where("subject").file,
        source.where("subject").line,
    )


@pytest.mark.parametrize(
    ("french", "what"),
    [
        (falling_back("oaxaco"), "8:12: The original has no story “oaxaco” to fall back to. Did "
                                 "you mean “oaxaca”?"),
        (falling_back("oaxaca", instead_of=""), "8:12: The story “oaxaca” falls back, and is "
                                                "translated on line 41 as well. Delete one of"),
        (falling_back("oaxaca", lead="oaxaca"), "The translation leads with “oaxaca”, the origi"),
        (falling_back("oaxaca", lead="oaxaco"), "The lead story “oaxaco” is none of the stories."),
        (falling_back("hamburg", "oaxaca", instead_of=FRENCH[FRENCH.index("stories:"):]),
         "8:1: Every story falls back, so nothing is translated. Delete the file"),
        (falling_back("Oaxaca!"), "“Oaxaca!” cannot be the value of “fallback”."),
        (falling_back("oaxaca").replace("[oaxaca]", "oaxaca"), "“fallback” must be a list."),
        (falling_back(), "The story “oaxaca” is missing."),
    ],
)  # fmt: skip
def test_a_fallback_that_makes_no_sense_is_told(tmp_path: Path, french: str, what: str) -> None:
    assert what in problems(tmp_path, french)[0]


def test_an_original_has_nothing_to_fall_back_to(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH.replace("lead: ", "fallback: [oaxaca]\nlead: "))
    with pytest.raises(IssueError) as caught:
        load_languages(original)
    (problem,) = caught.value.problems
    assert told(problem).startswith("7:1: Only a translation can fall back to its original.")


def test_the_other_stories_keep_their_order_around_one_that_falls_back(tmp_path: Path) -> None:
    third = "  - id: third\n    headline: {}\n    blurb: {}\n"
    english = ENGLISH.replace("posts:", third.format("The last", "It ends.") + "posts:")
    french = falling_back("oaxaca").replace("posts:", third.format("La fin", "Fini.") + "posts:")
    original = write(tmp_path, english)
    write(tmp_path, french, "2017-03.fr.yaml")
    stories = load_languages(original)["fr"].issue.stories
    assert ["hamburg", "oaxaca", "third"] == [story.id for story in stories]

    turned = french.replace(HAMBURG, "").replace("posts:", HAMBURG + "posts:")
    write(tmp_path, turned, "2017-03.fr.yaml")
    with pytest.raises(IssueError, match="Here stands the story “third”, in the original “hamb"):
        load_languages(original)


GUEST = "    headline: Inside the prisons\n"
RUSSIAN = "    language: ru\n    headline: Внутри тюрем\n"


def test_a_guest_story_may_stay_in_its_own_language_or_be_translated(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH.replace(GUEST, RUSSIAN))
    spanish = FRENCH.replace("    headline: Dans les prisons\n", RUSSIAN)
    write(tmp_path, FRENCH, "2017-03.fr.yaml")
    write(tmp_path, spanish.replace("language: fr", "language: es"), "2017-03.es.yaml")
    russian = falling_back("oaxaca").replace("language: fr", "language: ru")
    write(tmp_path, russian, "2017-03.ru.yaml")
    loaded = load_languages(original)
    found = {language: one.issue.stories[1].language for language, one in loaded.items()}
    assert {"en": "ru", "fr": None, "es": "ru", "ru": None} == found


def test_a_translation_hides_no_untranslated_story_behind_a_language(tmp_path: Path) -> None:
    english = "    language: en\n    headline: Inside the prisons\n"
    french = FRENCH.replace("    headline: Dans les prisons\n", english)
    (problem,) = problems(tmp_path, french)
    assert (
        "41:15, story “Inside the prisons”: The story is in “en”, the file in “fr”. "
        "Translate it, or delete it here and list “oaxaca” under “fallback”."
    ) in problem


def test_texts_may_be_the_same_in_two_kinds_of_one_language(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH)
    write(tmp_path, ENGLISH.replace("language: en", "language: en-GB"), "2017-03.en-GB.yaml")
    assert ["en", "en-GB"] == list(load_languages(original))


def test_a_greeting_that_is_only_a_name_needs_no_translation(tmp_path: Path) -> None:
    greeting = '"{{ name | … }},"'
    original = write(tmp_path, ENGLISH.replace("Dear friend,", greeting))
    write(tmp_path, FRENCH.replace("Bonjour,", greeting), "2017-03.fr.yaml")
    assert ["en", "fr"] == list(load_languages(original))


def test_a_story_in_the_language_of_its_issue_needs_no_word_about_it(tmp_path: Path) -> None:
    original = write(tmp_path, ENGLISH.replace(GUEST, "    language: en\n" + GUEST))
    assert [None, None] == [s.language for s in load_languages(original)["en"].issue.stories]
