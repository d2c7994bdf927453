"""What a browser shows of a mail made with each theme: on phones, without pictures, on paper."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.looks.axe import violations
from tests.render.themes import THEMES, bound_html, edition_of, march_of
from tests.support.browser import chromium, tab
from tests.support.tools import program

pytestmark = [pytest.mark.needs_chromium, pytest.mark.parametrize("theme", THEMES)]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="1120" height="560"><rect fill="teal" '
    'width="1120" height="560"/></svg>'
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with tab(browser, width=375, height=800) as opened:
        yield opened


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_sticks_out_on_a_narrow_screen(page: Page, theme: str, language: str) -> None:
    page.set_content(bound_html(edition_of(theme, language)))
    for width in (320, 375, 640):
        page.set_viewport_size({"width": width, "height": 800})
        assert width == page.evaluate("document.documentElement.scrollWidth")


def test_buttons_and_links_that_stand_alone_can_be_hit_with_a_thumb(page: Page, theme: str) -> None:
    page.set_content(bound_html(edition_of(theme, "en")))
    heights = page.eval_on_selector_all(
        ".button a, .link a, .card a, a.foot, a.leave, a.quiet, .post",
        "links => links.map(link => [link.textContent, link.getBoundingClientRect().height])",
    )
    assert len(heights) > 20
    assert [] == [each for each in heights if each[1] < 44]


def test_nothing_jumps_when_pictures_arrive(page: Page, theme: str) -> None:
    def serve(route: Route) -> None:
        route.fulfill(body=DRAWING, content_type="image/svg+xml")

    html = bound_html(edition_of(theme, "en"))
    page.set_content(html)  # no picture can be loaded
    height = "document.documentElement.scrollHeight"
    without = page.evaluate(height)
    page.route("**/images/**", serve)
    page.set_content(html, wait_until="load")
    widths = page.eval_on_selector_all("img", "all => all.map(each => each.naturalWidth)")
    assert {1120} == set(widths)
    assert without == page.evaluate(height)


def test_axe_finds_nothing_that_keeps_readers_out(page: Page, theme: str) -> None:
    page.set_viewport_size({"width": 640, "height": 800})
    page.set_content(bound_html(march_of(theme)[2]))
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        # A mail stands within the page of a mail program, whose landmarks are not its own.
        assert [] == violations(page, without=("region", "landmark-one-main"))


# On paper


@pytest.fixture(scope="module")
def printer(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Prints the March issue for somebody who reads in the dark."""

    @functools.cache
    def print_(theme: str) -> Path:
        path = tmp_path_factory.mktemp("printed") / f"{theme}.pdf"
        with tab(browser) as page:
            page.emulate_media(color_scheme="dark")
            page.set_content(bound_html(march_of(theme)[2]))
            page.pdf(path=path, format="A4", print_background=True)
        return path

    return print_


@pytest.fixture
def printed(printer: Callable[[str], Path], theme: str) -> Path:
    """The March issue on paper, as PDF."""
    return printer(theme)


def test_paper_gets_black_words_without_grounds(page: Page, theme: str) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_content(bound_html(edition_of(theme, "en")))
    found = page.eval_on_selector_all(
        ".page, .page *",
        "all => all.map(each => [getComputedStyle(each).color,"
        " getComputedStyle(each).backgroundColor])",
    )
    assert len(found) > 200
    assert {("rgb(0, 0, 0)", "rgba(0, 0, 0, 0)")} == {(colour, ground) for colour, ground in found}


def test_paper_shows_where_links_lead_but_not_the_readers_own(printed: Path, theme: str) -> None:
    said = subprocess.run(
        [program("pdftotext"), "-raw", printed, "-"], check=True, capture_output=True, text=True
    ).stdout
    together = re.sub(r"\s", "", said)
    assert "https://rsf.example/veracruz-en" in together
    assert "https://defenders.example/stories/elena-pershakova" in together
    assert "https://news.defenders.example/leave/" not in together
    assert "https://news.defenders.example/preferences/" not in together


def test_paper_is_not_wasted(printed: Path, theme: str) -> None:
    told = subprocess.run(
        [program("pdfinfo"), printed], check=True, capture_output=True, text=True
    ).stdout
    (pages,) = re.findall(r"^Pages: +(\d+)$", told, re.MULTILINE)
    assert int(pages) <= 12


def test_no_headline_is_parted_from_its_story(printed: Path, theme: str) -> None:
    said = subprocess.run(
        [program("pdftotext"), "-raw", printed, "-"], check=True, capture_output=True, text=True
    ).stdout
    together = 0
    for story in march_of(theme)[0].issue.stories:
        headline = r"\s+".join(map(re.escape, story.name.split()))
        beginning = r"\s+".join(map(re.escape, (story.blurb or "").split()[:3]))
        # Between the two there may be the credit of a picture.
        found = re.search(rf"{headline}\s+(?:[^.]{{0,60}}\s)??{beginning}", said)
        assert found, story.headline
        together += "\f" not in found.group()
    assert 15 == together
