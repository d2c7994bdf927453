"""Every public page, in Chromium: axe-core finds nothing, and nothing is wider than the window."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Literal

import pytest
from newsletter.render.public_pages import PAGES, PublicPages
from playwright.sync_api import Browser

from tests.looks.axe import violations
from tests.support.browser import chromium
from tests.support.tools import PROVE
from tests.web.served import bundle
from tests.web.test_pages_in_a_browser import TOPICS
from tests.web.test_privacy import NOTICE

pytestmark = pytest.mark.needs_chromium

LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    ((375, "light"), (375, "dark"), (1280, "light"), (1280, "dark"))
    if PROVE
    else ((375, "light"), (1280, "dark"))
)
"""Width and colour scheme: every width and every scheme; all pairs on demand."""

JUDGED = ("en", "fr", "ar") if PROVE else ("en", "ar")
"""What axe looks at: one language of each direction; French, the widest, is measured always."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@cache
def pages() -> PublicPages:
    return bundle(topics=TOPICS, privacy=NOTICE).pages()


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_every_page_is_for_everybody(browser: Browser, language: str) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    wrong = {}
    for name in PAGES:
        page.set_content(pages().page(name, language, {}))
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            wide = page.evaluate("document.documentElement.scrollWidth")
            found = violations(page) if language in JUDGED else []
            if found or wide > width:
                wrong[name, width, scheme] = (found, wide)
    context.close()
    assert {} == wrong
