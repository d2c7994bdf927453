"""Preferences and privacy notice in Chromium: widths, sizes, a click, with scripts off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from newsletter.message.tokens import Purpose
from newsletter.testing import FrozenClock
from playwright.sync_api import Browser, Page, Request

from tests.support.browser import chromium
from tests.web.served import Running, bundle, running, token
from tests.web.test_privacy import NOTICE

pytestmark = pytest.mark.needs_chromium
TOPICS = {
    "alerts": {"en": "Urgent appeals", "fr": "Appels urgents", "ar": "نداءات عاجلة"},
    "reports": {"en": "Reports", "fr": "Rapports", "ar": "تقارير"},
}
PAGES = ("preferences", "saved", "wrong day", "too old", "privacy")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def public(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, FrozenClock]]:
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    known = bundle(topics=TOPICS, privacy=NOTICE)
    with running(tmp_path_factory.mktemp("public"), known=known, clock=clock) as server:
        yield server, clock


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page()


@pytest.mark.parametrize(("language", "width"), [("en", 375), ("fr", 1280), ("ar", 375)])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wrong_with_a_page(
    page: Page,
    public: tuple[Running, FrozenClock],
    name: str,
    language: str,
    width: int,
) -> None:
    server, clock = public
    days = 40 if name == "too old" else 1
    link = token(Purpose.PREFERENCES, minutes_ago=days * 24 * 60 + width)
    path = "privacy" if name == "privacy" else f"preferences/{link}"
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.set_viewport_size({"width": width, "height": 800})
    page.on("request", note)
    page.goto(f"{server.url}/{path}?lang={language}")
    if name in {"saved", "wrong day"}:
        clock.sleep(3)
        page.get_by_role("combobox").select_option("fr" if language != "fr" else "en")
        if name == "wrong day":
            page.evaluate("document.forms[0].noValidate = true")
            page.locator("#pause").fill("2001-01-01")
        page.locator("main button").click()
    assert width == page.evaluate("document.documentElement.scrollWidth")
    assert all(each.startswith(server.url) for each in asked)
    heights = page.evaluate(
        "[...document.querySelectorAll('a.target, button, label.tick, nav a, select, input')]"
        ".filter(e => e.type != 'hidden').map(e => e.getBoundingClientRect().height)"
    )
    assert all(height >= 24 for height in heights)  # WCAG 2.2, 2.5.8
    page.remove_listener("request", note)


def test_a_person_changes_what_they_get_without_scripts(
    browser: Browser, public: tuple[Running, FrozenClock]
) -> None:
    server, clock = public
    before = len(server.events())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/preferences/{token(Purpose.PREFERENCES, minutes_ago=77)}?lang=en")
    clock.sleep(3)
    group = page.get_by_role("group", name="Urgent appeals")
    group.get_by_label("No").check()
    page.get_by_label("End the pause").check()
    page.get_by_role("button", name="Save").click()
    assert "Saved" == page.get_by_role("heading", level=1).inner_text()
    (event,) = server.events()[before:]
    assert {"topics": {"alerts": False}, "pause": ""} == event["changes"]
    page.go_back()
    page.get_by_role("link", name="Leave the list").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Leave ")
    context.close()
