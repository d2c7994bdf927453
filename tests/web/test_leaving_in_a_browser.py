"""People and scanners on the leaving pages, in a real browser."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsletter.message.tokens import Purpose
from newsletter.testing import FrozenClock
from playwright.sync_api import Browser, Page

from tests.support.browser import chromium
from tests.web.served import Running, running, token

pytestmark = pytest.mark.needs_chromium

READING_S = 2.1
"""Nobody reads a page in less than two seconds."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def clock() -> FrozenClock:
    """The server's: a test that puts it forward need not wait."""
    return FrozenClock(dt.datetime.now(dt.UTC))


@pytest.fixture
def server(tmp_path: Path, clock: FrozenClock) -> Iterator[Running]:
    with running(tmp_path, clock=clock) as started:
        yield started


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab without scripts, as careful readers have it."""
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("minutes_ago", [0, 130])
def test_a_person_leaves_undoes_it_and_leaves_again(
    server: Running, clock: FrozenClock, tab: Page, minutes_ago: int
) -> None:
    tab.goto(f"{server.url}/leave/{token(Purpose.PAGE, minutes_ago=minutes_ago)}?lang=en")

    def leave() -> None:
        clock.sleep(READING_S)
        tab.get_by_role("button", name="Leave the list").click()
        if minutes_ago < 60:
            clock.sleep(READING_S)
            tab.get_by_role("checkbox").check()
            tab.get_by_role("button", name="Leave now").click()
        assert "You have left" in tab.inner_text("h1")

    leave()
    assert ["leave"] == server.kinds()
    tab.get_by_role("button", name="Stay on the list").click()
    assert "Your leaving was undone" in tab.inner_text("h1")
    assert ["leave", "undo"] == server.kinds()
    tab.goto(tab.url)
    leave()
    tab.get_by_role("link", name="français").click()
    assert "Vous avez quitté" in tab.inner_text("h1")
    tab.get_by_role("radio", name="La recevoir est risqué pour moi").check()
    tab.get_by_label("Avec vos mots").fill("كان ذلك خطراً")
    tab.get_by_role("button", name="Envoyer la réponse").click()
    assert "Merci" in tab.inner_text("h1")
    assert ["leave", "undo", "leave", "reason"] == server.kinds()
    assert "كان ذلك خطراً" == server.events()[-1]["words"]


def test_a_program_that_runs_scripts_and_presses_every_button_takes_nobody_off(
    server: Running, clock: FrozenClock, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    address = f"{server.url}/leave/{token(Purpose.PAGE, minutes_ago=0)}"
    for pause_s in (0, READING_S):
        for road in itertools.product(range(2), repeat=2):
            # A button of the page, then a button of the page that this leads to.
            page.goto(address)
            for number in road:
                clock.sleep(pause_s)
                buttons = page.get_by_role("button")
                buttons.nth(min(number, buttons.count() - 1)).click()
            assert [] == server.kinds()
    for form in ("leave", "sure"):
        clock.sleep(READING_S)
        with page.expect_navigation():
            page.evaluate("document.forms[0].submit()")
        assert [] == server.kinds(), form
    context.close()
