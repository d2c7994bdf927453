"""Each theme speaks every language, and lets what is in another run its own way."""

from __future__ import annotations

import re

import pytest
from lxml.html import HtmlElement
from newsletter.checks.styles import declarations
from newsletter.config import Organisation
from newsletter.render.public_pages import PublicPages

from tests.render.themes import LANGUAGES, THEMES, edition_of, other_way, page_of

pytestmark = pytest.mark.parametrize("theme", THEMES)


# Words


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_exactly_the_phrases_that_the_templates_use(
    theme: str, language: str
) -> None:
    # A theme need not use all that the default theme lends it.
    used = set()
    for name, text in (*THEMES["default"].files.items(), *THEMES[theme].files.items()):
        of = r"\bw\.([a-z_]+)" if ".mjml" in name else r"\b(?:w|own)\.([a-z_]+)"
        used |= set(re.findall(of, text))
    public = {key for key in THEMES[theme].words[language] if key.startswith(("page_", "notice_"))}
    assert used | public == set(THEMES[theme].words[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_public_page_and_notice_has_its_phrases(theme: str, language: str) -> None:
    pages = PublicPages(
        THEMES[theme],
        list_name="News",
        organisation=Organisation(name="Us", postal_address="1 Street"),
        languages=(language,),
    )
    pages.check()
    for kind in ("confirm", "return"):
        notice = pages.notice(kind, language).with_link("https://news.example/x")
        assert 1 == notice.text.count("https://news.example/x")
        assert "News" in notice.subject


def test_public_pages_and_notices_show_the_lists_name_in_their_language(theme: str) -> None:
    pages = PublicPages(
        THEMES[theme],
        list_name="News",
        list_translations={"fr": "Nouvelles"},
        organisation=Organisation(name="Us", postal_address="1 Street"),
        languages=("en", "fr", "es"),
    )
    assert ["News", "Nouvelles", "News"] == list(map(pages.list_name_in, pages.languages))
    for language, shown, marked in (
        ("en", "News", ""),
        ("fr", "Nouvelles", ""),
        ("es", "News", ' lang="en"'),
    ):
        assert shown in pages.consent(language)
        assert shown in pages.notice("confirm", language).subject
        page = pages.page("join", language, {})
        assert f'<p class="list" dir="auto"{marked}>{shown}</p>' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_has_the_same_places_to_fill_in_every_language(theme: str, language: str) -> None:
    def places(of: str) -> dict[str, list[str]]:
        words = THEMES[theme].words[of]
        return {key: sorted(re.findall(r"\{\w+\}", phrase)) for key, phrase in words.items()}

    assert places("en") == places(language)


# Links


def test_a_link_in_another_language_says_which(theme: str) -> None:
    link = page_of(edition_of(theme, "en")).cssselect('a[href="https://a.example/ru"]')[0]
    assert "ru" == link.get("hreflang")
    assert "Отчёт (RU) Russian\u00a0→" == " ".join(link.text_content().split(" "))
    assert "Отчёт (RU) (Russian):\nhttps://a.example/ru\n" in edition_of(theme, "en").text


def test_a_label_in_another_script_names_its_language_for_the_readers_voice(theme: str) -> None:
    page = page_of(edition_of(theme, "en"))
    russian = page.cssselect('a[href="https://a.example/ru"] span')[0]
    assert ("Отчёт (RU)", "ru", "auto") == (russian.text, russian.get("lang"), russian.get("dir"))
    # A French paper under an English label: the label is no French.
    paper = page.cssselect('a[href="https://a.example/paper.pdf"]')[0]
    assert ("fr", None) == (paper.get("hreflang"), paper.cssselect("span")[0].get("lang"))


# Languages


def test_a_story_in_another_language_says_so_and_runs_its_own_way(theme: str) -> None:
    for language, way, side in (("en", "rtl", "right"), ("ar", "ltr", "left")):
        page = page_of(edition_of(theme, language))
        (around,) = page.cssselect(f'div[lang="{other_way(language)}"]')
        assert way == around.get("dir")
        assert side == declarations(around.get("style"))["text-align"]
        said = around.text_content()
        assert all(
            part in said for part in ("A borrowed one", "We work.", "An agency", "A Painter")
        )
        (items,) = around.cssselect("ul")
        indents = {
            end: declarations(items.get("style"))[f"padding-{end}"] for end in ("left", "right")
        }
        assert {side} == {end for end, indent in indents.items() if indent.strip("px") != "0"}
        arrow = "←" if way == "rtl" else "→"
        assert f"Read more\u00a0{arrow}" in said


def test_the_themes_own_phrases_within_such_a_story_stay_in_the_issues_language(theme: str) -> None:
    page = page_of(edition_of(theme, "ar"))
    (around,) = page.cssselect('div[lang="en"]')
    words = THEMES[theme].words["ar"]
    for phrase in (words["in_depth"], words["source"].format(source="An agency"), "الروسية"):
        (shown,) = [
            each
            for each in around.iter()
            if each.text_content() == phrase and each.get("lang") == "ar"
        ]
        assert "rtl" == shown.get("dir")


def test_the_list_of_contents_names_the_language_of_such_a_story(theme: str) -> None:
    page = page_of(edition_of(theme, "en"))
    listed = page.cssselect('span[lang="ar"]')
    assert ["A borrowed one"] == [each.text for each in listed]
    assert {"auto"} == {each.get("dir") for each in listed}


def test_names_that_may_be_in_another_script_stand_by_themselves(theme: str) -> None:
    page = page_of(edition_of(theme, "ar"))
    for name in ("Somebody, defender", "A Painter", "An agency", "What we posted"):
        holders = [each for each in page.iter() if (each.text or "").strip() == name]
        assert holders
        assert {"auto"} == {each.get("dir") for each in holders}


# Right to left


def styled(element: HtmlElement, name: str) -> str | None:
    """What holds of an element: its own declaration or the nearest around it."""
    for each in (element, *element.iterancestors()):
        if (value := declarations(each.get("style") or "").get(name)) is not None:
            return value
    return None


def test_an_arabic_mail_runs_from_right_to_left_everywhere(theme: str) -> None:
    page = page_of(edition_of(theme, "ar"))
    assert ("ar", "rtl") == (page.get("lang"), page.get("dir"))
    article = page.cssselect('[role="article"]')[0]
    assert ("ar", "rtl") == (article.get("lang"), article.get("dir"))
    (borrowed,) = page.cssselect('div[dir="ltr"]')
    borrowed.getparent().remove(borrowed)
    for element in page.cssselect("h1, h2, h3, h4, p, li, td.card, td.highlight"):
        assert "rtl" == styled(element, "direction"), element.text_content()
        centred = "section" in (element.get("class") or "") and theme == "letter"
        assert ("center" if centred else "right") == styled(element, "text-align")
    left = {declarations(each.get("style") or "").get("border-left") for each in page.iter()}
    assert left <= {None, "0", "0px"}


def test_joined_letters_stay_joined(theme: str) -> None:
    page = page_of(edition_of(theme, "ar"))
    spacings = {declarations(each.get("style") or "").get("letter-spacing") for each in page.iter()}
    assert spacings <= {None, "0"}
