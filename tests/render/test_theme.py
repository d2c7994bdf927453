"""Each theme keeps what docs/theme.md promises of every mail made with it."""

from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest
from lxml import html as lxml_html
from lxml.html import HtmlElement
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.checks.styles import declarations, rules, shown_texts
from newsletter.config import Organisation
from newsletter.model import Issue, Story
from newsletter.render.context import Vocabulary
from newsletter.render.pipeline import INLINE_CSS, compile_edition
from newsletter.render.slots import SlotRegistry
from newsletter.render.template import render_template
from newsletter.render.wrap import display_width

from tests.render.samples import material_of
from tests.render.themes import (
    FULL_STORY,
    LANGUAGES,
    MARCH_LANGUAGES,
    SETTINGS,
    SOURCE,
    THEMES,
    bound_html,
    compiled_with,
    edition_of,
    everything,
    march_of,
    other_way,
    page_of,
    stages_of,
)
from tests.support.tools import ROOT

pytestmark = pytest.mark.parametrize("theme", THEMES)


def vocabulary_of(theme: str, language: str) -> Vocabulary:
    issue = everything(language)
    return Vocabulary(
        issue, SOURCE, THEMES[theme], SETTINGS, material_of(issue), SlotRegistry("00000000")
    )


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
    assert used == set(THEMES[theme].words[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_has_the_same_places_to_fill_in_every_language(theme: str, language: str) -> None:
    def places(of: str) -> dict[str, list[str]]:
        words = THEMES[theme].words[of]
        return {key: sorted(re.findall(r"\{\w+\}", phrase)) for key, phrase in words.items()}

    assert places("en") == places(language)


# Structure


@pytest.mark.parametrize("language", LANGUAGES)
def test_checks_find_no_error_in_any_language(theme: str, language: str) -> None:
    issue = everything(language)
    found = run_checks(
        issue, SOURCE, edition_of(theme, language), SETTINGS, material_of(issue), THEMES[theme]
    )
    assert [] == [finding for finding in found if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("language", MARCH_LANGUAGES)
def test_the_march_issue_passes_all_checks_far_below_where_gmail_clips(
    theme: str, language: str
) -> None:
    loaded, material, edition = march_of(theme, language)
    assert () == run_checks(loaded.issue, loaded.source, edition, SETTINGS, material, THEMES[theme])
    assert len(bound_html(edition).encode()) < 80_000


def test_there_is_one_h1_and_no_heading_skips_a_level(theme: str) -> None:
    for edition in (march_of(theme)[2], edition_of(theme, "en")):
        headings = page_of(edition).cssselect("h1,h2,h3,h4,h5,h6")
        levels = [int(heading.tag[1]) for heading in headings]
        assert [0] == [place for place, level in enumerate(levels) if level == 1]
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_layout_table_is_hidden_from_screen_readers_and_every_data_table_is_not(
    theme: str,
) -> None:
    for table in page_of(edition_of(theme, "en")).iter("table"):
        is_data = table.find("thead") is not None
        assert (None if is_data else "presentation") == table.get("role")


def test_nothing_is_loaded_but_the_pictures(theme: str) -> None:
    page = page_of(edition_of(theme, "en"))
    loaded = {element.get("src") for element in page.iter() if element.get("src")}
    assert {f"{SETTINGS.archive_url}images/tbilisi-0123abcd.jpg"} == loaded
    assert [] == page.cssselect("link, script, iframe, object, [background]")
    html = bound_html(edition_of(theme, "en"))
    assert None is re.search(r"url\(|@import|@font-face", html)


def test_a_picture_keeps_its_place_while_it_loads(theme: str) -> None:
    pictures = page_of(edition_of(theme, "en")).cssselect("img")
    assert 4 == len(pictures)
    for picture in pictures:
        assert ("560", "280") == (picture.get("width"), picture.get("height"))
        assert "auto" == declarations(picture.get("style"))["height"]


def test_only_a_long_issue_has_a_list_of_contents(theme: str) -> None:
    issue = everything("en")
    heading = THEMES[theme].words["en"]["also_in_this_issue"]
    for stories, listed in ((4, False), (5, True)):
        short = issue.model_copy(update={"stories": issue.stories[:stories]})
        assert listed is (heading in compiled_with(THEMES[theme], short).html)


def test_each_rule_of_the_style_sheets_meets_something(theme: str) -> None:
    # Before slimming, which takes out classes that only inline.css knows.
    pages = [
        lxml_html.document_fromstring(stages_of(theme, of).inlined_html) for of in ("en", "ar")
    ]
    sheets = [style.text or "" for page in pages for style in page.cssselect("style")]
    sheets = [sheet for sheet in sheets if "mj-" not in sheet and "#outlook" not in sheet]
    if "css/print.css" in THEMES[theme].lent:
        sheets = [sheet for sheet in sheets if "@media print" not in sheet]
    sheets += [
        render_template(INLINE_CSS, vocabulary_of(theme, of), context="html") for of in ("en", "ar")
    ]
    selectors = {rule.selector for sheet in sheets for rule in rules(sheet)}
    assert len(selectors) > 100
    idle = []
    for selector in selectors:
        plain = re.sub(r"\[data-[a-z-]+\]\s*|:root|::\w+", "", selector)
        by_a_mail_program = not plain or "x-apple" in plain
        if not by_a_mail_program and not any(page.cssselect(plain) for page in pages):
            idle.append(selector)
    assert [] == idle


# Parts of a story


def test_a_label_that_says_little_is_read_out_with_its_headline(theme: str) -> None:
    links = page_of(edition_of(theme, "en")).cssselect("a[aria-label]")
    assert "Read more: A story with every part" in {link.get("aria-label") for link in links}


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


def test_a_document_that_travels_with_the_mail_is_named_and_no_link(theme: str) -> None:
    issue = everything("en")
    mail = SETTINGS.mail.model_copy(update={"downloads": "attach"})
    settings = SETTINGS.model_copy(update={"mail": mail})
    edition = compile_edition(issue, SOURCE, THEMES[theme], settings, material_of(issue))
    (attached,) = page_of(edition).cssselect("p:contains('guide.pdf')")
    assert "The guide: attached to this mail as guide.pdf" == attached.text_content()
    assert [] == attached.cssselect("a")


def test_an_issue_and_an_organisation_without_extras_leave_nothing_empty(theme: str) -> None:
    story = Story(id="one", headline="Only this", blurb="Text.")
    issue = Issue(
        id="2020-02", title="T", date=dt.date(2020, 2, 1), language="en", subject="S",
        preheader="P", stories=(story,),
    )  # fmt: skip
    bare = Organisation(name="Org", postal_address="1 Street")
    mail = SETTINGS.mail.model_copy(update={"pictures": "inline"})
    settings = SETTINGS.model_copy(update={"organisation": bare, "archive": None, "mail": mail})
    edition = compile_edition(issue, SOURCE, THEMES[theme], settings, material_of(issue))
    headings = [h.text_content() for h in page_of(edition).cssselect("h1,h2,h3")]
    assert [f"{SETTINGS.list.name} T", "Only this"] == headings
    assert not re.search(r"None|\{|\}", edition.text)
    assert "Contact us" not in edition.text


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


# Text part


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_of_the_text_is_wider_than_72_but_for_addresses(theme: str, language: str) -> None:
    text = edition_of(theme, language).text + march_of(theme)[2].text
    wide = [line for line in text.split("\n") if display_width(line) > 72]
    assert [] == [line for line in wide if not re.fullmatch(r"(\[\d+\] )?\S+", line)]


# Colours and sizes


def test_no_text_is_smaller_than_14_pixels(theme: str) -> None:
    shown = list(shown_texts(page_of(edition_of(theme, "en"))))
    assert len(shown) > 50
    assert {} == {each.text: each.manner.size for each in shown if each.manner.size < 14}


def sheets_of(theme: str) -> list[str]:
    return [style.text for style in page_of(edition_of(theme, "en")).cssselect("style")]


def test_every_dark_rule_is_important_or_the_inlined_ones_would_win(theme: str) -> None:
    dark = [
        rule
        for sheet in sheets_of(theme)
        for rule in rules(sheet)
        if "prefers-color-scheme" in rule.media or "[data-ogs" in rule.selector
    ]
    assert len(dark) > 80
    weak = [
        rule
        for rule in dark
        if not all(value.endswith("!important") for value in rule.declared.values())
    ]
    assert [] == weak


def test_outlook_gets_the_colours_of_the_dark_sheet(theme: str) -> None:
    (dark,) = (sheet for sheet in sheets_of(theme) if "prefers-color-scheme" in sheet)
    (outlook,) = (sheet for sheet in sheets_of(theme) if "[data-ogsc]" in sheet)
    expected = {f"[data-ogsc] {rule.selector}": rule.declared for rule in rules(dark) if rule.media}
    found = {rule.selector: rule.declared for rule in rules(outlook)}
    assert "[data-ogsb].page" in found
    assert expected == {
        selector: declared for selector, declared in found.items() if "[data-ogsc]" in selector
    }


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


# Its description


def test_the_guide_names_every_value_and_filter_that_templates_can_use(theme: str) -> None:
    guide = (ROOT / "docs" / "theme.md").read_text(encoding="utf-8")
    vocabulary = vocabulary_of(theme, "en")
    names = {*vocabulary.names("html"), *vocabulary.names("text")}
    names |= {*vocabulary.filters("html"), *vocabulary.filters("text")}
    assert set() == {name for name in names if not re.search(rf"`{name}\b", guide)}


def test_a_highlight_that_begins_with_a_number_shows_it_as_a_figure(theme: str) -> None:
    page = page_of(edition_of(theme, "en"))
    shown = [" ".join(each.text_content().split()) for each in page.cssselect(".highlight")]
    assert [FULL_STORY.highlight] * 4 + ["So."] == shown
    figures = {"3,064"} if theme == "default" else set()
    assert figures == {figure.text for figure in page.cssselect(".figure")}
