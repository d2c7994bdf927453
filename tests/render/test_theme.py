"""Each theme keeps what docs/theme.md promises of every mail made with it."""

from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest
from lxml import html as lxml_html
from newsletter.checks.check_input import CheckInput
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.checks.styles import declarations, rules, shown_texts
from newsletter.config import Organisation
from newsletter.model import Issue, Story
from newsletter.render.edition import CompileInput
from newsletter.render.mail_vocabulary import MailVocabulary
from newsletter.render.pipeline import compile_edition
from newsletter.render.slots import SlotRegistry
from newsletter.render.template import render_template
from newsletter.render.wrap import display_width
from newsletter.theme import INLINE_CSS

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
    page_of,
    stages_of,
)

pytestmark = pytest.mark.parametrize("theme", THEMES)


def vocabulary_of(theme: str, language: str) -> MailVocabulary:
    issue = everything(language)
    given = CompileInput(issue, SOURCE, THEMES[theme], SETTINGS, material_of(issue))
    return MailVocabulary(given, SlotRegistry("00000000"))


# Structure


@pytest.mark.parametrize("language", LANGUAGES)
def test_checks_find_no_error_in_any_language(theme: str, language: str) -> None:
    issue = everything(language)
    edition, material = edition_of(theme, language), material_of(issue)
    found = run_checks(CheckInput(issue, SOURCE, THEMES[theme], SETTINGS, material, edition))
    assert [] == [finding for finding in found if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("language", MARCH_LANGUAGES)
def test_the_march_issue_passes_all_checks_far_below_where_gmail_clips(
    theme: str, language: str
) -> None:
    loaded, material, edition = march_of(theme, language)
    issue, source = loaded.issue, loaded.source
    assert () == run_checks(CheckInput(issue, source, THEMES[theme], SETTINGS, material, edition))
    size = len(bound_html(edition).encode())
    assert size < (80 * 1024 if theme == "cards" else 80_000)  # its columns cost tables
    assert language != "en" or size <= 70 * 1024


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
        is_data = bool(table.xpath("./thead | ./tr/th | ./tbody/tr/th"))
        assert (None if is_data else "presentation") == table.get("role")


def test_nothing_is_loaded_but_the_pictures(theme: str) -> None:
    page = page_of(edition_of(theme, "en"))
    loaded = {element.get("src") for element in page.iter() if element.get("src")}
    names = ("tbilisi", "small")
    assert {f"{SETTINGS.archive_url}images/{name}-0123abcd.jpg" for name in names} == loaded
    assert [] == page.cssselect("link, script, iframe, object, [background]")
    html = bound_html(edition_of(theme, "en"))
    assert None is re.search(r"url\(|@import|@font-face", html)


def test_a_picture_keeps_its_place_while_it_loads(theme: str) -> None:
    pictures = page_of(edition_of(theme, "en")).cssselect("img")
    assert 9 == len(pictures)
    for picture in pictures:
        size = ("160", "80") if "small" in str(picture.get("src")) else ("560", "280")
        assert size == (picture.get("width"), picture.get("height"))
        assert "auto" == declarations(picture.get("style"))["height"]


def test_only_a_long_issue_has_a_list_of_contents(theme: str) -> None:
    issue = everything("en")
    heading = THEMES[theme].words["en"]["also_in_this_issue"]
    for stories, listed in ((4, False), (5, True)):
        short = issue.model_copy(update={"stories": issue.stories[:stories]})
        assert listed is (heading in compiled_with(THEMES[theme], short).html)


def test_the_contents_are_a_list_whose_headlines_lead_to_the_archive(theme: str) -> None:
    issue = everything("en").model_copy(update={"web_url": None})
    page = page_of(compiled_with(THEMES[theme], issue))
    page_url = f"{SETTINGS.archive_url}{issue.id}.en.html"
    listed = page.cssselect("ul.item > li")
    shown = [story for _, stories in issue.grouped for story in stories if story.headline]
    assert [story.headline for story in shown] == [each.text_content() for each in listed]
    assert [f"{page_url}#{story.id}" for story in shown] == [
        link.get("href") for each in listed for link in each.cssselect("a")
    ]


def test_headlines_in_the_contents_are_no_links_where_the_issue_has_a_page_elsewhere(
    theme: str,
) -> None:
    issue = everything("en").model_copy(update={"web_url": "https://www.example.org/march"})
    page = page_of(compiled_with(THEMES[theme], issue))
    assert page.cssselect("ul.item > li")
    assert [] == page.cssselect("ul.item a")


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


def test_a_document_that_travels_with_the_mail_is_named_and_no_link(theme: str) -> None:
    issue = everything("en")
    mail = SETTINGS.mail.model_copy(update={"downloads": "attach"})
    settings = SETTINGS.model_copy(update={"mail": mail})
    edition = compile_edition(
        CompileInput(issue, SOURCE, THEMES[theme], settings, material_of(issue))
    )
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
    edition = compile_edition(
        CompileInput(issue, SOURCE, THEMES[theme], settings, material_of(issue))
    )
    headings = [h.text_content() for h in page_of(edition).cssselect("h1,h2,h3")]
    assert [f"{SETTINGS.list.name} T", "Only this"] == headings
    assert not re.search(r"None|\{|\}", edition.text)
    assert "Contact us" not in edition.text


# Text part


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_of_the_text_is_wider_than_72_but_for_addresses(theme: str, language: str) -> None:
    text = edition_of(theme, language).text + march_of(theme)[2].text
    wide = [line for line in text.split("\n") if display_width(line) > 72]
    assert [] == [line for line in wide if not re.fullmatch(r"(\[\d+\] )?\S+", line)]


def test_a_phone_that_drops_all_style_sheets_gets_its_sizes(theme: str) -> None:
    page = page_of(march_of(theme)[2])
    cells = page.cssselect(".gutter > table > tbody > tr > td, .gutter > table > tr > td")
    assert len(cells) > 5
    paddings = [declarations(cell.get("style"))["padding"].split() for cell in cells]
    assert {"22px"} == {each[1] for each in paddings}
    sizes = {
        name: declarations(page.cssselect(name)[0].get("style"))["font-size"]
        for name in (".title", ".lead")
    }
    assert all(int(size.removesuffix("px")) <= 38 for size in sizes.values())
    assert int(sizes[".lead"].removesuffix("px")) <= 30


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_takes_its_direction_from_its_first_letter(theme: str, language: str) -> None:
    # The list's name begins it, and may be in another script.
    mark = {"ar": "\u200f"}.get(language, "")
    assert edition_of(theme, language).text.startswith(mark + SETTINGS.list_name_in(language)[0])


def test_rules_of_the_text_part_fit_a_phone(theme: str) -> None:
    lines = march_of(theme)[2].text.splitlines()
    assert {"=" * 24, "---"} <= set(lines)
    assert max(len(line) for line in lines if set(line) == {"="}) <= 24


# Colours and sizes


def test_no_text_is_smaller_than_14_pixels(theme: str) -> None:
    shown = list(shown_texts(page_of(edition_of(theme, "en"))))
    assert len(shown) > 50
    assert {} == {each.text: each.manner.size for each in shown if each.manner.size < 14}


def test_no_arabic_is_smaller_than_its_letters_allow(theme: str) -> None:
    # The language's name at a link, the sources and the small print have 15 px, the rest 16.
    shown = list(shown_texts(page_of(edition_of(theme, "ar"))))
    assert len(shown) > 50
    assert {} == {each.text: each.manner.size for each in shown if each.manner.size < 15}


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
    assert "[data-ogsb] .page" in found
    assert expected == {
        selector: declared for selector, declared in found.items() if "[data-ogsc]" in selector
    }


def test_a_highlight_that_begins_with_a_number_shows_it_as_a_figure(theme: str) -> None:
    page = page_of(edition_of(theme, "en"))
    shown = [" ".join(each.text_content().split()) for each in page.cssselect(".highlight")]
    assert [FULL_STORY.highlight] * 4 + ["So."] == shown
    figures = {"3,064"} if theme != "letter" else set()
    assert figures == {figure.text for figure in page.cssselect("span.figure")}
