"""Who hears the mail, or sees little, gets all of it: by the rules of axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.looks.axe import violations
from tests.looks.browser import View, opened
from tests.looks.mails import Mail, mail_of
from tests.support.browser import chromium
from tests.support.march import LANGUAGES, march
from tests.support.tools import PROVE

pytestmark = pytest.mark.needs_chromium

LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    ((375, "dark"), (640, "dark"), (375, "light")) if PROVE else ((375, "dark"),)
)
"""Besides a wide and light window."""
OF_A_WHOLE_PAGE = ("landmark-one-main", "region")
"""A mail is shown within the landmarks of a mail program and needs none of its own."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def mail(language: str) -> Mail:
    return mail_of(march(language).edition, march(language).material, name="Zoë")


@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_no_violation_in_a_mail(browser: Browser, language: str) -> None:
    with opened(browser, mail(language), View(640)) as page:
        assert [] == violations(page, without=OF_A_WHOLE_PAGE)
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert [] == violations(page, without=OF_A_WHOLE_PAGE)


def test_axe_sees_what_is_wrong(browser: Browser) -> None:
    good = mail("en")
    spoilt = good.html.replace(" alt=", " data-alt=").replace("<h1 ", '<h1 style="color:#333" ')
    with opened(browser, Mail("en", spoilt, good.pictures), View(640)) as page:
        found = {told.partition(" ")[0] for told in violations(page, without=OF_A_WHOLE_PAGE)}
    assert {"image-alt", "color-contrast"} <= found
