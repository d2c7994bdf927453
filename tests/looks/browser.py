"""Chromium as a mail program: pictures come from the project, nothing comes from elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, Route

from tests.looks.mails import Mail
from tests.support.browser import tab

_HEIGHT = 900


@dataclass(frozen=True)
class View:
    """How a reader looks at a mail."""

    width: int
    dark: bool = False
    pictures: bool = True

    @property
    def name(self) -> str:
        """Such as ``dark-375-no-pictures``."""
        scheme = "dark" if self.dark else "light"
        return f"{scheme}-{self.width}{'' if self.pictures else '-no-pictures'}"


@contextlib.contextmanager
def opened(browser: Browser, mail: Mail, view: View) -> Iterator[Page]:
    """The mail, shown; asking for anything but its own pictures is an error."""
    foreign: list[str] = []

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name not in mail.pictures:
            foreign.append(route.request.url)
        if view.pictures and name in mail.pictures:
            route.fulfill(body=mail.pictures[name])
        else:
            route.abort()

    with tab(browser, width=view.width, height=_HEIGHT) as page:
        page.emulate_media(color_scheme="dark" if view.dark else "light")
        page.route("**/*", answer)
        page.set_content(mail.html, wait_until="load")
        yield page
    if foreign:
        raise AssertionError(f"The mail asks for more than its pictures: {foreign}")
