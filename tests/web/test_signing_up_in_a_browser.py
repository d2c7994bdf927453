"""Signing up in a browser, at two widths and in three languages: by axe and by use."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.testing import FrozenClock
from playwright.sync_api import Browser, Page

from tests.looks.axe import violations
from tests.support.browser import chromium
from tests.web.relay import FROM, confirmations_to, relay_running
from tests.web.served import bundle, running

pytestmark = pytest.mark.needs_chromium

TOPICS = {
    "eu": {"en": "European Union", "fr": "Union européenne", "ar": "الاتحاد الأوروبي"},
    "safety": {"en": "Digital safety", "fr": "Sécurité numérique", "ar": "السلامة الرقمية"},
}
_SHOTS = os.environ.get("NEWSLETTER_SHOTS", "")
"""A folder for pictures of each page, to look at."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def looked_at(page: Page, name: str, language: str, width: int) -> None:
    """No violation, nothing wider than the window, nothing loaded but the page."""
    if _SHOTS:
        page.screenshot(path=Path(_SHOTS) / f"{name}-{language}-{width}.png", full_page=True)
    assert [] == violations(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    small = page.evaluate(
        "[...document.querySelectorAll('main button, main input:not([type=hidden]), main select')]"
        ".filter(e => !e.closest('.trap')).map(e => e.getBoundingClientRect())"
        ".filter(r => r.width < 24 || r.height < 24).length"
    )
    assert 0 == small
    assert [] == page.context.cookies()


# Every page in every language and width: test_every_page_in_a_browser.py.
@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ar", 375)])
def test_a_person_signs_up(browser: Browser, tmp_path: Path, language: str, width: int) -> None:
    clock = FrozenClock(dt.datetime.now(dt.UTC))
    known = bundle(topics=TOPICS, confirm_from=FROM)
    context = browser.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=True, locale=language
    )
    page = context.new_page()
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    with (
        relay_running() as relay,
        confirmations_to(relay) as sender,
        running(tmp_path, known=known, clock=clock, confirmations=sender) as server,
    ):
        page.goto(f"{server.url}/subscribe?lang={language}")
        looked_at(page, "form", language, width)
        # Nothing filled in: both faults are named at their fields, the first has the focus.
        clock.sleep(3)
        page.fill("#name", "Anna")
        page.click("main button")
        page.wait_for_function("document.activeElement.id === 'address'")
        assert page.locator("#address-wrong").is_visible()
        assert page.locator("#consent-wrong").is_visible()
        assert "Anna" == page.input_value("#name")
        looked_at(page, "wrong", language, width)
        # By keyboard alone.
        clock.sleep(3)
        page.keyboard.type("anna@readers.example")
        page.check("[value=eu]")
        page.focus("[name=consent]")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")  # the privacy notice, before the button that gives consent
        page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        looked_at(page, "asked", language, width)
        (taken,) = relay.wait_for(1)
        assert language == taken.mail["Content-Language"]
        page.goto(server.url + taken.link.removeprefix(known.url))
        looked_at(page, "confirm", language, width)
        clock.sleep(3)
        page.click("main button")
        looked_at(page, "confirmed", language, width)
        assert ["signup"] == server.kinds()
    context.close()
    # What a browser says of an answer with status 422 is no fault of the page.
    assert not [text for text in seen if "422" not in text]
