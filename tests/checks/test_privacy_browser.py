"""The hosts that a browser asks for are those that the report names, and no other."""

import urllib.parse
from collections.abc import Iterator
from typing import Literal

import pytest
from newsletter.checks.privacy_report import privacy_report
from newsletter.render.edition import Edition
from newsletter.render.slots import bind
from playwright.sync_api import Browser, Route

from tests.support.browser import chromium, tab
from tests.support.march import LANGUAGES, march, with_pictures_inside
from tests.support.spying import SEEN_BY_BROWSERS, SEEN_BY_OUTLOOK, spying_march

pytestmark = pytest.mark.needs_chromium

LOOKS: tuple[tuple[int, Literal["light", "dark"], Literal["screen", "print"]], ...] = (
    (1024, "light", "screen"),
    (375, "dark", "screen"),
    (1024, "light", "print"),
)
VALUES = {
    "name": "Anna",
    "email": "anna@readers.example",
    "organisation": "",
    "unsubscribe_url": "https://news.defenders.example/leave/AQAB",
    "preferences_url": "https://news.defenders.example/preferences/AQAB",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def requested(browser: Browser, edition: Edition) -> set[str]:
    """Every web address that is asked for when the mail is opened: wide, narrow, dark, printed."""
    asked: set[str] = set()

    def refuse(route: Route) -> None:
        asked.add(route.request.url)
        route.abort()

    slots = {slot.token: slot for slot in edition.slots}
    with tab(browser) as page:
        page.route("**/*", refuse)
        for width, scheme, media in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme, media=media)
            page.set_content(bind(edition.html, slots, VALUES), wait_until="load")
    return {url for url in asked if url.startswith("http")}


def hosts(urls: set[str]) -> set[str]:
    return {urllib.parse.urlsplit(url).netloc for url in urls}


@pytest.mark.parametrize("language", LANGUAGES)
def test_opening_the_mail_asks_the_hosts_of_the_report_for_as_many_pictures(
    browser: Browser, language: str
) -> None:
    report = privacy_report(march(language).check_input())
    asked = requested(browser, march(language).edition)
    assert {each.host for each in report.opening} == hosts(asked)
    assert sum(each.pictures + each.others for each in report.opening) == len(asked)


def test_with_its_pictures_inside_the_mail_nobody_is_asked(browser: Browser) -> None:
    inside = with_pictures_inside("en")
    report = privacy_report(inside.check_input())
    assert ((), 7, set()) == (report.opening, report.inside, requested(browser, inside.edition))


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_report_names_every_spy_that_a_browser_meets(browser: Browser, language: str) -> None:
    spying = spying_march(language)
    report = privacy_report(spying.check_input())
    asked = hosts(requested(browser, spying.edition))
    assert asked >= SEEN_BY_BROWSERS
    # Outlook reads comments for it alone, so no browser can show what it loads.
    assert {each.host for each in report.opening} - SEEN_BY_OUTLOOK == asked
