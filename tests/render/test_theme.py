"""The default theme keeps what docs/theme.md promises of every mail made with it."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import html as lxml_html
from lxml.html import HtmlElement
from newsletter.checks.finding import Severity
from newsletter.checks.run import run_checks
from newsletter.config import Organisation, load_settings
from newsletter.issues.loader import load_issue
from newsletter.model import (
    Background,
    Download,
    Issue,
    Link,
    Picture,
    Post,
    Quote,
    Section,
    Story,
)
from newsletter.render.context import Vocabulary
from newsletter.render.edition import Edition
from newsletter.render.pipeline import compile_edition, compile_stages
from newsletter.render.slots import SlotRegistry, bind
from newsletter.render.wrap import display_width
from newsletter.source import Source
from newsletter.theme import load_theme
from playwright.sync_api import Browser, sync_playwright

from tests.render.page_styles import (
    contrast,
    inherited,
    inline_styles,
    rules,
    texts,
    with_sheet,
)
from tests.render.samples import material_of
from tests.support.tools import ROOT, program

SETTINGS = load_settings(ROOT / "newsletter.toml")
THEME = load_theme(ROOT / "templates" / "default")
LANGUAGES = ("ar", "en", "es", "fr", "ru")
DARK_SHEETS = ("css/dark.css", "css/outlook-dark.css")
READER = {
    "name": "Zoë",
    "email": "zoe@reader.example",
    "unsubscribe_url": "https://news.defenders.example/u/" + "m" * 60,
}

FULL_STORY = Story(
    id="full",
    headline="A story with every part",
    section="first",
    kicker="Somewhere",
    blurb="Plain, *stressed* and [linked](https://a.example/in-text).\n\n"
    "- one\n\n1. two\n\n# Below\n\n> said by others\n\n| Place | Count |\n|---|---|\n| Here | 7 |",
    highlight="3,064 times it was counted.",
    quote=Quote(text="We stay.\n\nWe work.", by="Somebody, defender"),
    image=Picture(file="tbilisi.jpg", alt="Drawing of a hill", credit="A Painter"),
    background=Background(title="Background of it", text="Long.", url="https://a.example/back"),
    links=(
        Link(label="Read more", url="https://a.example/more"),
        Link(label="Отчёт (RU)", url="https://a.example/ru", language="ru"),
    ),
    download=Download(label="The paper (PDF)", url="https://a.example/paper.pdf", language="fr"),
    source="An agency",
)


def everything(language: str) -> Issue:
    """An issue that uses each part of the theme."""
    return Issue(
        id="2020-01",
        title="January 2020",
        date=dt.date(2020, 1, 31),
        language=language,
        subject="All of it",
        preheader="One line that goes on from the subject and says more",
        greeting="Dear {{ name | friend }},",
        introduction="Hello {{ name | friend }}, this is all.",
        web_url="https://a.example/2020-01",
        sections=(Section(id="first", title="The first section"),),
        stories=(
            FULL_STORY.model_copy(update={"id": "lead", "headline": "The lead"}),
            FULL_STORY,
            FULL_STORY.model_copy(
                update={"id": "loose", "headline": "A loose one", "section": None}
            ),
            Story(
                id="bare", headline="A bare one", section="first", blurb="Text.", highlight="So."
            ),
        ),
        posts=(Post(text="What we posted", url="https://a.example/post", network="Mastodon"),),
    )


@functools.cache
def edition_of(language: str) -> Edition:
    return compile_edition(
        everything(language),
        Source(Path("x.yaml")),
        THEME,
        SETTINGS,
        material_of(everything(language)),
    )


@functools.cache
def march() -> Edition:
    loaded = load_issue(ROOT / "issues" / "2017-03.yaml")
    return compile_edition(loaded.issue, loaded.source, THEME, SETTINGS, material_of(loaded.issue))


@functools.cache
def before_slimming(language: str) -> str:
    """The mail with the classes that only inline.css selects."""
    issue = everything(language)
    stages = compile_stages(issue, Source(Path("x.yaml")), THEME, SETTINGS, material_of(issue))
    return bind(stages.inlined_html, {slot.token: slot for slot in stages.slots}, READER)


def bound_html(edition: Edition) -> str:
    return bind(edition.html, {slot.token: slot for slot in edition.slots}, READER)


def page_of(edition: Edition) -> HtmlElement:
    return lxml_html.document_fromstring(bound_html(edition))


def template_sources() -> str:
    return "\n".join(text for name, text in THEME.files.items() if name.endswith(".j2"))


# Words


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_exactly_the_phrases_that_the_templates_use(language: str) -> None:
    used = set(re.findall(r"\b(?:w|own|words_for\(story\))\.([a-z_]+)", template_sources()))
    assert used == set(THEME.words[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_has_the_same_places_to_fill_in_every_language(language: str) -> None:
    def places(of: str) -> dict[str, list[str]]:
        return {
            key: sorted(re.findall(r"\{\w+\}", phrase)) for key, phrase in THEME.words[of].items()
        }

    assert places("en") == places(language)


# Structure


@pytest.mark.parametrize("language", LANGUAGES)
def test_checks_find_no_error_in_any_language(language: str) -> None:
    source = Source(Path("x.yaml"))
    found = run_checks(
        everything(language),
        source,
        edition_of(language),
        SETTINGS,
        material_of(everything(language)),
    )
    assert [] == [finding for finding in found if finding.severity is Severity.ERROR]


def test_there_is_one_h1_and_no_heading_skips_a_level() -> None:
    for edition in (march(), edition_of("en")):
        headings = page_of(edition).cssselect("h1,h2,h3,h4,h5,h6")
        levels = [int(heading.tag[1]) for heading in headings]
        assert [0] == [place for place, level in enumerate(levels) if level == 1]
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_layout_table_is_hidden_from_screen_readers_and_every_data_table_is_not() -> None:
    for table in page_of(edition_of("en")).iter("table"):
        is_data = table.find("thead") is not None
        assert (None if is_data else "presentation") == table.get("role")


def test_nothing_is_loaded_but_the_pictures() -> None:
    page = page_of(edition_of("en"))
    loaded = {element.get("src") for element in page.iter() if element.get("src")}
    assert {f"{SETTINGS.archive_url}images/tbilisi-0123abcd.jpg"} == loaded
    assert [] == page.cssselect("link, script, iframe, object, [background]")
    assert None is re.search(r"url\(|@import|@font-face", bound_html(edition_of("en")))


def test_the_march_issue_stays_far_below_where_gmail_clips() -> None:
    assert len(bound_html(march()).encode()) < 85_000


def test_each_rule_of_the_style_sheets_meets_something() -> None:
    pages = [lxml_html.document_fromstring(before_slimming(each)) for each in ("en", "ar")]
    for name in ("css/inline.css", "css/head.css", *DARK_SHEETS):
        for selector, _ in rules(THEME.files[name]):
            plain = re.sub(r"\[data-[a-z-]+\]\s*|:root", "", selector)
            put_in_by_a_mail_program = not plain or "x-apple" in plain
            assert put_in_by_a_mail_program or any(page.cssselect(plain) for page in pages), (
                f"{name}: {selector}"
            )


# Parts of a story


def test_a_label_that_says_little_is_read_out_with_its_headline() -> None:
    labels = {
        a.get("aria-label") for a in page_of(edition_of("en")).iter("a") if a.get("aria-label")
    }
    assert "Read more: A story with every part" in labels


def test_a_link_in_another_language_says_which() -> None:
    link = page_of(edition_of("en")).cssselect('a[href="https://a.example/ru"]')[0]
    assert "ru" == link.get("hreflang")
    assert "Отчёт (RU) Russian\u00a0→" == " ".join(link.text_content().split(" "))
    assert "Отчёт (RU) (Russian):\nhttps://a.example/ru\n" in edition_of("en").text


def test_a_highlight_that_begins_with_a_number_shows_it_as_a_figure() -> None:
    page = page_of(edition_of("en"))
    assert {"3,064"} == {figure.text for figure in page.cssselect(".figure")}
    shown = [" ".join(cell.text_content().split()) for cell in page.cssselect(".highlight")]
    assert ["3,064 times it was counted."] * 3 + ["So."] == shown


def test_an_issue_and_an_organisation_without_extras_leave_nothing_empty() -> None:
    story = Story(id="one", headline="Only this", blurb="Text.")
    issue = Issue(
        id="2020-02", title="T", date=dt.date(2020, 2, 1), language="en", subject="S",
        preheader="P", stories=(story,),
    )  # fmt: skip
    bare = Organisation(name="Org", postal_address="1 Street")
    settings = SETTINGS.model_copy(update={"organisation": bare})
    edition = compile_edition(issue, Source(Path("x.yaml")), THEME, settings, material_of(issue))
    headings = [h.text_content() for h in page_of(edition).cssselect("h1,h2,h3")]
    assert ["Defenders’ Newsletter T", "Only this"] == headings
    assert not re.search(r"None|\{|\}", edition.text)
    assert "Contact us" not in edition.text


# Text part


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_of_the_text_is_wider_than_72_but_for_addresses(language: str) -> None:
    text = edition_of(language).text + march().text
    wide = [line for line in text.split("\n") if display_width(line) > 72]
    assert [] == [line for line in wide if not re.fullmatch(r"(\[\d+\] )?\S+", line)]


# Colours and sizes


def _sheet(dark: bool) -> str:
    return THEME.files["css/dark.css"] if dark else ""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_text_contrasts_with_its_ground(language: str, dark: bool) -> None:
    page = page_of(edition_of(language))
    styles = with_sheet(page, inline_styles(page), _sheet(dark))
    poor = {}
    for element, text in texts(page, styles):
        ratio = contrast(
            inherited(element, styles, "color"),
            inherited(element, styles, "background", "background-color"),
        )
        if ratio < 4.5:
            poor[text] = ratio
    assert {} == poor


def test_no_text_is_smaller_than_14_pixels() -> None:
    page = page_of(edition_of("en"))
    styles = inline_styles(page)
    small = {
        text: size
        for element, text in texts(page, styles)
        if float((size := inherited(element, styles, "font-size")).removesuffix("px")) < 14
    }
    assert {} == small


@pytest.mark.parametrize("name", DARK_SHEETS)
def test_every_dark_rule_is_important_or_the_inlined_ones_would_win(name: str) -> None:
    found = list(rules(THEME.files[name]))
    assert len(found) > 10
    weak = [
        (selector, declared)
        for selector, declared in found
        if not all(value.endswith("!important") for value in declared.values())
    ]
    assert [] == weak


def test_outlook_gets_the_colours_of_the_dark_sheet() -> None:
    def colours(name: str) -> set[str]:
        return set(re.findall(r"#[0-9a-f]{6}\b", THEME.files[name]))

    assert colours("css/outlook-dark.css") <= colours("css/dark.css")


# Right to left


def test_an_arabic_mail_runs_from_right_to_left_everywhere() -> None:
    page = page_of(edition_of("ar"))
    assert ("ar", "rtl") == (page.get("lang"), page.get("dir"))
    article = page.cssselect('[role="article"]')[0]
    assert ("ar", "rtl") == (article.get("lang"), article.get("dir"))
    styles = inline_styles(page)
    for element, text in texts(page, styles):
        assert "rtl" == inherited(element, styles, "direction"), text
        if element.tag not in {
            "a",
            "img",
        }:  # the button's words and a missing picture's stand centred
            assert "right" == inherited(element, styles, "text-align"), text
    assert {"0", "0px"} >= {own["border-left"] for own in styles.values() if "border-left" in own}


def test_joined_letters_stay_joined() -> None:
    styles = inline_styles(page_of(edition_of("ar")))
    spacings = {own["letter-spacing"] for own in styles.values() if "letter-spacing" in own}
    assert {"0"} == spacings


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=program("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"],
        )
        yield opened
        opened.close()


@pytest.mark.needs_chromium
@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 375, 640])
def test_nothing_sticks_out_on_a_narrow_screen(browser: Browser, width: int, language: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.set_content(bound_html(edition_of(language)))
    assert width == page.evaluate("document.documentElement.scrollWidth")
    page.close()


@pytest.mark.needs_chromium
def test_buttons_and_links_that_stand_alone_can_be_hit_with_a_thumb(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 375, "height": 800})
    page.set_content(before_slimming("en"))
    heights = page.eval_on_selector_all(
        ".button a, .link a, .card a, a.foot, a.leave",
        "links => links.map(link => link.getBoundingClientRect().height)",
    )
    page.close()
    assert 44 <= min(heights)


# Its description


def test_the_guide_names_every_value_and_filter_that_templates_can_use() -> None:
    guide = (ROOT / "docs" / "theme.md").read_text(encoding="utf-8")
    vocabulary = Vocabulary(
        everything("en"),
        Source(Path("x.yaml")),
        THEME,
        SETTINGS,
        material_of(everything("en")),
        SlotRegistry("00000000"),
    )
    names = {*vocabulary.names("html"), *vocabulary.names("text")}
    names |= {*vocabulary.filters("html"), *vocabulary.filters("text")}
    assert set() == {name for name in names if not re.search(rf"`{name}\b", guide)}


def test_the_guide_names_every_colour_of_the_theme() -> None:
    guide = (ROOT / "docs" / "theme.md").read_text(encoding="utf-8")
    used = set(re.findall(r"#[0-9a-f]{6}\b", "\n".join(THEME.files.values())))
    assert set() == used - set(re.findall(r"#[0-9a-f]{6}\b", guide))
